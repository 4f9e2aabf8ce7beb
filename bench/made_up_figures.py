"""Measures masking on made-up numbers, addresses and look-alikes, the same ones in every run."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from bench import made_up_addresses, made_up_lookalikes, made_up_numbers
from bench.made_up_numbers import MadeUp
from bench.masking_figures import Recall
from notifier.domain.masking import EMAIL_MARK, mask_text

SEED = 20260101
NUMBERS_A_KIND = 5
ADDRESSES_A_HOST = 4
LOOKALIKES_A_KIND = 40
REGIONS = (
    (),
    ("US",),
    ("DE", "FR", "GB", "US"),
    ("CN",),
    ("JP", "KR", "TW"),
    ("AT", "BE", "BR", "CH", "CZ", "DK", "ES", "IT", "NL", "PL", "SE", "TR"),
    ("AR", "AU", "CA", "CL", "CO", "EG", "HU", "IL", "IN", "IR", "MX", "PK", "RU", "TH", "VN", "ZA"),
)


@dataclass(frozen=True, slots=True)
class Damage:
    """How many look-alikes were tried, and which were taken for contact details."""

    tried: int
    damaged: tuple[str, ...]


def number_recalls() -> list[Recall]:
    """Of made-up numbers: with a cue word, with a plus, bare at home, and in other scripts' figures."""
    each = NUMBERS_A_KIND
    return [
        _recall("made up, with a cue word", made_up_numbers.cued(Random(SEED), each)),
        _recall("made up, with a plus sign", made_up_numbers.with_plus(Random(SEED), each)),
        _recall("made up, bare, at home", made_up_numbers.at_home(Random(SEED), each)),
        _recall("made up, in other figures", made_up_numbers.in_other_figures(Random(SEED), 1)),
    ]


def _recall(name: str, cases: Iterable[MadeUp]) -> Recall:
    """Stricter than on real numbers: not one digit may be left."""
    tried = 0
    missed: list[str] = []
    for case in cases:
        tried += 1
        masked = mask_text(case.text, regions=case.regions)
        if _digits(masked) > _digits(case.text) - _digits(case.number):
            missed.append(f"{case.form} {' '.join(case.regions)}: {masked!r}")
    return Recall(name, tried, tuple(missed))


def _digits(text: str) -> int:
    return sum(map(str.isdecimal, text))


def address_recall() -> Recall:
    """Of made-up addresses in all deformities: neither name nor host may be readable."""
    cases = list(made_up_addresses.hidden(Random(SEED), ADDRESSES_A_HOST))
    masked = ((case, mask_text(case.text)) for case in cases)
    missed = [
        f"{case.form}: {text!r}" for case, text in masked if made_up_addresses.remains(text, case.words, EMAIL_MARK)
    ]
    return Recall("made-up addresses", len(cases), tuple(missed))


def lookalike_damage() -> Damage:
    """Of made-up look-alikes, in records with sites in changing countries."""
    random = Random(SEED)
    cases = list(made_up_lookalikes.lookalikes(random, LOOKALIKES_A_KIND))
    damaged: defaultdict[str, list[str]] = defaultdict(list)
    for kind, _, sentence in cases:
        regions = random.choice(REGIONS)
        if mask_text(sentence, regions=regions) != sentence:
            damaged[kind].append(f"{kind} {' '.join(regions)}: {sentence!r}")
    return Damage(len(cases), tuple(line for lines in damaged.values() for line in lines))
