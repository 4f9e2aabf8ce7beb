"""Reading addresses: twins are one mailbox, look-alikes are not, and ours are refused."""

import pytest

from notifier.errors import InvalidAddress
from notifier.store.addresses import AddressKeys, read_address, refuse_own

TWINS = [
    ("Reader@Example.ORG", "reader@example.org"),
    ("a@MÜLLER.example.org", "a@xn--mller-kva.example.org"),
    ("a@mu\u0308ller.example.org", "a@müller.example.org"),
    ("a@\uff45xample.org", "a@example.org"),
    ("a@example\u3002org", "a@example.org"),
    ("\u202aa@example.org\u202c", "a@example.org"),
    ("\ufeffa@example.org\u200b", "a@example.org"),
    (" a@example.org\r\n", "a@example.org"),
]
OTHERS = [
    ("a@ex\u0430mple.org", "a@example.org"),
    ("a@exımple.org", "a@example.org"),
    ("a@straße.example.org", "a@strasse.example.org"),
    ("a+b@example.org", "a@example.org"),
    ("a.b@example.org", "ab@example.org"),
]


@pytest.mark.parametrize(("typed", "twin"), TWINS)
def test_twins_are_one_mailbox(typed: str, twin: str) -> None:
    assert read_address(typed).comparable == read_address(twin).comparable


@pytest.mark.parametrize(("typed", "other"), OTHERS)
def test_mailboxes_that_only_look_alike_are_two(typed: str, other: str) -> None:
    assert read_address(typed).comparable != read_address(other).comparable


@pytest.mark.parametrize("typed", ["jörg@example.org", "jörg@müller.example.org", "\u0430@example.org"])
def test_letters_that_mails_cannot_reach_are_told_apart_from_slips(typed: str) -> None:
    with pytest.raises(InvalidAddress, match="such as ö or é"):
        read_address(typed)


@pytest.mark.parametrize(
    "typed", ["a\u200bb@example.org", "a@exam\u200bple.org", "a@example\u202e.org", "\u202ea@example.org"]
)
def test_signs_that_nobody_sees_are_refused_inside(typed: str) -> None:
    with pytest.raises(InvalidAddress, match="does not look like"):
        read_address(typed)


@pytest.mark.parametrize(
    "ours",
    ["updates@mail.example.org", "UPDATES+tag@mail.example.org", "bounces+7=a@mail.example.org",
     "mailer-daemon@www.example.org", "updates@www.example.org"],
)  # fmt: skip
def test_our_own_addresses_are_refused(ours: str) -> None:
    with pytest.raises(InvalidAddress, match="our own mails come from"):
        refuse_own(read_address(ours), sender="Updates@Mail.example.org", host="www.example.org")


@pytest.mark.parametrize("neighbour", ["reader@mail.example.org", "updates@example.org", "update@mail.example.org"])
def test_neighbours_of_ours_are_readers(neighbour: str) -> None:
    refuse_own(read_address(neighbour), sender="updates@mail.example.org", host="www.example.org")


def test_a_sender_of_this_machine_refuses_nobody() -> None:
    refuse_own(read_address("updates@example.org"), sender="updates@localhost", host="127.0.0.1")


def test_a_destination_is_one_however_it_is_written_and_its_hash_is_no_other() -> None:
    keys = AddressKeys(secrets=("a made-up secret that is long enough for anybody",), index_key="a made-up index key")

    assert len({keys.destination(name) for name in ("müller.example", "XN--mller-kva.Example", "müller.example.")}) == 1
    assert keys.destination("example.org") != keys.destination("mail.example.org")
    assert keys.destination("example.org") != keys.words_index("example.org")[:16]
