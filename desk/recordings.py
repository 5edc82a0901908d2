"""Recordings: messages that callers left, and calls that were recorded. What they sound like is a file of a message."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import ColumnElement, and_, select, update

from desk import files
from storage import queue
from storage.base import Db, JsonValue, new_uid
from storage.models.calls import calls as call_table
from storage.models.calls import recordings as table
from storage.models.files import files as file_table
from storage.session import Conflict, attempt

DELETE: Final = "delete_recordings"  # at the provider
TRANSCRIBE: Final = "transcribe_recording"
LOOK: Final = "look_for_recordings"  # of which we have not been told
Kind = Literal["voicemail", "call"]
_t = table.c
_UNWRITTEN: Final = (_t.kind == "voicemail", _t.status == "done", _t.transcript.is_(None))


@dataclass(frozen=True, slots=True)
class Recording:
    """`status`: running, done, or deleted. `file` holds the sound, as far as it has been fetched."""

    uid: str
    call_id: int
    kind: str
    status: str
    duration_s: int | None
    transcript: str | None
    created_at: datetime
    file: files.File | None


@dataclass(frozen=True, slots=True)
class Kept:
    """A recording as its callbacks need it."""

    id: int
    call_id: int
    kind: str
    status: str
    message_id: int | None
    duration_s: int | None
    transcript: str | None


@dataclass(frozen=True, slots=True)
class Unwritten:
    """A message to be written down: of which call, how the provider calls it, and its sound of so many bytes."""

    account_id: int
    call_id: int
    call_sid: str
    sid: str
    tenant_id: int
    sha256: str
    size: int
    duration_s: int | None


def kept(db: Db, account_id: int, sid: str) -> Kept | None:
    """What we know of the recording that the provider knows by that id, locked until the commit."""
    wanted = (
        select(_t.id, _t.call_id, _t.kind, _t.status, _t.message_id, _t.duration_s, _t.transcript)
        .where(_t.account_id == account_id, _t.sid == sid)
        .with_for_update()
    )
    row = db.execute(wanted).one_or_none()
    return None if row is None else Kept(*row)


def is_known(db: Db, sid: str) -> bool:
    """Whether we have been told of the recording, of whichever account."""
    return db.execute(select(_t.id).where(_t.sid == sid).limit(1)).scalar_one_or_none() is not None


def add(
    db: Db,
    *,
    tenant_id: int,
    account_id: int,
    call_id: int,
    sid: str,
    kind: Kind,
    status: str = "done",
    message_id: int | None = None,
    duration_s: int | None = None,
    transcript: str | None = None,
    now: datetime,
) -> bool:
    """False when it is known already."""
    values = {
        "uid": new_uid(),
        "tenant_id": tenant_id,
        "account_id": account_id,
        "call_id": call_id,
        "sid": sid,
        "kind": kind,
        "status": status,
        "message_id": message_id,
        "duration_s": duration_s,
        "transcript": transcript,
        "created_at": now,
    }
    try:
        with attempt(db):
            db.execute(table.insert().values(values))
    except Conflict:
        return False
    return True


def refuse(db: Db, *, tenant_id: int, account_id: int, call_id: int, sid: str, kind: Kind, now: datetime) -> None:
    """Nothing is to be kept of a recording of which we are told: the provider is to forget it. That there was one is noted,
    so that it is nothing new when we are told again.
    """
    add(db, tenant_id=tenant_id, account_id=account_id, call_id=call_id, sid=sid, kind=kind, now=now)
    _delete(db, and_(_t.account_id == account_id, _t.sid == sid), now=now)


def change(db: Db, recording_id: int, **values: object) -> None:
    db.execute(update(table).where(_t.id == recording_id).values(**values))


def sound_came(db: Db, message_id: int, *, now: datetime) -> None:
    """The sound of a message of a call is here: what somebody left is to be written down."""
    row = db.execute(
        select(_t.id, _t.tenant_id, _t.account_id).where(_t.message_id == message_id, *_UNWRITTEN)
    ).one_or_none()
    if row is not None:
        queue.enqueue(
            db,
            TRANSCRIBE,
            {"recording_id": row.id, "message_id": message_id},  # so that it is gone with whoever is erased
            now=now,
            tenant_id=row.tenant_id,
            lane=f"transcribe:{row.account_id}",
            topic=files.TOPIC,
        )


def unwritten(db: Db, recording_id: int) -> Unwritten | None:
    """A message that somebody left, whose sound is here and of which nobody has told the words."""
    f = file_table.c
    wanted = (
        select(_t.account_id, _t.call_id, call_table.c.sid, _t.sid, _t.tenant_id, f.sha256, f.size, _t.duration_s)
        .join(call_table, call_table.c.id == _t.call_id)
        .join(file_table, f.message_id == _t.message_id)
        .where(_t.id == recording_id, *_UNWRITTEN, f.status == "ready", f.sha256.is_not(None))
    )
    row = db.execute(wanted.limit(1)).one_or_none()
    return None if row is None else Unwritten(*row)


def has_any(db: Db, call_id: int, kind: Kind) -> bool:
    """Whether the call has a recording of that kind, be it running or done."""
    wanted = select(_t.id).where(_t.call_id == call_id, _t.kind == kind).limit(1)
    return db.execute(wanted).scalar_one_or_none() is not None


def of_calls(db: Db, call_ids: Collection[int]) -> Mapping[int, Sequence[Recording]]:
    """The recordings of each of these calls that has some, in order."""
    rows = db.execute(select(table).where(_t.call_id.in_(call_ids)).order_by(_t.id)).all() if call_ids else []
    sounds = files.of_messages(db, [row.message_id for row in rows if row.message_id is not None])
    found: dict[int, list[Recording]] = {}
    for row in rows:
        sound = next(iter(sounds.get(row.message_id or 0, ())), None)
        one = Recording(
            row.uid, row.call_id, row.kind, row.status, row.duration_s, row.transcript, row.created_at, sound
        )
        found.setdefault(row.call_id, []).append(one)
    return found


def look(db: Db, *, now: datetime, run_at: datetime | None = None, since: datetime | None = None) -> None:
    """Have the provider asked what was recorded since then while we were away. One look waits at a time."""
    payload = {} if since is None else {"since": since.isoformat()}
    queue.enqueue(db, LOOK, payload, now=now, run_at=run_at, lane="main", dedupe=LOOK, topic=files.TOPIC)


def expire(db: Db, *, before: datetime, limit: int, now: datetime) -> int:
    """How many recordings from before then were deleted, here and (by a job) at the provider."""
    old = select(_t.id).where(_t.status == "done", _t.created_at < before).order_by(_t.id).limit(limit)
    return _delete(db, _t.id.in_(db.execute(old).scalars().all()), now=now)


def erase(db: Db, where: ColumnElement[bool], *, now: datetime) -> None:
    """The provider is to forget these too; their files are gone with the messages."""
    _delete(db, where, now=now)


def _delete(db: Db, where: ColumnElement[bool], *, now: datetime) -> int:
    gone = db.execute(
        update(table)
        .where(where, _t.status != "deleted")
        .values(status="deleted")
        .returning(_t.tenant_id, _t.account_id, _t.sid, _t.message_id)
    ).all()
    by_account: dict[tuple[int, int], list[str]] = {}
    for row in gone:
        by_account.setdefault((row.tenant_id, row.account_id), []).append(row.sid)
    for (tenant_id, account_id), sids in sorted(by_account.items()):
        payload: dict[str, JsonValue] = {"account_id": account_id, "sids": list(sids)}
        queue.enqueue(db, DELETE, payload, now=now, tenant_id=tenant_id, lane="forget", topic=files.TOPIC)
    messages = [row.message_id for row in gone if row.message_id is not None]
    if messages:
        files.give_up(db, file_table.c.message_id.in_(messages), now=now)
    return len(gone)
