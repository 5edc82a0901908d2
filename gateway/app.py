"""The HTTP server: which doors there are, how big a request may be, and how a process starts and stops."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from functools import cache

import structlog
from aiohttp import web, web_response

from channels.voice.silero import Silero
from channels.voice.vad import EnergyVad, Vad
from desk import events, files
from gateway import collector, errors, health, visits
from gateway.auth import pages
from gateway.context import House
from gateway.hooks import routes, webchat
from gateway.inbox import door
from gateway.inbox.door import Timings
from gateway.jobs import broadcasts
from gateway.jobs.handlers import APART, FILES, HANDLERS, WAITS
from gateway.jobs.schedule import Sweeper
from gateway.jobs.worker import Worker
from gateway.media import serve
from gateway.pipeline import outbox
from gateway.pipeline.receive import Receiver
from gateway.pipeline.spool import Spool
from gateway.rest import dispatch, docs
from gateway.rest.app import surface as dashboard
from gateway.rest.mount import Mount
from gateway.rest.v1 import aliases
from gateway.rest.v1 import surface as v1
from gateway.slow import Patience
from gateway.voice import door as voice_door
from gateway.voice import outbound as voice_outbound
from gateway.voice import relay as voice_relay
from gateway.voice import sound_door, voicemail
from gateway.voice import stream as voice_stream
from gateway.voice import transfer as voice_transfer
from gateway.voice.exchange import Exchange
from gateway.webchat import door as webchat_door

log = structlog.get_logger()

PATIENCE = web.AppKey("patience", Patience)

_CLOSE_AFTER_S = 5.0  # how long requests that are being answered may take once we are asked to stop
_KEEPALIVE_S = 75.0

# What we are built of, and in which version, is of use to nobody who means well. aiohttp takes this name for every answer, and
# what is no HTTP at all it answers by itself, before any application is asked.
web_response.SERVER_SOFTWARE = "Frontdesk"  # type: ignore[attr-defined]


def make_app(house: House, *, timings: Timings = Timings()) -> web.Application:  # noqa: B008  frozen
    """The application, to be run by any aiohttp runner; it does not own the house. `timings` are the live inbox's."""
    server = house.settings.server
    patience = Patience(head_s=server.head_timeout_s, body_s=server.body_timeout_s)
    app = web.Application(client_max_size=server.max_body_bytes, middlewares=[patience.middleware, errors.catch])
    app[PATIENCE] = patience
    spool = Spool(house.settings.data_dir / "spool", house.sealer)
    app[health.HOUSE] = house
    app[health.SPOOL] = spool
    app[routes.RECEIVER] = receiver = Receiver(house, spool if server.spool else None)
    routes.add_routes(app)
    webchat.add_routes(app)
    voice_door.add_routes(app, Exchange(house, vad=_vad(house)))
    voice_relay.add_routes(app)
    voice_stream.add_routes(app)
    voice_transfer.add_routes(app)
    voice_outbound.add_routes(app)
    voicemail.add_routes(app)
    sound_door.add_routes(app)
    webchat_door.mount(app, house, receiver, timings)
    app[errors.SURFACES] = (v1.make(), dashboard.make())
    app.router.register_resource(Mount("/api", _routes, patience.heard))
    serve.add_routes(app)
    visits.add_routes(app)
    docs.add_routes(app)
    pages.add_routes(app)
    health.add_routes(app)
    door.mount(app, house, timings)
    return app


def _vad(house: House) -> Callable[[], Vad]:
    """What tells in each call whether somebody speaks. A model is loaded once, and now."""
    return Silero().vad if house.settings.voice.vad == "silero" else EnergyVad


@cache
def _routes() -> web.UrlDispatcher:
    """Of all surfaces. They never change, so there are one of each, whatever the number of applications."""
    router = web.UrlDispatcher()
    for surface in (v1.make(), dashboard.make(), aliases.of(v1.make())):
        dispatch.add_surface(router, surface)
    router.freeze()
    return router


@contextlib.asynccontextmanager
async def serving(house: House) -> AsyncIterator[web.AppRunner]:
    """The server at the configured address, stopped gently when the block ends.

    Raises: OSError when the address is taken.
    """
    app = make_app(house)
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=_CLOSE_AFTER_S,
        keepalive_timeout=_KEEPALIVE_S,
        max_headers=100,
    )
    await runner.setup()
    assert runner.server is not None  # noqa: S101  it is set up
    watching = asyncio.create_task(app[PATIENCE].watch(runner.server), name="patience")
    try:
        server = house.settings.server
        await web.TCPSite(runner, server.host, server.port, backlog=1024, reuse_port=False).start()
        yield runner
    finally:
        watching.cancel()
        await runner.cleanup()


@contextlib.asynccontextmanager
async def working(house: House) -> AsyncIterator[None]:
    """The job workers and the sweeper, stopped gently when the block ends."""
    stopping = asyncio.Event()
    tasks = [asyncio.create_task(worker.run(stopping), name="worker") for worker in workers(house)] + [
        asyncio.create_task(
            Sweeper(house, Spool(house.settings.data_dir / "spool", house.sealer)).run(stopping), name="sweeper"
        ),
    ]
    watching = asyncio.create_task(house.pressure.watch(), name="pressure")
    try:
        yield
    finally:
        stopping.set()
        await asyncio.gather(*tasks)
        watching.cancel()


def workers(house: House) -> tuple[Worker, ...]:
    """One for our own work, one for what goes out, one that writes broadcasts, one for what waits on subscribers, one for
    files: however slow those are, replies do not wait.
    """
    jobs = house.settings.jobs
    apart = {*APART, *FILES, outbox.KIND, broadcasts.KIND}
    return (
        Worker(house, {kind: handler for kind, handler in HANDLERS.items() if kind not in apart}),
        Worker(house, {broadcasts.KIND: HANDLERS[broadcasts.KIND]}, at_once=1),
        Worker(house, {outbox.KIND: HANDLERS[outbox.KIND]}, at_once=house.settings.sending.at_once, gives_way=True),
        Worker(
            house,
            {kind: HANDLERS[kind] for kind in APART},
            topic=events.TOPIC,
            at_once=house.settings.webhooks.at_once,
            lease_s=max(jobs.lease_s, 2 * house.settings.webhooks.timeout_s),
            one_per_lane=True,
        ),
        Worker(
            house,
            {kind: HANDLERS[kind] for kind in FILES},
            topic=files.TOPIC,
            lease_s=max(jobs.lease_s, 2 * house.settings.media.timeout_s + 60),
            one_per_lane=True,
            waits=WAITS,
        ),
    )


async def until_stopped(ready: Callable[[], None]) -> None:
    """Return when the process is asked to stop (SIGTERM, SIGINT). `ready` is called once everything is up."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    collector.settle()
    ready()
    await stop.wait()
    log.info("stopping")
