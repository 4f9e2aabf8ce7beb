"""``notifier subscribe``: the operator subscribes somebody for whose consent they vouch."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from notifier import embedded
from notifier.domain.filter_choices import USUAL_DISTANCE, FilterChoice, read_filter
from notifier.domain.languages import read_language
from notifier.domain.schedules import read_cadence
from notifier.domain.vocabulary import DEFAULT_LANGUAGE
from notifier.domain.wishes import EVERYTHING, Wish
from notifier.preferring import choose_mails
from notifier.subscribing import subscribe_directly


def subscribe(
    email: Annotated[str, typer.Argument(help="Who wants to hear.")],
    trial: Annotated[str | None, typer.Option(help="A study, such as NCT01234567.")] = None,
    condition: Annotated[str | None, typer.Option(help="A condition, such as stroke.")] = None,
    wants: Annotated[str, typer.Option(help="everything, important, or (of a condition) openings.")] = EVERYTHING,
    only_recruiting: Annotated[bool, typer.Option("--only-recruiting", help="Studies people can join now.")] = False,
    country: Annotated[list[str] | None, typer.Option(help="With a place in this country; may be repeated.")] = None,
    near: Annotated[str, typer.Option(help="With a place near this town, such as Leipzig, Germany.")] = "",
    within: Annotated[int, typer.Option(help="How near, in km: 25, 50, 100, 200 or 500.")] = USUAL_DISTANCE,
    phase: Annotated[list[int] | None, typer.Option(help="Of this phase, 1 to 4; may be repeated.")] = None,
    age: Annotated[int | None, typer.Option(help="That take somebody of this age, in years.")] = None,
    sex: Annotated[str, typer.Option(help="That take this sex: female or male.")] = "",
    narrower: Annotated[bool, typer.Option(help="Studies on narrower conditions, too.")] = True,
    urgent: Annotated[bool, typer.Option("--urgent", help="Write at once when something important happens.")] = False,
    cadence: Annotated[str, typer.Option(help="instant, daily or weekly.")] = "daily",
    hour: Annotated[int, typer.Option(help="Hour of the day, 0 to 23.")] = 8,
    weekday: Annotated[int, typer.Option(help="Day of the week, 0 (Monday) to 6; weekly only.")] = 0,
    timezone: Annotated[str, typer.Option(help="Such as Europe/Berlin.")] = "UTC",
    language: Annotated[str, typer.Option(help="Of their mails: en or de.")] = DEFAULT_LANGUAGE,
    detailed_subjects: Annotated[
        bool | None,
        typer.Option("--detailed-subjects/--plain-subjects", help="Whether subject lines name the disease."),
    ] = None,
    quiet_notes: Annotated[
        bool | None, typer.Option("--quiet-notes/--no-quiet-notes", help="A note once a month when nothing is new.")
    ] = None,
    site: Annotated[str, typer.Option(help="Where consent was given.")] = "",
    accept_unknown: Annotated[bool, typer.Option(help="Follow words that no condition bears, as text.")] = False,
) -> None:
    """Subscribe somebody for whose consent you vouch; no confirmation is asked. What to filter is for the condition."""
    now = datetime.now(UTC)
    choice = FilterChoice(
        only_recruiting=only_recruiting, countries=tuple(country or ()), town=near, within_km=within,
        phases=tuple(phase or ()), sex=sex, age=age,
    )  # fmt: skip
    wish = Wish(
        trial=trial, condition=condition, wants=wants, site=site, accept_unknown=accept_unknown, urgent=urgent,
        narrower=narrower,
        cadence=read_cadence(cadence=cadence, hour=hour, weekday=weekday, time_zone=timezone),
        language=read_language(language), filter=read_filter(choice, year=now.year),
    )  # fmt: skip
    _subscribe(email, wish, detailed_subjects=detailed_subjects, quiet_notes=quiet_notes, now=now)
    typer.echo("Subscribed.", err=True)


def _subscribe(
    email: str, wish: Wish, *, detailed_subjects: bool | None, quiet_notes: bool | None, now: datetime
) -> None:
    with embedded.opened(now=now) as here, here.database.writing() as session:
        address = here.read_address(email)
        reader = subscribe_directly(session, keys=here.keys, address=address, wish=wish, how="operator", now=now)
        choose_mails(session, reader, detailed_subjects=detailed_subjects, quiet_notes=quiet_notes)
