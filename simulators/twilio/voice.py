"""Calls into the network and out of it: where each begins."""

from collections.abc import Mapping

from simulators.twilio.inbound import UnknownNumber
from simulators.twilio.network import Network
from simulators.twilio.voice_call import Call, Watch
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
