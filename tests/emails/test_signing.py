"""The links of a mail are signed in a shorter way, and are the same links."""

import pytest

from notifier.emails.links import END_ALL, END_ONE, Links

LINKS = Links(base_url="https://updates.example.org", secrets=("the newest made-up secret", "an older one"))


@pytest.mark.parametrize("id_", [0, 7, 42, 65_535, 1_234_567, 9_999_999_999, 2**62])
def test_a_link_is_as_the_serializer_makes_it(id_: int) -> None:
    one, everything = (LINKS._serializers[purpose].dumps([id_]) for purpose in (END_ONE, END_ALL))

    assert LINKS.end_one(id_) == f"https://updates.example.org/unsubscribe/{one}"
    assert LINKS.end_all(id_) == f"https://updates.example.org/unsubscribe/{everything}"
    assert LINKS.ask_preferences(id_) == f"https://updates.example.org/preferences/{everything}"
