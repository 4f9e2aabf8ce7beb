"""Makes up e-mail addresses in all their deformities, and sentences to hide them in, from a seed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

LOCALS = """
jane.roe j.roe roe jroe2 jane_roe jane-roe info clinicaltrials recruitment.office ct.info+study trial-nurses
JANE.ROE Jane.Roe o'roe roe.j.p studien 15500000000 a1b2c3 klinische.forschung jroe%dept roe&doe j jürgen.roé 研究
петров k2.onc_trials
"""
HOSTS = """
example.org example.com example.co.uk mail.example.edu uni-example.de example.ac.jp med.uni.example.fr
example.com.br example.org.au hospital.example.gov.cn 163.com 126.com example.nhs.uk example.health
example.clinic ch-example.fr a.b.c.example.it example.museum gmail.com EXAMPLE.ORG Example.Com müller-klinik.de
example.рф xn--mller-kva.example.de e-x-a.mp example.co.kr h1.example.net x.io
"""
SENTENCES = (
    "{}",
    "Write to {} for more.",
    "({})",
    "[{}]",
    "<{}>",
    '"{}"',
    "Email:{}",
    "E-mail: {}",
    "e-mail {} or call",
    "mailto:{}",
    "<mailto:{}>",
    "Contact Jane Roe ({}), MD",
    "Jane Roe,{}",
    "Jane Roe;{};John Doe",
    "courriel : {}",
    "correo electrónico {}.",
    "邮箱：{}。",
    "メール:{}",
    "이메일 {}",
    "البريد الإلكتروني: {}",
    "Почта:{}",
    "**{}**",
    "*{}*",
    "[mail](mailto:{})",
    "\n{}\n",
    "Ask:\n\n* {}\n* others",
    "www.example.org/{}",
    "a/{}/b",
    "{}. The study ends.",
    "{}.",
    "{}, Monday",
    "{}!",
    "{}?subject=Trial",
    "tel. or {}",
    "sent to {} and read",
    "{} (Jane Roe)",
    "‘{}’",
    "“{}”",
    "→{}",
    "email={}",
    "{}…",
)
_TAIL = re.compile(r"\.(?=[^.]+\Z)")


@dataclass(frozen=True, slots=True)
class Hidden:
    """An address in a sentence, with the words of it that must not be readable afterwards."""

    text: str
    words: tuple[str, ...]
    form: str


def bent(local: str, host: str) -> dict[str, str]:
    """One address in every notation, by the notation's name."""
    plain = f"{local}@{host}"
    dotted = host.replace(".", " dot ")
    return {
        "plain": plain,
        "upper": plain.upper(),
        "[@]": f"{local}[@]{host}",
        "(@)": f"{local}(@){host}",
        "{@}": f"{local}{{@}}{host}",
        "(at)": f"{local}(at){host}",
        "[at]": f"{local}[at]{host}",
        "<at>": f"{local}<at>{host}",
        "{at}": f"{local}{{at}}{host}",
        "(AT)": f"{local}(AT){host}",
        "( at )": f"{local} ( at ) {host}",
        "[at] [dot]": f"{local} [at] {host.replace('.', ' [dot] ')}",
        "(at) (dot)": f"{local}(at){host.replace('.', '(dot)')}",
        "[at] [.]": f"{local}[at]{host.replace('.', '[.]')}",
        "at dot": f"{local} at {dotted}",
        "AT DOT": f"{local} AT {host.replace('.', ' DOT ')}",
        "dot at dot": f"{local.replace('.', ' dot ')} at {dotted}",
        "cue, at": f"e-mail: {local} at {host}",
        "_at_": f"{local}_at_{host}",
        "-at-": f"{local}-at-{host}",
        "@@": f"{local}@@{host}",
        "full width": f"{local}＠{host}",
        "full width dot": f"{local}＠{host.replace('.', '．')}",
        "small": f"{local}﹫{host}",
        "spaces": f"{local} @ {host}",
        "space after": f"{local}@ {host}",
        "space before": f"{local} @{host}",
        "nbsp": f"{local}\u00a0@\u00a0{host}",
        "space before dot": f"{local}@{_TAIL.sub(' .', host)}",
        "space after dot": f"{local}@{_TAIL.sub('. ', host)}",
        "line break": f"{local}@\n{host}",
        "line break before": f"{local}\n@{host}",
        "zero width": f"{local}\u200b@\u200b{host}",
        "zero width in host": f"{local}@{host[:3]}\u200b{host[3:]}",
        "soft hyphen": f"{local}@{host[:3]}\u00ad{host[3:]}",
        "escaped": plain.replace("_", "\\_").replace("-", "\\-").replace(".", "\\."),
        "escaped sign": f"{local}\\@{host}",
        "&#64;": f"{local}&#64;{host}",
        "&#x40;": f"{local}&#x40;{host}",
        "&#064;": f"{local}&#064;{host}",
        "&commat;": f"{local}&commat;{host}",
        "%40": f"{local}%40{host}",
        "two dots": f"{local}@{_TAIL.sub('..', host)}",
        "dot first": f"{local}@.{host}",
        "dot last": f"{local}.@{host}",
        "comma": f"{local}@{_TAIL.sub(',', host)}",
        "arroba": f"{local}(arroba){host}",
        "ät": f"{local}(ät){host}",
        "quoted": f'"{local}"@{host}',
        "glued behind": f"{plain}Phone",
        "two": f"{plain};{local}2@{host}",
        "two, slash": f"{plain}/{local}2@{host}",
        "two, or": f"{plain} or {local}2@{host}",
        "number": f"{plain}, 617-555-0199",
    }


def hidden(random: Random, each: int) -> Iterator[Hidden]:
    """Bent addresses in sentences: each notation of each host with some name, in several sentences."""
    locals_, hosts = LOCALS.split(), HOSTS.split()
    for host in hosts:
        for _ in range(each):
            local = random.choice(locals_)
            for form, shown in bent(local, host).items():
                yield Hidden(random.choice(SENTENCES).format(shown), (local, host), form)


def remains(masked: str, words: tuple[str, ...], mark: str) -> bool:
    """Whether no mark was set, or the name before the sign or the host behind it can still be read."""
    if mark not in masked:
        return True
    local, host = (word.casefold() for word in words)
    shown = masked.casefold().replace("www.example.org", "")
    first = host.split(".")[0]
    return host in shown or (len(local) > 3 and local in shown) or (len(first) > 4 and first in shown)
