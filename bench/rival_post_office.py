"""Sends mails by django-post-office, in the virtual environment that the bench makes for it.

    python bench/rival_post_office.py SAMPLES SMTP_PORT FOLDER

Only its sending is counted, not how the mails come into its queue. Nothing of ours is imported here.
"""

import json
import resource
import sys
import time
from importlib import import_module
from pathlib import Path

BATCH, THREADS, PROCESSES = 1_000, 8, 2


def main() -> None:
    """Fill the queue, send it by the command that its manual names, and print seconds and processor time as JSON."""
    samples = [json.loads(line) for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()]
    _set_up(Path(sys.argv[3]), port=int(sys.argv[2]))
    management = import_module("django.core.management")
    management.call_command("migrate", verbosity=0)
    mail, models = import_module("post_office.mail"), import_module("post_office.models")
    mail.send_many([_mail(sample) for sample in samples])
    cpu, began = _cpu(), time.perf_counter()
    management.call_command("send_queued_mail", processes=PROCESSES, log_level=0)
    figures = {"seconds": time.perf_counter() - began, "cpu": _cpu() - cpu}
    sent = models.Email.objects.filter(status=models.STATUS.sent).count()
    print(json.dumps({"sent": sent, **figures}))


def _set_up(home: Path, *, port: int) -> None:
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": home / "post-office.db"}
    import_module("django.conf").settings.configure(
        INSTALLED_APPS=["django.contrib.contenttypes", "post_office"],
        DATABASES={"default": database},
        EMAIL_BACKEND="post_office.EmailBackend",
        EMAIL_HOST="127.0.0.1",
        EMAIL_PORT=port,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        LOGGING={"version": 1, "loggers": {"post_office": {"level": "CRITICAL"}}},
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
        POST_OFFICE={"BATCH_SIZE": BATCH, "THREADS_PER_PROCESS": THREADS, "LOG_LEVEL": 0},
    )
    import_module("django").setup()


def _mail(sample: "dict[str, str]") -> "dict[str, object]":
    return {
        "sender": sample["from"],
        "recipients": [sample["to"]],
        "subject": sample["subject"],
        "message": sample["text"],
        "html_message": sample["html"],
        "headers": {"List-Unsubscribe": f"<{sample['unsubscribe']}>"},
    }


def _cpu() -> float:
    """Seconds of processor time of this process and of those it started that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    main()
