"""Visitors of web chats over Socket.IO: who is let in, what they say, and what reaches them live.

Each is in the room of their own conversation and can be in no other: what they send names none. Pages of other sites come
here, so these sockets are apart from the inbox's, and nothing that people sign in with counts.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
import structlog
from aiohttp import web
from socketio.exceptions import ConnectionRefusedError as Refused

from channels.base import Request
from channels.errors import BadRequest
from channels.webchat import codec
from desk.live import Changed
from gateway.accounts import Account
from gateway.context import House
from gateway.inbox.door import Timings
from gateway.inbox.events import refusal
from gateway.inbox.presence import Typing, Typist
from gateway.inbox.sockets import Bucket, Sockets
from gateway.media.links import Show
from gateway.pipeline.receive import Receiver
from gateway.rest.call import caller_address, counted_address
from gateway.rest.limits import CountersAway
from gateway.webchat import guard, origins, thread
from gateway.webchat.thread import Place
from storage.base import Db
from storage.store import StoreUnavailable

log = structlog.get_logger()

_ACCOUNT: Final = web.RequestKey("account", Account)  # there once the page's origin was found to be allowed
_PER_VISITOR: Final = 10  # tabs of one visitor
_EVENTS: Final = (10.0, 40.0)  # a second, at once
_PATIENCE: Final = 100  # events over that limit, after which the connection ends
_MOST: Final = 5_000  # news that wait to be shown; with more, visitors are told to look again
_AWAY: Final = "This is not possible for a moment; please try again."


@dataclass(slots=True)
class Visitor:
    """Somebody's open connection. `name` is what they are called wherever others may see it; `place` is None until they have
    said something.
    """

    sid: str
    account: Account
    session: str
    name: str
    address: str
    bucket: Bucket
    place: Place | None = None
    warnings: int = 0


class Lounge:
    """One per process that serves HTTP."""

    def __init__(
        self,
        house: House,
        receiver: Receiver,
        timings: Timings,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.house = house
        self.sockets = Sockets(
            connected=self._connected,
            said=self._said,
            gone=self._gone,
            is_allowed_origin=lambda _origin, environ: _ACCOUNT in environ["aiohttp.request"],
            monotonic_s=monotonic_s,
        )
        self.visitors: dict[str, Visitor] = {}
        self._receiver = receiver
        self._timings = timings
        self._monotonic_s = monotonic_s
        self._of_visitor: dict[tuple[int, str], set[str]] = {}  # sids
        self._places: dict[int, Place] = {}  # conversations that somebody has open here
        self._waiting: list[Changed] = []
        self._ready = asyncio.Event()
        self._typing = Typing(timings.typing_s, self._typing_changed)
        self._stack = contextlib.ExitStack()
        self._tasks: list[asyncio.Task[None]] = []

    # Life.

    def start(self) -> None:
        enter, relay = self._stack.enter_context, self.house.relay
        enter(self.house.bus.hear(self._hear))
        enter(relay.hear("news", lambda *values: self._hear([Changed(*values)])))
        enter(relay.hear("missed", self._resync))
        enter(relay.hear("typing", self._staff_types))
        enter(relay.hear("begun", self._begun))
        self._tasks = [asyncio.create_task(run(), name=f"lounge {run.__name__}") for run in (self._show, self._sweep)]

    async def stop(self) -> None:
        """Let go of everybody; they come back by themselves, to whichever process answers then."""
        await self.sockets.close_all()
        self._stack.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._typing.stop()

    # Who comes in.

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """A request to the sockets.

        Raises: aiohttp.web.HTTPException, StoreUnavailable
        """
        account = await guard.account_of(self.house, request.query.get("site", ""))
        if account is None:
            return guard.nowhere(request)
        if not origins.is_allowed(request, account, self.house.settings):
            return await guard.foreign(self.house, request, account)
        if "j" in request.query:
            raise web.HTTPBadRequest(reason="JSONP is not supported.")
        if request.method != "OPTIONS" and "sid" not in request.query and (wait := await self._wait_s(request)):
            return await guard.too_much(self.house, request, account, wait)
        request[_ACCOUNT] = account
        answer: web.StreamResponse = await self.sockets.handle_request(request)
        return answer

    async def _wait_s(self, request: web.Request) -> int:
        """How long this address has to wait before it may connect again; 0 when it need not."""
        try:
            standing = await self.house.limits.hit([("sockets", counted_address(caller_address(request, self.house)))])
        except CountersAway:
            return 0
        return standing.retry_after_s if standing is not None and standing.is_over else 0

    async def _connected(self, sid: str, environ: dict[str, Any], auth: Any) -> None:
        """Raises: Refused"""
        request: web.Request = environ["aiohttp.request"]
        session = auth.get("session") if isinstance(auth, dict) else None
        if not isinstance(session, str) or not codec.is_session(session):
            await guard.note(self.house, request[_ACCOUNT], request, 400, "malformed")
            raise Refused("Connect with auth: {session}, 16 to 64 random characters.", {"code": "invalid"})
        account, name = request[_ACCOUNT], codec.visitor(session)
        if len(self._of_visitor.get((account.id, name), ())) >= _PER_VISITOR:
            await guard.note(self.house, account, request, 429, "too_many_connections")
            raise Refused("You have this chat open too many times.", {"code": "too_many_connections"})
        try:
            place = await self.house.store.read(thread.find, account.id, name)
        except StoreUnavailable:
            raise Refused(_AWAY, {"code": "unavailable"}) from None
        if not self.sockets.is_open(sid):
            raise Refused("Gone.", {"code": "gone"})
        address = caller_address(request, self.house)
        visitor = Visitor(sid, account, session, name, address, Bucket(*_EVENTS, self._monotonic_s()))
        self.visitors[sid] = visitor
        self._of_visitor.setdefault((account.id, name), set()).add(sid)
        if place is not None:
            self._enter(visitor, place)

    def _enter(self, visitor: Visitor, place: Place) -> None:
        """Their own conversation is there."""
        if visitor.place is None and visitor.sid in self.visitors and self.sockets.is_open(visitor.sid):
            visitor.place = self._places[place.id] = place
            self.sockets.manager.basic_enter_room(visitor.sid, "/", _room(place.id))

    async def _gone(self, sid: str) -> None:
        visitor = self.visitors.pop(sid, None)
        if visitor is None:
            return
        key = visitor.account.id, visitor.name
        sids = self._of_visitor.get(key, set())
        sids.discard(sid)
        if sids:
            return
        self._of_visitor.pop(key, None)
        if visitor.place is not None:  # a conversation has one visitor, and this was their last tab
            self._places.pop(visitor.place.id, None)
            self.house.relay.tell("visitor_typing", visitor.place.tenant_id, visitor.place.id, False)

    # What they say.

    async def _said(self, sid: str, event: str, args: tuple[Any, ...]) -> Any:
        """The acknowledgement of an event: `{ok: true, …}`, or `{ok: false, error: {code, message}}`."""
        visitor = self.visitors.get(sid)
        if visitor is None or self.sockets.is_behind(sid):
            self.sockets.cut_sid(sid)
            return None
        if not visitor.bucket.take(self._monotonic_s()):
            visitor.warnings += 1
            if visitor.warnings > _PATIENCE:
                log.warning("web chat flooded", account=visitor.account.id)
                self.sockets.cut_sid(sid)
                return None
            await guard.note(self.house, visitor.account, None, 429, "rate_limited")
            return refusal("rate_limited", "That was too much at once; please wait a moment.", retry_after_s=1)
        said = args[0] if args else {}
        if len(args) > 1 or not isinstance(said, dict):
            return refusal("invalid", "Send one object with the event.")
        try:
            match event:
                case "send":
                    return await self._send(visitor, said)
                case "typing":
                    return self._types(visitor, said)
                case "seen":
                    return await self._seen(visitor, said)
                case "history":
                    return await self._history(visitor, said)
            return refusal("unknown_event", "There is no such event; there are send, typing, seen, history.")
        except BadRequest as bad:
            return refusal("invalid", f"{bad.field}: {bad.problem}", field=bad.field)
        except (StoreUnavailable, OSError):
            return refusal("unavailable", _AWAY)
        except Exception:
            log.exception("an event of the web chat failed", event_name=event, account=visitor.account.id)
            return refusal("internal_error", "Something went wrong on our side.")

    async def _send(self, visitor: Visitor, said: dict[str, Any]) -> dict[str, Any]:
        """What a POST to the web chat's messages does, down to what is kept on disk while the database is away."""
        wait = await guard.wait_s(self.house, visitor.account, visitor.name, visitor.address, speaks=True)
        if wait:
            await guard.note(self.house, visitor.account, None, 429, "rate_limited")
            text = f"That was too much at once; please try again in {wait} seconds."
            return refusal("rate_limited", text, retry_after_s=wait)
        body = orjson.dumps({**said, "site": visitor.account.address, "session": visitor.session})
        request = Request("POST", "", {"content-type": "application/json"}, body)
        answer = await self._receiver.webhook("webchat", "web", request, (self.house.settings.server.public_url,))
        if visitor.place is None:
            place = await self.house.store.read(thread.find, visitor.account.id, visitor.name)
            if place is not None:
                self._enter(visitor, place)
                # It was said before they were in the room: they learn what it is called, to find a reaction to it.
                self.sockets.broadcast("resync", {}, visitor.sid)
                # The visitor's other tabs, wherever they are connected.
                self.house.relay.tell("begun", visitor.account.id, visitor.name, place.id, place.tenant_id)
        if visitor.place is not None:
            self.house.relay.tell("visitor_typing", visitor.place.tenant_id, visitor.place.id, False)
        return {"ok": True, **orjson.loads(answer.body)}

    def _types(self, visitor: Visitor, said: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(is_typing := said.get("typing"), bool):
            raise BadRequest("typing", "neither true nor false")
        if visitor.place is not None:
            self.house.relay.tell("visitor_typing", visitor.place.tenant_id, visitor.place.id, is_typing)
        return {"ok": True}

    async def _seen(self, visitor: Visitor, said: dict[str, Any]) -> dict[str, Any]:
        if not (last := codec.message_id(said.get("seen", ""), "seen")):
            raise BadRequest("seen", "missing")
        await self.house.store.write(thread.seen, visitor.account.id, visitor.name, last)
        return {"ok": True}

    async def _history(self, visitor: Visitor, said: dict[str, Any]) -> dict[str, Any]:
        after, before = codec.span(said)
        read = self.house.store.read
        whole = await read(
            thread.whole, visitor.account.id, visitor.name, self._with_links(), after=after, before=before
        )
        if visitor.place is None and whole["messages"]:  # begun elsewhere
            place = await read(thread.find, visitor.account.id, visitor.name)
            if place is not None:
                self._enter(visitor, place)
        typing = [] if visitor.place is None else [one.name for one in self._typing.of(visitor.place.id)]
        return {"ok": True, **whole, "typing": typing}

    # What reaches them.

    def _hear(self, news: Sequence[object]) -> None:
        """What was committed, here or elsewhere. Costs next to nothing for conversations that nobody has open here."""
        for one in news:
            if isinstance(one, Changed) and one.conversation_id in self._places and _concerns_visitors(one):
                self._waiting.append(one)
                self._ready.set()

    async def _show(self) -> None:
        while True:
            await self._ready.wait()
            self._ready.clear()
            some, self._waiting = self._waiting, []
            try:
                if len(some) > _MOST:
                    self._resync()
                    continue
                told = await self.house.store.read(_news, some, dict(self._places), self._with_links())
                for place, event, payload in told:
                    self.sockets.broadcast(event, payload, _room(place))
            except StoreUnavailable:
                log.warning("the web chat cannot read what is new just now")
                await asyncio.sleep(1)
                self._resync()
            except Exception:
                log.exception("the web chat could not show what is new")
                self._resync()

    def _with_links(self) -> Show:
        return Show(self.house.links, self.house.clock.now())

    def _resync(self) -> None:
        """Something may have been missed: visitors ask for it themselves."""
        for place in tuple(self._places):
            self.sockets.broadcast("resync", {}, _room(place))

    def _begun(self, account_id: int, name: str, conversation_id: int, tenant_id: int) -> None:
        """A visitor's first message was said in another tab, maybe of another process."""
        place = Place(conversation_id, tenant_id, account_id)
        for sid in tuple(self._of_visitor.get((account_id, name), ())):
            if self.visitors[sid].place is None:
                self._enter(self.visitors[sid], place)
                self.sockets.broadcast("resync", {}, sid)

    def _staff_types(
        self, _tenant: int, conversation_id: int, user_id: int, uid: str, name: str, is_typing: bool, is_private: bool
    ) -> None:
        """A note between colleagues is not there for visitors, and whoever turns to one has stopped."""
        if conversation_id in self._places:
            self._typing.note(conversation_id, Typist(user_id, uid, name), is_typing=is_typing and not is_private)

    def _typing_changed(self, conversation_id: int, who: Typist, is_typing: bool) -> None:
        self.sockets.broadcast("typing", {"name": who.name, "typing": is_typing}, _room(conversation_id))

    # Who is still there.

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self._timings.sweep_s)
            try:
                self.sockets.cut_nameless(self._timings.nameless_s)
                for sid in [sid for sid in self.visitors if not self.sockets.is_open(sid)]:
                    await self._gone(sid)
                await self._send_away()
            except StoreUnavailable:
                log.warning("the connections of the web chat cannot be checked just now")
            except Exception:
                log.exception("the web chat could not be swept")

    async def _send_away(self) -> None:
        """Visitors of a chat that was disconnected."""
        accounts = {visitor.account.id for visitor in self.visitors.values()}
        lost = {one for one in accounts if await self.house.accounts.by_id(one) is None}
        for sid in [sid for sid, visitor in self.visitors.items() if visitor.account.id in lost]:
            await self.sockets.disconnect(sid)


def _concerns_visitors(one: Changed) -> bool:
    """A message, another status than that they have seen it themselves, or a person who has seen theirs."""
    return one.what == "message" or (one.what, one.detail == "read") in (("status", False), ("conversation", True))


def _news(db: Db, some: Sequence[Changed], places: dict[int, Place], show: Show) -> list[tuple[int, str, thread.Shown]]:
    """What visitors are to be told of these, in order: a new message, or one that was put off and goes out now; and how
    far people have read.
    """
    wanted: dict[int, set[int]] = {}
    found: list[tuple[int, str, thread.Shown]] = []
    for one in some:
        if one.message_id is not None and one.conversation_id in places:
            wanted.setdefault(one.conversation_id, set()).add(one.message_id)
    for place, ids in wanted.items():
        found += [(place, "message", shown) for shown in thread.news(db, places[place], ids, show)]
    for place in dict.fromkeys(one.conversation_id for one in some if one.what == "conversation"):
        if place in places and (last := thread.read(db, places[place])):
            found.append((place, "read", {"read": last}))
    return found


def _room(conversation_id: int) -> str:
    return f"c{conversation_id}"
