"""The speech service with a server in front."""

from types import TracebackType
from typing import Self

from aiohttp import web

from simulators.elevenlabs import scribe, speech, stream_input
from simulators.elevenlabs.model import SERVICE, Service


class ElevenLabsSimulator(Service):
    """A stand-in for ElevenLabs: `async with ElevenLabsSimulator() as sim:` serves it at `sim.url`."""

    url = ""
    _runner: web.AppRunner | None = None

    async def serve(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen on `port` (0: any free one)."""
        self._runner = web.AppRunner(create_app(self), access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        bound_host, bound_port, *_ = self._runner.addresses[0]
        self.url = f"http://{bound_host}:{bound_port}"

    async def close(self) -> None:
        """Stop serving; what has stalled ends too."""
        self.closing.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.serve()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def create_app(service: Service) -> web.Application:
    """The service's HTTP side. Whoever serves it closes it."""
    app = web.Application(middlewares=[speech.as_elevenlabs])
    app[SERVICE] = service
    app.add_routes(stream_input.routes())
    app.add_routes(scribe.routes())
    app.add_routes(speech.routes())
    return app
