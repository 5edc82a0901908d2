"""From news of a commit to what the inbox shows: reads the rows, and only where somebody is looking."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import structlog
from pydantic import BaseModel
from sqlalchemy import bindparam, select

from desk import call_backs, calls, connecting, outbound
from desk.errors import NotFound
from desk.inbox import overview, thread
from desk.live import Changed
from desk.who import Actor
from gateway.inbox import rooms
from gateway.inbox.events import (
    CallState,
    ConversationAssigned,
    Kind,
    MessageStatus,
    Notification,
    PhoneRings,
    Somebody,
)
from gateway.media.links import Show
from gateway.pipeline.ways import Adapters
from gateway.rest.v1.conversations import Conversation
from gateway.rest.v1.messages import Message
from storage.base import Db
from storage.models.conversations import conversations
from storage.models.tenants import users
from storage.prepared import Prepared
from storage.store import StoreUnavailable

if TYPE_CHECKING:
    from gateway.inbox.server import Inbox

log = structlog.get_logger()

_BATCH: Final = 200  # news whose rows are read in one go
_MOST: Final = 5_000  # news that wait to be shown; with more, clients are told to look again
_EXCERPT: Final = 140


class Out(NamedTuple):
    """An event on its way: to whom, what."""

    room: str
    event: str
    payload: BaseModel


class Feed:
    """Takes what was committed, here and elsewhere, and tells those who are connected here."""

    def __init__(self, inbox: "Inbox") -> None:
        self._inbox = inbox
        self._waiting: deque[Changed] = deque()
        self._ready = asyncio.Event()

    def hear(self, news: Sequence[object]) -> None:
        """What was committed in this process. Costs next to nothing while nobody of the tenant is connected."""
        for one in news:
            if isinstance(one, Changed) and self._inbox.watches(one.tenant_id):
                self._take(one)

    def hear_far(self, *values: Any) -> None:
        """What was committed in another process: the fields of one `Changed`."""
        self.hear([Changed(*values)])

    def resync(self) -> None:
        """Something may have been missed: whoever is connected here is told to look again."""
        self._waiting.clear()
        at = self._inbox.house.clock.now()
        payload = Notification(kind="resync", text="Something may have been missed; look again.", at=at)
        for tenant_id in self._inbox.tenants():
            self._inbox.emit("notification", payload, rooms.inbox(tenant_id))

    async def run(self) -> None:
        while True:
            await self._ready.wait()
            self._ready.clear()
            while self._waiting:
                some = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
                try:
                    await self._show(some)
                except StoreUnavailable:
                    log.warning("the live inbox cannot read what is new just now")
                    await asyncio.sleep(1)
                    self.resync()
                except Exception:
                    log.exception("the live inbox could not show what is new")
                    self.resync()

    def _take(self, one: Changed) -> None:
        if len(self._waiting) >= _MOST:
            self.resync()
            return
        self._waiting.append(one)
        self._ready.set()

    async def _show(self, news: Sequence[Changed]) -> None:
        house = self._inbox.house
        show = Show(house.links, house.clock.now())
        for out in await house.store.read(outs, news, self._inbox.sockets.is_populated, show, house.adapters):
            self._inbox.emit(out.event, out.payload, out.room)


def outs(
    db: Db, news: Sequence[Changed], is_populated: Callable[[str], bool], show: Show, adapters: Adapters
) -> list[Out]:
    """The events that tell of `news`, in order; a conversation's row in the list is told once, at the end."""
    found: list[Out] = []
    lists: dict[tuple[int, int, int | None], None] = {}
    for one in news:
        try:
            found += _TELL[one.what](db, one, is_populated, show)
        except NotFound:
            continue  # erased in the meantime
        if one.what not in ("status", "file", "call"):
            # What somebody has read changes for them alone.
            reader = one.user_id if one.what == "conversation" and one.detail == "read" else None
            lists[one.tenant_id, one.conversation_id, reader] = None
    for tenant_id, conversation_id, reader in lists:
        room, who = rooms.inbox(tenant_id), _who(tenant_id)
        if reader is not None:
            room, who = rooms.user(tenant_id, reader), Actor(tenant_id, "staff", reader)
        if is_populated(room):
            with contextlib.suppress(NotFound):
                entry = overview.by_id(db, who, conversation_id)
                found.append(Out(room, "conversation_updated", Conversation.of(entry, adapters, show.now)))
    return found


def _message(
    db: Db, one: Changed, is_populated: Callable[[str], bool], show: Show, *, event: str = "new_message"
) -> list[Out]:
    room = rooms.conversation(one.tenant_id, one.conversation_id)
    if one.message_id is None or not is_populated(room):
        return []
    return [Out(room, event, Message.of(thread.by_id(db, _who(one.tenant_id), one.message_id), show))]


def _file(db: Db, one: Changed, is_populated: Callable[[str], bool], show: Show) -> list[Out]:
    return _message(db, one, is_populated, show, event="message_updated")


def _status(db: Db, one: Changed, is_populated: Callable[[str], bool], show: Show) -> list[Out]:
    room = rooms.conversation(one.tenant_id, one.conversation_id)
    if one.message_id is None or not is_populated(room):
        return []
    line = thread.by_id(db, _who(one.tenant_id), one.message_id)
    shown = Message.of(line, show)
    payload = MessageStatus(
        room=rooms.told(line.conversation_uid),
        conversation_id=line.conversation_uid,
        message_id=line.uid,
        status=line.status,
        error=shown.error,
        scheduled_for=shown.scheduled_for,
    )
    return [Out(room, "message_status", payload)]


def _conversation(_db: Db, _one: Changed, _is_populated: Callable[[str], bool], _show: Show) -> list[Out]:
    return []  # its row in the list says it all


def _assigned(db: Db, one: Changed, is_populated: Callable[[str], bool], show: Show) -> list[Out]:
    uid, team_id = _place(db, one)
    person = _person(db, one.tenant_id, one.user_id)
    payload = ConversationAssigned(conversation_id=uid, owner=_owner(one.detail), assignee=person)
    found = [Out(rooms.inbox(one.tenant_id), "conversation_assigned", payload)]
    if one.user_id is not None and person is not None:
        text = "You have been given a conversation."
        found.append(_note(rooms.user(one.tenant_id, one.user_id), "assignment", text, uid, show.now))
    elif one.detail == "queue" and team_id is not None:
        text = "A customer waits for somebody of the team."
        found.append(_note(rooms.team(one.tenant_id, team_id), "queue", text, uid, show.now))
    return [out for out in found if is_populated(out.room)]


def _mention(db: Db, one: Changed, is_populated: Callable[[str], bool], show: Show) -> list[Out]:
    if one.user_id is None or one.message_id is None:
        return []
    room = rooms.user(one.tenant_id, one.user_id)
    if not is_populated(room):
        return []
    line = thread.by_id(db, _who(one.tenant_id), one.message_id)
    text = f"{line.author_name or 'Somebody'} mentioned you: {_short(line.text)}"
    return [_note(room, "mention", text, line.conversation_uid, show.now, message_id=line.uid)]


def _sla(db: Db, one: Changed, is_populated: Callable[[str], bool], show: Show) -> list[Out]:
    """To whoever has the conversation, else to its team, else to everybody who reads."""
    uid, team_id = _place(db, one)
    promise, _, told = one.detail.partition("_")
    what = {"first": "The first answer", "next": "The next answer"}.get(promise, "The solution")
    is_late = told == "breached"
    text = f"{what} is late." if is_late else f"{what} is due soon."
    room = rooms.inbox(one.tenant_id)
    if one.user_id is not None:
        room = rooms.user(one.tenant_id, one.user_id)
    elif team_id is not None:
        room = rooms.team(one.tenant_id, team_id)
    return [_note(room, "sla_breach" if is_late else "sla_warning", text, uid, show.now)] if is_populated(room) else []


def _call(db: Db, one: Changed, is_populated: Callable[[str], bool], _show: Show) -> list[Out]:
    room = rooms.inbox(one.tenant_id)
    call = calls.shown(db, int(one.detail)) if is_populated(room) else None
    if call is None:
        return []
    wait = connecting.latest(db, call.id)
    ours = outbound.of_call(db, call.id) if call.direction == "outbound" else None
    state: _State = "bot"
    since = call.started_at
    if ours is not None:
        state, since = _of_ours(db, ours)
    if wait is not None:
        state = "bot" if wait.state == "over" else wait.state
        since = wait.ended_at or wait.talking_since or wait.since
    if call.ended_at is not None:
        state, since = "over", call.ended_at
    payload = CallState(
        conversation_id=call.conversation_uid,
        call_id=call.uid,
        caller=call.caller,
        direction="inbound" if ours is None else "outbound",
        state=state,
        place=connecting.place(db, wait) if wait is not None and state == "waiting" else None,
        started_at=call.started_at,
        since=since,
        person=_talker(db, wait, ours),
        ending=None if wait is None else wait.ending,
        outcome=call.outcome,
        phones=[
            PhoneRings(person=Somebody(id=leg.user_uid, name=leg.name), state=leg.state, outcome=leg.outcome)
            for leg in (() if wait is None else connecting.legs(db, wait.id))
        ],
    )
    return [Out(room, "call_state", payload)]


_State = Literal["planned", "placing", "ringing", "answered", "bot", "waiting", "talking", "over"]


def _of_ours(db: Db, ours: outbound.Outbound) -> tuple[_State, datetime]:
    """How far a call that we make is, and since when."""
    tried = outbound.attempts(db, ours.call.id)
    since = tried[-1].ended_at or tried[-1].answered_at or tried[-1].tried_at if tried else ours.call.started_at
    return "bot" if ours.state == "talking" and ours.user_id is None else ours.state, since


def _talker(db: Db, wait: connecting.Wait | None, ours: outbound.Outbound | None) -> Somebody | None:
    """Who talks or talked with them, or calls back."""
    if wait is not None and wait.user_uid and wait.taker:
        return Somebody(id=wait.user_uid, name=wait.taker)
    who = None if ours is None else call_backs.caller_of(db, ours)
    return None if who is None else Somebody(id=who[0], name=who[1])


_TELL: Final[dict[str, Callable[[Db, Changed, Callable[[str], bool], Show], list[Out]]]] = {
    "message": _message,
    "status": _status,
    "conversation": _conversation,
    "assigned": _assigned,
    "mention": _mention,
    "sla": _sla,
    "file": _file,
    "call": _call,
}


def _note(
    room: str, kind: Kind, text: str, conversation_id: str, now: datetime, *, message_id: str | None = None
) -> Out:
    payload = Notification(kind=kind, text=text, conversation_id=conversation_id, message_id=message_id, at=now)
    return Out(room, "notification", payload)


def _who(tenant_id: int) -> Actor:
    return Actor(tenant_id, "system")


def _owner(word: str) -> Literal["bot", "queue", "staff"]:
    return "bot" if word == "bot" else "queue" if word == "queue" else "staff"


def _place(db: Db, one: Changed) -> tuple[str, int | None]:
    """UUID and team of the conversation.

    Raises: NotFound
    """
    row = _PLACE(db, {"this_id": one.conversation_id, "tenant_id": one.tenant_id}).one_or_none()
    if row is None:
        raise NotFound("conversation", one.conversation_id)
    return row.uid, row.team_id


def _person(db: Db, tenant_id: int, user_id: int | None) -> Somebody | None:
    row = None if user_id is None else _PERSON(db, {"this_id": user_id, "tenant_id": tenant_id}).one_or_none()
    return None if row is None else Somebody(id=row.uid, name=row.full_name)


def _short(text: str) -> str:
    return text if len(text) <= _EXCERPT else text[: _EXCERPT - 1] + "…"


_c, _u = conversations.c, users.c
_PLACE = Prepared(
    select(_c.uid, _c.team_id).where(_c.id == bindparam("this_id"), _c.tenant_id == bindparam("tenant_id"))
)
_PERSON = Prepared(
    select(_u.uid, _u.full_name).where(_u.id == bindparam("this_id"), _u.tenant_id == bindparam("tenant_id"))
)
