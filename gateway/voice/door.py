"""The doors for telephone calls: Twilio's voice webhooks in, TwiML out."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from aiohttp import web

from channels.base import Answer, Request
from channels.errors import BadRequest
from channels.voice import codec
from channels.voice.codec import Ring
from gateway.accounts import Account
from gateway.errors import problem
from gateway.hooks.routes import RECEIVER, away, public_urls
from gateway.pipeline.receive import Forged
from gateway.voice.exchange import Exchange
from gateway.voice.speech import Speech, phrase
from storage.store import StoreUnavailable

EXCHANGE = web.AppKey("exchange", Exchange)
PATH = "/api/v1/webhooks/twilio/voice"

log = structlog.get_logger()

_FALLBACK = "Sorry, we can't take your call just now. Please call again in a few minutes, or text us at this number."


@dataclass(frozen=True, slots=True)
class Call:
    """A verified webhook of a call to one of our numbers."""

    exchange: Exchange
    account: Account
    ring: Ring
    request: Request

    @property
    def base(self) -> str:
        """Where our doors are, as Twilio sees them."""
        return self.exchange.house.settings.server.public_url + PATH


def add_routes(app: web.Application, exchange: Exchange) -> None:
    """Mount them, with and without a trailing slash, versioned and bare."""
    app[EXCHANGE] = exchange
    doors = {"": begin, "/gather": gather, "/status": status, "/fallback": fallback}
    for prefix in ("/api/v1/webhooks", "/webhooks"):
        for name, handler in doors.items():
            for method in ("POST", "GET"):
                app.router.add_route(method, f"{prefix}/twilio/voice{name}", _door(handler))
                app.router.add_route(method, f"{prefix}/twilio/voice{name}/", _door(handler))


async def begin(call: Call) -> Answer:
    """Somebody calls."""
    speech = await call.exchange.begin(call.account, call.ring, "gather")
    return _ask(call, speech)


async def gather(call: Call) -> Answer:
    """What they said or pressed, or that they said nothing. While we are at work they hear so, and ask again."""
    given, settings = codec.given(call.request), call.exchange.house.settings.voice
    waited = int(call.request.query.get("waited", "0")) if call.request.query.get("waited", "0") in "012" else 2
    if waited:
        task = call.exchange.at_work(call.account, call.ring, given.turn)
        if task is None:  # done meanwhile, or lost with the process that worked on it
            return _ask(call, await call.exchange.again(call.account, call.ring, given.turn))
    else:
        task = call.exchange.hear(call.account, call.ring, given, "gather")
    patience_s = (settings.still_s, settings.slow_s - settings.still_s, settings.slow_s)[waited]
    done, _ = await asyncio.wait({task}, timeout=patience_s)
    if done:
        return _ask(call, task.result())
    language = codec.locale("en")
    if waited == 2:
        return codec.goodbye(phrase("en", "voice_slow"), language=language)
    url = f"{call.base}/gather?turn={given.turn}&waited={waited + 1}"
    return codec.wait(phrase("en", ("voice_moment", "voice_still")[waited]), again=url, language=language)


async def status(call: Call) -> Answer:
    """How a call went."""
    await call.exchange.news(call.account, call.ring, codec.news(call.request))
    return Answer()


async def fallback(_call: Call) -> Answer:
    """What a caller hears when our other doors did not answer. It needs nothing of ours: no database, no bot."""
    return codec.goodbye(_FALLBACK, language=codec.locale("en"))


def _ask(call: Call, speech: Speech) -> Answer:
    """Say it and listen, or say it and hang up."""
    language = codec.locale(speech.language)
    if speech.listen is None:
        return codec.goodbye(speech.text, language=language)
    action = f"{call.base}/gather?turn={speech.turn}"
    silence_s = call.exchange.house.settings.voice.silence_s
    return codec.gather(speech.text, speech.listen, action=action, language=language, silence_s=silence_s)


def _door(handler: Callable[[Call], Awaitable[Answer]]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The handler behind the check of the signature."""

    async def opened(request: web.Request) -> web.StreamResponse:
        try:
            incoming = Request.read(request.method, request.raw_path, request.headers, await request.read())
            call = await verified(request, incoming)
            answer = codec.reject() if call is None else await handler(call)
        except Forged:
            return problem(request, 403, "BAD_SIGNATURE", "The signature is missing or does not fit this request.")
        except BadRequest as bad:
            return problem(request, 400, "BAD_REQUEST", f"{bad.field}: {bad.problem}")
        except StoreUnavailable:
            return away(request)
        return web.Response(
            status=answer.status,
            body=answer.body,
            headers={"Content-Type": answer.content_type} if answer.body else None,
        )

    return opened


async def verified(request: web.Request, incoming: Request) -> Call | None:
    """The call that a request is about; None when the number is not connected.

    Raises: Forged, BadRequest, StoreUnavailable
    """
    exchange, receiver = request.app[EXCHANGE], request.app[RECEIVER]
    house = exchange.house
    adapter = house.adapters["twilio", "voice"]
    claimed = adapter.claimed_account(incoming)
    secret = await receiver.signed_by(adapter, claimed, incoming, public_urls(request))
    ring = codec.ring(incoming)
    account = await house.accounts.by_address("twilio", "voice", ring.called)
    if account is None:
        log.warning("call to a number that is not connected", call=ring.sid)
        return None
    if not account.is_opened_by(claimed, secret):
        log.warning("webhook refused", provider="twilio", account=account.id, reason="account of another")
        raise Forged
    return Call(exchange, account, ring, incoming)
