"""python-socketio, with what it leaves open closed: clients that flood, that never read, that never say who they are."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Final

import engineio
import engineio.payload
import socketio
from aiohttp import web
from engineio import packet as engine_packets
from socketio import packet as packets

from gateway.inbox.events import refusal

LARGEST: Final = 262_144  # bytes of one message, which holds the longest text in the longest spelling
_PING_EVERY_S: Final = 20
_PONG_WITHIN_S: Final = 15
_UNREAD: Final = 1_000  # packets that may wait for a client; one that lets more pile up does not read
_BUFFERED: Final = 32_768  # bytes that may wait in a transport for what is written at once
_PACKETS: Final = (100.0, 400.0)  # a second, at once: far more than anybody types, also from those who did not sign in

_KINDS: Final = "0123456"  # of engine packets
_BINARY: Final = (str(packets.BINARY_EVENT), str(packets.BINARY_ACK))

# What the library would log are mostly the faults of clients, a traceback each; ours we log ourselves.
_quiet = logging.getLogger("frontdesk.socketio")
_quiet.setLevel(logging.CRITICAL)

Handle = Callable[..., Awaitable[Any]]


class Bucket:
    """So many events a second, and some more at once after a pause."""

    def __init__(self, per_s: float, burst: float, now_s: float) -> None:
        self._per_s, self._burst = per_s, burst
        self._left, self._at_s = burst, now_s

    def take(self, now_s: float) -> bool:
        """Whether one more is all right."""
        self._left = min(self._burst, self._left + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Sockets(socketio.AsyncServer):  # type: ignore[misc]  # the library has no types
    """One namespace whose every event goes to one of three functions.

    `connected(sid, environ, auth)` may refuse by raising ConnectionRefusedError; `said(sid, event, args)` returns the
    acknowledgement; `gone(sid)` comes once for each that was connected.
    """

    def __init__(
        self,
        *,
        connected: Handle,
        said: Handle,
        gone: Handle,
        is_allowed_origin: Callable[[str | None, dict[str, Any]], bool],
        monotonic_s: Callable[[], float],
    ) -> None:
        super().__init__(
            client_manager=socketio.AsyncManager(),
            async_mode="aiohttp",
            logger=_quiet,
            engineio_logger=_quiet,
            # One after the other: what a client says is done in its order, and a flood waits in the client's own socket.
            async_handlers=False,
            always_connect=False,
            cors_allowed_origins=is_allowed_origin,
            cors_credentials=True,
            max_http_buffer_size=LARGEST,
            ping_interval=_PING_EVERY_S,
            ping_timeout=_PONG_WITHIN_S,
            http_compression=False,
        )
        self._connected, self._said, self._gone = connected, said, gone
        self._monotonic_s = monotonic_s
        self._lines: dict[str, _WebSocket] = {}
        self._closing: set[asyncio.Future[Any]] = set()  # holds them until they are done
        self._buckets: dict[str, Bucket] = {}
        self.since_s: dict[str, float] = {}  # when each engine connection began
        self.eio._async = {**self.eio._async, "websocket": self._websocket}  # once it has chosen aiohttp

    @property
    def engines(self) -> int:
        """Open connections, whether or not somebody has signed in on them."""
        return len(self.eio.sockets)

    def is_populated(self, room: str) -> bool:
        return room in self.manager.rooms.get("/", {})

    def broadcast(self, event: str, data: Any, room: str, *, skip: Collection[str] = ()) -> None:
        """Hand an event to everybody in the room who is connected here, but `skip`.

        Encoded once, and written at once to WebSockets on which nothing waits; by way of the queue and the task behind it
        each costs three times as much (bench/fanout.py). Whoever does not read is let go.
        """
        encoded = self.packet_class(packets.EVENT, namespace="/", data=[event, data]).encode()
        packet = engine_packets.Packet(engine_packets.MESSAGE, encoded)
        frame = _frame(packet.encode())
        for sid, engine_sid in tuple(self.manager.rooms.get("/", {}).get(room, {}).items()):
            socket = self.eio.sockets.get(engine_sid)
            if socket is None or socket.closed or sid in skip:
                continue
            line = self._lines.get(engine_sid)
            if line is not None and socket.upgraded and not socket.queue.unsent and line.is_idle:
                line.write(frame)
            elif socket.queue.qsize() >= _UNREAD:
                self.cut(engine_sid)
            else:
                socket.queue.put_nowait(packet)

    def is_open(self, sid: str) -> bool:
        """Whether somebody is (still) at the other end."""
        engine_sid = self.manager.eio_sid_from_sid(sid, "/") if "/" in self.manager.rooms else None
        socket = self.eio.sockets.get(engine_sid)
        return socket is not None and not socket.closed

    def is_behind(self, sid: str) -> bool:
        """Whether more waits for this client than one lets wait who reads."""
        socket = self.eio.sockets.get(self.manager.eio_sid_from_sid(sid, "/"))
        return socket is not None and socket.queue.qsize() >= _UNREAD

    def cut_sid(self, sid: str) -> None:
        """End the connection at once, without a word."""
        engine_sid = self.manager.eio_sid_from_sid(sid, "/") if "/" in self.manager.rooms else None
        if engine_sid is not None:
            self.cut(engine_sid)

    def cut(self, engine_sid: str) -> None:
        """End a connection at once. The transport is aborted: one that does not read would never take a goodbye."""
        socket = self.eio.sockets.get(engine_sid)
        if socket is None:
            return
        line = self._lines.get(engine_sid)
        if line is not None:
            line.abort()
        closing = asyncio.ensure_future(socket.close(wait=False, abort=True))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        # A long poll or the writer that waits for something to send gets the end.
        while not socket.queue.empty():
            socket.queue.get_nowait()
        socket.queue.put_nowait(None)

    def cut_nameless(self, older_than_s: float) -> None:
        """End connections on which nobody has signed in, or nobody is signed in any more."""
        limit = self._monotonic_s() - older_than_s
        for engine_sid in [one for one, since_s in self.since_s.items() if since_s < limit]:
            if engine_sid not in self.eio.sockets:
                self._drop(engine_sid)
            elif self.manager.sid_from_eio_sid(engine_sid, "/") is None:
                self.cut(engine_sid)

    async def close_all(self) -> None:
        """End every connection in such a way that clients come back by themselves, to this server or another."""
        await self.shutdown()
        for engine_sid in list(self.eio.sockets):
            socket = self.eio.sockets.get(engine_sid)
            if socket is not None:
                await socket.close(wait=False)
                socket.queue.put_nowait(None)

    async def _trigger_event(self, event: Any, namespace: str, sid: str, *args: Any) -> Any:
        # A client may send events with the names of the library's own ("connect"), and the library would believe it.
        if self.manager.is_pre_connected(sid, namespace):
            return await self._connected(sid, *args)
        if not self.manager.is_connected(sid, namespace):
            return await self._gone(sid)
        if not isinstance(event, str):
            return refusal("invalid", "An event has a name.")
        return await self._said(sid, event, args)

    async def _handle_eio_connect(self, engine_sid: str, environ: dict[str, Any]) -> None:
        self._buckets[engine_sid] = Bucket(*_PACKETS, self._monotonic_s())
        self.since_s[engine_sid] = self._monotonic_s()
        await super()._handle_eio_connect(engine_sid, environ)

    async def _handle_eio_message(self, engine_sid: str, data: Any) -> None:
        bucket = self._buckets.get(engine_sid)
        if bucket is None or not bucket.take(self._monotonic_s()):
            self.cut(engine_sid)
            return
        try:
            if isinstance(data, bytes):
                return  # belongs to a packet that was refused
            if data[:1] in _BINARY:
                await self._refuse_binary(engine_sid, data)
                return
            await super()._handle_eio_message(engine_sid, data)
        except Exception:  # noqa: BLE001  a border: what cannot be understood ends the connection, as in every other server
            self.cut(engine_sid)

    async def _refuse_binary(self, engine_sid: str, data: str) -> None:
        """The library would wait for as many attachments as the packet says, ten thousand million at most."""
        packet = self.packet_class(encoded_packet=data)
        if packet.id is not None and self.manager.sid_from_eio_sid(engine_sid, packet.namespace or "/"):
            answer = [refusal("invalid", "Events carry JSON only, no binary data.")]
            ack = self.packet_class(packets.ACK, namespace=packet.namespace or "/", id=packet.id, data=answer)
            await self._send_packet(engine_sid, ack)

    async def _handle_eio_disconnect(self, engine_sid: str, reason: Any) -> None:
        if reason == self.reason.PING_TIMEOUT and engine_sid in self._lines:
            self._lines[engine_sid].abort()  # the writer may wait for ever for somebody to read
        self._drop(engine_sid)
        socket = self.eio.sockets.get(engine_sid)
        if socket is not None and reason == self.reason.CLIENT_DISCONNECT:
            socket.queue.put_nowait(None)  # or its long poll would be held for half a minute more
        await super()._handle_eio_disconnect(engine_sid, reason)

    def _drop(self, engine_sid: str) -> None:
        self._buckets.pop(engine_sid, None)
        self.since_s.pop(engine_sid, None)
        self._lines.pop(engine_sid, None)

    def _engineio_server_class(self) -> type[engineio.AsyncServer]:
        return _Engine

    def _websocket(self, handler: Any, engine: Any) -> "_WebSocket":
        line = self._lines[handler.__self__.sid] = _WebSocket(handler, engine)
        return line


class _Queue(asyncio.Queue[Any]):
    """Knows how many packets are on their way: those in it, and the one that its reader has taken and not yet sent."""

    unsent = 0

    def put_nowait(self, item: Any) -> None:
        super().put_nowait(item)
        self.unsent += 1

    def task_done(self) -> None:
        super().task_done()
        self.unsent -= 1


class _Engine(engineio.AsyncServer):  # type: ignore[misc]  # the library has no types
    def create_queue(self, *_: Any, **__: Any) -> _Queue:
        return _Queue()

    async def disconnect(self, sid: str | None = None) -> None:
        """The library's own waits for everything to be read before it lets go, for ever with one who polls no more."""
        for one in [sid] if sid is not None else list(self.sockets):
            socket = self.sockets.get(one)
            if socket is not None:
                await socket.close(wait=False, reason=self.reason.SERVER_DISCONNECT)
                self.sockets.pop(one, None)


class _WebSocket:
    """What engineio's own does, but never compressed: a thousand windows of deflate are 300 MB."""

    def __init__(self, handler: Any, engine: Any) -> None:
        self._handler = handler
        self._transport: asyncio.Transport | None = None
        self._is_sending = False
        self._socket = web.WebSocketResponse(max_msg_size=engine.max_http_buffer_size, compress=False)

    async def __call__(self, environ: dict[str, Any]) -> web.WebSocketResponse:
        request: web.Request = environ["aiohttp.request"]
        await self._socket.prepare(request)
        self._transport = request.transport
        self.environ = environ
        await self._handler(self)
        return self._socket

    async def close(self) -> None:
        await self._socket.close()

    async def send(self, message: str | bytes) -> None:
        self._is_sending = True
        try:
            if isinstance(message, bytes):
                await self._socket.send_bytes(message)
            else:
                await self._socket.send_str(message)
        finally:
            self._is_sending = False

    @property
    def is_idle(self) -> bool:
        """Whether a frame can go out at once, with everything before it gone: aiohttp writes whole frames."""
        if self._transport is None or self._is_sending or self._socket.closed:
            return False
        return not self._transport.is_closing() and self._transport.get_write_buffer_size() < _BUFFERED

    def write(self, frame: bytes) -> None:
        if self._transport is not None:
            self._transport.write(frame)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def wait(self) -> str | bytes:
        """Raises: OSError when there is nothing more to come, or nothing that makes sense."""
        data: object = (await self._socket.receive()).data
        # The library trips over what does not begin with one of the kinds of packets.
        if isinstance(data, str) and data[:1] in _KINDS and data:
            return data
        if isinstance(data, bytes):
            return data
        raise OSError


def _frame(text: str) -> bytes:
    """A text as a frame of a server (RFC 6455, section 5.2): unmasked, in one piece."""
    body = text.encode()
    size = len(body)
    if size < 126:
        return bytes((0x81, size)) + body
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + body
    return b"\x81\x7f" + size.to_bytes(8, "big") + body


# A client that polls may send what it has saved up in one go; the library's 16 would lose the rest of it.
engineio.payload.Payload.max_decode_packets = 100
