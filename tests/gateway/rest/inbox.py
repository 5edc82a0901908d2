"""What the tests of the inbox share: customers who write by real signed SMS, and people who answer them."""

from typing import Any, Final

from tests.gateway.front import OURS, Front
from tests.gateway.rest.api import Client

KIM: Final = "+15125550144"
LEE: Final = "+15125550145"


async def channel_id(client: Client, kind: str = "sms") -> str:
    """The demo business's own number."""
    found = await client.get(f"/channels?kind={kind}")
    return str(found["items"][0]["id"])


async def wrote(client: Client, sender: str, *lines: str) -> dict[str, Any]:
    """The conversation after the customer has texted these."""
    await client.front.says(sender, *lines)
    found: list[dict[str, Any]] = (await client.get(f"/conversations?search=%2B{sender[1:]}"))["items"]
    assert len(found) == 1
    return found[0]


async def queued(client: Client, sender: str = KIM) -> dict[str, Any]:
    """A conversation in which the customer has asked for a person."""
    return await wrote(client, sender, "human")


async def texts(front: Front) -> list[tuple[Any, ...]]:
    """Everything that lies in the outbox, with its state."""
    return await front.rows(
        "SELECT messages.text, outbox.state FROM outbox JOIN messages ON messages.id = outbox.message_id ORDER BY messages.id"
    )


__all__ = ["KIM", "LEE", "OURS", "channel_id", "queued", "texts", "wrote"]
