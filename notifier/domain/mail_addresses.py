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
# What a sentence may go on with behind a dot and a gap, though a country has it too.
_SHORT_WORDS = "am an as at be by do in is it me my no so to us"
_FOREIGN_SCRIPT_WORDS = """
рф рус бел укр срб мкд мон қаз бг ευ ελ გე հայ ישראל 中国 中國 公司 网络 香港 台灣 台湾 한국 ไทย भारत ভারত বাংলা
مصر السعودية امارات ایران ايران الاردن المغرب تونس قطر عمان پاکستان
"""
_GENERIC_ENDINGS = frozenset(_GENERIC_WORDS.split())
_COUNTRY_ENDINGS = frozenset(region.lower() for region in SUPPORTED_REGIONS)
_KNOWN_ENDINGS = _GENERIC_ENDINGS | _COUNTRY_ENDINGS | frozenset(_FOREIGN_SCRIPT_WORDS.split())
_ANY_CASE_ENDINGS = frozenset({"com", "org", "net", "edu", "gov"})
_COUNTRIES_BEHIND_A_GAP = _COUNTRY_ENDINGS - frozenset(_SHORT_WORDS.split())
_FREE_MAIL = frozenset(_FREE_MAIL_WORDS.split())
_NO_NAMES = frozenset(_NO_NAME_WORDS.split())

# Soft hyphens and spaces of no width, which converters leave.
_UNSEEN = "\u00ad\u200b\u200c\u200d\u2060\ufeff"
# Signs that stand in a local part besides letters and digits; the backslash is Markdown's escape.
_LOCAL_SIGNS = "._%+-'’\\&~!#$=^`{|}" + _UNSEEN
_FIRST_EASTERN_SIGN = "\u2e80"

_SIGN = r"(?:[@＠﹫]|&(?:amp;)?(?:#0{0,4}64|#x0{0,3}40|commat);|%40)"
_BRACKETED = r"[\[({<«]\s?(?:at|arroba|@|＠|ät)\s?[\])}>»]"
_AT = re.compile(
    rf"\\?{_SIGN}(?:\s?{_SIGN})*|\\?{_BRACKETED}|[-_](?:at|AT)[-_]|(?<=\w)\(a\)(?=\w)|(?<=\s)(?:at|AT)(?=\s)",
    re.IGNORECASE,
)
_UNSEEN_SIGNS = re.compile(f"[{_UNSEEN}]")
_GAP = rf"[ \t\u00a0{_UNSEEN}]{{0,2}}(?:\n[ \t]?)?"
_SPACE = re.compile(_GAP)
_EASTERN = "\u2e80-\ufeef\uff00-\uffdc"
_LABEL = rf"(?:(?![{_EASTERN}])[^\W_](?:(?![{_EASTERN}])[\w{_UNSEEN}-]|\\[_-]){{0,80}}|[{_EASTERN}][\w-]{{0,20}})"
_SPELLED_DOT = (
    r"(?:\s{0,2}\\?[\[({<]\s?(?:dot|punto|punkt|point|\.)\s?\\?[\])}>]\s{0,2}|[-_](?:dot|DOT)[-_]"
    r"|\s{1,2}(?:dot|punto|DOT|Dot)\s{1,2})"
)
_DOT = rf"(?:[{_UNSEEN}]?\\?\.{{1,3}}[{_UNSEEN}]?|[．。]|&#0?46;|&period;|{_SPELLED_DOT})"
_DOMAIN = re.compile(rf"\.?({_LABEL})((?:{_DOT}{_LABEL}){{0,8}})")
_NEXT_LABEL = re.compile(rf"({_DOT})({_LABEL})")
_SPELLED = re.compile(_SPELLED_DOT)
_ENDING = re.compile(r"(?=.{0,23}[^\W\d_])\w{2,24}|xn--[\w-]{2,30}", re.IGNORECASE)
# What follows an address without a gap: `roe@example.orgTel`.
_GLUED_ENDING = re.compile(r"(?:com|org|net|edu|gov)(?=[A-Z]|tel|phone|fax|mob|cell)|[a-z]{2}(?=[A-Z][a-z])")
_TORN_ENDING = re.compile(
    r"(?P<before>[ \t]{0,2})[.,．](?P<after>[ \t]{0,2})"
    r"(?P<ending>(?:(?:edu|ac|co|com|org|gov|go|or|ne)\.)?[^\W\d_]{2,6})\b"
)
_MISSING_DOT = re.compile(r"[.,]?\s?(?:com|net|de|fr|co\.\w\w)\b")
_MAIL_CUE = re.compile(
    r"(?:e-?\s?mail|mail|mailto|courriel|correo(?: electr[oó]nico)?|e-?post|adresse"
    r"|邮箱|邮件|電子郵件|メール|이메일|почта|почты)"
    r"(?:\s(?:address|id|is|to))?[\s:=\-–(<\[：]{0,4}\Z",
    re.IGNORECASE,
)
_SPELLED_NAME = re.compile(r"[\w-]{1,40}(?:\s{1,2}dot\s{1,2}|\s?[\[({]\s?dot\s?[\])}]\s?|\s\.\s)\Z", re.IGNORECASE)

# Before "at example.org" this is a mailbox, and no word of a sentence: `info`, `jane.roe`, `study_office`.
_MAILBOX = re.compile(
    r"infos?|[ei]nquir(?:y|ies)|clinicaltrials?|[a-z]{1,20}(?:[._][a-z]{2,20}){1,3}\d{0,4}|[a-z]{1,20}_\w{1,20}"
)
_PERSONS_MAILBOX = re.compile(r"[^\W\d_]{1,20}[._][^\W\d_]{2,20}")
_QUOTES = {'"': '"', "”": "“", "“": "„"}
_HINTS = ("＠", "﹫", "dot ", "arroba", "%40")
_BRACKET_HINT = re.compile(r"at ?[\])}>»_-]")
_GERMAN_HINT = re.compile(r"ät ?[\])}>»]|(?<=\w)\(a\)\w")
_ENTITY_HINT = re.compile(r"&(?:amp;)?(?:#0{0,4}64|#x0{0,3}40|commat);")
_SPOKEN_HINT = re.compile(r"mail\W{1,3}[\w.'&%+-]{1,60} at ")
_AT_HOST_HINT = re.compile(r" at [\w-]{1,40}\.[a-z]{2}")


def may_hold_address(text: str) -> bool:
    """A cheap look: False means that the text surely holds no address."""
    if "@" in text:
        return True
    lowered = text.lower()
    if "&" in text and _ENTITY_HINT.search(lowered):
        return True
    for hint in _HINTS:
        if hint in lowered:
            return True
    return bool(
        _BRACKET_HINT.search(lowered)
        or _AT_HOST_HINT.search(lowered)
        or _SPOKEN_HINT.search(lowered)
        or (("(a)" in lowered or "ät" in lowered) and _GERMAN_HINT.search(lowered))
    )


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
        is_persons = _PERSONS_MAILBOX.fullmatch(text, start, sign.start()) is not None
        end = _end_of_torn_domain(text, domain, cued=is_persons or _is_cued(text, start))
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
    opening = _QUOTES.get(text[end - 1 : end])
    if opening and (opened := text.rfind(opening, max(barrier, end - 66), end - 1)) >= 0:
        return opened, end != at
    start = end
    last = text[max(barrier, end - 8) : end].rstrip(_LOCAL_SIGNS)[-1:]
    eastern = last >= _FIRST_EASTERN_SIGN
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
        ending = _UNSEEN_SIGNS.sub("", label[2]).rstrip("_-")
        glued = _GLUED_ENDING.match(text, label.start(2))
        if glued and tight and lettered:
            return glued.end()
        looks_like_sentence = lower and ending[0].isupper() and ending[1:].islower()
        if not looks_like_sentence and lettered and ending.lower() in _KNOWN_ENDINGS:
            known = label.end()
        elif known is None and _ENDING.fullmatch(ending) and (lettered or ending.isalpha()):
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
    return domain.end(1) if cued and domain[1][0].isalpha() else None


def _end_of_spaced_domain(text: str, domain: re.Match[str]) -> int | None:
    torn = _TORN_ENDING.match(text, domain.end())
    if torn is None or not any(sign.isalpha() for sign in domain[1]):
        return None
    last = torn["ending"].rpartition(".")[2]
    if last.lower() in _ANY_CASE_ENDINGS or "." in torn["ending"]:
        return torn.end()
    # A sentence may go on with "in", "is" or "no"; it never has its gap before the dot only.
    behind_a_gap = torn["after"] and not torn["before"]
    countries = _COUNTRIES_BEHIND_A_GAP if behind_a_gap else _COUNTRY_ENDINGS
    known = last in _GENERIC_ENDINGS or last in countries or (last in _KNOWN_ENDINGS and not last.isascii())
    return torn.end() if known else None


def _is_cued(text: str, start: int) -> bool:
    return _MAIL_CUE.search(text[max(0, start - 40) : start]) is not None


def _is_spoken(text: str, local: Span, domain: Span) -> bool:
    """`name at domain dot com`; with a plain dot only right after the word e-mail, or behind what must be a mailbox."""
    name = text[local[0] : local[1]].strip().lower()
    if _SPELLED.search(text, domain[0], domain[1]):
        return True
    if _MAILBOX.fullmatch(name) and name.partition(".")[2] not in _KNOWN_ENDINGS:
        return not text.startswith("www", domain[0])
    return name not in _NO_NAMES and _is_cued(text, local[0])
