"""Tells those who are connected here who comes, goes, steps away, opens a conversation or types in one."""

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import structlog
from sqlalchemy import bindparam, select

from desk.inbox.people import Availability
from gateway.inbox import rooms
from gateway.inbox.events import Colleague, CustomerTyping, PresenceNow, Somebody, TypingNow, Viewers
from gateway.inbox.presence import Typist, everybody, viewers
from storage.base import Db
from storage.models.inbox import team_members
from storage.models.tenants import users
from storage.prepared import Prepared
from storage.store import StoreUnavailable

if TYPE_CHECKING:
    from gateway.inbox.server import Inbox

log = structlog.get_logger()

Status = Availability | Literal["offline"]


@dataclass(frozen=True, slots=True)
class Person:
    id: int
    uid: str
    name: str
    availability: Availability

    @property
    def shown(self) -> Somebody:
        return Somebody(id=self.uid, name=self.name)


class Roster:
    """Works out what changed since the last time, here, from the rolls and the people's rows."""

    def __init__(self, inbox: "Inbox") -> None:
        self._inbox = inbox
        self._changed: set[str] = set()
        self._ready = asyncio.Event()
        self._told: dict[int, dict[int, tuple[Person, Status]]] = {}  # by tenant: everybody who is not offline
        self._conversations: dict[int, tuple[int, str]] = {}  # that are open here: (tenant, UUID)
        self._listeners: dict[int, asyncio.Task[None]] = {}

    def begin(self, tenant_id: int) -> None:
        """The first of a tenant has connected here."""
        self._told[tenant_id] = {}
        self._listeners[tenant_id] = asyncio.create_task(self._listen(tenant_id))

    def end(self, tenant_id: int) -> None:
        """The last of a tenant is gone from here."""
        self._told.pop(tenant_id, None)
        listener = self._listeners.pop(tenant_id, None)
        if listener is not None:
            listener.cancel()

    def stop(self) -> None:
        for tenant_id in tuple(self._told):
            self.end(tenant_id)

    def note(self, tenant_id: int, conversation_id: int, uid: str) -> None:
        """Somebody here has opened that conversation."""
        self._conversations[conversation_id] = tenant_id, uid

    def drop(self, conversation_id: int) -> None:
        """Nobody here has it open any more."""
        self._conversations.pop(conversation_id, None)

    def look_at(self, roll: str) -> None:
        """A roll may have changed, here or elsewhere."""
        self._changed.add(roll)
        self._ready.set()

    async def run(self) -> None:
        while True:
            await self._ready.wait()
            self._ready.clear()
            rolls, self._changed = self._changed, set()
            try:
                for tenant_id in [one for one in self._inbox.tenants() if everybody(one) in rolls]:
                    await self._say_presence(tenant_id)
                for conversation_id, (tenant_id, uid) in tuple(self._conversations.items()):
                    if viewers(tenant_id, conversation_id) in rolls:
                        await self._say_viewers(tenant_id, conversation_id, uid)
            except StoreUnavailable:
                log.warning("who is in the live inbox cannot be told just now")
            except Exception:
                log.exception("the roster of the live inbox failed")

    async def people(self, tenant_id: int) -> list[Colleague]:
        """Everybody who is connected now."""
        found = await self._people(self._inbox.house.rolls.on(everybody(tenant_id)))
        return [Colleague(id=one.uid, name=one.name, status=one.availability) for one in found]

    async def viewers(self, tenant_id: int, conversation_id: int) -> list[Somebody]:
        """Who has the conversation open now."""
        found = await self._people(self._inbox.house.rolls.on(viewers(tenant_id, conversation_id)))
        return [one.shown for one in found]

    def say_typing(self, conversation_id: int, who: Typist, *, is_typing: bool) -> None:
        if conversation_id not in self._conversations:
            return
        tenant_id, uid = self._conversations[conversation_id]
        person = Somebody(id=who.uid, name=who.name)
        payload = TypingNow(room=rooms.told(uid), user=person, typing=is_typing, private=who.is_private)
        room = rooms.conversation(tenant_id, conversation_id)
        self._inbox.emit("typing", payload, room, skip=self._inbox.sids_of(who.user_id))

    def say_customer_typing(self, conversation_id: int, *, is_typing: bool) -> None:
        if conversation_id not in self._conversations:
            return
        tenant_id, uid = self._conversations[conversation_id]
        payload = CustomerTyping(room=rooms.told(uid), typing=is_typing)
        self._inbox.emit("customer_typing", payload, rooms.conversation(tenant_id, conversation_id))

    async def _say_presence(self, tenant_id: int) -> None:
        present = await self._people(self._inbox.house.rolls.on(everybody(tenant_id)))
        if tenant_id not in self._told:
            return
        before = self._told[tenant_id]
        after: dict[int, tuple[Person, Status]] = {one.id: (one, one.availability) for one in present}
        self._told[tenant_id] = after
        changes: Iterable[tuple[Person, Status]] = [
            *(after[one] for one in after if one not in before or before[one][1] != after[one][1]),
            *((before[one][0], "offline") for one in before if one not in after),
        ]
        for person, status in changes:
            self._inbox.emit("presence", PresenceNow(user=person.shown, status=status), rooms.inbox(tenant_id))

    async def _say_viewers(self, tenant_id: int, conversation_id: int, uid: str) -> None:
        room = rooms.conversation(tenant_id, conversation_id)
        if not self._inbox.sockets.is_populated(room):
            self.drop(conversation_id)
            return
        found = await self.viewers(tenant_id, conversation_id)
        self._inbox.emit("presence", Viewers(room=rooms.told(uid), viewers=found), room)

    async def _people(self, ids: Collection[int]) -> list[Person]:
        return await self._inbox.house.store.read(_people, ids) if ids else []

    async def _listen(self, tenant_id: int) -> None:
        """Desk announces when somebody steps away or comes back, through whatever door."""
        async with self._inbox.house.bus.listen(f"inbox:{tenant_id}") as changed:
            while True:
                await changed.wait()
                changed.clear()
                self.look_at(everybody(tenant_id))


def members(db: Db, team_ids: Collection[int]) -> set[tuple[int, int]]:
    """(team, user) for everybody in those teams."""
    m = team_members.c
    return {
        (row.team_id, row.user_id) for row in db.execute(select(m.team_id, m.user_id).where(m.team_id.in_(team_ids)))
    }


def _people(db: Db, ids: Collection[int]) -> list[Person]:
    found = [Person(*row) for one in sorted(ids) if (row := _PERSON(db, {"user_id": one}).one_or_none()) is not None]
    return sorted(found, key=lambda one: (one.name, one.id))


_u = users.c
_PERSON = Prepared(select(_u.id, _u.uid, _u.full_name, _u.availability).where(_u.id == bindparam("user_id")))
