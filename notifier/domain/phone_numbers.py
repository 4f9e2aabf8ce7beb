"""Finds telephone numbers in free text, and leaves doses, dates, registry numbers and other digits alone."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from notifier.domain import numbering_plans, phone_cues, phone_shapes
from notifier.domain.vanity_numbers import find_vanity_numbers, may_be_vanity

Span = tuple[int, int]

PHONE_MARK = "•••-•••-••••"

_SPACES = r" \t\u00a0\u2000-\u200d\u202f\u2060\u3000\ufeff"
_DASHES = phone_shapes.DASHES
_SEPARATORS = rf"{_SPACES}{_DASHES}./()（）\[\]~～・·•\\"
_RUN = re.compile(rf"\d(?:[{_SEPARATORS}+＋]{{0,4}}\d){{5,}}")
# The cheap look is taken at one byte a sign: digits are 0, separators a space. What is not Latin counts
# as a digit, so that nothing is overlooked. Ten times as fast as the search for _RUN.
_HINT = re.compile(rb"0(?: {0,4}0){5,}")
_BYTE_CLASSES = bytes.maketrans(b"?0123456789\t \xa0\xb7-./()[]~\\+", b"0" * 11 + b" " * 14)
_OPENING = re.compile(rf"(?:\\?[+＋(（\[][{_SPACES}]?){{1,3}}\Z")
_EXTENSION = re.compile(
    r"[\s,;]{0,3}[(\[]?\s?(?:ext(?:ension|n)?s?|x|interno|int|poste|ramal|anexo|durchwahl|dw|nebenstelle"
    r"|klappe|toestel|linka|wew|доб|вн|内線|分机|转|轉|내선|option|press|#)[\s.:#=]{0,3}\d{1,6}(?:[/,-]\d{1,6})?(?!\d)",
    re.IGNORECASE,
)
_NAMED_EXTENSION = re.compile(
    r"[\s,;]{0,3}[(\[]?\s?(?:ext|x(?=\d)|durchwahl|ramal|anexo|доб|内線|分机|내선)", re.IGNORECASE
)
# `030 1234-0, -12 or -13`
_FURTHER_EXTENSIONS = re.compile(
    r"(?:(?:\s?[,;/]|\s(?:or|and|oder|und|bzw\.?|ou|et|y|o|e))(?:\s(?:or|and|oder|und))?\s?[-–]\s?\d{1,5}(?!\d)){1,5}"
)
_TORN = re.compile(
    r"(?:[+＋]\d[\d ()/.-]{0,14}|\(0?\d{2,4}\)"
    r"|(?i:tel|phone|fax|mobile|cell|call|telefon|at)[.:]{0,2} \(?\d[\d ()/.-]{0,12})\n(?=\d)"
)
_SPLIT = re.compile(rf"\.[{_SPACES}]+|[{_SPACES}]{{3,}}")
_INNER_PLUS = re.compile(r"(?<=[\d(（ ])[+＋]")
_LIST_SPLIT = re.compile(rf"[{_SPACES}]?/[{_SPACES}]?|[{_SPACES}][{_DASHES}][{_SPACES}]|[{_SPACES}]{{2,}}")

_ABROAD = re.compile(r"00|011")
_LINK = re.compile(r"://|www\.|doi|(?:^|\D)10\.\d{4}|@", re.IGNORECASE)
_GLUED_NUMBERING = re.compile(r"[^\W\d_].*[-/#_.]\Z|[^\W_]\Z|[\d,]\Z")
_GLUED_LETTERS = re.compile(r"[-/_]?[^\W\d_]|,\d")
_VOLUME = re.compile(r"\d{1,4}\s?(?:\(\d{1,4}\))?:\s?\Z")
_LAST_WORD = re.compile(r"\S{1,80}\Z")
# Nothing is glued to a script without gaps between words, nor to what is masked already.
_UNGLUING = re.compile(r"[\u2e80-\uffdc•]")

_FEWEST_DIGITS = 6
_MOST_DIGITS = 15
_MOST_LISTED_DIGITS = 120
_KNOWN_TAIL = 7
_LONGEST_EXTENSION = 4


@dataclass(frozen=True, slots=True)
class _Candidate:
    text: str
    start: int
    end: int
    low: int
    """Where the number before ends; nothing before it speaks for this one."""
    is_next: bool
    """Whether it goes on with a list of numbers."""

    @property
    def shown(self) -> str:
        return self.text[self.start : self.end].lstrip("([（\\ ")

    @property
    def digits(self) -> str:
        return digits_of(self.text[self.start : self.end])

    @property
    def has_plus(self) -> bool:
        return any(sign in self.text[self.start : self.start + 6] for sign in "+＋")


def digits_of(text: str) -> str:
    """The digits in the text, whatever their script, as ASCII."""
    digits = "".join(filter(str.isdecimal, text))
    return digits if digits.isascii() else "".join(str(int(digit)) for digit in digits)


def known_tails(numbers: Sequence[str]) -> frozenset[str]:
    """By what a known number is recognised in another notation: its last seven digits."""
    digits = (digits_of(number) for number in numbers)
    return frozenset(number[-_KNOWN_TAIL:] for number in digits if len(number) >= _KNOWN_TAIL)


def suspicious_places(text: str) -> Iterator[Span]:
    """A cheap look: where digits stand that may be a telephone number; nowhere else is one."""
    yield from _places_of_digits(text)
    yield from may_be_vanity(text)


def _places_of_digits(text: str) -> Iterator[Span]:
    return (found.span() for found in _HINT.finditer(text.encode("latin-1", "replace").translate(_BYTE_CLASSES)))


def find_phone_numbers(text: str, *, regions: Sequence[str] = (), tails: AbstractSet[str] = frozenset()) -> list[Span]:
    """Where telephone numbers with their extensions stand in the text, in order, without overlap.

    A number is recognised by a plus sign, by a cue such as "Tel.", by its North American notation, by following
    another number, by ending in one of `tails`, or because it is valid in one of the `regions` (ISO codes of the
    record's sites). Takes linear time.
    """
    spans: list[Span] = []
    given, text = text, _mended(text)
    for start, end in _pieces(text, _places_of_digits(text)):
        low = spans[-1][1] if spans else 0
        candidate = _Candidate(text, start, end, low, _goes_on(text, start, low if spans else None))
        number = _number_within(candidate, regions, tails) if start >= low else None
        if number:
            spans.append((number[0], _end_with_extension(text, number)))
    vanity = [span for span in find_vanity_numbers(given) if not _overlaps(span, spans)]
    return sorted([*spans, *vanity])


def _mended(text: str) -> str:
    """With a space for the line break inside a number that begins with a plus, a bracket or a cue; places stay."""
    return _TORN.sub(lambda torn: torn[0][:-1] + " ", text) if "\n" in text else text


def _overlaps(span: Span, spans: Sequence[Span]) -> bool:
    before = bisect_left(spans, (span[1], 0)) - 1
    return before >= 0 and spans[before][1] > span[0]


def _goes_on(text: str, start: int, low: int | None) -> bool:
    if low is not None and phone_cues.is_connected(text[low : min(start, low + 40)]) and start - low <= 24:
        return True
    masked = text.rfind(PHONE_MARK, max(0, start - 24 - len(PHONE_MARK)), start)
    return masked >= 0 and phone_cues.is_connected(text[masked + len(PHONE_MARK) : start])


def _pieces(text: str, places: Iterable[Span]) -> Iterator[Span]:
    """Runs of digits and the signs between them, cut where one number surely ends and the next begins."""
    for place in places:
        for found in _RUN.finditer(text, *place):
            opening = _OPENING.search(text, max(0, found.start() - 8), found.start())
            begin = opening.start() if opening else found.start()
            yield from _pieces_of_run(text, begin, found.end())


def _pieces_of_run(text: str, begin: int, end_of_run: int) -> Iterator[Span]:
    run = text[begin:end_of_run]
    start = begin
    for cut in [*_cuts(run), len(run)]:
        end = begin + cut
        while end > start and not text[end - 1].isdecimal():
            end -= 1
        if end > start and len(digits_of(text[start : min(end, start + 60)])) >= _FEWEST_DIGITS:
            yield _balanced(text, start, end)
        start = begin + cut
        while start < end_of_run and not (text[start].isdecimal() or text[start] in "+＋(（["):
            start += 1


def _cuts(run: str) -> list[int]:
    cuts = {found.end() for found in _SPLIT.finditer(run)}
    cuts |= {
        found.start()
        for found in _INNER_PLUS.finditer(run)
        if len(digits_of(run[max(0, found.start() - 12) : found.start()])) > 3
    }
    previous = 0
    for found in _LIST_SPLIT.finditer(run):
        following = run[found.end() : found.end() + 30]
        if len(digits_of(run[previous : found.start()])) > _KNOWN_TAIL and len(digits_of(following)) > _KNOWN_TAIL:
            cuts.add(found.end())
            previous = found.end()
    return sorted(cuts)


def _balanced(text: str, start: int, end: int) -> Span:
    """Without an opening bracket whose partner stands outside."""
    skipped = "\\ " if any(sign in text[start:end] for sign in ")]）") else "\\ ([（"
    while start < end and text[start] in skipped:
        start += 1
    return start, end


def _number_within(whole: _Candidate, regions: Sequence[str], tails: AbstractSet[str]) -> Span | None:
    if _is_foreign(whole):
        return None
    text, start = whole.text, whole.start
    if phone_cues.is_counted(text, whole.end) and phone_shapes.is_rising_list(whole.shown):
        return None
    end = whole.end if _is_complete(whole) else phone_cues.without_hours(text, start, whole.end)
    candidate = replace(whole, end=end) if end < whole.end else whole
    if phone_cues.is_counted(text, end) and end == whole.end and not _is_unmistakable(candidate):
        return None
    if _is_called_number(candidate, tails):
        return start, end
    if phone_shapes.begins_with_year(candidate.shown) or phone_cues.is_numbered(text, start, unbroken=False):
        return None
    part = next((part for part in _parts(candidate) if _looks_like_number(part, regions)), None)
    return _with_torn_groups(part, candidate) if part else None


def _with_torn_groups(part: _Candidate, whole: _Candidate) -> Span:
    """The part, with a country code left before it or a long group left behind it."""
    before = digits_of(whole.text[whole.start : part.start])
    behind = digits_of(whole.text[part.end : whole.end])
    start = whole.start if before.startswith("0") else part.start
    return start, whole.end if len(behind) > _LONGEST_EXTENSION else part.end


def _is_foreign(candidate: _Candidate) -> bool:
    """Dates, registry numbers, links and digits glued to letters are no telephone numbers."""
    glued = _glued_before(candidate.text, candidate.start)
    if _GLUED_NUMBERING.search(glued) and not phone_cues.ends_in_cue(glued):
        return not (candidate.has_plus and glued[-1] in "-/.,_")
    if candidate.end - candidate.start > 3 * _MOST_LISTED_DIGITS or phone_shapes.is_foreign(candidate.shown):
        return True
    if phone_shapes.is_uncalled(candidate.shown):
        return not phone_cues.is_called(candidate.text, candidate.start, candidate.low)
    return _LINK.search(glued) is not None and not candidate.has_plus


def _glued_before(text: str, start: int) -> str:
    """The rest of the word that the digits stand in."""
    word = _LAST_WORD.search(text, max(0, start - 80), start)
    glued = word[0] if word else ""
    breaks = [found.end() for found in _UNGLUING.finditer(glued)]
    return glued[breaks[-1] :] if breaks else glued


def _is_called_number(candidate: _Candidate, tails: AbstractSet[str]) -> bool:
    digits = candidate.digits
    if digits[-_KNOWN_TAIL:] in tails or any(tail in digits for tail in tails if len(digits) <= 2 * _MOST_DIGITS):
        return True
    if len(digits) > _MOST_LISTED_DIGITS or any(len(run) > 18 for run in re.findall(r"\d+", candidate.shown)):
        return False
    cue = phone_cues.cue_before(candidate.text, candidate.start, candidate.low)
    if cue == "strong" or (cue and len(digits) > _FEWEST_DIGITS):
        return True
    behind = phone_cues.cue_behind(candidate.text, candidate.end) or _NAMED_EXTENSION.match(
        candidate.text, candidate.end
    )
    if candidate.is_next or behind:
        return len(digits) > _FEWEST_DIGITS
    return candidate.has_plus and _is_international(candidate)


def _is_complete(candidate: _Candidate) -> bool:
    """Whether the digits are just as many as a number with this country code has."""
    return candidate.has_plus and numbering_plans.is_valid_abroad(candidate.digits)


def _is_unmistakable(candidate: _Candidate) -> bool:
    """Whether the notation alone says that it is a telephone number, whatever follows."""
    international = candidate.has_plus and len(candidate.digits) > _FEWEST_DIGITS + 2 and _is_international(candidate)
    return international or phone_shapes.is_north_american(candidate.shown)


def _is_international(candidate: _Candidate) -> bool:
    """A plus sign and a country code; if a gap stands between them, the whole must be a possible number."""
    digits = candidate.digits
    if len(digits) < _FEWEST_DIGITS + 1 + (digits[0] == "0"):
        return False
    if re.match(r"[(（\[ ]*[+＋][(（ ]?\d", candidate.text[candidate.start : candidate.start + 8]):
        return True
    return numbering_plans.is_possible_abroad(digits)


def _parts(candidate: _Candidate) -> Iterator[_Candidate]:
    """The candidate, then without its last, then without its first group."""
    yield candidate
    groups = [found.start() for found in re.finditer(rf"[{_SPACES}]+", candidate.text[candidate.start : candidate.end])]
    if not groups or len(groups) > 12:
        return
    text, low = candidate.text, candidate.low
    first, last = candidate.start + groups[0], candidate.start + groups[-1]
    while not (text[first].isdecimal() or text[first] in "+(（"):
        first += 1
    while not text[last - 1].isdecimal():
        last -= 1
    for start, end in ((candidate.start, last), (first, candidate.end)):
        if len(digits_of(text[start:end])) >= _FEWEST_DIGITS:
            yield _Candidate(text, *_balanced(text, start, end), low, is_next=False)


def _looks_like_number(candidate: _Candidate, regions: Sequence[str]) -> bool:
    """A number that nothing announces: by its notation, or because a region has it."""
    text, shown = candidate.text, candidate.shown
    if phone_cues.is_numbered(text, candidate.start, unbroken=shown.isdecimal()) or _GLUED_LETTERS.match(
        text, candidate.end
    ):
        return False
    if phone_shapes.is_north_american(shown):
        return True
    is_source = phone_shapes.is_page_range(shown) and _VOLUME.search(
        text[max(0, candidate.start - 14) : candidate.start]
    )
    return not is_source and not phone_shapes.is_doubtful(shown) and _is_in_a_plan(shown, candidate.digits, regions)


def _is_in_a_plan(shown: str, digits: str, regions: Sequence[str]) -> bool:
    """Whether the digits exist as dialled from abroad or in one of the regions."""
    if len(digits) == numbering_plans.SHORT:
        is_set_out = phone_shapes.is_short_number(shown)
        return is_set_out and any(numbering_plans.is_short_national(digits, region) for region in regions)
    abroad = _ABROAD.match(digits) if regions or shown != digits else None
    if not numbering_plans.SHORT < len(digits) <= _MOST_DIGITS + (abroad.end() if abroad else 0):
        return False
    if abroad and numbering_plans.is_valid_abroad(digits[abroad.end() :]):
        return True
    return any(numbering_plans.is_national(shown, digits, region) for region in regions)


def _end_with_extension(text: str, number: Span) -> int:
    further = _FURTHER_EXTENSIONS.match(text, number[1])
    if further:
        return further.end()
    extension = _EXTENSION.match(text, number[1])
    if extension is None:
        return number[1]
    closing = text[extension.end() : extension.end() + 1]
    return extension.end() + (closing in (")", "]") and any(sign in extension[0] for sign in "(["))
