"""From the application to a phone: taking a message, delivering it, and telling the application how it went."""

from datetime import timedelta

from simulators.meta import checks
from simulators.meta.model import Json, Message, Number, Received
from simulators.meta.network import Network
from simulators.meta.phone import Phone

_WINDOW = timedelta(hours=24)


def send(network: Network, sender: Number, body: Json) -> Message:
    """Take a message from the application; its delivery goes on by itself.

    Raises:
        Refusal: Meta does not take it.
    """
    kind, content = checks.content(body, media_ids=network.media, templates=network.templates)
    to = checks.recipient(body, sender)
    message = Message(
        id=f"wamid.{network.new_id()}",
        sender=sender,
        to=to,
        kind=kind,
        body=body,
        status="accepted",
        at=network.clock(),
    )
    network.messages[message.id] = message
    phone = network.phone_of(to)
    error = _error(network, message, phone)
    if error is None and phone is not None:
        context = body.get("context")
        quotes = str(context.get("message_id", "")) if isinstance(context, dict) else ""
        phone.receive(Received(message.id, sender, kind, content, quotes, network.clock()))
    reads = phone is not None and phone.reads
    network.start(_travel(network, message, error, reads=reads), name=message.id)
    return message


def _error(network: Network, message: Message, phone: Phone | None) -> int | None:
    if network.dice.strikes("failed"):
        return network.dice.faults.failed_code
    if phone is None:
        return 131026
    said = network.last_said.get((message.sender.number, phone.number))
    if message.kind != "template" and (said is None or network.clock() - said > _WINDOW):
        return 131047
    return phone.fails_with


async def _travel(network: Network, message: Message, error: int | None, *, reads: bool) -> None:
    dice = network.dice
    is_silent, is_twice = dice.strikes("never_status"), dice.strikes("status_duplicate")
    is_backwards = dice.strikes("status_out_of_order")
    states = ["failed"] if error else ["sent", "delivered", *(["read"] if reads else [])]
    for state in reversed(states) if is_backwards else states:
        await network.sleep(network.pace_s)
        message.status, message.error = state, error
        for _ in range(0 if is_silent else 2 if is_twice else 1):
            await network.report(message)
    message.status = states[-1]
