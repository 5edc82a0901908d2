"""Files: in customers' messages, in ours, and sent here to be used in one. What is in them lies in the blob store."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Row, delete, func, insert, select, update

from desk import audit, live, records, refs
from desk.errors import DeskError, Invalid, NotFound
from desk.refs import Ref
from desk.text import storable
from desk.who import Actor
from storage import queue
from storage.base import Db, JsonValue, new_uid
from storage.models.conversations import messages
from storage.models.files import files as table
from storage.queue import Job

NOUN: Final = "file"
FETCH: Final = "fetch_file"
FORGET: Final = "forget_contents"
TOPIC: Final = "files"

Reason = Literal["gone", "empty", "too_large", "refused", "quota", "unreachable", "expired"]

# What people read beside a file that is not there.
WHY: Final[Mapping[str, str]] = {
    "gone": "The file is not there any more.",
    "empty": "The file is empty.",
    "too_large": "The file is too large to be kept.",
    "refused": "Files of this kind are not kept.",
    "quota": "There is no room for more files.",
    "unreachable": "The file could not be fetched.",
    "expired": "The file was deleted: files are kept for a limited time.",
}
_f = table.c


class Full(DeskError):  # noqa: N818  files.Full says it
    """The tenant has no room for more files."""

    def __init__(self) -> None:
        super().__init__("no_room", "There is no room for more files; delete some first.")


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a file that lies in the store."""

    sha256: str
    size: int
    kind: str
    content_type: str
    width: int | None = None
    height: int | None = None
    has_thumbnail: bool = False


@dataclass(frozen=True, slots=True)
class Expected:
    """A file that a message tells of. `is_there`: somebody has it for us to fetch. `uid`: it was sent here before."""

    place: int
    kind: str
    name: str = ""
    claimed_type: str = ""
    is_there: bool = True
    uid: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """`status`: waiting (to be fetched), ready, or unavailable, with the `reason`. `content_type` is what its bytes prove;
    empty when that is nothing. `is_recording`: of a call, which not everybody may hear.
    """

    id: int
    uid: str
    tenant_id: int
    message_id: int | None
    place: int
    status: str
    reason: str | None
    kind: str
    name: str
    content_type: str
    size: int | None
    sha256: str | None
    width: int | None
    height: int | None
    has_thumbnail: bool
    is_recording: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Due:
    """A file to be fetched: over which account, and where the message tells of it."""

    id: int
    tenant_id: int
    account_id: int
    conversation_id: int
    message_id: int
    kind: str
    content: JsonValue
    place: int


# -- In messages -------------------------------------------------------------------------------------------------------


def expect(
    db: Db,
    *,
    tenant_id: int,
    account_id: int,
    message_id: int,
    files: Iterable[Expected],
    visitor: str = "",
    is_recording: bool = False,
    now: datetime,
) -> None:
    """Note the files of a message that came in, and have them fetched. Those that `visitor` has sent here are taken."""
    for one in files:
        if one.uid and _claim(db, account_id, visitor, one, message_id):
            continue
        is_there = one.is_there and not one.uid
        values = {
            "uid": new_uid(),
            "tenant_id": tenant_id,
            "message_id": message_id,
            "place": one.place,
            "account_id": account_id,
            "status": "waiting" if is_there else "unavailable",
            "reason": None if is_there else "gone",
            "kind": one.kind,
            "name": storable(one.name, 300),
            "claimed_type": storable(one.claimed_type, 200),
            "is_recording": is_recording,
            "created_at": now,
        }
        file_id: int = db.execute(insert(table).values(values).returning(_f.id)).scalar_one()
        if is_there:
            queue.enqueue(
                db,
                FETCH,
                {"file_id": file_id, "message_id": message_id},
                now=now,
                tenant_id=tenant_id,
                lane=f"files:{account_id}",
                topic=TOPIC,
            )


def attach(db: Db, who: Actor, message_id: int, places: Sequence[tuple[int, str, str]], *, now: datetime) -> None:
    """Put files that were sent here into a message of ours: for each its place, the id of the file, and a new id under
    which it stands there.

    Each message has rows of its own, so a file may be used again and is gone with the last message that has it.
    """
    for place, source, uid in places:
        row = _ready(db, who, source, f"media.{place}")
        same = {name: row._mapping[name] for name in _OF_CONTENTS}
        own = {"uid": uid, "message_id": message_id, "place": place, "created_at": now, "tenant_id": who.tenant_id}
        db.execute(insert(table).values(**same, **own, created_by=who.user_id))


def get_ready(db: Db, who: Actor, uid: str, *, field: str) -> File:
    """A file that may be sent.

    Raises: Invalid
    """
    return _one(_ready(db, who, uid, field))


def of_messages(db: Db, message_ids: Collection[int]) -> Mapping[int, tuple[File, ...]]:
    """The files of each of these messages that has some, by their places."""
    found: dict[int, tuple[File, ...]] = {}
    if message_ids:
        wanted = select(table).where(_f.message_id.in_(message_ids)).order_by(_f.message_id, _f.place)
        for row in db.execute(wanted):
            found[row.message_id] = (*found.get(row.message_id, ()), _one(row))
    return found


def moved(db: Db, message_id: int | None, now_is: int | None, ids: Collection[int] = ()) -> Sequence[int]:
    """The files of a message that gets another number; `None` in between, and then the `ids` they had."""
    where = _f.id.in_(ids) if message_id is None else _f.message_id == message_id
    return db.execute(update(table).where(where).values(message_id=now_is).returning(_f.id)).scalars().all()


# -- Fetching ----------------------------------------------------------------------------------------------------------


def due(db: Db, job: Job) -> Due | None:
    """What the job is to fetch; None when nothing is, and then it is finished."""
    file_id = int(str(job.payload["file_id"]))
    row = db.execute(
        select(
            _f.id,
            _f.tenant_id,
            _f.account_id,
            messages.c.conversation_id,
            _f.message_id,
            _f.kind,
            messages.c.content,
            _f.place,
        )
        .join(messages, messages.c.id == _f.message_id)
        .where(_f.id == file_id, _f.status == "waiting")
    ).one_or_none()
    if row is None:
        queue.finish(db, job)
        return None
    return Due(*row)


def arrived(db: Db, job: Job, due: Due, contents: Contents, *, most_bytes: int, now: datetime) -> str:
    """What became of a file that lies in the store now: ready, quota, or gone when it was erased meanwhile. Whoever
    calls has nothing to clear up: what nobody needs is forgotten by a job.
    """
    queue.finish(db, job)
    outcome = "ready"
    is_sticker = due.kind == "sticker" and contents.kind == "image"
    if is_full(db, due.tenant_id, contents, most_bytes=most_bytes):
        outcome = "quota"
        _settle(db, due.id, {"status": "unavailable", "reason": outcome})
    elif not _settle(
        db, due.id, {**_values(contents), "status": "ready", "kind": due.kind if is_sticker else contents.kind}
    ):
        outcome = "gone"
    if outcome != "ready":
        forget(db, due.tenant_id, [contents.sha256], now=now)
    return outcome


def tells(db: Db, due: Due, parts: Sequence[JsonValue]) -> None:
    """What was in a file that came with a message is told with it from now on; nothing when it was erased meanwhile."""
    m = messages.c
    of_file = select(_f.message_id).where(_f.id == due.id).scalar_subquery()
    row = db.execute(select(m.id, m.tenant_id, m.conversation_id, m.content).where(m.id == of_file)).one_or_none()
    if row is None or not isinstance(row.content, list):
        return
    db.execute(update(messages).where(m.id == row.id).values(content=[*row.content, *parts]))
    live.changed(db, row.tenant_id, row.conversation_id, "file", message_id=row.id)


def unavailable(db: Db, job: Job, due: Due, reason: Reason) -> None:
    """The file is not to be had; the message stays, with the reason beside it."""
    queue.finish(db, job)
    _settle(db, due.id, {"status": "unavailable", "reason": reason})


def is_full(db: Db, tenant_id: int, contents: Contents, *, most_bytes: int) -> bool:
    """Whether the tenant would have more than `most_bytes` with these (0: as much as they like)."""
    if not most_bytes:
        return False
    sizes = select(func.max(_f.size).label("size")).where(_f.tenant_id == tenant_id, _f.sha256.is_not(None))
    each = sizes.where(_f.sha256 != contents.sha256).group_by(_f.sha256).subquery()
    used: int = db.execute(select(func.coalesce(func.sum(each.c.size), 0))).scalar_one()
    return int(used) + contents.size > most_bytes


# -- Sent here ---------------------------------------------------------------------------------------------------------


def add(
    db: Db, who: Actor, contents: Contents, *, name: str, claimed_type: str, most_bytes: int, now: datetime
) -> File:
    """A file that a person or program of the business has sent here, to be used in messages.

    Raises: Full
    """
    if is_full(db, who.tenant_id, contents, most_bytes=most_bytes):
        raise Full
    values = {"status": "ready", "name": storable(name, 300), "claimed_type": storable(claimed_type, 200)}
    return _one(
        records.add(db, who, table, {**values, **_values(contents)}, noun=NOUN, private=("name", "sha256"), now=now)
    )


def add_of_visitor(
    db: Db, tenant_id: int, account_id: int, visitor: str, contents: Contents, *, name: str, claimed_type: str,
    most_bytes: int, now: datetime,
) -> File:  # fmt: skip
    """A file that a visitor of a web chat has sent here; only a message of the same visitor can use it.

    Raises: Full
    """
    if is_full(db, tenant_id, contents, most_bytes=most_bytes):
        raise Full
    values = {
        **_values(contents),
        "uid": new_uid(),
        "tenant_id": tenant_id,
        "account_id": account_id,
        "visitor": visitor,
        "status": "ready",
        "name": storable(name, 300),
        "claimed_type": storable(claimed_type, 200),
        "created_at": now,
    }
    return _one(db.execute(insert(table).values(values).returning(table)).one())


def get(db: Db, who: Actor, ref: Ref) -> File:
    """Raises: NotFound"""
    return _one(refs.row(db, table, who, ref, NOUN))


def by_uid(db: Db, uid: str) -> File | None:
    """A file of whatever tenant, for whoever holds a link to it."""
    row = db.execute(select(table).where(_f.uid == uid)).one_or_none()
    return None if row is None else _one(row)


def remove(db: Db, who: Actor, ref: Ref, *, now: datetime) -> None:
    """The file is gone; where it stands in a message, the message says so.

    Raises: NotFound
    """
    row = refs.row(db, table, who, ref, NOUN, lock=True)
    if row.message_id is None:
        records.remove(db, who, table, row.id, noun=NOUN, private=("name", "sha256"), now=now)
    else:
        _settle(db, row.id, _gone("expired"))
        audit.record(db, who, "file.deleted", NOUN, row.id, None, None, now, uid=row.uid)
    forget(db, who.tenant_id, [row.sha256], now=now)


# -- Forgetting --------------------------------------------------------------------------------------------------------


def erase(db: Db, tenant_id: int, where: ColumnElement[bool], *, now: datetime) -> None:
    """Nothing is left of these files, not even that there were any."""
    gone = db.execute(delete(table).where(where).returning(_f.sha256)).scalars().all()
    forget(db, tenant_id, gone, now=now)


def expire(db: Db, *, unused_before: datetime, before: datetime | None, limit: int, now: datetime) -> int:
    """How many files were given up: those sent here and never used, and all from `before` then."""
    unused = select(_f.id).where(_f.message_id.is_(None), _f.created_at < unused_before).limit(limit)
    gone = db.execute(delete(table).where(_f.id.in_(unused)).returning(_f.tenant_id, _f.sha256)).all()
    by_tenant: dict[int, list[str | None]] = {}
    for tenant_id, digest in gone:
        by_tenant.setdefault(tenant_id, []).append(digest)
    count = len(gone)
    if before is not None:
        old = select(_f.id, _f.tenant_id, _f.sha256).where(_f.created_at < before, _f.status == "ready").limit(limit)
        for file_id, tenant_id, digest in db.execute(old).all():
            _settle(db, file_id, _gone("expired"))
            by_tenant.setdefault(tenant_id, []).append(digest)
            count += 1
    for tenant_id, digests in by_tenant.items():
        forget(db, tenant_id, digests, now=now)
    return count


def give_up(db: Db, where: ColumnElement[bool], *, now: datetime) -> None:
    """These files are gone; the messages that they stand in say so."""
    ready = select(_f.id, _f.tenant_id, _f.sha256).where(where, _f.status != "unavailable").order_by(_f.id)
    for file_id, tenant_id, digest in db.execute(ready).all():
        _settle(db, file_id, _gone("expired"))
        forget(db, tenant_id, [digest], now=now)


def forget(db: Db, tenant_id: int, digests: Iterable[str | None], *, now: datetime) -> None:
    """Have contents removed from the store, as far as no file needs them any more."""
    named = sorted({one for one in digests if one})
    if named:
        queue.enqueue(db, FORGET, {"digests": named}, now=now, tenant_id=tenant_id, lane="forget", topic=TOPIC)


def unneeded(db: Db, tenant_id: int, digests: Collection[str]) -> set[str]:
    """Those contents that no file of the tenant has."""
    wanted = select(_f.sha256).where(_f.tenant_id == tenant_id, _f.sha256.in_(digests))
    return set(digests) - set(db.execute(wanted).scalars())


# ----------------------------------------------------------------------------------------------------------------------


def _claim(db: Db, account_id: int, visitor: str, one: Expected, message_id: int) -> bool:
    """Whether the visitor has sent this file here over that account and not used it; now it stands in the message."""
    theirs = _f.uid == one.uid, _f.account_id == account_id, _f.visitor == visitor, _f.message_id.is_(None)
    values = {"message_id": message_id, "place": one.place, "visitor": None}
    return db.execute(update(table).where(*theirs).values(values)).rowcount > 0


def _ready(db: Db, who: Actor, uid: str, field: str) -> Row[Any]:
    try:
        row = refs.row(db, table, who, uid, NOUN)
    except NotFound:
        raise Invalid(field, "There is no such file.") from None
    if row.status != "ready":
        raise Invalid(field, WHY.get(row.reason or "", "The file is not there yet."))
    return row


def _settle(db: Db, file_id: int, values: Mapping[str, Any]) -> bool:
    """False when the file was erased; whoever looks on is told."""
    changed = db.execute(update(table).where(_f.id == file_id).values(**values).returning(_f.message_id)).one_or_none()
    if changed is None:
        return False
    where = db.execute(
        select(messages.c.tenant_id, messages.c.conversation_id).where(messages.c.id == changed.message_id)
    ).one_or_none()
    if where is not None:
        live.changed(db, where.tenant_id, where.conversation_id, "file", message_id=changed.message_id)
    return True


def _gone(reason: Reason) -> dict[str, Any]:
    return {"status": "unavailable", "reason": reason, "sha256": None, "has_thumbnail": False}


def _values(contents: Contents) -> dict[str, Any]:
    return {
        "kind": contents.kind,
        "content_type": contents.content_type,
        "size": contents.size,
        "sha256": contents.sha256,
        "width": contents.width,
        "height": contents.height,
        "has_thumbnail": contents.has_thumbnail,
    }


def _one(row: Row[Any]) -> File:
    return File(*(row._mapping[name] for name in _NAMES))


_NAMES: Final = tuple(File.__dataclass_fields__)
_OF_CONTENTS: Final = (
    *("status", "kind", "name", "claimed_type", "content_type", "size", "sha256", "width", "height", "has_thumbnail"),
    "is_recording",
)
