"""What must be true after all the kills: what the phones heard on one side, what the database says on the other.

`read` looks, `judge` decides and touches nothing, so that the judge can be tried with planted faults (tests/bench).
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any, Final, NamedTuple
from xml.etree import ElementTree as ET

from sqlalchemy import String, and_, case, cast, literal, select, text

from bench.shop import Visit
from storage.base import Db
from storage.models.businesses import services
from storage.models.calendar import appointments, claims
from storage.models.conversations import conversations, messages, outbox
from storage.models.jobs import jobs

REMINDERS: Final = 2  # for each visit: the shop's rules, all of whose times lie ahead
_SHOWN: Final = 3


@dataclass(slots=True)
class Said:
    """One text of a phone. `answers` are the bodies of all 2xx answers to it: one, or more when it was delivered again."""

    sid: str
    phone: str
    text: str
    wants_reply: bool
    answers: list[bytes] = field(default_factory=list)
    is_wrong: bool = False  # an answer without what it must say


@dataclass(slots=True)
class Ledger:
    """What happened on the phones' side of the wire."""

    said: list[Said] = field(default_factory=list)  # each phone's in the order it said them
    booked: dict[str, Visit] = field(default_factory=dict)  # phones that were told "Booked", and what
    letters: Counter[str] = field(default_factory=Counter)  # texts sent by request of ours, and how often they arrived
    refused: Counter[int] = field(default_factory=Counter)  # answers that were not 2xx, by status; 0 is a dead line
    kills: int = 0
    exit_code: int | None = None  # of the clean stop at the end


class In(NamedTuple):
    id: int
    conversation_id: int
    phone: str
    sid: str


class Out(NamedTuple):
    """`is_inline`: it went out in the webhook's answer."""

    turn_id: int
    text: str
    is_inline: bool


class Booked(NamedTuple):
    id: int
    phone: str
    service: str
    staff_id: int
    starts_at: datetime
    ends_at: datetime


class Claimed(NamedTuple):
    """`phone` is who holds it, where it is no appointment's."""

    staff_id: int
    unit: int
    starts_at: datetime
    ends_at: datetime
    appointment_id: int | None
    phone: str | None


class Job(NamedTuple):
    kind: str
    status: str
    dedupe: str | None
    is_due: bool


@dataclass(slots=True)
class Evidence:
    """What the database says."""

    stored: list[In]
    replies: list[Out]
    visits: list[Booked]
    claims: list[Claimed]
    jobs: list[Job]
    letters: Counter[tuple[str, str]]  # text and state of what the shop sends by itself
    places: dict[str, str]  # where each phone's conversation stands: scenario and state
    is_sound: bool  # the file, by the engine's own check


WAITS: Final = "waiting for its next try"  # the state of a letter that has a job for later


class Verdict(NamedTuple):
    claim: str
    holds: bool
    seen: str


def read(db: Db, *, letters_of: str, now: datetime) -> Evidence:
    """Everything of the one shop; the letters are the messages that begin with `letters_of`."""
    inbound = (
        select(messages.c.id, messages.c.conversation_id, conversations.c.peer, messages.c.provider_id)
        .join(conversations, conversations.c.id == messages.c.conversation_id)
        .where(messages.c.direction == "in")
        .order_by(messages.c.id)
    )
    outbound = (
        select(messages.c.turn_id, messages.c.text, outbox.c.message_id.is_(None))
        .outerjoin(outbox, outbox.c.message_id == messages.c.id)
        .where(messages.c.direction == "out", messages.c.turn_id.is_not(None))
        .order_by(messages.c.id)
    )
    visits = (
        select(
            appointments.c.id,
            conversations.c.peer,
            services.c.name,
            appointments.c.staff_id,
            appointments.c.starts_at,
            appointments.c.ends_at,
        )
        .join(services, services.c.id == appointments.c.service_id)
        .join(conversations, conversations.c.id == appointments.c.conversation_id)
        .where(appointments.c.status.in_(("scheduled", "confirmed")))
    )
    taken = select(
        claims.c.staff_id,
        claims.c.unit,
        claims.c.starts_at,
        claims.c.ends_at,
        claims.c.appointment_id,
        conversations.c.peer,
    ).outerjoin(conversations, conversations.c.id == claims.c.conversation_id)
    waiting = select(jobs.c.kind, jobs.c.status, jobs.c.dedupe, jobs.c.run_at <= now)
    next_try = jobs.c.dedupe == literal("send:") + cast(outbox.c.message_id, String)
    letters = (
        select(messages.c.text, case((jobs.c.run_at > now, WAITS), else_=outbox.c.state).label("state"))
        .join(outbox, outbox.c.message_id == messages.c.id)
        .outerjoin(jobs, and_(next_try, jobs.c.status == "ready"))
        .where(messages.c.text.startswith(letters_of, autoescape=True))
    )
    flows = select(conversations.c.peer, conversations.c.flow)
    return Evidence(
        stored=[In(*row) for row in db.execute(inbound)],
        replies=[Out(*row) for row in db.execute(outbound)],
        visits=[Booked(*row) for row in db.execute(visits)],
        claims=[Claimed(*row) for row in db.execute(taken)],
        jobs=[Job(*row) for row in db.execute(waiting)],
        letters=Counter((row.text, row.state) for row in db.execute(letters)),
        places={row.peer: _place(row.flow) for row in db.execute(flows)},
        is_sound=db.dialect.name != "sqlite" or db.execute(text("PRAGMA integrity_check")).scalar() == "ok",
    )


def _place(flow: Mapping[str, Any] | None) -> str:
    runs = [level["run"] for level in flow["stack"]] if flow else []
    return ", ".join(f"{run['scenario']} at {run['node']}" for run in runs)


def judge(ledger: Ledger, evidence: Evidence, *, kills_wanted: int) -> list[Verdict]:
    """Every claim, whether it holds, and what was seen."""
    return [_verdict(claim, wrong, total) for claim, check in _CLAIMS for wrong, total in [check(ledger, evidence)]] + [
        Verdict("the server was killed often enough", ledger.kills >= kills_wanted, f"{ledger.kills} kills"),
        Verdict("in the end it stopped when asked to", ledger.exit_code == 0, f"exit code {ledger.exit_code}"),
        Verdict("the database is sound", evidence.is_sound, "by its own check" if evidence.is_sound else "it is not"),
    ]


def _verdict(claim: str, wrong: Sequence[str], total: int) -> Verdict:
    if wrong:
        return Verdict(claim, False, f"{len(wrong)} of {total} are not: {'; '.join(wrong[:_SHOWN])}")
    return Verdict(claim, total > 0, f"{total}" if total else "nothing was there to look at")


_Finding = tuple[list[str], int]  # what is wrong, out of how many


def _answered_is_stored(ledger: Ledger, evidence: Evidence) -> _Finding:
    stored = Counter(row.sid for row in evidence.stored)
    answered = [said for said in ledger.said if said.answers]
    return [f"{said.sid} {stored[said.sid]} times" for said in answered if stored[said.sid] != 1], len(answered)


def _stored_was_said(ledger: Ledger, evidence: Evidence) -> _Finding:
    by_sid = {said.sid: said for said in ledger.said}
    times = Counter(row.sid for row in evidence.stored)
    wrong = [f"{sid} {number} times" for sid, number in times.items() if number > 1]
    for row in evidence.stored:
        if row.sid not in by_sid:
            wrong.append(f"{row.sid} from nobody")
        elif by_sid[row.sid].phone != row.phone:
            wrong.append(f"{row.sid} under {row.phone}")
    return wrong, len(evidence.stored)


def _one_turn_each(ledger: Ledger, evidence: Evidence) -> _Finding:
    wants = {said.sid: said.wants_reply for said in ledger.said}
    replies = Counter(reply.turn_id for reply in evidence.replies)
    wrong = [
        f"{row.sid} {replies[row.id]} replies"
        for row in evidence.stored
        if row.sid in wants and replies[row.id] != int(wants[row.sid])
    ]
    ids = {row.id for row in evidence.stored}
    wrong += [f"a reply to {turn}, which is not there" for turn in replies.keys() - ids]
    return wrong, len(evidence.stored)


def _heard_is_stored(ledger: Ledger, evidence: Evidence) -> _Finding:
    """Word for word; what the outbox brought is not in an answer, and an answer without a text is right then only."""
    ids = {row.sid: row.id for row in evidence.stored}
    inline: defaultdict[int, list[str]] = defaultdict(list)
    for reply in evidence.replies:
        if reply.is_inline:
            inline[reply.turn_id].append(reply.text)
    answered = [said for said in ledger.said if said.answers]
    wrong = [
        f"{said.sid} heard {texts_of(said.answers[0])}, stored {inline[ids[said.sid]]}"
        for said in answered
        if said.sid in ids and texts_of(said.answers[0]) != inline[ids[said.sid]]
    ]
    return wrong, len(answered)


def _again_is_the_same(ledger: Ledger, _: Evidence) -> _Finding:
    again = [said for said in ledger.said if len(said.answers) > 1]
    return [said.sid for said in again if len(set(said.answers)) > 1], len(again)


def _answers_are_right(ledger: Ledger, _: Evidence) -> _Finding:
    answered = [said for said in ledger.said if said.answers]
    wrong = [
        f"{said.phone} said {said.text!r} and heard {texts_of(said.answers[0])}" for said in answered if said.is_wrong
    ]
    return wrong, len(answered)


def _order_is_kept(ledger: Ledger, evidence: Evidence) -> _Finding:
    ids = {row.sid: row.id for row in evidence.stored}
    by_phone: defaultdict[str, list[int]] = defaultdict(list)
    for said in ledger.said:
        if said.sid in ids:
            by_phone[said.phone].append(ids[said.sid])
    return [phone for phone, order in by_phone.items() if order != sorted(order)], len(by_phone)


def _booked_once(ledger: Ledger, evidence: Evidence) -> _Finding:
    """A phone that was told so has its one visit; one that gave up before it heard may have one, too."""
    found: defaultdict[str, list[tuple[str, datetime]]] = defaultdict(list)
    for row in evidence.visits:
        found[row.phone].append((row.service, row.starts_at))
    wrong = [
        f"{phone} booked {visit.service} at {visit.starts_at:%F %H:%M}, has {len(found[phone])} visits"
        for phone, visit in ledger.booked.items()
        if found[phone] != [(visit.service, visit.starts_at)]
    ]
    unheard = {said.phone for said in ledger.said if said.text == "yes" and not said.answers}
    wrong += [
        f"{phone} has {len(visits)} visits and was told of none"
        for phone, visits in found.items()
        if phone not in ledger.booked and (len(visits) > 1 or phone not in unheard)
    ]
    return wrong, len(ledger.booked)


def _all_stand_alike(ledger: Ledger, evidence: Evidence) -> _Finding:
    """Whoever is booked has taken the same way, so a lost or doubled step shows against the others."""
    usual = Counter(evidence.places[phone] for phone in ledger.booked if phone in evidence.places).most_common(1)
    wrong = [
        f"{phone} stands {evidence.places.get(phone)!r}, others {place!r}"
        for place, _ in usual
        for phone in ledger.booked
        if evidence.places.get(phone) != place
    ]
    wrong += [
        f"{row.phone} still holds {row.starts_at:%F %H:%M}" for row in evidence.claims if row.phone in ledger.booked
    ]
    return wrong, len(ledger.booked)


def _no_double_booking(_: Ledger, evidence: Evidence) -> _Finding:
    """The visits of one staff member, and the claims on one unit of theirs, each with the next one."""
    spans = [("staff", row.staff_id, 0, row.starts_at, row.ends_at) for row in evidence.visits]
    spans += [("unit", row.staff_id, row.unit, row.starts_at, row.ends_at) for row in evidence.claims]
    wrong = [
        f"{one[0]} {one[1]} at {two[3]:%F %H:%M}"
        for one, two in pairwise(sorted(spans))
        if one[:3] == two[:3] and two[3] < one[4]
    ]
    return wrong, len(evidence.visits)


def _claims_and_reminders(_: Ledger, evidence: Evidence) -> _Finding:
    claimed = Counter(row.appointment_id for row in evidence.claims)
    reminders = Counter(_appointment(job.dedupe or "") for job in evidence.jobs if job.kind == "reminder")
    wrong = [
        f"visit {row.id} has {claimed[row.id]} claims and {reminders[str(row.id)]} reminders"
        for row in evidence.visits
        if claimed[row.id] != 1 or reminders[str(row.id)] != REMINDERS
    ]
    ids = {row.id for row in evidence.visits}
    wrong += [f"time taken for {number}" for number in claimed if number is not None and number not in ids]
    wrong += [f"a reminder of {number}" for number in reminders if number not in {str(one) for one in ids}]
    return wrong, len(evidence.visits)


def _appointment(dedupe: str) -> str:
    return dedupe.split(":")[1] if dedupe.count(":") == 2 else dedupe


def _jobs_are_done(_: Ledger, evidence: Evidence) -> _Finding:
    stuck = [f"{job.kind} {job.dedupe or ''} is {job.status}" for job in evidence.jobs if job.status != "ready"]
    stuck += [f"{job.kind} {job.dedupe or ''} is due" for job in evidence.jobs if job.status == "ready" and job.is_due]
    return stuck, len(evidence.jobs)


def _letters_arrived_once(ledger: Ledger, evidence: Evidence) -> _Finding:
    wrong = [f"{words!r} is {state}" for words, state in evidence.letters if state not in ("sent", WAITS)]
    for words, state in evidence.letters:
        arrived = ledger.letters[words]
        if arrived != 1 and not (state == WAITS and arrived == 0):
            wrong.append(f"{words!r} {arrived} times")
    return wrong, len(evidence.letters)


_CLAIMS: Final[Sequence[tuple[str, Callable[[Ledger, Evidence], _Finding]]]] = (
    ("every message answered 2xx is stored, once", _answered_is_stored),
    ("every stored message was said, by that phone, and is there once", _stored_was_said),
    ("every stored message that calls for a reply has exactly one, the others none", _one_turn_each),
    ("what a phone heard is what is stored as said to it", _heard_is_stored),
    ("a message delivered again is answered as the first time", _again_is_the_same),
    ("every answer says what that step must say", _answers_are_right),
    ("each phone's messages are in the order it said them", _order_is_kept),
    ("who was told “Booked” has that one visit, and nobody has another", _booked_once),
    ("whoever is booked stands where all the others do, and holds no more time", _all_stand_alike),
    ("no time is given away twice", _no_double_booking),
    ("every visit has its claim and its reminders, and no others are there", _claims_and_reminders),
    ("no job is stuck, dead or overdue", _jobs_are_done),
    ("every message sent by request of ours arrived once, or waits for its next try", _letters_arrived_once),
)


def texts_of(body: bytes) -> list[str]:
    """The messages in an answer's TwiML."""
    return ["".join(message.itertext()) for message in ET.fromstring(body).iter("Message")]


def failed(verdicts: Iterable[Verdict]) -> bool:
    return not all(verdict.holds for verdict in verdicts)
