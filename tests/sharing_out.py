"""How parallel workers share the tests out: one by one, but whole files where the tests share something costly."""

from xdist.scheduler import LoadScopeScheduling

WHOLE_FILES = frozenset(
    f"tests/{name}.py"
    for name in (
        *("domain/test_masking_figures", "registries/test_registry_folder", "test_canaries"),
        *("test_held_commands", "test_leaks"),
        *("emails/test_mail_html", "emails/test_mail_support", "emails/test_same_links"),
    )
)


class SharingOut(LoadScopeScheduling):  # type: ignore[misc]  # xdist ships no types
    """Gives a worker one test, or all tests of such a file; those files first.

    xdist's own way, ``--dist loadgroup`` and a mark, shares nothing since pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        return file if file in WHOLE_FILES else nodeid
