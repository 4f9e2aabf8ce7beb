"""The gallery: every mail in every variant, from the templates as they are now."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from starlette.testclient import TestClient

from notifier.emails import gallery, keeping, templates
from notifier.emails.sample_mails import SAMPLES
from notifier.installation import Installation
from notifier.web.app import create_app


@pytest.fixture
def edited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the templates that a test may edit."""
    root = tmp_path / "templates"
    shutil.copytree(templates.template_root(), root)
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(templates, "template_root", lambda: root)
        yield root / "emails"
    keeping.forget_gallery()


def test_the_mailbox_leads_to_a_list_of_every_variant(client: TestClient) -> None:
    assert "/mailbox/gallery" in client.get("/mailbox").text

    page = client.get("/mailbox/gallery").text

    assert [name for name in SAMPLES if f"/mailbox/gallery/{gallery.slug_of(name)}" not in page] == []


@pytest.mark.parametrize("name", SAMPLES)
def test_every_variant_is_shown_in_each_language(client: TestClient, name: str) -> None:
    for language in ("en", "de"):
        address = f"/mailbox/gallery/{gallery.slug_of(name)}?lang={language}"
        frames = BeautifulSoup(client.get(address).text, "html.parser").find_all("iframe")
        assert [frame["width"] for frame in frames] == ["360", "360", "800", "800"]
        assert all(f'lang="{language}"' in client.get(str(frame["src"])).text for frame in frames)


def test_a_dark_frame_is_dark_and_a_light_one_light_on_every_screen(client: TestClient) -> None:
    dark, light = (client.get(f"/mailbox/gallery/one-study/html?scheme={scheme}").text for scheme in ("dark", "light"))

    assert "prefers-color-scheme" not in dark + light
    assert "color-scheme: dark" in dark
    assert "@media (min-width: 0)" in dark
    assert "@media (max-width: 0)" in light


def test_a_mail_in_a_frame_runs_nothing_and_loads_nothing(client: TestClient) -> None:
    policy = client.get("/mailbox/gallery/markup-in-texts/html").headers["content-security-policy"]

    assert "sandbox" in policy
    assert "default-src 'none'" in policy


def test_an_edited_template_shows_at_the_next_look(client: TestClient, edited: Path) -> None:
    before = client.get("/mailbox/gallery/goodbye").text
    (edited / "goodbye" / "subject.txt").write_text("Edited just now")

    assert "Edited just now" not in before
    assert "Edited just now" in client.get("/mailbox/gallery/goodbye").text


@pytest.mark.parametrize(
    ("mistake", "reason"), [("{% if %}", "TemplateSyntaxError"), ("{{ mail.nothing.of_it }}", "UndefinedError")]
)
def test_a_broken_template_names_file_and_line(client: TestClient, edited: Path, mistake: str, reason: str) -> None:
    file = edited / "goodbye" / "body.txt"
    file.write_text(file.read_text().replace("{% endblock %}", f"\n{mistake}\n{{% endblock %}}", 1))

    page = client.get("/mailbox/gallery/goodbye")

    line = file.read_text().splitlines().index(mistake) + 1
    assert page.status_code == client.get("/mailbox/gallery").status_code == 200
    assert f"templates/emails/goodbye/body.txt, line {line}" in page.text
    assert reason in page.text


def test_mails_that_go_out_stay_as_they_were_while_somebody_edits(client: TestClient, edited: Path) -> None:
    goodbye = SAMPLES["goodbye"]
    before = templates.render_mail(goodbye).subject
    (edited / "goodbye" / "subject.txt").write_text("Edited just now")

    shown = client.get("/mailbox/gallery/goodbye").text

    assert "Edited just now" in shown
    assert templates.render_mail(goodbye).subject == before


def test_what_is_not_in_the_gallery_is_not_found(client: TestClient) -> None:
    assert client.get("/mailbox/gallery/nothing-such").status_code == 404


def test_in_production_there_is_no_gallery(installation: Installation) -> None:
    with TestClient(create_app(installation)) as production:
        assert production.get("/mailbox/gallery").status_code == 404
