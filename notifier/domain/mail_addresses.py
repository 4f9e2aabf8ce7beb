"""Finds e-mail addresses in free text, also those that were bent by hand or by a converter."""

import re

from phonenumbers import SUPPORTED_REGIONS

Span = tuple[int, int]

_GENERIC_WORDS = """
com org net edu gov mil int info biz name pro coop aero museum mobi asia cat eu uk su io ai app dev tech online site
email cloud global world health healthcare care clinic hospital bio science medical doctor institute university
foundation international wien berlin hamburg bayern nrw koeln paris bzh london scot wales amsterdam swiss
"""
_FREE_MAIL_WORDS = "gmail googlemail yahoo hotmail outlook icloud aol gmx 163 126 qq sina foxmail naver daum"
_NO_NAME_WORDS = "us at is or to and the by via me him her them it of for in on team staff centre center"
_GENERIC_ENDINGS = frozenset(_GENERIC_WORDS.split())
_COUNTRY_ENDINGS = frozenset(region.lower() for region in SUPPORTED_REGIONS)
_FREE_MAIL = frozenset(_FREE_MAIL_WORDS.split())
_NO_NAMES = frozenset(_NO_NAME_WORDS.split())

# Signs that stand in a local part besides letters and digits; the backslash is Markdown's escape.
_LOCAL_SIGNS = "._%+-'’\\&~!#$=^`{|}\u200b\u200c\u200d\ufeff"
_FIRST_EASTERN_SIGN = "\u2e80"

_SIGN = r"(?:[@＠﹫]|&#64;|&commat;|%40)"
_BRACKETED = r"[\[({<«]\s?(?:at|arroba|@|＠|ät)\s?[\])}>»]"
_AT = re.compile(
    rf"\\?{_SIGN}(?:\s?{_SIGN})*|\\?{_BRACKETED}|[-_](?:at|AT)[-_]|(?<=\s)(?:at|AT)(?=\s)",
    re.IGNORECASE,
)
_GAP = r"[ \t\u00a0\u200b\ufeff]{0,2}(?:\n[ \t]?)?"
_SPACE = re.compile(_GAP)
_LABEL = r"[^\W_](?:[\w\u200b-]|\\[_-]){0,80}"
_SPELLED_DOT = (
    r"(?:\s{0,2}\\?[\[({]\s?(?:dot|punto|punkt|point|\.)\s?\\?[\])}]\s{0,2}|\s{1,2}(?:dot|punto|DOT|Dot)\s{1,2})"
)
_DOT = rf"(?:\.{{1,3}}|[．。]|{_SPELLED_DOT})"
_DOMAIN = re.compile(rf"\.?({_LABEL})((?:{_DOT}{_LABEL}){{0,8}})")
_NEXT_LABEL = re.compile(rf"({_DOT})({_LABEL})")
_SPELLED = re.compile(_SPELLED_DOT)
_ENDING = re.compile(r"(?:[^\W\d_]{2,24}|xn--[\w-]{2,30})", re.IGNORECASE)
_TORN_ENDING = re.compile(
    r"(?P<before>[ \t]{0,2})[.,．](?P<after>[ \t]{0,2})"
    r"(?P<ending>(?:(?:edu|ac|co|com|org|gov|go|or|ne)\.)?[a-z]{2,6})\b"
)
_MISSING_DOT = re.compile(r"[.,]?\s?(?:com|net|de|fr|co\.\w\w)\b")
_MAIL_CUE = re.compile(
    r"(?:e-?\s?mail|mail|mailto|courriel|correo(?: electr[oó]nico)?|e-?post|adresse"
    r"|邮箱|邮件|電子郵件|メール|이메일|почта|почты)"
    r"(?:\s(?:address|id|is|to))?[\s:=\-–(<\[：]{0,4}\Z",
    re.IGNORECASE,
)
_SPELLED_NAME = re.compile(r"[\w-]{1,40}(?:\s{1,2}dot\s{1,2}|\s?[\[({]\s?dot\s?[\])}]\s?|\s\.\s)\Z", re.IGNORECASE)

_HINTS = ("＠", "﹫", "dot ", "arroba", "%40")
_BRACKET_HINT = re.compile(r"at ?[\])}>»_-]")
_SPOKEN_HINT = re.compile(r"mail\W{1,3}[\w.-]{1,60} at ")


def may_hold_address(text: str) -> bool:
    """A cheap look: False means that the text surely holds no address."""
    if "@" in text or ("&" in text and ("&#64;" in text or "&commat;" in text)):
        return True
    lowered = text.lower()
    for hint in _HINTS:
        if hint in lowered:
            return True
    return bool(_BRACKET_HINT.search(lowered) or ("mail" in lowered and _SPOKEN_HINT.search(lowered)))


def find_mail_addresses(text: str) -> list[Span]:
    """Where addresses stand in the text, in order, without overlap. Takes linear time."""
    spans: list[Span] = []
    barrier = 0
    for sign in _AT.finditer(text):
        if sign.start() < barrier:
            continue
        span = _address_around(text, sign, barrier)
        if span:
            spans.append(span)
        barrier = span[1] if span else sign.end()
    return spans


def _address_around(text: str, sign: re.Match[str], barrier: int) -> Span | None:
    gap_after = _SPACE.match(text, sign.end())
    domain_start = gap_after.end() if gap_after else sign.end()
    domain = _DOMAIN.match(text, domain_start)
    if domain is None:
        return None
    start, gap_before = _local_start(text, sign.start(), barrier)
    if start is None:
        return None
    tight = domain_start == sign.end() and not gap_before and not sign[0].isalpha()
    end = _end_of_domain(text, domain, tight=tight and not sign[0].strip("\\@＠﹫"))
    if end is None and tight:
        end = _end_of_torn_domain(text, domain, cued=_is_cued(text, start))
    if end is None and not sign[0].isalpha():
        end = _end_of_spaced_domain(text, domain)
    if end is None or (sign[0].isalpha() and not _is_spoken(text, (start, sign.start()), (domain_start, end))):
        return None
    return start, end


def _local_start(text: str, at: int, barrier: int) -> tuple[int | None, bool]:
    """Where the local part before `at` begins, and whether a gap stands between them."""
    end = at
    while end > barrier and at - end < 3 and text[end - 1].isspace():
        end -= 1
    if text[end - 1 : end] == '"' and (opened := text.rfind('"', max(barrier, end - 66), end - 1)) >= 0:
        return opened, end != at
    start = end
    eastern = end > barrier and text[end - 1] >= _FIRST_EASTERN_SIGN
    while start > barrier and _is_local_sign(text[start - 1], eastern=eastern):
        start -= 1
    while start < end and not text[start].isalnum() and text[start] != "_":
        start += 1
    if start == end:
        return None, False
    return _with_spelled_names(text, start, barrier), end != at


def _is_local_sign(sign: str, *, eastern: bool) -> bool:
    """Western and Eastern letters are not mixed, so that `邮箱abc@x.cn` loses its address only."""
    return sign in _LOCAL_SIGNS or (sign.isalnum() and (sign >= _FIRST_EASTERN_SIGN) == eastern)


def _with_spelled_names(text: str, start: int, barrier: int) -> int:
    for _ in range(3):
        low = max(barrier, start - 60)
        spelled = _SPELLED_NAME.search(text[low:start])
        if spelled is None:
            return start
        start = low + spelled.start()
    return start


def _end_of_domain(text: str, domain: re.Match[str], *, tight: bool) -> int | None:
    """The end of the longest run of labels that ends as domains do; a known ending is preferred."""
    known = plausible = None
    lettered = any(sign.isalpha() for sign in domain[1])
    lower = domain[1].islower()
    for label in _NEXT_LABEL.finditer(text, domain.end(1), domain.end()):
        ending = label[2]
        looks_like_sentence = lower and ending[0].isupper() and ending[1:].islower()
        if not looks_like_sentence and lettered and ending.lower() in _GENERIC_ENDINGS | _COUNTRY_ENDINGS:
            known = label.end()
        elif known is None and _ENDING.fullmatch(ending):
            plausible = label.end()
        lettered = lettered or any(sign.isalpha() for sign in ending)
    if known is None and tight:
        return plausible
    return known or _known_number_domain(domain)


def _known_number_domain(domain: re.Match[str]) -> int | None:
    """Mail services such as 163.com have no letter before the ending."""
    return domain.end() if domain[1] in _FREE_MAIL and domain[2] else None


def _end_of_torn_domain(text: str, domain: re.Match[str], *, cued: bool) -> int | None:
    """`name@uni,de`, `name@domain. com`, `name@gmailcom`, and, after the word e-mail, `name@hospital`."""
    torn = _end_of_spaced_domain(text, domain)
    if torn is not None:
        return torn
    first = domain[1].lower()
    if first in _FREE_MAIL:
        rest = _MISSING_DOT.match(text, domain.end(1))
        return rest.end() if rest else domain.end(1)
    if any(first == name + "com" for name in _FREE_MAIL):
        return domain.end()
    return domain.end() if cued and domain[1][0].isalpha() else None


def _end_of_spaced_domain(text: str, domain: re.Match[str]) -> int | None:
    torn = _TORN_ENDING.match(text, domain.end())
    if torn is None or not any(sign.isalpha() for sign in domain[1]):
        return None
    last = torn["ending"].rpartition(".")[2]
    generic = last in _GENERIC_ENDINGS or "." in torn["ending"]
    # A sentence may go on with "in", "is" or "no"; it never has its gap before the dot only.
    country = last in _COUNTRY_ENDINGS and (not torn["after"] or bool(torn["before"]))
    return torn.end() if generic or country else None


def _is_cued(text: str, start: int) -> bool:
    return _MAIL_CUE.search(text[max(0, start - 40) : start]) is not None


def _is_spoken(text: str, local: Span, domain: Span) -> bool:
    """`name at domain dot com`; with a plain dot only right after the word e-mail."""
    name = text[local[0] : local[1]].strip()
    if _SPELLED.search(text, domain[0], domain[1]):
        return True
    return name.lower() not in _NO_NAMES and _is_cued(text, local[0])
