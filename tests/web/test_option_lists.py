"""Long lists of options: escaped once, the chosen ones marked."""

from notifier.web.option_lists import options, options_with_chosen_first

CHOICES = (("a", "A & B"), ("b", "<i>"), ("c", "C"))


def test_options_keep_their_order_and_are_escaped() -> None:
    assert options(CHOICES, ["b"]).splitlines() == [
        '<option value="a">A &amp; B</option>',
        '<option value="b" selected>&lt;i&gt;</option>',
        '<option value="c">C</option>',
    ]


def test_chosen_options_may_stand_first() -> None:
    first = options_with_chosen_first(CHOICES, ["c"])

    assert first.splitlines()[0] == '<option value="c" selected>C</option>'
    assert first.count("selected") == 1
    assert first.count("<option") == len(CHOICES)
