"""The words and signs around a run of digits that say whether it is a telephone number, in many languages."""

import re

# Said right before a number, these leave no doubt. The first three lines are stems: handphone, Mobiltelefon, téléfax.
_STRONG = (
    r"[^\W\d_]{0,12}(?:phone|fone(?=s?\b)|t[eé]l[eé]f[oóô]|telefax|facsimil)\w*|t[eé]l(?:[eé]f\w*|[eé]ph\w*|ep\w*|p|no|s|/fax)?"
    r"|f[oó]n|tele(?:m[oó]ve\w*|no)|fax\w*|faks\w*|handy\w*|gsm|whats ?app|viber|wechat|telegram|skype"
    r"|(?:hot|help|info|land|tip|advice|call)[- ]?lines?|free ?(?:call|fone)|voice ?mails?|call ?cent(?:er|re)"
    r"|mobil(?:[ei]s?|telefon\w*|nummer\w*|n[ío]\w*|nr|ais|us)?|mobiel\w*|m[oó]vil(?:es)?|móvel|mobitel|celular(?:es)?"
    r"|cellulare|cell(?=\s?(?:phones?|no\b|numbers?|nr|[:.#]|\Z))"
    r"|mob|ph|tlfn?o?|tfno?|puh\w*"
    r"|komórk\w*|kom(?=[.:])|portable|poste|recapito|centralino|numero verde|sími|matkapuhelin|kännykkä|mov"
    r"|toll[- ]?free|pagers?|beepers?|bleeps?|switchboard"
    r"|extension(?=\s?(?:[:.#]|\Z)|\sn)|rufnummer\w*|(?:hp|cep|đt)(?=\s?[:.])"
)
_STRONG_ABROAD = (
    r"тел\w*|факс\w*|моб\w*|τηλ\w*|κιν\w*|φαξ|电话|電話|手机|手機|传真|傳真|热线|熱線|联系方式|联系人|联系|聯絡|連絡先|携帯"
    r"|전화\w*|휴대폰|핸드폰|팩스|연락처|문의"
    r"|هاتف|جوال|موبا[يی]ل|محمول|فاکس|فاكس|تلفن|تليفون|تلفون|همراه|طلفون|טלפון|נייד|פקס|โทร\w*|เบอร์|มือถือ"
    r"|điện thoại|di động|sđt|फ़ोन|फोन|फैक्स|मोबाइल|दूरभाष|ফোন|মোবাইল"
    r"|போன்|தொலைபேசி|ஃபோன்|ఫోన్|ტელ\w*|հեռ\w*"
)
_WEAK = (
    r"call\w*|dial\w*|contact\w*(?! with\b|\slens|\sderm)|kontakt\w*|contatt?\w*|reach\w*|rings?|text(?= )|sms"
    r"|text message|emergency"
    r"|(?:line|signal|imo|office|work|home|direct|private|evenings?|day ?time|o|h|w|hp)(?=\s?:)"
    r"|appel\w*|joindre|joignable\w*|llam\w*|chiam\w*|anruf\w*|ruf\w*|rufen|erreich\w*|dzwon\w*|lig(?:ue|ar)|bel(?:len)?"
    r"|bereik\w*|soita|zavol\w*|volejte|hívja|sunați|aray[ıi]n\w*|iletişim"
    r"|gọi|liên hệ|hubungi|позвон\w*|звон\w*|дзвон\w*"
    r"|обра[тщ]\w*|связ\w*|(?<![^\s(\[])[TPMFC](?=\s?[:.])|(?<![^\s(\[])(?-i:T)(?=\s\Z)"
)
_CUE = re.compile(
    rf"(?<![^\W\d_])(?:(?P<strong>{_STRONG})|(?P<weak>{_WEAK}))(?![a-zà-ÿ])|(?P<abroad>{_STRONG_ABROAD})", re.IGNORECASE
)
# The cue, then nothing but "no." or the like, up to the digits.
_CALLED = re.compile(
    rf"(?:(?<![^\W\d_])(?:{_STRONG})(?![a-zà-ÿ])|{_STRONG_ABROAD})(?:\s?\([^()\d]{{1,20}}\))?"
    r"[ .-]{0,2}(?:no|nos|nr|numbers?|num)?[\s.:：#\-–(（]{0,4}\Z",
    re.IGNORECASE,
)
_GLUED_CUE = re.compile(
    rf"(?:(?<![^\W\d_])(?:{_STRONG}|{_WEAK}|or|and|ou|und|oder|y|o)|{_STRONG_ABROAD}|[\u2e80-\uffdc])[.:/-]{{0,2}}\Z",
    re.IGNORECASE,
)
_CUE_BEHIND = re.compile(
    rf"\s?[(\[,–-]\s?(?:{_STRONG}|cell|office|work|home|direct|main|day|24h)(?![a-zà-ÿ])"
    r"|\s(?:erreichbar|anrufen|bereikbaar|bellen)\b",
    re.IGNORECASE,
)
# A word that leads right to the number lets the cue stand farther away.
_LEADS_ON = re.compile(r"\b(?:at|on|under|via|by|unter|al|au|op|på|em|no)[\s:]{1,2}\(?\Z", re.IGNORECASE)

# Behind the cue these say that a telephone is only what the study works with: "phone interviews", "mobile app".
_NO_ANNOUNCEMENT = re.compile(
    r"[\s-](?:interview|visit|follow|survey|screen|apps?\b|based|assess|counsel|consult|session|support|coach|remind|monitor"
    r"|questionnaire|use\b|usage|users?\b|device|health|messag(?:es|ing)|intervention|count)",
    re.IGNORECASE,
)
# A sentence that ends between the cue and the digits.
_SENTENCE_END = re.compile(
    r"(?<![Pp]rof)(?<![Aa]ssoc)(?<![Aa]sst)(?<![Dd]ept)(?<![Uu]niv)(?<![Hh]osp)(?<=[a-zà-ÿ]{3})[.!?]\s+(?=[A-Z])"
)
# Between the cue and the digits these say that something else is counted or numbered.
_OTHER_NUMBER = re.compile(
    r"\b(?:insurance|polic[ey]\w*|protocol\w*|registr\w*|approv\w*|grants?|eudract|nct|isrctn|ctis|irb|licen[sc]e|version|lot|batch"
    r"|serial|account|iban|isbn|issn|pmid|pmc|doi|orcid|weeks?|days?|months?|years?|visits?|aged?|zip|postal|postcode|plz"
    r"|patent|versicherung\w*|assurance|catalog\w*|snomed|loinc|meddra|icd|cas|ndc|nsfc|eur|usd|s/n|cells?|dose[ds]?|ratio|score|between|within|every|after|than)\b",
    re.IGNORECASE,
)
_NUMBERED = re.compile(
    r"(?:\b(?:ids?|identifier|numbers?|no|nr|nos|num|code|ref|reference|trial|study|studies|site|sites|patent|case|file|cat|catalog"
    r"|catalogue|cas|model|sn|accession|clone|gene|chr\w{0,2}|chromosome|permit|certificate|award|contract|project|decision|docket|s/n|ndc|abn|vat|ein"
    r"|protocol|grant|irb|rec|iec|approval|registration|nct|isrctn|eudract|ctri|ind|version|lot|batch|serial|account|policy"
    r"|insurance|isbn|issn|pmid|pmc|orcid|zip|code postal|postal|plz|meeting|dated|patients?|subjects?|participants?"
    r"|total|of|least|about|approximately|over|nearly|to|x|by|times)\b|№|#|[<>≤≥=±×*€$£¥^~+§])[\s.:#()\\-]{0,3}(?:(?-i:[A-Z]{1,5})[\s:-]{1,2})?\Z",
    re.IGNORECASE,
)
_SITE_OR_CODE = re.compile(r"\b(?:sites?|ref|ind|model|code|value|institution|cat\.? ?no)[\s#.-]{0,3}\Z", re.IGNORECASE)
_COMPARED = re.compile(r"[<>≤≥±×€$£¥^§]\s?\Z")
_CONNECTED = re.compile(
    r"\A[\s\W]{0,6}(?:(?:or|and|y|o|e|ou|et|und|oder|bzw|en|of|och|eller|og|i|lub|и|или|或|和|及|ve|veya|fax|tel|ext|alternatively)"
    r"[\s\W]{1,5}){0,2}\Z",
    re.IGNORECASE,
)
_UNIT = re.compile(
    r"\\?[\s/]{0,2}(?:[%‰°×^]|(?:(?:mg|kg|g|[µμ]g|mcg|ng|pg|m?l|dl|[µμ]l|iu|ui|u|units?|cells?|copies|copy|cfus?|pfu|vg|vp|bp|kda|da|c?gy|hz|bpm|mm"
    r"|cm|nm|m2|km|kcal|kj|mosm|mmol|nmol|pmol|days?|weeks?|wks?|months?|years?|yrs?|hours?|hrs?|h|min|minutes?|sec|seconds?|times"
    r"|patients?|participants?|subjects?|people|persons?|children|women|men|births?|cases?|individuals?|inhabitants|particles|events"
    r"|reads?|genes?|usd|eur|euros?|dollars?|rmb|yuan|steps?|platelets?|spores|viable|counts?|organisms|bacteria|parasites|population"
    r"|deaths?|adults?|infants?|visits?|samples?|x\s?10)\b)|:\d)",
    re.IGNORECASE,
)
_ACRONYM = re.compile(r"(?:(?=\w*[A-Z]\w*[A-Z])[A-Za-z]{3,}|\b[A-Z]{2})[ :]{0,2}\Z")
_HOUR = re.compile(r"\s?(?:(?:a\.?m|p\.?m|h|hrs?|hours?|est|edt|cet|utc|gmt|mon|monday|days?)\b|:\d)", re.IGNORECASE)
_SHORT_TAIL = re.compile(r"[ \u00a0](?:[01]?\d|2[0-4])(?:\s?[-–]\s?(?:[01]?\d|2[0-4]))?\Z")
_LONGEST_GAP = {"strong": 45, "abroad": 30, "weak": 32}
_LONGEST_LED_GAP = 64
_WINDOW = 80


def cue_before(text: str, start: int, low: int) -> str | None:
    """The kind of cue said before `start` and not before `low`: "strong", "weak", or None.

    A cue counts only if nothing between it and the digits says that they number something else.
    """
    window = text[max(low, start - _WINDOW) : start]
    last = max(_CUE.finditer(window), key=re.Match.start, default=None)
    if last is None or last.lastgroup is None:
        return None
    gap = window[last.end() :]
    longest = _LONGEST_LED_GAP if _LEADS_ON.search(gap) else _LONGEST_GAP[last.lastgroup]
    if len(gap) > longest or sum(map(str.isdigit, gap)) > 3 or "\n\n" in gap.strip("\n"):
        return None
    if any(other.search(gap) for other in (_OTHER_NUMBER, _COMPARED, _SITE_OR_CODE)):
        return None
    if _NO_ANNOUNCEMENT.match(gap) or _SENTENCE_END.search(gap):
        return None
    return "weak" if last.lastgroup == "weak" else "strong"


def is_called(text: str, start: int, low: int) -> bool:
    """Whether a word such as "Tel." stands right before the digits, so that their shape no longer matters."""
    return _CALLED.search(text[max(low, start - _WINDOW // 2) : start]) is not None


def cue_behind(text: str, end: int) -> bool:
    """Whether the number is called one after it: `555 0199 (fax)`."""
    return _CUE_BEHIND.match(text, end) is not None


def ends_in_cue(glued: str) -> bool:
    """Whether what is glued to the digits is a cue, as in `Tel0123`, or a script without gaps between words."""
    return _GLUED_CUE.search(glued) is not None


def is_connected(between: str) -> bool:
    """Whether what stands between two runs of digits goes on with a list of telephone numbers."""
    return len(between) <= 24 and _CONNECTED.match(between) is not None


def is_numbered(text: str, start: int, *, unbroken: bool) -> bool:
    """Whether the words right before number or count something with the digits; `ERC` before unbroken ones does too."""
    before = text[max(0, start - 32) : start]
    return bool(_NUMBERED.search(before) or (unbroken and _ACRONYM.search(before)))


def is_counted(text: str, end: int) -> bool:
    """Whether a unit, an hour or something countable follows the digits."""
    return _UNIT.match(text, end) is not None


def without_hours(text: str, start: int, end: int) -> int:
    """The end of a number, less a last short group that begins an hour: `555 0199 9 AM`, `555 0199 24 hours a day`."""
    tail = _SHORT_TAIL.search(text, start, end) if _HOUR.match(text, end) else None
    return tail.start() if tail else end
