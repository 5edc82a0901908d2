"""What people do with a conversation besides writing in it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, insert, select, update

from desk import audit, live, refs
from desk import conversations as talk
from desk.errors import Invalid, WrongState
from desk.inbox import assignment, people, reads, sla
from desk.refs import Ref
from desk.who import Actor
from storage import queue
from storage.base import Db
from storage.models.conversations import conversations
from storage.models.inbox import conversation_labels, labels, participants, teams
from storage.models.tenants import users
from storage.session import Conflict, announce, attempt

RESUME: Final = "resume"  # the job that lets the bot ask its open question again
PRIORITIES: Final = ("low", "normal", "high", "urgent")


def assign(
    db: Db,
    who: Actor,
    ref: Ref,
    *,
    agent: Ref | None,
    team: Ref | None = None,
    resume_bot: bool = False,
    expected_version: int | None = None,
    now: datetime,
) -> int:
    """The person has the word from now on. Without one it waits in the queue (of `team`, if one is given), or the bot
    goes on with `resume_bot`. Our number of the conversation.

    Raises:
        NotFound: also for a person who is another tenant's or no longer active.
        Invalid: their role only reads.
        Stale: somebody was quicker.
    """
    conversation_id = _id(db, who, ref)
    chosen = people.answering(db, who, agent) if agent is not None else None
    if chosen is not None and resume_bot:
        raise Invalid("resume_bot", "Either a person has it or the bot.")
    if team is not None:
        change(db, who, ref, {"team_id": team}, now=now)
    if chosen is not None:
        _awake(db, who, conversation_id, now=now)
        talk.take_over(
            db, who, conversation_id, user_id=chosen.id, reason="by_hand", now=now, expected_version=expected_version
        )
        sla.retime(db, conversation_id, now=now)
    elif resume_bot:
        hand_to_bot(db, who, ref, expected_version=expected_version, now=now)
    else:
        _awake(db, who, conversation_id, now=now)
        talk.to_queue(db, who, conversation_id, reason="by_hand", now=now, expected_version=expected_version)
        assignment.entered(db, who.tenant_id, conversation_id, now=now)
    return conversation_id


def hand_to_bot(db: Db, who: Actor, ref: Ref, *, expected_version: int | None = None, now: datetime) -> int:
    """The bot talks again, and asks the question that was open when a person took over.

    Raises: NotFound, Stale
    """
    conversation_id = _id(db, who, ref)
    before = talk.by_id(db, who, conversation_id)
    talk.give_back(db, who, conversation_id, reason="by_hand", now=now, expected_version=expected_version)
    if before.owner != "bot" and before.bot_id is not None and before.status != "closed":
        resume_later(db, who.tenant_id, conversation_id, now=now)
    return conversation_id


def resume_later(db: Db, tenant_id: int, conversation_id: int, *, now: datetime) -> None:
    """Let the bot ask its open question again, as a job: a turn of its own."""
    payload = {"conversation_id": conversation_id}
    queue.enqueue(db, RESUME, payload, now=now, tenant_id=tenant_id, dedupe=f"{RESUME}:{conversation_id}")


def snooze(db: Db, who: Actor, ref: Ref, *, until: datetime, now: datetime) -> int:
    """Out of sight until then, or until the customer writes.

    Raises: NotFound; Invalid, for a time that is over; WrongState, when it is closed
    """
    conversation_id = _id(db, who, ref)
    if until <= now:
        raise Invalid("until", "Choose a time that is still to come.")
    if talk.by_id(db, who, conversation_id).status == "closed":
        raise WrongState("conversation", conversation_id, "closed", "It is closed; open it again first.")
    talk.snooze(db, who, conversation_id, until=until, now=now)
    return conversation_id


def unsnooze(db: Db, who: Actor, ref: Ref, *, now: datetime) -> int:
    """In sight again; nothing changes when it was not snoozed.

    Raises: NotFound
    """
    conversation_id = _id(db, who, ref)
    _awake(db, who, conversation_id, now=now)
    return conversation_id


def close(db: Db, who: Actor, ref: Ref, *, reason: str = "done", now: datetime) -> int:
    """Done with; should they write again, the bot answers.

    Raises: NotFound
    """
    conversation_id = _id(db, who, ref)
    talk.close(db, who, conversation_id, reason=reason, now=now)
    reads.mark_all(db, who, conversation_id, now=now)
    return conversation_id


def reopen(db: Db, who: Actor, ref: Ref, *, now: datetime) -> int:
    """Open again, for whoever opens it.

    Raises: NotFound
    """
    conversation_id = _id(db, who, ref)
    if talk.by_id(db, who, conversation_id).status == "closed":
        talk.reopen(db, who, conversation_id, now=now)
        if who.user_id is not None:
            talk.take_over(db, who, conversation_id, user_id=who.user_id, reason="reopened", now=now)
    return conversation_id


def read(db: Db, who: Actor, ref: Ref, *, now: datetime) -> int:
    """Whoever acts has seen everything in it.

    Raises: NotFound
    """
    conversation_id = _id(db, who, ref)
    reads.mark_all(db, who, conversation_id, now=now)
    live.changed(db, who.tenant_id, conversation_id, "conversation", user_id=who.user_id, detail="read")
    return conversation_id


def change(db: Db, who: Actor, ref: Ref, values: Mapping[str, Any], *, now: datetime) -> int:
    """`values`: any of `priority`, `team_id` and `label_ids`, which replaces the labels. What waits in the queue is
    given to somebody of the new team by its rules.

    Raises: NotFound
    """
    row = refs.row(db, conversations, who, ref, "conversation", lock=True)
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    if "priority" in values and values["priority"] != row.priority:
        before["priority"], after["priority"] = row.priority, values["priority"]
    if "team_id" in values:
        team_id = refs.maybe_id_of(db, teams, who, values["team_id"], "team")
        if team_id != row.team_id:
            before["team_id"], after["team_id"] = row.team_id, team_id
    if after:
        db.execute(update(conversations).where(conversations.c.id == row.id).values(**after))
    if "label_ids" in values:
        old, new = _set_labels(db, who, row.id, values["label_ids"])
        if old != new:
            before["labels"], after["labels"] = old, new
    if not after:
        return int(row.id)
    audit.record(db, who, "conversation.updated", "conversation", row.id, before, after, now, uid=row.uid)
    if "team_id" in after:
        sla.retime(db, row.id, now=now)
        if row.owner == "queue":
            assignment.assign(db, who.tenant_id, row.id, now=now)
    announce(db, f"inbox:{who.tenant_id}")
    live.changed(db, who.tenant_id, row.id, "conversation", detail=",".join(sorted(after)))
    return int(row.id)


def add_participant(db: Db, who: Actor, ref: Ref, user: Ref, *, now: datetime) -> int:
    """They are told of what happens in it. Adding twice changes nothing.

    Raises: NotFound, Invalid
    """
    conversation_id = _id(db, who, ref)
    person = people.answering(db, who, user, field="user_id")
    try:
        with attempt(db):
            values = {"conversation_id": conversation_id, "user_id": person.id, "since": now}
            db.execute(insert(participants).values(**values))
    except Conflict:
        return conversation_id
    _tell_participants(db, who, conversation_id, "participant_added", person.id, person.uid, now=now)
    return conversation_id


def remove_participant(db: Db, who: Actor, ref: Ref, user: Ref, *, now: datetime) -> int:
    """Raises: NotFound"""
    conversation_id = _id(db, who, ref)
    person = refs.row(db, users, who, user, "user")
    p = participants.c
    gone = db.execute(delete(participants).where(p.conversation_id == conversation_id, p.user_id == person.id))
    if gone.rowcount:
        _tell_participants(db, who, conversation_id, "participant_removed", person.id, person.uid, now=now)
    return conversation_id


def _tell_participants(
    db: Db, who: Actor, conversation_id: int, what: str, user_id: int, user_uid: str, *, now: datetime
) -> None:
    after = {"user_id": user_uid}
    uid = db.execute(select(conversations.c.uid).where(conversations.c.id == conversation_id)).scalar_one()
    audit.record(db, who, f"conversation.{what}", "conversation", conversation_id, None, after, now, uid=uid)
    live.changed(db, who.tenant_id, conversation_id, "conversation", user_id=user_id, detail="participants")


def _set_labels(db: Db, who: Actor, conversation_id: int, given: Sequence[Ref]) -> tuple[list[str], list[str]]:
    """The labels before and after, by their ids outside."""
    l = conversation_labels.c  # noqa: E741
    before = {
        row.id: row.uid
        for row in db.execute(
            select(labels.c.id, labels.c.uid)
            .join(conversation_labels, l.label_id == labels.c.id)
            .where(l.conversation_id == conversation_id)
        )
    }
    rows = [refs.row(db, labels, who, ref, "label") for ref in given]
    after = {row.id: row.uid for row in rows}
    db.execute(delete(conversation_labels).where(l.conversation_id == conversation_id, l.label_id.not_in([*after])))
    for label_id in sorted(after.keys() - before.keys()):
        db.execute(insert(conversation_labels).values(conversation_id=conversation_id, label_id=label_id))
    return sorted(before.values()), sorted(after.values())


def _awake(db: Db, who: Actor, conversation_id: int, *, now: datetime) -> None:
    """What is done with a snoozed or closed conversation brings it back."""
    if talk.by_id(db, who, conversation_id).status != "open":
        talk.reopen(db, who, conversation_id, now=now)


def _id(db: Db, who: Actor, ref: Ref) -> int:
    return refs.id_of(db, conversations, who, ref, "conversation")
