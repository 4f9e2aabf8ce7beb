"""Finds telephone numbers in free text, and leaves doses, dates, registry numbers and other digits alone."""

import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import phonenumbers

from notifier.domain import phone_cues

Span = tuple[int, int]

PHONE_MARK = "•••-•••-••••"

_SPACES = r" \t\u00a0\u2000-\u200d\u202f\u2060\u3000\ufeff"
_DASHES = r"\-‐‑‒–—−－"
_SEPARATORS = rf"{_SPACES}{_DASHES}./()（）\[\]~～・·•_\\"
_CANDIDATE = re.compile(rf"(?:\\?[+＋(（\[][{_SPACES}]?){{0,3}}\d(?:[{_SEPARATORS}]{{0,4}}\d){{5,}}")
_VANITY = re.compile(
    r"(?<![\w.-])(?:(?:\+?1[-. ])\(?[2-9]\d\d\)?|\(?8(?:00|33|44|55|66|77|88)\)?)[-. ](?=[\dA-Z-]*[A-Z]{2})"
    r"(?=(?:-?[\dA-Z]){7,14}(?![\w]))(?:-?[\dA-Z]){7,14}"
)
# Begins with a plain digit, so that the search for it is fast.
_HINT = re.compile(rf"\d(?:(?:[{_SEPARATORS}]{{0,4}}\d){{5}}|\d\d\)?[-. ][\dA-Z-]{{0,7}}[A-Z]{{2}})")
_EXTENSION = re.compile(
    r"[\s,;]{0,3}[(\[]?\s?(?:ext(?:ension|n)?s?|x|interno|int|poste|ramal|anexo|durchwahl|dw|nebenstelle|klappe|toestel|linka|wew"
    r"|доб|вн|内線|分机|转|轉|내선|option|press|#)[\s.:#]{0,3}\d{1,6}(?:[/,-]\d{1,6})?(?!\d)",
    re.IGNORECASE,
)
_SPLIT = re.compile(rf"\.[{_SPACES}]+|[{_SPACES}]{{3,}}")
_LIST_SPLIT = re.compile(rf"[{_SPACES}]?/[{_SPACES}]?|[{_SPACES}][{_DASHES}][{_SPACES}]|[{_SPACES}]{{2,}}")

_DAY = r"(?:\d{1,2}[-./]\d{1,2}[-./](?:19|20)\d\d|(?:19|20)\d\d[-./]\d{1,2}[-./]\d{1,2})"
_MONTH_OR_YEAR = r"(?:\d{1,2}[-./](?:19|20)\d\d|(?:19|20)\d\d(?:[-./]\d{1,2})?)"
_DATE = rf"(?:{_DAY}|{_MONTH_OR_YEAR})"
# What is never a telephone number, however it is introduced.
_FOREIGN_SHAPE = re.compile(
    rf"{_DAY}|{_DATE}\)?(?:[ ]?[{_DASHES}/ ][ ]?\(?{_DATE})+"
    r"|\d{4}-\d{6}-\d{2}(?:[-/].*)?"  # EudraCT
    r"|\d{4}-5\d{5}-\d{2}(?:-\d{2})?"  # CTIS
    r"|0000-000\d-\d{4}-\d{3,4}"  # ORCID
    rf"|\d+\.\d+(?:[ ]?[{_DASHES}/][ ]?\d+\.\d+)*"  # decimals and their ranges
    r"|\d{1,3}(?:\.\d{1,3}){3}|\d(?:\.\d+){5,}"  # network addresses, object identifiers
    rf"|\d{{1,2}}(?:[/,]\d{{1,2}}){{3,}}|\d(?:[{_SPACES}{_DASHES}/]+\d){{5,}}"  # lists
    rf"|[\d {_DASHES}.]*\d/7(?:[ ]?[{_DASHES}][ ]?\d+ \d/7)?"  # weeks and days of a pregnancy
)
# What may be a telephone number only if it is called one.
_DOUBTFUL_SHAPE = re.compile(
    r"\d{5}-\d{3,4}|\d{3}-\d{4}"  # postal codes
    r"|\d{1,3}(?:[ .]\d{3})*[ .]000"  # thousands
    r"|\d{1,2}(?: \d{3}){2}"
    r"|.*/.*/.*"
    rf"|(?:19|20)\d\d[{_DASHES}](?:19|20)\d\d\b.*"  # years, and what follows them
    rf"|\d+0[ ]?[{_DASHES}][ ]?\d+0"  # ranges
    r"|(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"  # 20230131
    r"|(\d)\1{6,}"
)
_NORTH_AMERICAN = re.compile(
    rf"(?:\+?1[{_DASHES}. ]{{0,2}})?(?:\([2-9]\d\d\)[{_DASHES}. ]{{0,2}}|[2-9]\d\d[{_DASHES}./][ ]?)[2-9]\d\d[ ]?[{_DASHES}. ][ ]?\d{{4}}"
)
_LINK = re.compile(r"://|www\.|doi|(?:^|\D)10\.\d{4}|@", re.IGNORECASE)
_GLUED_NUMBERING = re.compile(r"[^\W\d_].*[-/#_.]\Z|[^\W_]\Z|[\d,]\Z")
_GLUED_LETTERS = re.compile(r"[-/_]?[^\W\d_]|,\d")
_LAST_WORD = re.compile(r"\S{1,80}\Z")
_EASTERN = re.compile(r"[\u2e80-\uffdc]")

_FEWEST_DIGITS = 6
_MOST_DIGITS = 15
_MOST_LISTED_DIGITS = 120
_KNOWN_TAIL = 7


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
    return "".join(str(int(sign)) for sign in text if sign.isdecimal())


def known_tails(numbers: Sequence[str]) -> frozenset[str]:
    """By what a known number is recognised in another notation: its last seven digits."""
    digits = (digits_of(number) for number in numbers)
    return frozenset(number[-_KNOWN_TAIL:] for number in digits if len(number) >= _KNOWN_TAIL)


def suspicious_places(text: str) -> Iterator[int]:
    """A cheap look: where digits stand that may be a telephone number."""
    return (found.start() for found in _HINT.finditer(text))


def find_phone_numbers(
    text: str, *, regions: Sequence[str] = (), tails: AbstractSet[str] = frozenset()
) -> list[Span]:
    """Where telephone numbers with their extensions stand in the text, in order, without overlap.

    A number is recognised by a plus sign, by a cue such as "Tel.", by its North American notation, by following another
    number, by ending in one of `tails`, or because it is valid in one of the `regions` (ISO codes of the record's sites).
    Takes linear time.
    """
    spans: list[Span] = []
    for start, end in _pieces(text):
        low = spans[-1][1] if spans else 0
        candidate = _Candidate(text, start, end, low, _goes_on(text, start, low if spans else None))
        number = _number_within(candidate, regions, tails) if start >= low else None
        if number:
            spans.append((number[0], _end_with_extension(text, number)))
    return sorted(_with_vanity_numbers(text, spans))


def _goes_on(text: str, start: int, low: int | None) -> bool:
    if low is not None and phone_cues.is_connected(text[low : min(start, low + 40)]) and start - low <= 24:
        return True
    masked = text.rfind(PHONE_MARK, max(0, start - 24 - len(PHONE_MARK)), start)
    return masked >= 0 and phone_cues.is_connected(text[masked + len(PHONE_MARK) : start])


def _with_vanity_numbers(text: str, spans: list[Span]) -> list[Span]:
    taken = iter([*spans, (len(text) + 1, len(text) + 1)])
    following = next(taken)
    vanity: list[Span] = []
    for found in _VANITY.finditer(text):
        while following[1] <= found.start():
            following = next(taken)
        if found.end() <= following[0]:
            vanity.append(found.span())
    return spans + vanity


def _pieces(text: str) -> Iterator[Span]:
    """Runs of digits and the signs between them, cut where one number surely ends and the next begins."""
    for run in _CANDIDATE.finditer(text):
        start = run.start()
        for cut in [*_cuts(run[0]), len(run[0])]:
            end = run.start() + cut
            while end > start and not text[end - 1].isdecimal():
                end -= 1
            piece = _balanced(text, start, end)
            if end > start and len(digits_of(text[start:end][:60])) >= _FEWEST_DIGITS:
                yield piece
            start = run.start() + cut
            while start < run.end() and not (text[start].isdecimal() or text[start] in "+＋(（["):
                start += 1


def _cuts(run: str) -> list[int]:
    inner_plus = [found.start() for found in re.finditer(r"(?<=[\d(（ ])[+＋]", run) if len(digits_of(run[: found.start()])) > 3]
    cuts = {found.end() for found in _SPLIT.finditer(run)} | set(inner_plus)
    previous = 0
    for found in _LIST_SPLIT.finditer(run) if len(run) > _MOST_DIGITS else ():
        following = run[found.end() : found.end() + 30]
        if len(digits_of(run[previous : found.start()])) > _KNOWN_TAIL and len(digits_of(following)) > _KNOWN_TAIL:
            cuts.add(found.end())
            previous = found.end()
    return sorted(cuts)


def _balanced(text: str, start: int, end: int) -> Span:
    """Without an opening bracket whose partner stands outside."""
    while start < end and text[start] in "([（" and not any(sign in text[start:end] for sign in ")]）"):
        start += 1
    return start, end


def _number_within(whole: _Candidate, regions: Sequence[str], tails: AbstractSet[str]) -> Span | None:
    end = phone_cues.without_counted_tail(whole.text, whole.start, whole.end)
    candidate = _Candidate(whole.text, whole.start, end, whole.low, whole.is_next)
    if _is_foreign(candidate):
        return None
    if _is_called_number(candidate, tails):
        return candidate.start, candidate.end
    for part in _parts(candidate):
        if _looks_like_number(part, regions):
            return part.start, part.end
    return None


def _is_foreign(candidate: _Candidate) -> bool:
    """Dates, registry numbers, links, counted things and digits glued to letters are no telephone numbers."""
    text, start, end = candidate.text, candidate.start, candidate.end
    if end - start > 3 * _MOST_LISTED_DIGITS or _FOREIGN_SHAPE.fullmatch(candidate.shown):
        return True
    glued = _glued_before(text, start)
    if _LINK.search(glued) and not candidate.has_plus:
        return True
    if _GLUED_NUMBERING.search(glued) and not phone_cues.ends_in_cue(glued):
        return not (candidate.has_plus and glued[-1] in "-/.,_")
    return phone_cues.is_counted(text, end)


def _glued_before(text: str, start: int) -> str:
    """The rest of the word that the digits stand in; a script without gaps between words glues nothing."""
    word = _LAST_WORD.search(text, max(0, start - 80), start)
    glued = word[0] if word else ""
    eastern = [found.end() for found in _EASTERN.finditer(glued)]
    return glued[eastern[-1] :] if eastern else glued


def _is_called_number(candidate: _Candidate, tails: AbstractSet[str]) -> bool:
    digits = candidate.digits
    if digits[-_KNOWN_TAIL:] in tails or any(tail in digits for tail in tails if len(digits) <= 2 * _MOST_DIGITS):
        return True
    if len(digits) > _MOST_LISTED_DIGITS or any(len(run) > 18 for run in re.findall(r"\d+", candidate.shown)):
        return False
    cue = phone_cues.cue_before(candidate.text, candidate.start, candidate.low)
    if cue == "strong" or (cue and len(digits) > _FEWEST_DIGITS):
        return True
    if candidate.is_next or phone_cues.cue_behind(candidate.text, candidate.end):
        return len(digits) > _FEWEST_DIGITS
    return candidate.has_plus and _is_international(candidate)


def _is_international(candidate: _Candidate) -> bool:
    """A plus sign and a country code; if a gap stands between them, the whole must be a possible number."""
    digits = candidate.digits
    if not len(digits) > _FEWEST_DIGITS or digits[0] == "0":
        return False
    if re.match(r"[(（\[ ]*[+＋][(（ ]?\d", candidate.text[candidate.start : candidate.start + 8]):
        return True
    number = _parsed("+" + digits, None)
    return number is not None and phonenumbers.is_possible_number(number)


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
    digits = candidate.digits
    if phone_cues.is_numbered(candidate.text, candidate.start) or _GLUED_LETTERS.match(candidate.text, candidate.end):
        return False
    if _NORTH_AMERICAN.fullmatch(candidate.shown):
        return True
    if not _FEWEST_DIGITS + 1 < len(digits) <= _MOST_DIGITS or _DOUBTFUL_SHAPE.fullmatch(candidate.shown):
        return False
    if digits.startswith("00") and (regions or candidate.shown != digits):
        return _is_valid(_parsed("+" + digits[2:], None))
    return any(_is_national(digits, region) for region in regions)


def _is_national(digits: str, region: str) -> bool:
    """Valid as dialled within the region, or with its country code but no plus sign."""
    if _is_valid(_parsed(digits, region)):
        return True
    code = str(phonenumbers.country_code_for_region(region))
    return digits.startswith(code) and _is_valid(_parsed("+" + digits, None))


def _parsed(digits: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException:
        return None


def _is_valid(number: phonenumbers.PhoneNumber | None) -> bool:
    return number is not None and phonenumbers.is_valid_number(number)


def _end_with_extension(text: str, number: Span) -> int:
    extension = _EXTENSION.match(text, number[1])
    if extension is None:
        return number[1]
    closing = text[extension.end() : extension.end() + 1]
    return extension.end() + (closing in (")", "]") and any(sign in extension[0] for sign in "(["))
