"""Two tenants with the same customer: what comes for one never touches the other."""

from typing import Any

from tests.gateway.front import OURS, SID, STATUS, Front
from tests.gateway.rest.api import Client, stranger

KIM = "+15125550144"
THEIRS = "+15125570001"


async def connected(other: Client) -> None:
    """The other tenant has a number of its own, and a bot that answers."""
    business = await other.post("/businesses", {"name": "Elm Street", "time_zone": "America/Chicago"})
    bot = await other.post("/bots", {"name": "Elm", "business_id": business["id"]})
    ours = {"business_id": business["id"], "bot_id": bot["id"]}
    await other.post("/channels", {"kind": "sms", "address": THEIRS, **ours})


async def of(client: Client) -> list[dict[str, Any]]:
    """What the tenant sees of Kim: the messages of every conversation."""
    found = (await client.get("/conversations?search=5550144"))["items"]
    return [await client.get(f"/conversations/{one['id']}/messages?limit=100") for one in found]


async def test_one_customer_of_two_tenants_is_two(desk: Front, api: Client) -> None:
    other = await stranger(desk)
    await connected(other)
    sid = "SM" + "7" * 32  # the provider's id is only an id within one account
    ours = await desk.text(KIM, "hi", sid=sid)
    theirs = await desk.text(KIM, "hi", sid=sid, To=THEIRS)
    assert "Juniper" in ours.text
    assert "Elm" in theirs.text
    assert (await desk.text(KIM, "hi", sid=sid)).body == ours.body
    for client in (api, other):
        (talk,) = await of(client)
        assert [one["text"] for one in talk["items"] if one["direction"] == "in"] == ["hi"]
    assert len({one["id"] for client in (api, other) for talk in await of(client) for one in talk["items"]}) == 2 + sum(
        len(answer.texts) for answer in (ours, theirs)
    )
    await desk.text(KIM, "STOP", To=THEIRS)
    assert (await desk.text(KIM, "book", sid="SM" + "8" * 32)).texts  # who said no to one has not said no to the other


async def test_news_by_another_number_changes_nothing(desk: Front, api: Client) -> None:
    other = await stranger(desk)
    await connected(other)
    answer = await desk.text(KIM, "hi")
    reference = answer.body.decode().split("ref=")[1][:36]
    before = await of(api)

    async def news(sender: str) -> None:
        fields = {"MessageSid": "SM" + "5" * 32, "MessageStatus": "delivered", "To": KIM, "From": sender}
        posted = await desk.post({**fields, "AccountSid": SID}, path=f"{STATUS}?ref={reference}")
        assert posted.status in (200, 204)

    await news(THEIRS)  # it bears the name of our message, and comes for their number
    assert await of(api) == before
    assert await of(other) == []
    await news(OURS)
    assert await of(api) != before
