"""The WhatsApp adapter of Meta against the simulated Graph API: what goes out, and what each refusal means."""

from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from random import Random

import aiohttp
import pytest
from aiohttp import web
from pytest_aiohttp.plugin import AiohttpServer

from channels.base import AccountKeys
from channels.errors import SendError
from channels.messages import Address, Contact, Link, Location, Media, Option, OutboundMessage, Reaction, Template
from channels.meta.client import MetaClient
from channels.meta.whatsapp import CAPABILITIES, WhatsAppAdapter
from channels.render import render
from simulators.clock import HandClock
from simulators.meta import App, Faults, File, MetaSimulator, Number
from simulators.meta import Template as Approved

NUMBER = Number(number="+15125550102", phone_number_id="106", waba_id="205")
KEYS = AccountKeys("205", ("the-secret",), password="the-token", service_id="106")
DESK, DANA = Address("whatsapp", NUMBER.number), Address("whatsapp", "+15551230001")
HELLO = OutboundMessage("Hello Dana", reference="out-1")
REMINDER = Approved(
    name="reminder",
    components=(
        {"type": "HEADER", "format": "IMAGE"},
        {"type": "BODY", "text": "Hi {{1}}, see you {{2}}."},
        {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "Confirm"}]},
    ),
)


@pytest.fixture
def hand_clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def sim(hand_clock: HandClock) -> AsyncIterator[MetaSimulator]:
    """A number to which Dana has just written."""
    async with MetaSimulator(
        app=App(secret="the-secret", tokens=("the-token",)),
        numbers=[NUMBER],
        templates=[REMINDER, replace(REMINDER, name="tired", status="PAUSED", components=())],
        clock=hand_clock,
        sleep=hand_clock.sleep,
        rng=Random(1),
    ) as network:
        await network.phone(DANA.value).say(NUMBER.number, "hi")
        yield network
        await network.settled()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as running:
        yield running


@pytest.fixture
def whatsapp(sim: MetaSimulator, session: aiohttp.ClientSession, hand_clock: HandClock) -> WhatsAppAdapter:
    return WhatsAppAdapter(MetaClient(session, api_base=sim.api_base, now=hand_clock))


@pytest.fixture
def impatient(sim: MetaSimulator, session: aiohttp.ClientSession, hand_clock: HandClock) -> WhatsAppAdapter:
    """For what is never answered; a slow machine must not look like it anywhere else."""
    return WhatsAppAdapter(MetaClient(session, api_base=sim.api_base, timeout_s=0.2, now=hand_clock))


OPTIONS = tuple(Option(f"id{number}", f"Choice {number}", "more of it") for number in range(10))


@pytest.mark.parametrize(
    ("message", "kinds"),
    [
        (HELLO, ["text"]),
        (OutboundMessage("Which?", choices=OPTIONS[:3], style="buttons"), ["button"]),
        (OutboundMessage("Which?", choices=OPTIONS, menu="All the times we have"), ["list"]),
        (OutboundMessage("Which? " * 400, choices=OPTIONS[:2]), ["text", "text", "list"]),
        (OutboundMessage("Pay", link=Link("Pay by card, now", "https://a.b/c")), ["cta_url"]),
        (OutboundMessage("Where?", asks_location=True), ["location_request_message"]),
        (OutboundMessage("Here", location=Location(1.5, 2.5, "Shop")), ["location", "text"]),
        (OutboundMessage(contact=Contact("Ben", ("+15551230002",))), ["contacts"]),
        (OutboundMessage(reaction=Reaction("wamid.X", "👍")), ["reaction"]),
        (OutboundMessage("Look", media=(Media("image", url="https://a.b/c.png"),)), ["image"]),
        (OutboundMessage("Hear", media=(Media("audio", url="https://a.b/c.ogg"),)), ["audio", "text"]),
        (
            OutboundMessage(
                media=(Media("image", url="https://a.b/c.png"),),
                template=Template("reminder", "en-US", {"1": "Dana", "2": "at\n3"}, ("confirm:1",)),
            ),
            ["template"],
        ),
    ],
)
async def test_every_kind_of_message_reaches_the_phone(
    whatsapp: WhatsAppAdapter, sim: MetaSimulator, message: OutboundMessage, kinds: list[str]
) -> None:
    for piece in render(replace(message, reply_to="wamid.Q"), CAPABILITIES):
        assert (await whatsapp.send(piece, to=DANA, sender=DESK, keys=KEYS)).status == "queued"
    inbox = sim.phone(DANA.value).inbox
    assert [one.content["type"] if one.kind == "interactive" else one.kind for one in inbox] == kinds
    assert inbox[0].quotes == ("" if message.reaction else "wamid.Q")


async def test_people_are_reached_by_their_number_or_their_id(whatsapp: WhatsAppAdapter, sim: MetaSimulator) -> None:
    dana = sim.phone(DANA.value)
    dana.user_id = "US.1349"
    for to in (DANA, Address("bsuid", dana.user_id)):
        await whatsapp.send(HELLO, to=to, sender=DESK, keys=KEYS)
    assert [one.text for one in dana.inbox] == ["Hello Dana"] * 2
    await whatsapp.mark_read("wamid.A", keys=KEYS)
    await whatsapp.show_typing("wamid.B", sender=DESK, keys=KEYS)
    assert (sim.seen.read, sim.seen.typing) == (["wamid.A", "wamid.B"], ["wamid.B"])


PAUSED = OutboundMessage(template=Template("tired", "en_US"))
UNKNOWN = OutboundMessage(template=Template("unknown"))
UNFIT = OutboundMessage(template=Template("reminder", "en_US", {"1": "Dana"}))


@pytest.mark.parametrize(
    ("message", "to", "keys", "faults", "expected"),
    [
        (HELLO, DANA, replace(KEYS, password="wrong"), Faults(), ("190", "config", None)),
        (HELLO, DANA, replace(KEYS, password=""), Faults(), ("", "config", None)),
        (HELLO, DANA, replace(KEYS, service_id="999"), Faults(), ("100", "bug", None)),
        (HELLO, DANA, replace(KEYS, service_id=""), Faults(), ("", "config", None)),
        (HELLO, DESK, KEYS, Faults(), ("131021", "bug", None)),
        (PAUSED, DANA, KEYS, Faults(), ("132015", "config", None)),
        (UNKNOWN, DANA, KEYS, Faults(), ("132001", "config", None)),
        (UNFIT, DANA, KEYS, Faults(), ("132000", "config", None)),
        (HELLO, DANA, KEYS, Faults(graph_429=1, retry_after_s=7), ("130429", "retry", 7)),
        (HELLO, DANA, KEYS, Faults(graph_error=1, error_code=131056), ("131056", "retry", None)),
        (HELLO, DANA, KEYS, Faults(graph_error=1, error_code=131047), ("131047", "window", None)),
        (HELLO, DANA, KEYS, Faults(graph_500=1), ("", "unclear", None)),
        (HELLO, DANA, KEYS, Faults(graph_hang=1), ("", "unclear", None)),
        (HELLO, DANA, KEYS, Faults(accept_but_reset=1), ("", "unclear", None)),
        (HELLO, DANA, KEYS, Faults(broken_json=1), ("", "unclear", None)),
    ],
)
async def test_a_refusal_says_what_to_do_next(
    whatsapp: WhatsAppAdapter,
    impatient: WhatsAppAdapter,
    sim: MetaSimulator,
    message: OutboundMessage,
    to: Address,
    keys: AccountKeys,
    faults: Faults,
    expected: tuple[str, str, float | None],
) -> None:
    sim.faults = faults
    with pytest.raises(SendError) as trouble:
        await (impatient if faults.graph_hang else whatsapp).send(message, to=to, sender=DESK, keys=keys)
    error = trouble.value
    assert (error.code, error.kind, error.retry_after_s) == expected
    assert "token" not in repr(error).replace("access token", "")
    assert DANA.value.removeprefix("+") not in repr(error)


async def test_an_unclear_try_is_not_repeated_before_meta_would_have_told_of_it(
    whatsapp: WhatsAppAdapter, sim: MetaSimulator, hand_clock: HandClock
) -> None:
    tried_at = hand_clock.now
    kinds = []
    for seconds in (0, 299, 1):
        await hand_clock.advance(seconds)
        kinds.append(await _trouble(whatsapp.send(HELLO, to=DANA, sender=DESK, keys=KEYS, tried_at=tried_at)))
    assert kinds == ["unclear", "unclear", ""]
    assert len(sim.messages) == 1
    assert next(iter(sim.messages.values())).body["biz_opaque_callback_data"] == "out-1"


async def test_a_closed_door_means_that_nothing_was_sent(session: aiohttp.ClientSession) -> None:
    whatsapp = WhatsAppAdapter(MetaClient(session, api_base="http://127.0.0.1:1/v24.0"))
    with pytest.raises(SendError) as trouble:
        await whatsapp.send(HELLO, to=DANA, sender=DESK, keys=KEYS)
    assert trouble.value.kind == "retry"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, "", "unclear"),
        (200, "null", "unclear"),
        (200, "[]", "unclear"),
        (200, "<html>", "unclear"),
        (200, '{"messages": []}', "unclear"),
        (200, '{"messages": [{"id": 7}]}', "unclear"),
        (200, '{"error": {"code": 131026}}', "other_channel"),
        (302, "", "config"),
        (404, "not json", "config"),
        (400, '{"error": 3}', "permanent"),
        (400, '{"error": {"code": true}}', "permanent"),
        (400, '{"error": {"code": {"x": 1}}}', "permanent"),
        (503, "", "unclear"),
        (500, '{"error": {"code": 131000}}', "retry"),
        (429, "", "retry"),
    ],
)
async def test_a_nonsense_answer_is_unclear_and_never_another_exception(
    session: aiohttp.ClientSession, aiohttp_server: AiohttpServer, status: int, body: str, kind: str
) -> None:
    async def nonsense(_: web.Request) -> web.Response:
        headers = {"Location": "http://127.0.0.1:1/", "Retry-After": "soon"}
        return web.Response(status=status, text=body, headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", nonsense)
    server = await aiohttp_server(app)
    client = MetaClient(session, api_base=str(server.make_url("/v24.0/")))
    with pytest.raises(SendError) as trouble:
        await WhatsAppAdapter(client).send(HELLO, to=DANA, sender=DESK, keys=KEYS)
    assert trouble.value.kind == kind
    others = [await _trouble(client.templates(KEYS)), await _trouble(client.locate(KEYS, "1"))]
    assert "unclear" not in others


async def test_files_are_sent_by_link_and_found_for_five_minutes(
    whatsapp: WhatsAppAdapter, sim: MetaSimulator, session: aiohttp.ClientSession, hand_clock: HandClock
) -> None:
    link = "https://juniper.example/files/plan"
    plan = OutboundMessage("The plan", media=(Media("document", url=link, name="plan.pdf"),))
    await whatsapp.send(plan, to=DANA, sender=DESK, keys=KEYS)
    assert sim.phone(DANA.value).inbox[-1].content == {"link": link, "caption": "The plan", "filename": "plan.pdf"}
    await sim.phone(DANA.value).send_file(NUMBER.number, "image", File(b"\x89PNG", "image/png"))
    hers = Media("image", media_id=[*sim.media][-1])
    found = await whatsapp.locate(hers, keys=KEYS)
    assert (found.size, found.sha256) == (4, sha256(b"\x89PNG").hexdigest())
    for minutes, status in ((0, 200), (6, 404)):
        await hand_clock.advance(timedelta(minutes=minutes).total_seconds())
        async with session.get(found.url, headers=found.headers) as answer:
            assert answer.status == status
    lost = Media("image", media_id="404404")
    assert await _trouble(whatsapp.locate(lost, keys=KEYS)) == "content"
    assert await _trouble(whatsapp.locate(Media("image"), keys=KEYS)) == "content"
    assert await _trouble(whatsapp.locate(hers, keys=replace(KEYS, password="wrong"))) == "config"
    await hand_clock.advance(timedelta(days=31).total_seconds())
    assert await _trouble(whatsapp.locate(hers, keys=KEYS)) == "content"


SUM = sha256(b"a picture")


@pytest.mark.parametrize(
    ("told", "digest"),
    [
        (SUM.hexdigest().upper(), SUM.hexdigest()),
        (b64encode(SUM.digest()).decode(), SUM.hexdigest()),
        (b64encode(b"short").decode(), ""),
        ("\u00e9" * 44, ""),
        (7, ""),
    ],
)
async def test_metas_sum_of_a_file_is_read_in_both_ways_that_it_has(
    session: aiohttp.ClientSession, aiohttp_server: AiohttpServer, told: object, digest: str
) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"url": f"http://{request.host}/file", "sha256": told})

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", answer)
    server = await aiohttp_server(app)
    client = MetaClient(session, api_base=str(server.make_url("/v24.0")))
    assert (await client.locate(KEYS, "7")).sha256 == digest


async def _trouble(asking: Awaitable[object]) -> str:
    """The kind of the failure, or nothing."""
    try:
        await asking
    except SendError as error:
        return error.kind
    return ""


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://evil.example/file", "content"),
        ("https://lookaside.fbsbx.com.evil.example/file", "content"),
        ("http://lookaside.fbsbx.com/file", "content"),
        ("http://[", "content"),
        ("https://lookaside.fbsbx.com/file", ""),
        ("{here}/file", ""),
    ],
)
async def test_the_token_is_shown_to_meta_alone(
    session: aiohttp.ClientSession, aiohttp_server: AiohttpServer, url: str, kind: str
) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"url": url.replace("{here}", f"http://{request.host}"), "mime_type": "image/png"})

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", answer)
    server = await aiohttp_server(app)
    client = MetaClient(session, api_base=str(server.make_url("/v24.0")))
    assert await _trouble(client.locate(KEYS, "7")) == kind
