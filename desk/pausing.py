"""Pausing the recording of a call that goes on, by somebody of the team or where a scenario asks for something private.

What is wanted is kept first (`pausing`, `resuming`), and becomes true once the provider has done it (`paused`, `on`).
"""

from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import select, update

from desk import audit, calls, refs
from desk.errors import WrongState
from desk.refs import Ref
from desk.who import Actor
from storage import queue
from storage.base import Db
from storage.models.calls import calls as table

SWITCH: Final = "switch_recording"  # the job that has the provider do it
State = Literal["on", "pausing", "paused", "resuming", "absent"]
_t = table.c


def ask(db: Db, who: Actor, ref: Ref, *, is_paused: bool, now: datetime) -> None:
    """Somebody of the team wants the recording paused, or resumed; what is so already stays so.

    Raises: NotFound; WrongState, when the call is over or not recorded
    """
    call_id = refs.id_of(db, table, who, ref, calls.NOUN)
    row = db.execute(select(_t.uid, _t.recording, _t.ended_at).where(_t.id == call_id).with_for_update()).one()
    if row.ended_at is not None:
        raise WrongState("call", call_id, "over", "The call is over.")
    if row.recording in (None, "absent"):
        raise WrongState("call", call_id, "not recorded", "The call is not recorded.")
    if want(db, who.tenant_id, call_id, is_paused=is_paused, now=now):
        action = "call.recording_paused" if is_paused else "call.recording_resumed"
        audit.record(db, who, action, "call", call_id, None, None, now, uid=row.uid)


def want(db: Db, tenant_id: int, call_id: int, *, is_paused: bool, now: datetime) -> bool:
    """Have it paused or resumed; whether that changes anything."""
    before = ("on", "resuming") if is_paused else ("paused", "pausing")
    after: State = "pausing" if is_paused else "resuming"
    this = _t.id == call_id, _t.recording.in_(before), _t.ended_at.is_(None)
    if not _is_changed(db, this, after):
        return False
    queue.enqueue(db, SWITCH, {"call_id": call_id}, now=now, tenant_id=tenant_id, dedupe=f"{SWITCH}:{call_id}:{after}")
    return True


def wanted(db: Db, call_id: int) -> bool | None:
    """Whether it is to be paused (True) or resumed (False); None when there is nothing to do any more."""
    row = db.execute(select(_t.recording, _t.ended_at).where(_t.id == call_id)).one_or_none()
    if row is None or row.ended_at is not None:
        return None
    return {"pausing": True, "resuming": False}.get(row.recording)


def done(db: Db, call_id: int, *, is_paused: bool, has_worked: bool) -> None:
    """The provider has done it, or does not do it. Whoever wanted the other thing meanwhile is seen to by another job."""
    asked = "pausing" if is_paused else "resuming"
    state: State = "paused" if is_paused is has_worked else "on"
    _is_changed(db, (_t.id == call_id, _t.recording == asked), state)


def came_to_nothing(db: Db, call_id: int) -> bool:
    """The provider has recorded nothing of the call after all; whether that is news."""
    return _is_changed(db, (_t.id == call_id, _t.recording.is_not(None), _t.recording != "absent"), "absent")


def _is_changed(db: Db, this: tuple[Any, ...], state: State) -> bool:
    return db.execute(update(table).where(*this).values(recording=state).returning(_t.id)).one_or_none() is not None
