"""Twenty digests to look at, as stories of real records: who asked for what, and what happened to the studies then."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.records import Record
from bench.version_series import DAILY, PAIRS, series_in
from notifier.domain.reader_filters import ReaderFilter
from notifier.domain.schedules import Cadence
from notifier.domain.wishes import EVERYTHING, OPENINGS, Wish
from notifier.registries.ctgov import nct_id_of, order_of
from notifier.registries.record_files import FoundRecord, iter_records

INSTANT = Cadence(cadence="instant", hour=0)
WEEKLY = Cadence(cadence="weekly", weekday=0, hour=8)
Change = tuple[Record | None, Record]
"""A study as it was, None where it is new, and as it is now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One reader: what they wish, what then becomes of studies, what the operator says of one, which are gone."""

    name: str
    changes: tuple[Change, ...]
    wishes: tuple[Wish, ...]
    readings: tuple[tuple[str, str], ...] = ()
    gone: tuple[tuple[str, str | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Shelf:
    """The records of a folder: the newest of each study, and what really became of some, oldest to newest."""

    newest: dict[str, Record]
    pairs: dict[str, Change]
    daily: dict[str, Change]


def open_shelf(folder: Path) -> Shelf:
    """All that the stories are told of."""
    newest: dict[str, Record] = {}
    for found in iter_records(folder / "studies.zip"):
        if isinstance(found, FoundRecord):
            number = nct_id_of(found.record)
            held = newest.get(number)
            newest[number] = found.record if held is None else max(held, found.record, key=order_of)
    shelf = Shelf(newest, {}, {})
    for series in series_in(folder):
        kept = {PAIRS: shelf.pairs, DAILY: shelf.daily}.get(series.source)
        if kept is not None and len(series.versions) > 1:
            kept[series.study] = (series.versions[0][1], series.versions[-1][1])
    return shelf


def twenty_stories(shelf: Shelf) -> tuple[Story, ...]:
    """The digests that pictures are made of."""
    # Not every change is news, so more studies are followed than are told of.
    chosen = [number for number in shelf.daily if number not in _NAMED]
    return (
        _followed("one card", shelf.pairs["NCT06754501"]),
        _followed("many cards", *(shelf.daily[number] for number in chosen[:20])),
        _sixty(shelf),
        _followed("long titles", shelf.pairs["NCT05537740"], _grown(shelf.newest["NCT05005403"], 40)),
        _followed("right to left", *_right_to_left(shelf)),
        _followed("chinese and japanese names", *_east_asian(shelf)),
        _followed("safety stop", shelf.daily["NCT06381830"]),
        _followed("results posted", _with_results(shelf.newest["NCT00123630"])),
        _about("new study", (None, _registered(shelf.newest["NCT07221370"])), "Clostridium Infections", wants=OPENINGS),
        _with_reading(shelf),
        _followed("home country first", _more_sites(shelf.newest["NCT06972459"]), country="DE"),
        _followed("who may join", _other_ages(shelf.newest["NCT07362667"])),
        _no_longer_fits(shelf),
        _followed("urgent", shelf.daily["NCT07049081"], cadence=WEEKLY, urgent=True),
        _followed("rolled over", *(shelf.daily[number] for number in chosen[20:])),
        _followed("in German", shelf.pairs["NCT06203210"], _other_ages(shelf.newest["NCT07262983"]), language="de"),
        _gone(shelf),
        _followed("dates only", _later(shelf.newest["NCT07226856"])),
        _followed("contacts only", _other_contacts(shelf.newest["NCT07231081"])),
        _weekly(shelf),
    )


def many_stories(shelf: Shelf, *, count: int) -> tuple[Story, ...]:
    """Readers of one to five studies that really changed so, and then of one that was registered or edited.

    Some of the changes are nothing to write about, so these are more stories than ``count``.
    """
    changes = list(shelf.daily.values())
    sizes = (1, 1, 2, 1, 3, 5)
    stories: list[Story] = []
    while changes:
        size = sizes[len(stories) % len(sizes)]
        stories.append(_followed(f"reader {len(stories) + 1}", *changes[:size]))
        changes = changes[size:]
    edits = (_later, _other_ages, _with_results)
    whole = [record for number, record in shelf.newest.items() if number not in shelf.daily]
    for record in whole[: max(0, count + count // 2 - len(stories)) or count // 4]:
        number = len(stories) + 1
        stories.append(_followed(f"reader {number}", edits[number % len(edits)](record)))
    return tuple(stories)


_NAMED = frozenset({"NCT06381830", "NCT07049081", "NCT06691685", "NCT06006403", "NCT07555561", "NCT06653010"})


def _followed(name: str, *changes: Change, **wish: Any) -> Story:
    """A reader who follows each of these studies by its number."""
    how = {"wants": EVERYTHING, "cadence": INSTANT, **wish}
    return Story(
        name=name, changes=changes, wishes=tuple(Wish(trial=nct_id_of(after), **how) for _before, after in changes)
    )


def _about(name: str, change: Change, condition: str, **wish: Any) -> Story:
    how = {"wants": EVERYTHING, "cadence": INSTANT, "accept_unknown": True, **wish}
    return Story(name=name, changes=(change,), wishes=(Wish(condition=condition, **how),))


def _with_reading(shelf: Shelf) -> Story:
    story = _about(
        "new study with a reading",
        (None, _registered(shelf.newest["NCT07337447"])),
        "Carcinoma, Neuroendocrine",
        wants=OPENINGS,
    )
    summary = (
        "Some tumours grow from cells that make hormones. This study asks whether two medicines that wake up the "
        "body’s own defence help people for longer when they are added to the usual treatment."
    )
    return Story(name=story.name, changes=story.changes, wishes=story.wishes, readings=(("NCT07337447", summary),))


def _no_longer_fits(shelf: Shelf) -> Story:
    record = shelf.newest["NCT07328178"]
    closed = _edited(record, lambda protocol: protocol["statusModule"].update(overallStatus="ACTIVE_NOT_RECRUITING"))
    return _about("no longer fits", (record, closed), "Mastocytosis", filter=ReaderFilter(only_recruiting=True))


def _gone(shelf: Shelf) -> Story:
    kept, merged, gone = (shelf.daily[number] for number in ("NCT06691685", "NCT06006403", "NCT07555561"))
    still = [(after, after) for _before, after in (kept, merged, gone)]
    story = _followed("merged and gone", *still)
    numbers = [nct_id_of(after) for after, _same in still]
    gone_ones = ((numbers[1], numbers[0]), (numbers[2], None))
    return Story(name=story.name, changes=story.changes, wishes=story.wishes, gone=gone_ones)


def _sixty(shelf: Shelf) -> Story:
    """A condition that many studies are about, and something new in each of them."""
    edits = (_later, _other_ages, _with_results, _closed)
    about = [record for record in shelf.newest.values() if _is_about(record, "Asthma")]
    changes = tuple(edits[number % len(edits)](record) for number, record in enumerate(about))
    wish = Wish(condition="Asthma", wants=EVERYTHING, cadence=INSTANT, accept_unknown=True)
    return Story(name="sixty studies", changes=changes, wishes=(wish,))


def _is_about(record: Record, term: str) -> bool:
    meshes = record.get("derivedSection", {}).get("conditionBrowseModule", {}).get("meshes", [])
    return any(mesh["term"] == term for mesh in meshes)


def _weekly(shelf: Shelf) -> Story:
    new = (None, _registered(shelf.newest["NCT07408063"]))
    old = (shelf.pairs["NCT05414032"], shelf.pairs["NCT07161414"], _later(shelf.newest["NCT07428993"]))
    story = _followed("weekly mixed", *old, cadence=WEEKLY)
    condition = Wish(
        condition="Squamous Cell Carcinoma of Head and Neck", wants=EVERYTHING, cadence=WEEKLY, accept_unknown=True
    )
    return Story(name=story.name, changes=(new, *old), wishes=(condition, *story.wishes))


def _keep(_protocol: Record) -> None:
    """Change nothing but the day of the last update."""


def _edited(record: Record, edit: Callable[[Record], object], *, day: str = "2026-08-07") -> Record:
    edited = deepcopy(record)
    edit(edited["protocolSection"])
    edited["protocolSection"]["statusModule"]["lastUpdatePostDateStruct"] = {"date": day, "type": "ACTUAL"}
    edited.setdefault("derivedSection", {})["miscInfoModule"] = {"versionHolder": day}
    return edited


def _grown(record: Record, by: int) -> Change:
    def grow(protocol: Record) -> None:
        protocol["designModule"]["enrollmentInfo"]["count"] += by
        protocol["contactsLocationsModule"]["locations"].pop()

    return record, _edited(record, grow)


def _registered(record: Record) -> Record:
    """The record of a study that was registered a few days ago."""

    def register(protocol: Record) -> None:
        protocol["statusModule"]["studyFirstPostDateStruct"] = {"date": "2026-08-05", "type": "ACTUAL"}

    return _edited(record, register)


def _opened(record: Record, *, title: str, facilities: Sequence[str]) -> Change:
    """A study with other names that begins to look for people."""

    def rename(protocol: Record) -> None:
        protocol["identificationModule"]["briefTitle"] = title
        for site, name in zip(protocol["contactsLocationsModule"]["locations"], facilities, strict=False):
            site["facility"] = name
        protocol["statusModule"]["overallStatus"] = "NOT_YET_RECRUITING"

    before = _edited(record, rename, day="2026-08-01")
    after = _edited(before, lambda protocol: protocol["statusModule"].update(overallStatus="RECRUITING"))
    return before, after


def _right_to_left(shelf: Shelf) -> tuple[Change, ...]:
    arabic = _opened(
        shelf.newest["NCT06219590"],
        title="الرحلان الشاردي للأستيل كولين لعلاج اعتلال الأعصاب لدى مرضى السكري من النوع 2",
        facilities=["كلية العلاج الطبيعي، جامعة القاهرة"],
    )
    hebrew = _opened(
        shelf.newest["NCT07115446"],
        title="מחקר שלב 1b של HS-20093 בשילוב HRS-5041 בחולים עם סרטן ערמונית מתקדם",
        facilities=["המרכז הרפואי תל אביב"],
    )
    return arabic, hebrew


def _east_asian(shelf: Shelf) -> tuple[Change, ...]:
    chinese = _opened(
        shelf.newest["NCT07362186"],
        title="LM-108 联合特瑞普利单抗对比紫杉醇注射液治疗既往一线治疗失败的 "
        "CCR8 阳性晚期胃腺癌患者的有效性和安全性的随机、对照、多中心研究",
        facilities=["北京大学肿瘤医院"],
    )
    japanese = _opened(
        shelf.newest["NCT07181473"],
        title="進行固形がん患者を対象とした TJ101 の安全性、薬物動態及び有効性を評価する第 I 相臨床試験",
        facilities=["国立がん研究センター東病院", "サンプル病院"],
    )
    return chinese, japanese


def _with_results(record: Record) -> Change:
    before = deepcopy(record)
    before["hasResults"] = False
    before.pop("resultsSection", None)
    before["protocolSection"]["statusModule"].pop("resultsFirstPostDateStruct", None)
    return before, {**_edited(record, _keep), "hasResults": True}


def _more_sites(record: Record) -> Change:
    """Before, half of the places were not there."""

    def halve(protocol: Record) -> None:
        protocol["contactsLocationsModule"]["locations"] = protocol["contactsLocationsModule"]["locations"][::2]

    return _edited(record, halve, day="2026-08-01"), _edited(record, _keep)


def _other_ages(record: Record) -> Change:
    def widen(protocol: Record) -> None:
        eligibility = protocol.setdefault("eligibilityModule", {})
        eligibility["minimumAge"], eligibility["maximumAge"] = "16 Years", "80 Years"
        lines = eligibility.get("eligibilityCriteria", "").splitlines()
        eligibility["eligibilityCriteria"] = "\n".join(
            [*lines[:3], "* Can come to the clinic every 14 days", *lines[4:]]
        )

    return record, _edited(record, widen)


def _later(record: Record) -> Change:
    def delay(protocol: Record) -> None:
        status = protocol["statusModule"]
        status["primaryCompletionDateStruct"] = {"date": "2028-06", "type": "ESTIMATED"}
        status["completionDateStruct"] = {"date": "2029-01", "type": "ESTIMATED"}

    return record, _edited(record, delay)


def _closed(record: Record) -> Change:
    before = _edited(record, lambda protocol: protocol["statusModule"].update(overallStatus="RECRUITING"))
    after = _edited(record, lambda protocol: protocol["statusModule"].update(overallStatus="ACTIVE_NOT_RECRUITING"))
    return before, after


def _other_contacts(record: Record) -> Change:
    def replace_contacts(protocol: Record) -> None:
        contact = {
            "name": "Quillon Tresk",
            "role": "CONTACT",
            "phone": "+86 10 5550 4477",
            "email": "trial@clinic.example",
        }
        protocol["contactsLocationsModule"]["centralContacts"] = [contact]

    return record, _edited(record, replace_contacts)
