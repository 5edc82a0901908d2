"""The phone network with a server in front: Twilio's REST API, the control API, and a place for media."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from aiohttp import web

from simulators.twilio import contents_rest, control, inbound, outbound, rest, voice, voice_rest
from simulators.twilio.model import Exchange, Media
from simulators.twilio.network import Network
from simulators.twilio.phone import Phone
from simulators.twilio.voice_call import Call


class TwilioSimulator(Network):
    """A stand-in for Twilio: `async with TwilioSimulator(accounts=[…], numbers=[…]) as sim:` serves it at `sim.url`."""

    _runner: web.AppRunner | None = None

    async def carry(
        self, phone: Phone, to: str, body: str, *, media: Sequence[Media], extra: Mapping[str, str], sid: str | None
    ) -> Exchange:
        """Take a text from a phone to the application and act on the answer. See `Phone.text`."""
        return await inbound.carry(self, phone, to, body, media=media, extra=extra, sid=sid)

    async def look(self, phone: Phone) -> None:
        """Report what was on the phone as read. See `Phone.read`."""
        await outbound.read(self, phone)

    async def call(self, sender: str, to: str, **extra: str) -> Call:
        """Somebody calls a number. See `voice.call`."""
        return await voice.call(self, sender, to, extra)

    async def rings(self, number: str) -> Call:
        """The phone that the application rings. See `voice.rings`."""
        return await voice.rings(self, number)

    async def serve(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen on `port` (0: any free one). Media lies behind a second port, that is on another origin."""
        self._runner = web.AppRunner(create_app(self), access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        self.url = await _listen(self._runner, host, port)
        self.storage_url = await _listen(self._runner, host, 0)

    async def close(self) -> None:
        """Stop serving and drop everything that is still under way."""
        await super().close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.serve()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def create_app(network: Network) -> web.Application:
    """The network's HTTP side. Whoever serves it sets `network.url` and `network.storage_url`, and closes it."""
    app = web.Application(middlewares=[rest.as_twilio, control.as_json], client_max_size=32 * 1024**2)
    app[rest.NETWORK] = network
    app.add_routes(rest.routes())
    app.add_routes(contents_rest.routes())
    app.add_routes(voice_rest.routes())
    app.add_routes(control.routes())
    return app


async def _listen(runner: web.AppRunner, host: str, port: int) -> str:
    site = web.TCPSite(runner, host, port)
    await site.start()
    *_, (bound_host, bound_port, *_rest) = runner.addresses
    return f"http://{bound_host}:{bound_port}"
