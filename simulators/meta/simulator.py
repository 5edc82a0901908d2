"""Meta's network with a server in front: the Graph API, files, and the control API."""

from types import TracebackType
from typing import Self

from aiohttp import web

from simulators.meta import control, graph
from simulators.meta.network import Network


class MetaSimulator(Network):
    """A stand-in for Meta: `async with MetaSimulator(app=…, numbers=[…]) as sim:` serves it at `sim.api_base`."""

    _runner: web.AppRunner | None = None

    @property
    def api_base(self) -> str:
        """What the application takes for https://graph.facebook.com/v24.0."""
        return f"{self.url}/v24.0"

    async def serve(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen on `port` (0: any free one)."""
        self._runner = web.AppRunner(create_app(self), access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        bound_host, bound_port, *_ = self._runner.addresses[0]
        self.url = f"http://{bound_host}:{bound_port}"

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
    """The network's HTTP side. Whoever serves it sets `network.url`, and closes it."""
    app = web.Application(middlewares=[graph.as_meta, control.as_json], client_max_size=110 * 1024**2)
    app[graph.NETWORK] = network
    app.add_routes(control.routes())
    app.add_routes(graph.routes())
    return app
