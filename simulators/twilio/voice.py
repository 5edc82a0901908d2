"""Calls into the network and out of it: where each begins."""

from collections.abc import Mapping
from dataclasses import dataclass

from simulators.twilio import voice_dial, voice_record
from simulators.twilio.inbound import UnknownNumber
from simulators.twilio.network import Network
from simulators.twilio.voice_call import Call, Stopped, Watch
from simulators.twilio.voice_model import Callee
from simulators.twilio.voice_twiml import Document
from simulators.twilio.voice_verbs import live


async def call(network: Network, sender: str, to: str, extra: Mapping[str, str]) -> Call:
    """Call a number from a phone (or from "anonymous"); back as soon as the call is answered, or over.

    `extra` adds or replaces webhook parameters (`ForwardedFrom`, `CallerName`, `StirVerstat`, …).

    Raises:
        UnknownNumber: nobody in this network owns `to`.
    """
    number = network.numbers.get(to)
    if number is None:
        raise UnknownNumber(f"nobody owns {to!r}; there are {', '.join(network.numbers) or 'no numbers at all'}")
    url, callback = number.voice_url, number.voice_status_callback_url
    one = Call(
        network,
        account_sid=number.account_sid,
        sender=sender,
        to=to,
        direction="inbound",
        fallback=(number.voice_fallback_url, "POST") if number.voice_fallback_url else None,
        watch=Watch(url=callback, events=number.voice_status_events) if callback else None,
        extra=extra,
    )
    one.become("initiated")
    one.become("ringing")
    if not url:
        one.become("failed")
        one.over.set()
        return one

    async def first() -> Document:
        return await one.ask(url, number.voice_method)

    network.start(live(one, first), sid=one.sid, is_scheduled=True)  # nobody waits for a call to settle
    await network.time.until(lambda: one.answered_at is not None or one.over.is_set(), timeout_s=60, within_s=600)
    return one


async def rings(network: Network, number: str) -> Call:
    """The latest leg to that phone that is not over, waiting for it to be picked up.

    Raises:
        TimeoutError: it does not ring, or nobody picks it up.
    """

    def found() -> list[Call]:
        return [
            one
            for one in network.calls.values()
            if one.to == number and one.direction != "inbound" and one.answered_at and not one.over.is_set()
        ]

    if not await network.time.until(lambda: bool(found()), timeout_s=5, within_s=600):
        raise TimeoutError(f"{number} does not ring")
    return found()[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A call that the application wants made."""

    account_sid: str
    to: str
    sender: str
    url: str = ""
    method: str = "POST"
    twiml: str = ""
    fallback: tuple[str, str] | None = None
    watch: Watch | None = None
    timeout_s: float = 60.0
    detection: str = ""
    detection_timeout_s: float = 30.0
    amd_callback: tuple[str, str] | None = None  # asynchronous
    records: bool = False
    recording_report: tuple[str, str, tuple[str, ...]] | None = None


def place(network: Network, order: Order) -> Call:
    """Make the call; it goes on by itself."""
    one = Call(
        network,
        account_sid=order.account_sid,
        sender=order.sender,
        to=order.to,
        direction="outbound-api",
        fallback=order.fallback,
        watch=order.watch,
    )
    network.start(_outbound(one, order), sid=one.sid, is_scheduled=True)
    return one


async def _outbound(one: Call, order: Order) -> None:
    network = one.network
    try:
        status = await voice_dial.ring(one, network.callees.get(one.to, Callee()), order.timeout_s)
    except Stopped:
        status = one.status
    if status != "in-progress":
        voice_dial.over(one, status)
        return
    if order.records:
        voice_record.begin(one, "OutboundAPI", order.recording_report)
    if order.detection and order.amd_callback:
        work = voice_dial.detect(one, order.detection, *order.amd_callback)
        network.start(work, sid=one.sid, is_scheduled=True)

    async def first() -> Document:
        extra: dict[str, str] = {}
        if order.detection and not order.amd_callback:
            extra = await voice_dial.greeted(one, order.detection, order.detection_timeout_s)
        return one.given(order.twiml) if order.twiml else await one.ask(order.url, order.method, **extra)

    await live(one, first)
