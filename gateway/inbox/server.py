"""The live inbox over Socket.IO: who is let in, who is still welcome, which rooms they are in, and what reaches them."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import structlog
from aiohttp import web
from pydantic import BaseModel
from socketio.exceptions import ConnectionRefusedError as Refused

from desk.inbox import people
from desk.who import Actor
from gateway import errors
from gateway.auth import passes
from gateway.auth.passes import Pass
from gateway.auth.principal import Principal
from gateway.auth.schemes import COOKIE
from gateway.auth.schemes import TOPIC as SIGN_INS_TOPIC
from gateway.context import House
from gateway.inbox import handlers, rooms, roster
from gateway.inbox.door import Timings
from gateway.inbox.events import SignedOut, refusal
from gateway.inbox.feed import Feed
from gateway.inbox.presence import Typing, Typist, everybody, viewers
from gateway.inbox.roster import Roster
from gateway.inbox.sockets import Bucket, Sockets
from gateway.pipeline import courtesy
from gateway.rest.call import caller_address, counted_address
from gateway.rest.limits import CountersAway
from storage.store import StoreUnavailable

log = structlog.get_logger()

_K = TypeVar("_K")
READS: Final = "conversations:read"
_PER_CALLER: Final = 50  # connections of one person or program
_EVENTS: Final = (20.0, 100.0)  # a second, at once
_CUSTOMER: Final = Typist(0, "", "")  # the one customer that a conversation has
_PATIENCE: Final = 200  # events over that limit, after which the connection ends


@dataclass(slots=True)
class Connection:
    """Somebody's open connection. `conversations` are the rooms it has joined: our number by the UUID; `teams` alike."""

    sid: str
    card: Pass
    principal: Principal
    bucket: Bucket
    conversations: dict[str, int] = field(default_factory=dict)
    teams: dict[str, int] = field(default_factory=dict)
    warnings: int = 0

    @property
    def tenant_id(self) -> int:
        return self.principal.tenant_id

    @property
    def actor(self) -> Actor:
        return self.principal.actor

    @property
    def typist(self) -> Typist | None:
        """Whom others see; None for a program."""
        one = self.principal
        return None if one.user_id is None or one.user_uid is None else Typist(one.user_id, one.user_uid, one.name)


class Inbox:
    """One per process that serves HTTP."""

    def __init__(
        self,
        house: House,
        timings: Timings,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.house = house
        self.timings = timings
        self.monotonic_s = monotonic_s
        self.sockets = Sockets(
            connected=self._connected,
            said=self._said,
            gone=self._gone,
            is_allowed_origin=self._is_allowed_origin,
            monotonic_s=monotonic_s,
        )
        self.connections: dict[str, Connection] = {}
        self.typing = Typing(timings.typing_s, self._typing_changed)
        self.typing_customers = Typing(timings.typing_s, self._customer_typing_changed)
        self.roster = Roster(self)
        self._courtesies: set[asyncio.Task[None]] = set()
        self._feed = Feed(self)
        self._of_tenant: dict[int, set[str]] = {}  # sids
        self._of_caller: dict[str, set[str]] = {}
        self._of_user: dict[int, set[str]] = {}
        self._leaving: set[asyncio.TimerHandle] = set()
        self._origins = {
            _origin(url) for url in (*house.settings.inbox.allowed_origins, house.settings.server.public_url)
        }
        self._stack = contextlib.AsyncExitStack()

    # What metrics and health tell.

    @property
    def connected(self) -> int:
        """How many connections are open on which somebody has signed in."""
        return len(self.connections)

    def watches(self, tenant_id: int) -> bool:
        """Whether anybody of that tenant is connected to this process."""
        return tenant_id in self._of_tenant

    def tenants(self) -> Iterable[int]:
        return tuple(self._of_tenant)

    def sids_of(self, user_id: int) -> Collection[str]:
        """The connections of a person to this process."""
        return self._of_user.get(user_id, ())

    # Life.

    async def start(self) -> None:
        enter = self._stack.enter_context
        enter(self.house.bus.hear(self._feed.hear))
        enter(self.house.relay.hear("news", self._feed.hear_far))
        enter(self.house.relay.hear("missed", self._feed.resync))
        enter(self.house.relay.hear("typing", self._typing_said))
        enter(self.house.relay.hear("visitor_typing", self._visitor_types))
        enter(self.house.rolls.watch(self.roster.look_at))
        for run in (self._feed.run, self.roster.run, self._sweep_often, self._note_often):
            task = asyncio.create_task(run(), name=f"inbox {run.__qualname__}")
            self._stack.push_async_callback(_ended, task)

    async def stop(self) -> None:
        """Let go of everybody; they come back by themselves, to whichever process answers then."""
        await self.sockets.close_all()
        await self._stack.aclose()
        for task in self._courtesies:
            task.cancel()
        self.roster.stop()
        self.typing.stop()
        self.typing_customers.stop()
        for timer in self._leaving:
            timer.cancel()

    # What goes out. Only to those connected here: news and rolls come to every process by themselves.

    def emit(self, event: str, payload: BaseModel, room: str, *, skip: Collection[str] = ()) -> None:
        if self.sockets.is_populated(room):
            self.sockets.broadcast(event, payload.model_dump(mode="json", by_alias=True), room, skip=skip)

    # Who comes in.

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """A request to /socket.io/.

        Raises: aiohttp.web.HTTPException
        """
        origin = request.headers.get("Origin")
        if origin is not None and not self._is_allowed(origin, request.host):
            raise web.HTTPForbidden(reason="Pages of this origin may not connect.")
        if "token" in request.query:
            raise web.HTTPBadRequest(reason="A token does not belong into an address: send it as auth or in a header.")
        if "j" in request.query:
            raise web.HTTPBadRequest(reason="JSONP is not supported.")
        is_new = request.method != "OPTIONS" and "sid" not in request.query
        if is_new and (wait_s := await self._wait_s(request)):
            refusal = errors.problem(
                request, 429, "RATE_LIMITED", f"Too many connections; try again in {wait_s} seconds."
            )
            refusal.headers["Retry-After"] = str(wait_s)
            return refusal
        answer: web.StreamResponse = await self.sockets.handle_request(request)
        return answer

    async def _wait_s(self, request: web.Request) -> int:
        """How long this address has to wait before it may connect again; 0 when it need not."""
        try:
            standing = await self.house.limits.hit([("sockets", counted_address(caller_address(request, self.house)))])
        except CountersAway:
            return 0
        return standing.retry_after_s if standing is not None and standing.is_over else 0

    def _is_allowed_origin(self, origin: str | None, environ: dict[str, Any]) -> bool:
        return origin is not None and self._is_allowed(origin, environ["aiohttp.request"].host)

    def _is_allowed(self, origin: str, host: str) -> bool:
        """Same origin, or one of the settings. X-Forwarded-Host can be written by anybody and counts for nothing."""
        return origin in self._origins or origin.partition("://")[2] == host

    async def _connected(self, sid: str, environ: dict[str, Any], auth: Any) -> None:
        """Raises: Refused"""
        try:
            card = await self._identify(environ, auth)
        except StoreUnavailable:
            raise Refused("We cannot check who you are just now; please try again.", {"code": "unavailable"}) from None
        if card is None:
            raise Refused("Sign in first: connect with auth: {token}.", {"code": "unauthorized"})
        one = card.principal
        if len(self._of_caller.get(one.key, ())) >= _PER_CALLER:
            raise Refused("You have too many connections open.", {"code": "too_many_connections"})
        if not self.sockets.is_open(sid):
            raise Refused("Gone.", {"code": "gone"})
        connection = Connection(sid, card, one, Bucket(*_EVENTS, self.monotonic_s()))
        self.connections[sid] = connection
        if not self.watches(one.tenant_id):
            self.roster.begin(one.tenant_id)
        self._of_tenant.setdefault(one.tenant_id, set()).add(sid)
        self._of_caller.setdefault(one.key, set()).add(sid)
        await self._enter_own_rooms(connection)
        if one.user_id is not None:
            self._of_user.setdefault(one.user_id, set()).add(sid)
            self.house.rolls.enter(everybody(one.tenant_id), one.user_id)
            await self._note_seen((one.user_id,))
        log.info("live inbox opened", tenant=one.tenant_id, user=one.user_id, kind=one.kind)

    async def _identify(self, environ: dict[str, Any], auth: Any) -> Pass | None:
        """What somebody shows is looked at in this order, and the first that is there decides."""
        request: web.Request = environ["aiohttp.request"]
        bearer, cookie = None, None
        if isinstance(auth, dict) and auth.get("token") is not None:
            bearer = str(auth["token"]).removeprefix("Bearer ")
        elif (given := request.headers.get("Authorization")) is not None:
            scheme, _, token = given.partition(" ")
            bearer = token if scheme.lower() == "bearer" else ""
        else:
            cookie = request.cookies.get(COOKIE)
        return await passes.admit(self.house.doorman, bearer=bearer, cookie=cookie, now=self.house.clock.now())

    async def _enter_own_rooms(self, connection: Connection) -> None:
        one = connection.principal
        if one.user_id is not None:
            await self.sockets.enter_room(connection.sid, rooms.user(one.tenant_id, one.user_id))
        if one.may(READS):
            await self.sockets.enter_room(connection.sid, rooms.inbox(one.tenant_id))

    async def _gone(self, sid: str) -> None:
        connection = self.connections.pop(sid, None)
        if connection is None:
            return
        one = connection.principal
        for conversation in tuple(connection.conversations):
            self.leave_conversation(connection, conversation)
        if one.user_id is not None:
            _discard(self._of_user, one.user_id, sid)
            self._leave_later(everybody(one.tenant_id), one.user_id)
        _discard(self._of_caller, one.key, sid)
        _discard(self._of_tenant, one.tenant_id, sid)
        if not self.watches(one.tenant_id):
            self.roster.end(one.tenant_id)

    def _leave_later(self, roll: str, user_id: int) -> None:
        """A page that is loaded anew is back in a moment."""

        def leave() -> None:
            self._leaving.discard(timer)
            self.house.rolls.leave(roll, user_id)

        timer = asyncio.get_running_loop().call_later(self.timings.grace_s, leave)
        self._leaving.add(timer)

    # What they say.

    async def _said(self, sid: str, event: str, args: tuple[Any, ...]) -> Any:
        """The acknowledgement of an event."""
        connection = self.connections.get(sid)
        if connection is None or self.sockets.is_behind(sid):
            self.sockets.cut_sid(sid)
            return None
        if not connection.bucket.take(self.monotonic_s()):
            connection.warnings += 1
            if connection.warnings > _PATIENCE:
                log.warning("live inbox flooded", tenant=connection.tenant_id, user=connection.principal.user_id)
                self.sockets.cut_sid(sid)
                return None
            return refusal("rate_limited", "That was too much at once; please wait a moment.")
        return await handlers.answer(self, connection, event, args)

    # Conversations that somebody has open.

    async def join_conversation(self, connection: Connection, uid: str, conversation_id: int) -> None:
        if connection.sid not in self.connections:
            return  # gone in the meantime
        tenant = connection.tenant_id
        connection.conversations[uid] = conversation_id
        await self.sockets.enter_room(connection.sid, rooms.conversation(tenant, conversation_id))
        self.roster.note(tenant, conversation_id, uid)
        if connection.principal.user_id is not None:
            self.house.rolls.enter(viewers(tenant, conversation_id), connection.principal.user_id)

    def leave_conversation(self, connection: Connection, uid: str) -> None:
        conversation_id = connection.conversations.pop(uid, None)
        if conversation_id is None:
            return
        tenant, who = connection.tenant_id, connection.typist
        room = rooms.conversation(tenant, conversation_id)
        self.sockets.manager.basic_leave_room(connection.sid, "/", room)
        if not self.sockets.is_populated(room):
            self.roster.drop(conversation_id)
        if who is not None:
            self.house.rolls.leave(viewers(tenant, conversation_id), who.user_id)
            if not self._has_open(who.user_id, uid):
                self.typing.note(conversation_id, who, is_typing=False)

    def _has_open(self, user_id: int, uid: str) -> bool:
        return any(
            uid in self.connections[sid].conversations for sid in self.sids_of(user_id) if sid in self.connections
        )

    def type_in(
        self, connection: Connection, conversation_id: int, *, is_typing: bool, is_private: bool = False
    ) -> None:
        """Others are told, in every process; and the customer, where their channel shows it, when somebody begins what is
        no private note.
        """
        who = connection.typist
        if who is None:
            return
        is_seen = any(not one.is_private for one in self.typing.of(conversation_id))
        if is_typing and not is_private and not is_seen:
            task = asyncio.create_task(courtesy.show_typing(self.house, conversation_id))
            self._courtesies.add(task)
            task.add_done_callback(self._courtesies.discard)
        self.house.relay.tell(
            "typing", connection.tenant_id, conversation_id, who.user_id, who.uid, who.name, is_typing, is_private
        )

    def _typing_said(
        self, tenant_id: int, conversation_id: int, user_id: int, uid: str, name: str, is_typing: bool, is_private: bool
    ) -> None:
        if self.watches(tenant_id):
            self.typing.note(conversation_id, Typist(user_id, uid, name, is_private), is_typing=is_typing)

    def _typing_changed(self, conversation_id: int, who: Typist, is_typing: bool) -> None:
        self.roster.say_typing(conversation_id, who, is_typing=is_typing)

    def _visitor_types(self, tenant_id: int, conversation_id: int, is_typing: bool) -> None:
        if self.watches(tenant_id):
            self.typing_customers.note(conversation_id, _CUSTOMER, is_typing=is_typing)

    def _customer_typing_changed(self, conversation_id: int, _who: Typist, is_typing: bool) -> None:
        self.roster.say_customer_typing(conversation_id, is_typing=is_typing)

    # Who is there, for whoever gives out what waits: in the database, since a turn may run in any process.

    async def _note_often(self) -> None:
        while True:
            await asyncio.sleep(self.timings.seen_s)
            await self._note_seen(tuple(self._of_user))

    async def _note_seen(self, user_ids: Collection[int]) -> None:
        if not user_ids:
            return
        try:
            await self.house.store.write(people.seen, user_ids, now=self.house.clock.now())
        except StoreUnavailable:
            log.warning("who is in the live inbox cannot be noted just now")

    # Who is still welcome.

    async def _sweep_often(self) -> None:
        async with self.house.bus.listen(SIGN_INS_TOPIC) as changed:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self.timings.sweep_s):
                        await changed.wait()
                changed.clear()
                try:
                    await self.sweep()
                except StoreUnavailable:
                    log.warning("the passes of the live inbox cannot be checked just now")
                except Exception:
                    log.exception("the live inbox could not be swept")

    async def sweep(self) -> None:
        """Whoever's token, session or key is no good any more is signed out; roles and teams are as they are now."""
        self.sockets.cut_nameless(self.timings.nameless_s)
        for sid in [sid for sid in self.connections if not self.sockets.is_open(sid)]:
            await self._gone(sid)
        now = self.house.clock.now()
        for connection in [one for one in self.connections.values() if _is_over(one.card, now)]:
            await self._sign_out(connection, "expired", "Your sign-in has run out; please sign in again.")
        if not self.connections:
            return
        cards = {one.card for one in self.connections.values()}
        today = await passes.review(self.house.store, cards, now=now)
        members = await self._members()
        for connection in list(self.connections.values()):
            if connection.sid not in self.connections:
                continue  # gone in the meantime
            principal = today.get(connection.card, connection.principal)
            if principal is None:
                await self._sign_out(connection, "revoked", "You have been signed out.")
                continue
            connection.principal = principal
            await self._enter_own_rooms(connection)
            if not principal.may(READS):
                await self.sockets.leave_room(connection.sid, rooms.inbox(connection.tenant_id))
                for conversation in tuple(connection.conversations):
                    self.leave_conversation(connection, conversation)
            for team, team_id in tuple(connection.teams.items()):
                if (team_id, principal.user_id) not in members:
                    del connection.teams[team]
                    await self.sockets.leave_room(connection.sid, rooms.team(connection.tenant_id, team_id))

    async def _members(self) -> set[tuple[int, int]]:
        teams = {team_id for one in self.connections.values() for team_id in one.teams.values()}
        return await self.house.store.read(roster.members, teams) if teams else set()

    async def _sign_out(self, connection: Connection, reason: Any, message: str) -> None:
        self.emit("signed_out", SignedOut(reason=reason, message=message), connection.sid)
        await self.sockets.disconnect(connection.sid)
        log.info("live inbox closed", tenant=connection.tenant_id, user=connection.principal.user_id, reason=reason)


def _is_over(card: Pass, now: datetime) -> bool:
    return card.expires_at is not None and card.expires_at <= now


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _discard(index: dict[_K, set[str]], key: _K, sid: str) -> None:
    sids = index.get(key, set())
    sids.discard(sid)
    if not sids:
        index.pop(key, None)


async def _ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
