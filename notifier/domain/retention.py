"""Retention: for every column of every table whether it says something of a person, and then why and how long."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from notifier.domain.languages import gettext_noop

UNCONFIRMED = timedelta(days=7)
"""How long a request that nobody confirmed stays after its link expired."""
CONFIRMED = timedelta(days=30)
"""How long a request stays after it was confirmed."""
ENDED = timedelta(days=90)
"""How long what somebody followed stays after its end, and a reader after the end of the last of it."""
SETTLED = timedelta(days=180)
"""How long it stays which mails were made and what news was found."""
AUDITED = timedelta(days=3 * 365)
"""How long the audit trail reaches back."""
UNSEEN = timedelta(days=30)
"""How long it stays how a destination fared to which nothing goes any more."""
DEPARTED = timedelta(days=35)
"""How long the log outside the database says who left: as long as a backup may be put back."""
HOLLOW = timedelta(hours=1)
"""How long the emptied subscriptions of a forgotten reader stay: until no Change that was being matched needs them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Something we keep about a person: what, why, until when, and what happens then; in words for its reader."""

    name: str
    what: str
    why: str
    until: str
    then: str
    days: int = 0
    more_days: int = 0


_GONE = gettext_noop("Then it is erased.")

ADDRESS = Kept(
    name="address",
    what=gettext_noop("Your e-mail address, encrypted, and a code made from it by which we find it again."),
    why=gettext_noop("To send you the mails you asked for, and never twice."),
    until=gettext_noop("As long as you follow something, and %(days)s days after the last of it ended."),
    then=_GONE,
    days=ENDED.days,
)
CHOICES = Kept(
    name="choices",
    what=gettext_noop("How you want your mails: language, how often, in which time zone, which country first, pauses."),
    why=gettext_noop("So that mails come when and as you want them."),
    until=gettext_noop("As long as you follow something, and %(days)s days after the last of it ended."),
    then=_GONE,
    days=ENDED.days,
)
FOLLOWED = Kept(
    name="followed",
    what=gettext_noop("Which studies and conditions you follow, for which kind of news, and with which filters."),
    why=gettext_noop("To find the news you asked for. It may tell something about your health."),
    until=gettext_noop("As long as you follow it, and %(days)s days after it ended."),
    then=_GONE,
    days=ENDED.days,
)
CONSENT = Kept(
    name="consent",
    what=gettext_noop("That you agreed: to which words, when, on which site, and when you confirmed."),
    why=gettext_noop("To be able to show that we may write to you."),
    until=gettext_noop("As long as you follow it, and %(days)s days after it ended."),
    then=_GONE,
    days=ENDED.days,
)
REQUESTS = Kept(
    name="requests",
    what=gettext_noop("What somebody asked for at the form with your address, until you confirm it."),
    why=gettext_noop("So that nobody can sign you up but you."),
    until=gettext_noop(
        "%(days)s days after you confirmed it. If you do nothing: until %(more_days)s days after the link expired."
    ),
    then=_GONE,
    days=CONFIRMED.days,
    more_days=UNCONFIRMED.days,
)
NEWS = Kept(
    name="news",
    what=gettext_noop("What news was found for you, and how far you know each study."),
    why=gettext_noop("To tell you each thing once, and only what is new to you."),
    until=gettext_noop("%(days)s days. A note that you were told of a study stays while you follow it."),
    then=_GONE,
    days=SETTLED.days,
)
MAILS = Kept(
    name="mails",
    what=gettext_noop("Which mails we made for you, when, and what the mail server answered; not what they said."),
    why=gettext_noop("To send each mail once, and to find out what went wrong."),
    until=gettext_noop("%(days)s days. When the last one was sent stays while you follow something."),
    then=_GONE,
    days=SETTLED.days,
)
SUPPRESSED = Kept(
    name="suppressed",
    what=gettext_noop("If mail must not go to your address: a code made from it that cannot be read back, and why."),
    why=gettext_noop("So that we do not write to you again by mistake."),
    until=gettext_noop("As long as no mail may go to it, also after you had everything erased."),
    then=_GONE,
)
LOGGED = Kept(
    name="logged",
    what=gettext_noop("That somebody left, moved, or had everything erased: as codes that cannot be read back."),
    why=gettext_noop("So that nobody is brought back if we ever have to go back to an older copy of our data."),
    until=gettext_noop("%(days)s days after it."),
    then=_GONE,
    days=DEPARTED.days,
)
KINDS = (ADDRESS, CHOICES, FOLLOWED, CONSENT, REQUESTS, NEWS, MAILS, SUPPRESSED)
"""Of what the database keeps."""
OUTSIDE = (LOGGED,)
"""Of what stands in files beside it."""

_PERSONAL: dict[str, dict[str, Kept]] = {
    "subscribers": {
        "address_index address_sealed": ADDRESS,
        "id revision language schedule_id country detailed_subjects quiet_notes paused_until created_at": CHOICES,
    },
    "subscriptions": {
        "id subscriber_id trial_id condition_id wants filter_id urgent narrower news_since ended_at "
        "ended_reason": FOLLOWED,
        "consent_site consent_how consent_text_id consent_health consent_asked_at confirmed_at": CONSENT,
    },
    "pending_requests": {
        "id kind from_subscriber_id address_index address_sealed language trial_id condition_id words_sealed "
        "words_index condition_text wants trial_wants filter_id urgent narrower country cadence hour weekday time_zone "
        "site how consent_text_id consent_health mails created_at expires_at confirmed_at": REQUESTS,
    },
    "matches": {
        "id change_id subscription_id subscriber_id trial_id seq urgent created_at delivery_id ended_at ended_as": NEWS,
    },
    "told": {"subscriber_id trial_id seq": NEWS},
    "deliveries": {
        "id kind dedupe_key subscriber_id request_id lane state reason not_before created_at lease_token leased_until "
        "attempts ambiguous message_id language dated_at in_data_at sent_at reply": MAILS,
    },
    "delivery_spans": {"delivery_id trial_id from_seq to_seq": MAILS},
    "suppressions": {"address_index reason created_at": SUPPRESSED},
}

_NOT_PERSONAL: dict[str, str] = {
    "api_keys": "id name key_hash hint scopes created_at expires_at revoked_at used_on",
    "audit_entries": "id done_at what by count",
    "broader_conditions": "condition_id broader_id vocabulary",
    "change_signatures": "change_id signature trial_id observed_at",
    "changes": "id trial_id seq from_state_id to_state_id fields weight opens closes first_posted baseline posted "
    "observed_at matched_at matched_upto match_after held_id",
    "condition_codes": "vocabulary code condition_id",
    "condition_names": "id condition_id key name vocabulary",
    "conditions": "id key name mesh_id trial_count kind looked_through",
    "consent_texts": "id digest version language terms health first_used_at",
    "destinations": "key tries rests_until reason next_at queued_until seen_at",
    "filter_countries": "filter_id country",
    "filters": "id key only_recruiting phases sex born_year has_countries near_x near_y near_z within",
    "held_changes": "id signature field before after state tripped_at decided_at",
    "idempotent_answers": "api_key_id key_digest request_digest status body created_at expires_at",
    "installation": "id index_key_check created_at",
    "retention_marks": "name position finished_at",
    "schedules": "id cadence hour weekday time_zone next_due_at",
    "sending_stops": "id stopped_at why note ended_at",
    "state_places": "id state_id country x y z is_open",
    "state_traits": "state_id is_recruiting phases sex youngest_months oldest_months",
    "trial_aliases": "registry number trial_id",
    "trial_conditions": "id trial_id condition_id how since_seq until_seq",
    "trial_readings": "trial_id language summary substance could_lead_to could_go_wrong revision supplied_at",
    "trial_states": "id trial_id digest facts_version body",
    "trial_texts": "trial_id said",
    "trials": "id registry number revision seq state_id facts_version source_fingerprint title status first_posted "
    "last_update_posted data_version first_seen_at last_change_at listing merged_into_id",
    "vocabularies": "name revision concepts names imported_at",
}
"""Of studies, conditions, programs and the service itself; or shared by all who chose the same, and naming none."""


def list_columns() -> Iterator[tuple[str, str, Kept | None]]:
    """Every column as table, name, and what of a person it keeps; None for one that is not personal."""
    for table, named in _NOT_PERSONAL.items():
        yield from ((table, column, None) for column in named.split())
    for table, kinds in _PERSONAL.items():
        yield from ((table, column, kept) for named, kept in kinds.items() for column in named.split())
