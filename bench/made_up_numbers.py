"""Makes up telephone numbers of every country in many notations, and sentences to hide them in, from a seed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType

KINDS = (
    PhoneNumberType.FIXED_LINE,
    PhoneNumberType.MOBILE,
    PhoneNumberType.TOLL_FREE,
    PhoneNumberType.UAN,
)
SEPARATORS = (" ", "\u00a0", "\u2009", "\u202f", ".", "/", "-", "\u2013", "\u2011", "", " - ", "\u2010", "  ")
CUES = Path(__file__).with_name("cue_sentences.txt")
PLACES = (
    "{}",
    "{}.",
    "{}, Monday to Friday",
    "({})",
    "For more:\n{}\n",
    "Write or\n{}",
    "Ask! {}; thank you.",
    "** {} **",
)
BARE = (
    "Please ask {} about it.",
    "{}",
    "Department of Medicine, {}",
    "Jane Roe, {}, or the nurse",
    "Information: {}.",
    "Jane Roe ({})",
    "Jane Roe - {}",
    "[{}]",
    "Jane Roe\n{}\nMain Street",
    "jane.roe@example.org; {}",
    "jane.roe@example.org / {}",
    "Jane Roe {} John Doe",
)
FIGURES = {"full width": 0xFF10, "Arabic": 0x0660, "Persian": 0x06F0, "Devanagari": 0x0966, "Bengali": 0x09E6}


@dataclass(frozen=True, slots=True)
class MadeUp:
    """One number in a sentence, where it is said to be at home or not, and what is told of it."""

    text: str
    number: str
    regions: tuple[str, ...]
    form: str


def cue_sentences() -> tuple[str, ...]:
    """Every cue, with `{}` where the number stands."""
    return tuple(CUES.read_text(encoding="utf-8").splitlines())


def numbers(random: Random, each: int) -> Iterator[tuple[str, PhoneNumber]]:
    """Valid numbers of every region and kind, with the region."""
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in KINDS:
            example = phonenumbers.example_number_for_type(region, kind)
            if example and len(phonenumbers.national_significant_number(example)) >= 7:
                for _ in range(each):
                    yield region, varied(random, example)


def varied(random: Random, example: PhoneNumber) -> PhoneNumber:
    """Another valid number like the example."""
    digits = phonenumbers.national_significant_number(example)
    prefix = f"+{example.country_code}"
    for fixed in (3, 3, 4, 4, 5, 6):
        tail = "".join(random.choice("0123456789") for _ in digits[fixed:])
        number = phonenumbers.parse(prefix + digits[:fixed] + tail)
        if phonenumbers.is_valid_number(number):
            return number
    return example


def international(random: Random, number: PhoneNumber) -> tuple[str, str]:
    """The number with a plus sign, and the name of the notation."""
    shown = phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)
    code, _, rest = shown.partition(" ")
    tight = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    separator = random.choice(SEPARATORS)
    own = separated(rest, separator)
    forms = {
        "international": f"{code}{separator or ' '}{own}",
        "E.164": tight,
        "RFC 3966": phonenumbers.format_number(number, PhoneNumberFormat.RFC3966),
        "plus, bracketed code": f"({code}) {own}",
        "plus, (0)": f"{code} (0){own}",
        "plus, ( 0 )": f"{code}-(0) {own}",
        "plus, gap": f"+ {code[1:]} {own}",
        "full-width plus": f"＋{code[1:]}{separator}{own}",
        "plus, area in brackets": f"{code} {bracketed(own)}",
        "plus, odd groups": f"{code} {grouped(random, tight[len(code) :])}",
        "plus, two spaces": f"{code}  {own}",
        "plus 00": f"+00{code[1:]} {own}",
    }
    form = random.choice(list(forms))
    return forms[form], form


def national(random: Random, number: PhoneNumber) -> tuple[str, str]:
    """The number without a plus sign, and the name of the notation."""
    shown = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
    digits = re.sub(r"\D", "", shown)
    own = separated(shown, random.choice(SEPARATORS))
    abroad = phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)[1:]
    forms = {
        "national": shown,
        "national, separated": own,
        "national, unbroken": digits,
        "national, odd groups": grouped(random, digits),
        "area in brackets": bracketed(own),
        "00": "00" + separated(abroad, random.choice(SEPARATORS)),
        "00 apart": "00 " + abroad,
        "011": "011 " + separated(abroad, random.choice(SEPARATORS)),
        "code, no plus": separated(abroad, random.choice(SEPARATORS)),
        "code in brackets": "({}) {}".format(*abroad.split(" ", 1)),
    }
    form = random.choice(list(forms))
    return forms[form], form


def separated(shown: str, separator: str) -> str:
    """The groups of a number parted by another sign."""
    return re.sub(r"[ \-]+", lambda _: separator, shown)


def bracketed(shown: str) -> str:
    """The first group set into brackets."""
    parts = re.match(r"\W*(\d+)\W*(.*)\Z", shown, re.DOTALL)
    return f"({parts[1]}) {parts[2]}" if parts and parts[2] else shown


def grouped(random: Random, digits: str) -> str:
    """The digits in groups of two to four, as people split them."""
    groups = []
    while digits:
        size = len(digits) if len(digits) <= 4 else min(random.choice((2, 3, 3, 4)), len(digits) - 2)
        groups.append(digits[:size])
        digits = digits[size:]
    return random.choice((" ", "-", ".")).join(groups)


def with_extras(random: Random, shown: str) -> str:
    """Sometimes an extension or a second number behind it."""
    last = re.search(r"(\d{2,4})\Z", shown)
    tail = f"{random.randrange(10, 9999)}"
    extras = [f" ext. {tail}", f" ext {tail}", f" x{tail}", f" (ext. {tail})", f", extension {tail}", f" #{tail}"]
    extras += [f" poste {tail}", f" Durchwahl {tail}", f" option {tail[0]}", f";ext={tail}", f" Ext.: {tail}"]
    if last:
        other = str(int(last[1]) + 1).zfill(len(last[1]))
        extras += [f" / {other}", f" or {shown[: last.start()]}{other}", f", {shown[: last.start()]}{other}"]
        extras += [f" / -{other[-1]}", f" and {shown[: last.start()]}{other}", f"; {shown[: last.start()]}{other}"]
    return shown + random.choice(extras) if random.random() < 0.25 else shown


def cued(random: Random, each: int) -> Iterator[MadeUp]:
    """Numbers that a cue announces, in no record's countries."""
    cues = cue_sentences()
    for _, number in numbers(random, each):
        shown, form = random.choice((national, international))(random, number)
        shown = with_extras(random, shown)
        text = random.choice(PLACES).format(random.choice(cues).format(shown))
        yield MadeUp(text, shown, (), form)


def with_plus(random: Random, each: int) -> Iterator[MadeUp]:
    """Numbers with a plus sign that nothing announces."""
    for _, number in numbers(random, each):
        shown, form = international(random, number)
        shown = with_extras(random, shown)
        yield MadeUp(random.choice(BARE).format(shown), shown, (), form)


def at_home(random: Random, each: int) -> Iterator[MadeUp]:
    """Numbers that nothing announces, in a record with sites in their country."""
    for region, number in numbers(random, each):
        shown, form = national(random, number)
        yield MadeUp(random.choice(BARE).format(shown), shown, (region,), form)


def in_other_figures(random: Random, each: int) -> Iterator[MadeUp]:
    """Announced numbers in the figures of other scripts."""
    for _, number in numbers(random, each):
        shown, _ = random.choice((national, international))(random, number)
        script, zero = random.choice(list(FIGURES.items()))
        shown = "".join(chr(zero + int(sign)) if sign.isascii() and sign.isdigit() else sign for sign in shown)
        yield MadeUp(random.choice(cue_sentences()).format(shown), shown, (), script)
