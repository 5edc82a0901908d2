"""Files from end to end: sent from a phone, fetched from the vendor, looked at, kept, and handed out by signed links."""

import contextlib
import io
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest

from channels.webchat import codec
from gateway import demo_business as juniper
from simulators.receiver import Receiver
from simulators.twilio import Account, Faults, Media, Number, Phone, TwilioSimulator
from tests import browser
from tests.clock import FakeClock
from tests.gateway import front, pictures
from tests.gateway.front import MESSAGES, OURS, SID, TOKEN, Front
from tests.gateway.rest import api as clients
from tests.gateway.rest.api import Client
from tests.storage import s3

DANA = "+15125550177"
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@dataclass
class Scene:
    """A front desk, Twilio, Dana's phone, and somebody at the desk."""

    desk: Front
    network: TwilioSimulator
    dana: Phone
    api: Client

    async def sent(self, *files: tuple[bytes, str], text: str = "look") -> Any:
        """The message as the desk sees it, once everything is done that can be."""
        await self.dana.text(OURS, text, media=[Media(content, kind) for content, kind in files])
        await self.desk.work()
        return await self.newest()

    async def newest(self) -> Any:
        (talk,) = (await self.api.get("/conversations"))["items"]
        said = (await self.api.get(f"/conversations/{talk['id']}/messages?limit=100"))["items"]
        return [one for one in said if one["direction"] == "in"][-1]

    async def open(self, url: str, method: str = "GET", **headers: str) -> tuple[int, bytes, Mapping[str, str]]:
        """What somebody without any other right gets at a link."""
        async with self.desk.http.request(method, url, headers=headers) as answer:
            return answer.status, await answer.read(), answer.headers

    async def contents(self) -> list[str]:
        """What lies in the store."""
        return [
            name async for page in self.desk.house.keeper.blobs.older(datetime.max.replace(tzinfo=UTC)) for name in page
        ]


@asynccontextmanager
async def opened(database_url: str, tmp_path: Path, clock: FakeClock, **env: str) -> AsyncIterator[Scene]:
    clock.set(front.NOON)
    async with TwilioSimulator(accounts=[Account(sid=SID, auth_token=TOKEN)], clock=clock.now) as network:
        told = {"FRONTDESK_TWILIO__API_BASE": network.url, "FRONTDESK_LIMITS__ENABLED": "false", **env}
        async with front.opened(database_url, tmp_path, clock, told) as desk:
            network.add_number(Number(number=OURS, account_sid=SID, webhook_url=desk.url + MESSAGES))
            rights = [f"{noun}:{verb}" for noun in ("conversations", "customers") for verb in ("read", "write")]
            yield Scene(desk, network, network.phone(DANA), await clients.program(desk, *rights))


def in_bucket(line: s3.Line) -> dict[str, str]:
    """The settings with which files lie there."""
    told = {"bucket": s3.BUCKET, "endpoint": line.endpoint, "region": "here", "access_key": "key", "secret_key": "word"}
    return {f"FRONTDESK_S3__{name.upper()}": value for name, value in told.items()}


@pytest.fixture
async def scene(database_url: str, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Scene]:
    """Files lie in a folder beside SQLite, and in a bucket beside PostgreSQL: neither knows of the other."""
    async with contextlib.AsyncExitStack() as stack:
        env: dict[str, str] = {}
        if database_url.startswith("postgresql"):
            env = in_bucket(await stack.enter_async_context(s3.served()))
        yield await stack.enter_async_context(opened(database_url, tmp_path, clock, **env))


async def test_what_a_customer_sends_is_kept_and_shown_for_what_it_is(scene: Scene) -> None:
    """Whatever they call it: shown is what the bytes prove and what holds no script, all else is saved."""
    photo = pictures.jpeg(turned=True)
    message = await scene.sent(
        (photo, "text/html"),
        (pictures.SVG, "image/svg+xml"),
        (pictures.HTML, "image/png"),
        (pictures.PDF, "application/pdf"),
        (pictures.VOICE, "audio/ogg"),
        (pictures.TEXT, "text/plain"),
        (pictures.HEIC, "image/heic"),
        (word := pictures.word(), "application/zip"),
    )
    told = [(one["status"], one["kind"], one["content_type"], one["size"]) for one in message["media"]]
    assert told == [
        ("ready", "image", "image/jpeg", len(photo)),
        ("ready", "document", "", len(pictures.SVG)),
        ("ready", "document", "", len(pictures.HTML)),
        ("ready", "document", "application/pdf", len(pictures.PDF)),
        ("ready", "audio", "audio/ogg", len(pictures.VOICE)),
        ("ready", "document", "", len(pictures.TEXT)),
        ("ready", "image", "image/heic", len(pictures.HEIC)),
        ("ready", "document", WORD, len(word)),
    ]
    assert SID not in str(message)  # which the vendor's own addresses name
    shown = []
    for one in message["media"]:
        status, body, headers = await scene.open(one["url"])
        assert (status, len(body)) == (200, one["size"])
        assert headers["X-Content-Type-Options"] == "nosniff"
        policy, is_saved = headers["Content-Security-Policy"], headers["Content-Disposition"].startswith("attachment")
        assert ("default-src 'none'" in policy, "script" in policy, "sandbox" in policy) == (True, False, is_saved)
        assert headers["Cache-Control"].startswith("private, max-age=")
        shown.append((headers["Content-Disposition"].partition(";")[0], headers["Content-Type"]))
    saved = ("attachment", "application/octet-stream")
    assert shown == [
        ("inline", "image/jpeg"), saved, saved, ("inline", "application/pdf"), ("inline", "audio/ogg"), saved,
        ("attachment", "image/heic"), ("attachment", WORD),
    ]  # fmt: skip
    # The small picture stands upright and has lost what the camera wrote into it.
    assert [one["thumbnail_url"] is not None for one in message["media"]] == [True] + [False] * 7
    assert (message["media"][0]["width"], message["media"][0]["height"]) == (600, 800)
    status, small, headers = await scene.open(message["media"][0]["thumbnail_url"])
    assert (status, headers["Content-Type"]) == (200, "image/webp")
    from PIL import Image

    with Image.open(io.BytesIO(small)) as picture:
        assert (picture.size, dict(picture.getexif())) == ((360, 480), {})
    assert b"30.2672" not in small
    # Who is on a visiting card is told with it, and one that cannot be read stays a file.
    card = b"BEGIN:VCARD\r\nVERSION:3.0\r\nN:Bell;Zo\xc3\xab;;;\r\nFN:Zo\xc3\xab Bell\\, Sons\r\n"
    card += b"item1.TEL;waid=15125550111;type=CELL:+1 512-555-0111\r\nEMAIL:zoe@a.example\r\nEND:VCARD\r\n"
    message = await scene.sent((card, "text/vcard"), (b"BEGIN:VCARD\r\nFN\r\n", "text/x-vcard"))
    assert [one["status"] for one in message["media"]] == ["ready", "ready"]
    assert [one for one in message["content"] if one["type"] == "contact"] == [
        {
            "type": "contact",
            "name": "Zoë Bell, Sons",
            "phones": ["+1 512-555-0111"],
            "whatsapp_ids": ["+15125550111"],
            "emails": ["zoe@a.example"],
        }
    ]
    assert not [*(scene.desk.house.settings.data_dir / "incoming").iterdir()]


async def test_a_link_opens_one_file_for_a_while_and_no_other(scene: Scene) -> None:
    message = await scene.sent((pictures.jpeg(), "image/jpeg"), (pictures.PDF, "application/pdf"))
    photo, pdf = message["media"]
    stem, _, signature = photo["url"].rpartition(".")
    other = pdf["url"].rpartition("/")[2].partition(".")[0]
    own = photo["url"].rpartition("/")[2].partition(".")[0]
    altered = [
        photo["url"][:-1] + ("0" if photo["url"][-1] != "0" else "1"),
        photo["url"].replace(own, other),  # somebody else's file with one's own signature
        photo["url"].replace(".f.", ".t."),
        f"{stem[:-1]}{'0' if stem[-1] != '0' else '1'}.{signature}",  # a later end
        stem, stem + ".", f"{scene.desk.url}/media/", f"{scene.desk.url}/media/{own}", f"{photo['url']}0",
        f"{scene.desk.url}/media/..%2f..%2fsecret.key",
    ]  # fmt: skip
    assert [(await scene.open(url))[0] for url in altered] == [404] * len(altered)
    assert photo["url"] == (await scene.newest())["media"][0]["url"]  # the same within the hour, so that it is cached
    stranger = await clients.stranger(scene.desk)
    await stranger.get(f"/media/{photo['id']}", status=404)
    await stranger.get(f"/messages/{message['id']}", status=404)
    scene.desk.clock.advance(timedelta(hours=26))
    assert [(await scene.open(photo["url"]))[0] for _ in range(2)] == [403, 403]
    assert (await scene.open((await scene.newest())["media"][0]["url"]))[0] == 200


# A second of a canvas that changes its colour, as a film that the browser itself can play.
FILM: Final = """async () => {
  const canvas = document.createElement("canvas"), pen = canvas.getContext("2d"), parts = [];
  const mimeType = ["video/mp4", "video/webm"].find((one) => MediaRecorder.isTypeSupported(one));
  const recorder = new MediaRecorder(canvas.captureStream(10), {mimeType});
  recorder.ondataavailable = ({data}) => parts.push(data);
  const stopped = new Promise((done) => { recorder.onstop = done; });
  recorder.start();
  for (let turn = 0; turn < 10; turn++) {
    pen.fillStyle = `hsl(${36 * turn} 80% 50%)`;
    pen.fillRect(0, 0, 300, 150);
    await new Promise((done) => setTimeout(done, 60));
  }
  recorder.stop();
  await stopped;
  return [...new Uint8Array(await new Blob(parts).arrayBuffer())];
}"""
PLAYS: Final = "() => document.querySelector('video, audio')?.readyState >= 2"  # HAVE_CURRENT_DATA


async def test_a_browser_plays_sound_and_film_and_runs_nothing(scene: Scene) -> None:
    from playwright.async_api import Error, Response, expect

    async with browser.opened() as chromium:
        page = await chromium.new_page()
        statuses: list[int] = []
        surprises: list[str] = []

        def note(answer: Response) -> None:
            statuses.append(answer.status)

        page.on("response", note)
        page.on("dialog", lambda dialog: surprises.append(dialog.message))
        page.on("console", lambda said: surprises.append(said.text) if "Policy" in said.text else None)
        film = bytes(await page.evaluate(FILM))
        sent = await scene.sent(
            (pictures.jpeg(), "image/jpeg"),
            (pictures.wav(), "audio/ogg"),
            (film, "text/html"),
            (pictures.HTML, "text/html"),
            (pictures.SVG, "image/svg+xml"),
            (pictures.PDF, "application/pdf"),
        )
        photo, sound, moving, *_, pdf = (one["url"] for one in sent["media"])
        await page.goto(photo)
        await expect(page.locator("img")).to_have_js_property("naturalWidth", 800)
        for url in (sound, moving):
            await page.goto(url)
            await page.wait_for_function(PLAYS)
        assert 206 in statuses
        assert surprises == []  # nothing was against the policy, either
        for one in sent["media"][3:5]:  # what can hold a script
            async with page.expect_download() as saved:
                with pytest.raises(Error):
                    await page.goto(one["url"])
            assert await (await saved.value).failure() is None
        assert surprises == []
        # Not every browser has a viewer to try it with.
        assert "object-src 'self'" in (await scene.open(pdf))[2]["Content-Security-Policy"]


RANGES = [
    ("bytes=0-3", 206, slice(0, 4), "bytes 0-3/{size}"),
    ("bytes=-4", 206, slice(-4, None), "bytes {last4}-{last}/{size}"),
    ("bytes=10-", 206, slice(10, None), "bytes 10-{last}/{size}"),
    ("bytes=5-999999999", 206, slice(5, None), "bytes 5-{last}/{size}"),
    ("bytes=999999999-", 416, None, "bytes */{size}"),
    ("bytes=7-3", 200, slice(None), None),
    ("bytes=0-1,3-4", 200, slice(None), None),
    ("lines=1-2", 200, slice(None), None),
]


async def test_a_file_is_handed_out_in_parts_and_not_twice(scene: Scene) -> None:
    content = pictures.jpeg()
    url = (await scene.sent((content, "image/jpeg")))["media"][0]["url"]
    size = len(content)
    numbers = {"size": size, "last": size - 1, "last4": size - 4}
    for wanted, status, part, told in RANGES:
        found = await scene.open(url, Range=wanted)
        assert (found[0], found[2].get("Content-Range")) == (status, told and told.format(**numbers)), wanted
        assert found[1] == (b"" if part is None else content[part]), wanted
    etag = (await scene.open(url))[2]["ETag"]
    assert (await scene.open(url, **{"If-None-Match": etag}))[:2] == (304, b"")
    assert (await scene.open(url, **{"Range": "bytes=0-3", "If-Range": '"old"'}))[0] == 200
    status, body, headers = await scene.open(url, "HEAD")
    assert (status, body, headers["Content-Length"]) == (200, b"", str(size))


async def test_what_is_not_to_be_had_leaves_a_place_and_keeps_the_message(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    caps = {"FRONTDESK_MEDIA__MAX_BYTES": "20000", "FRONTDESK_MEDIA__TENANT_MAX_BYTES": "30000"}
    async with opened(database_url, tmp_path, clock, **caps) as scene:
        message = await scene.sent(
            (pictures.ZERO, "image/png"),
            (bytes(20_001), "video/mp4"),
            (pictures.PROGRAM, "image/jpeg"),
            (b"x" * 20_000, "text/plain"),
            (b"y" * 20_000, "text/plain"),
        )
        assert message["text"] == "look"
        assert [(one["status"], one["reason"]) for one in message["media"]] == [
            ("unavailable", "The file is empty."),
            ("unavailable", "The file is too large to be kept."),
            ("unavailable", "Files of this kind are not kept."),
            ("ready", None),
            ("unavailable", "There is no room for more files."),
        ]
        assert [one["url"] is None for one in message["media"]] == [True, True, True, False, True]
        assert len(await scene.contents()) == 1
        # Gone at the provider: not only for the moment, as it is when its storage does not have it yet.
        exchange = await scene.dana.text(OURS, "again", media=[Media(pictures.PDF, "application/pdf")])
        scene.network.media.clear()
        await scene.desk.pass_time(timedelta(minutes=5), step=timedelta(seconds=10))
        assert (await scene.newest())["media"][0]["status"] == "waiting"
        await scene.desk.pass_time(timedelta(minutes=5), step=timedelta(minutes=1))
        (lost,) = (await scene.newest())["media"]
        assert (lost["reason"], lost["kind"]) == ("The file is not there any more.", "document")
        assert exchange.posts[-1].status == 200


async def test_files_are_fetched_from_the_vendor_alone_and_its_key_goes_nowhere_else(scene: Scene) -> None:
    async with Receiver() as elsewhere:
        # The storage of the simulated Twilio refuses whoever shows Twilio's key, so what came without trouble proved it.
        assert (await scene.sent((pictures.PDF, "application/pdf")))["media"][0]["status"] == "ready"
        port = elsewhere.url.rpartition(":")[2]
        for bad in (
            f"http://evil.example:{port}/x", f"http://127.0.0.1.evil.example:{port}/x", "file:///etc/passwd",
            "http://169.254.169.254/latest/meta-data", f"http://api.twilio.com@127.0.0.2:{port}/x", "https://[::1", "",
        ):  # fmt: skip
            posted = await scene.desk.text(DANA, "bad", NumMedia="1", MediaUrl0=bad, MediaContentType0="image/png")
            assert posted.status == 200
            await scene.desk.work()
            assert (await scene.newest())["media"][0]["reason"] == "The file is not there any more.", bad
        for bad in (f"http://localhost.evil.example:{port}", "http://169.254.169.254", "ftp://127.0.0.1"):
            good, scene.network.storage_url = scene.network.storage_url, bad
            assert (await scene.sent((pictures.PDF, "application/pdf")))["media"][0]["status"] == "unavailable", bad
            scene.network.storage_url = good
        assert elsewhere.received == []


LONG = "Could I book a haircut for tomorrow at 3 PM?\n" + "La la la, said the song, and went on. " * 50
# What the file holds, what stands in the body, what the message says then, and what the bot answers to.
WRITTEN: list[tuple[bytes, str, str, str]] = [
    (LONG.encode(), "", LONG.strip(), "Haircut on Tuesday, March 3 at 3:00 PM"),
    (b"\xef\xbb\xbfhow much is it?\r\n\x07", "how much...", "how much is it?\n\ufffd", "$35"),
    (b"my shopping list", "how much is it?", "how much is it?", "$35"),
    (pictures.PDF, "", "", "Thank you for the file"),
    (b"x" * 70_000, "", "", "Thank you for the file"),
]


async def test_a_long_text_that_comes_as_a_file_is_read_and_answered(scene: Scene) -> None:
    async def send(file: bytes, body: str = "", **more: Any) -> list[str]:
        before = len(scene.dana.inbox)
        await scene.dana.text(OURS, body, media=[Media(file, "text/plain")], **more)
        await scene.desk.work()
        return [one.body for one in scene.dana.inbox[before:]]

    for file, body, text, answer in WRITTEN:
        await scene.desk.pass_time(timedelta(minutes=3), step=timedelta(minutes=3))  # no album
        said = await send(file, body)
        assert len(said) == 1, (file[:40], said)
        assert answer in said[0]
        message = await scene.newest()
        assert (message["text"], [one["status"] for one in message["media"]]) == (text, ["ready"]), file[:40]
    # Twice the same is once, and a text that is not to be had at once is answered without and shown when it comes.
    assert len(await send(LONG.encode(), sid="MM" + "7" * 32)) == 1
    assert await send(LONG.encode(), sid="MM" + "7" * 32) == []
    await scene.dana.text(OURS, "never mind")
    scene.network.faults = Faults(rest_500=2)
    assert await send(LONG.encode()) == []
    await scene.desk.pass_time(timedelta(seconds=10), step=timedelta(seconds=5))
    assert "Thank you for the file" in scene.dana.inbox[-1].body
    assert (await scene.newest())["text"] == ""
    count = len(scene.dana.inbox)
    await scene.desk.pass_time(timedelta(minutes=1), step=timedelta(seconds=30))
    assert ((await scene.newest())["text"], len(scene.dana.inbox)) == (LONG.strip(), count)
    # STOP is STOP however it comes.
    await send(b"STOP")
    assert await scene.desk.one("SELECT state FROM consents WHERE value = :dana", dana=DANA) == "out"


async def test_a_file_that_the_vendor_does_not_have_yet_is_there_some_seconds_later(scene: Scene) -> None:
    for tries in (1, 2):
        await scene.dana.text(OURS, "look", media=[Media(pictures.PDF, "application/pdf")])
        there = dict(scene.network.media)
        scene.network.media.clear()
        await scene.desk.work()
        await scene.desk.pass_time(timedelta(seconds=6 * (tries - 1)), step=timedelta(seconds=6))
        (file,) = (await scene.newest())["media"]
        assert (file["status"], file["reason"]) == ("waiting", None)
        scene.network.media.update(there)
        await scene.desk.pass_time(timedelta(minutes=1), step=timedelta(seconds=6))
        assert (await scene.newest())["media"][0]["status"] == "ready"


async def test_an_outage_is_waited_out_and_ends_at_last(scene: Scene) -> None:
    scene.network.faults = Faults(rest_500=1, rest_429=1)
    message = await scene.sent((pictures.PDF, "application/pdf"))
    assert (message["media"][0]["status"], message["media"][0]["url"]) == ("waiting", None)
    await scene.desk.pass_time(timedelta(minutes=1), step=timedelta(seconds=5))
    assert (await scene.newest())["media"][0]["status"] == "ready"
    scene.network.faults = Faults(rest_500=True)
    await scene.sent((pictures.VOICE, "audio/ogg"))
    await scene.desk.pass_time(timedelta(hours=40), step=timedelta(hours=1))
    assert (await scene.newest())["media"][0]["reason"] == "The file could not be fetched."


async def test_a_bucket_that_refuses_us_loses_nothing(database_url: str, tmp_path: Path, clock: FakeClock) -> None:
    async with s3.served() as line, opened(database_url, tmp_path, clock, **in_bucket(line)) as scene:
        url = (await scene.sent((pictures.jpeg(), "image/jpeg")))["media"][0]["url"]
        line.faults = ["403 AccessDenied"] * 100
        assert (await scene.open(url))[0] == 503
        answer = await scene.api.call("POST", "/media", data=pictures.PDF, headers={"Content-Type": "application/pdf"})
        assert (answer.status, answer.json["error_code"]) == (503, "UNAVAILABLE")
        (file,) = (await scene.sent((pictures.PDF, "application/pdf")))["media"]
        assert (file["status"], file["reason"]) == ("waiting", None)
        line.faults = []
        await scene.desk.pass_time(timedelta(minutes=1), step=timedelta(seconds=10))
        (file,) = (await scene.newest())["media"]
        assert (await scene.open(file["url"]))[:2] == (200, pictures.PDF)
        assert (await scene.open(url))[:2] == (200, pictures.jpeg())


async def test_a_small_file_that_unpacks_to_a_huge_picture_is_kept_as_it_is(scene: Scene) -> None:
    bomb = pictures.png(9000, 9000)
    assert len(bomb) < 50_000
    broken = pictures.jpeg()[:200]
    media = (await scene.sent((bomb, "image/png"), (broken, "image/jpeg")))["media"]
    assert [(one["status"], one["content_type"], one["thumbnail_url"]) for one in media] == [
        ("ready", "image/png", None),
        ("ready", "image/jpeg", None),
    ]


UPRIGHT, AS_IT_LIES = (360, 480), (480, 360)
ROTATED = (0x0112, 3, 1, b"\x06")
# What the camera wrote, and how its small picture stands.
WRONGLY_WRITTEN: list[tuple[bytes, tuple[int, int]]] = [
    (pictures.written(ROTATED, (0x011A, 2, 3, b"ab")), UPRIGHT),  # the resolution in letters
    (pictures.written(ROTATED, (0x010E, 12, 1, b"\xff\xff\xff\xff")), UPRIGHT),  # the title as a number, at no place
    (pictures.written((0x0112, 2, 4, b"six")), AS_IT_LIES),
    (pictures.written((0x0112, 3, 1, b"\x09")), AS_IT_LIES),
    (pictures.written((0x0112, 3, 9, b"\xff\xff\xff\xff")), AS_IT_LIES),
    (pictures.written(ROTATED)[:15], AS_IT_LIES),
    (pictures.written(ROTATED)[:5], AS_IT_LIES),
    (b"II*\x00\xff\xff\xff\xff", AS_IT_LIES),
    (b"II*\x00\x08\x00\x00\x00\xff\xff" + bytes(30), AS_IT_LIES),
    (b"no such thing", AS_IT_LIES),
]


@pytest.mark.filterwarnings("ignore:(Corrupt EXIF|Truncated File):UserWarning:PIL")
async def test_a_photograph_with_broken_words_of_its_camera_is_kept_and_shown(scene: Scene) -> None:
    from PIL import Image

    for written, size in WRONGLY_WRITTEN:
        photo = pictures.photograph(written)
        (sent,) = (await scene.sent((photo, "image/jpeg")))["media"]
        assert (sent["status"], sent["content_type"], sent["size"]) == ("ready", "image/jpeg", len(photo)), written
        assert (sent["width"] < sent["height"]) is (size == UPRIGHT), written
        with Image.open(io.BytesIO((await scene.open(sent["thumbnail_url"]))[1])) as small:
            assert (small.size, small.info.keys() & {"exif", "xmp", "icc_profile"}) == (size, set()), written
        assert (
            await scene.api.call("POST", "/media", data=photo, headers={"Content-Type": "image/jpeg"})
        ).status == 201


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
async def test_no_customer_learns_from_a_picture_where_it_was_taken(scene: Scene, kind: str) -> None:
    """Nor is it kept of what is sent here; the pixels stay as they are, and the picture stands upright."""
    from PIL import Image

    photo, content_type = pictures.from_a_camera(kind), f"image/{kind.lower()}"
    assert photo.count(pictures.PLACE) >= 4

    def see(content: bytes, *, is_bare: bool) -> None:
        assert (pictures.PLACE in content) is not is_bare
        with Image.open(io.BytesIO(photo)) as was, Image.open(io.BytesIO(content)) as picture:
            assert picture.format == kind
            assert (picture.tobytes(), picture.info["icc_profile"]) == (was.tobytes(), b"colours")
            written = picture.getexif()
            assert (dict(written), written.get_ifd(0x8825)) == ({0x0112: 6}, {}) or not is_bare

    # Of a customer's the business has all that they have sent; the small picture never has it.
    (sent,) = (await scene.sent((photo, content_type)))["media"]
    see((await scene.open(sent["url"]))[1], is_bare=False)
    assert pictures.PLACE not in (await scene.open(sent["thumbnail_url"]))[1]
    # One who works here sends a picture, and sends that one on.
    kim = scene.network.phone("+15125550178")
    await kim.text(OURS, "hi")
    (talk,) = (await scene.api.get("/conversations?search=%2B15125550178"))["items"]
    made = (await scene.api.call("POST", "/media", data=photo, headers={"Content-Type": content_type})).json
    assert (made["content_type"], made["width"], made["height"]) == (content_type, 60, 80)
    see((await scene.open(made["url"]))[1], is_bare=True)
    await scene.api.post(f"/conversations/{talk['id']}/messages", {"media": [made["id"], sent["id"]]})
    await scene.desk.work()
    await scene.network.settled()
    assert len(kim.inbox[-1].media_urls) == 2
    for url in kim.inbox[-1].media_urls:
        see((content := (await scene.open(url))[1]), is_bare=True)
        assert (await scene.open(url, "HEAD"))[2]["Content-Length"] == str(len(content))
    # Visitors of the chat see theirs as it is kept: without.
    at, who = f"{scene.desk.url}/api/v1/webchat", {"site": juniper.SITE, "session": "visitor-0123456789"}
    async with scene.desk.http.post(f"{at}/media", params=who, data=photo) as answer:
        media = [(await answer.json())["id"]]
    async with scene.desk.http.post(
        f"{at}/messages", json={**who, "id": "1", "text": "This", "media": media}
    ) as answer:
        assert answer.status == 200
    (talk,) = (await scene.api.get("/conversations?channel=web"))["items"]
    await scene.api.post(f"/conversations/{talk['id']}/messages", {"text": "Or this", "media": [sent["id"]]})
    async with scene.desk.http.get(f"{at}/messages", params={**who, "whole": "1"}) as answer:
        shown = {one["text"]: one["media"] for one in (await answer.json())["messages"] if "media" in one}
    assert shown.keys() == {"This", "Or this"}
    for (file,) in shown.values():
        see((await scene.open(file["url"]))[1], is_bare=True)


async def test_a_file_sent_here_goes_out_to_the_customer_as_a_link_that_anybody_may_follow(scene: Scene) -> None:
    await scene.dana.text(OURS, "hi")
    (talk,) = (await scene.api.get("/conversations"))["items"]
    path, photo = f"/conversations/{talk['id']}/messages", pictures.jpeg()
    form = aiohttp.FormData(quote_fields=False)  # as browsers do
    form.add_field("note", "first")
    form.add_field("file", photo, filename="../../cut.jpg", content_type="image/png")
    sent = [
        (await scene.api.call("POST", "/media?name=cut.jpg", data=photo, headers={"Content-Type": "image/png"})).json,
        (await scene.api.call("POST", "/media", data=form)).json,
    ]
    assert [(one["content_type"], one["name"], one["status"]) for one in sent] == [
        ("image/jpeg", "cut.jpg", "ready"),
        ("image/jpeg", "../../cut.jpg", "ready"),
    ]
    assert len(await scene.contents()) == 2  # the same content lies there once, and its small picture
    headers = (await scene.open(sent[1]["url"]))[2]
    assert "cut.jpg" in headers["Content-Disposition"]
    assert "/" not in headers["Content-Disposition"]
    ids = [one["id"] for one in sent]
    for _ in range(2):  # it can be used again
        said = await scene.api.post(path, {"text": "Like this?", "media": ids})
        assert [one["status"] for one in said["media"]] == ["ready", "ready"]
        assert not {one["id"] for one in said["media"]} & set(ids)
    later = await scene.api.post(path, {"media": ids[:1], "send_at": "2026-03-02T19:00:00Z"})
    await scene.desk.pass_time(timedelta(hours=2), step=timedelta(hours=1))
    await scene.network.settled()
    assert (await scene.api.get(f"/messages/{later['id']}"))["media"][0]["status"] == "ready"
    received = [text.media_urls for text in scene.dana.inbox if text.media_urls]
    assert [len(urls) for urls in received] == [2, 2, 1]
    assert {(await scene.open(url))[1] for urls in received for url in urls} == {photo}
    stranger = await clients.stranger(scene.desk)
    other = (await stranger.call("POST", "/media", data=photo, headers={"Content-Type": "image/png"})).json
    refused = await scene.api.post(path, {"media": [ids[0], other["id"]]}, status=422)
    assert refused["detail"][0]["loc"] == ["body", "media", "1"]
    await scene.api.delete(f"/media/{other['id']}", status=404)
    assert len(await scene.contents()) == 4  # each tenant's own
    # What nobody needs any more goes, and not before.
    await scene.api.delete(f"/media/{ids[0]}")
    await scene.api.get(f"/media/{ids[0]}", status=404)
    await scene.desk.pass_time(timedelta(days=2), step=timedelta(days=1))
    assert len(await scene.contents()) == 2
    await scene.api.get(f"/media/{ids[1]}", status=404)  # a day is over, and it stands in messages under ids of its own


REFUSED = [
    (b"", 422, "body"),
    (bytes(20_001), 413, None),
    (pictures.PROGRAM, 422, "body"),
]


async def test_a_file_that_is_not_taken_is_refused_with_the_reason(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    caps = {"FRONTDESK_MEDIA__MAX_BYTES": "20000", "FRONTDESK_MEDIA__TENANT_MAX_BYTES": "30000"}
    async with opened(database_url, tmp_path, clock, **caps) as scene:
        for content, status, where in REFUSED:
            for data in (content, chunked(content)):
                answer = await scene.api.call("POST", "/media", data=data, headers={"Content-Type": "text/plain"})
                assert answer.status == status, answer.raw
                assert where is None or answer.json["detail"][0]["loc"][0] == where
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        for form in (
            b"",
            b"--x--",
            b"--x\r\n\r\n",
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--',
        ):
            assert (await scene.api.call("POST", "/media", data=form, headers=headers)).status in (400, 422), form
        key = {"Content-Type": "text/plain", "Idempotency-Key": "once"}
        made = [(await scene.api.call("POST", "/media", data=b"x" * 20_000, headers=key)).json["id"] for _ in range(2)]
        assert made[0] == made[1]
        other = await scene.api.call("POST", "/media", data=b"y" * 20_000, headers={"Content-Type": "text/plain"})
        assert (other.status, other.json["error_code"]) == (409, "NO_ROOM")
        await scene.desk.work()
        assert len(await scene.contents()) == 1
        assert not [*(scene.desk.house.settings.data_dir / "incoming").iterdir()]


async def chunked(content: bytes) -> AsyncIterator[bytes]:
    """Without a length that would tell beforehand."""
    yield content


async def test_a_visitor_of_the_chat_sends_a_file_and_only_they_can_use_it(scene: Scene) -> None:
    at, mine, other = f"{scene.desk.url}/api/v1/webchat", "visitor-0123456789", "visitor-9876543210"

    async def post(path: str, **sent: Any) -> tuple[int, Any]:
        async with scene.desk.http.post(at + path, **sent) as answer:
            return answer.status, await answer.json()

    def say(session: str, number: int, **more: Any) -> Any:
        return post("/messages", json={"site": juniper.SITE, "session": session, "id": f"m{number}", **more})

    door = f"/media?site={juniper.SITE}&session={mine}&name=chair.jpg"
    status, file = await post(door, data=pictures.jpeg(), headers={"Content-Type": "image/jpeg"})
    assert (status, file["kind"], file["name"]) == (201, "image", "chair.jpg")
    assert (await say(other, 1, media=[file["id"]]))[0] == 200  # known to nobody there
    assert (await say(mine, 1, text="This one", media=[file["id"]]))[0] == 200
    assert (await say(mine, 2, media=[file["id"]]))[0] == 200  # used already
    talks = (await scene.api.get("/conversations"))["items"]
    seen = {}
    for talk in talks:
        said = (await scene.api.get(f"/conversations/{talk['id']}/messages"))["items"]
        seen[talk["address"]] = [(one["text"], one["media"][0]["status"]) for one in said if one["direction"] == "in"]
    theirs = {
        codec.visitor(other): [("", "unavailable")],
        codec.visitor(mine): [("This one", "ready"), ("", "unavailable")],
    }
    assert seen == theirs
    async with scene.desk.http.get(f"{at}/messages?site={juniper.SITE}&session={mine}&whole=1") as answer:
        shown = next(one for one in (await answer.json())["messages"] if one["text"] == "This one")
    assert (await scene.open(shown["media"][0]["url"]))[1] == pictures.jpeg()
    for bad in ([], "x", ["../x"], [file["id"]] * 11, [None], [file["id"].upper() + "'"]):
        assert (await say(mine, 3, media=bad))[0] == 400, bad
    refusals = [
        (f"/media?site=nobody&session={mine}", b"x", 404),
        (f"/media?site={juniper.SITE}&session=short", b"x", 400),
        (door, b"", 422),
        (door, bytes(10_485_761), 413),
        (door, pictures.PROGRAM, 422),
    ]
    for path, content, expected in refusals:
        assert (await post(path, data=io.BytesIO(content), headers={"Content-Type": "image/png"}))[0] == expected, path


async def test_erasing_a_customer_takes_their_files_and_nobody_elses(scene: Scene) -> None:
    photo = pictures.jpeg()
    await scene.sent((photo, "image/jpeg"), (pictures.VOICE, "audio/ogg"))
    kim = scene.network.phone("+15125550178")
    await kim.text(OURS, "the same", media=[Media(photo, "image/jpeg")])
    await scene.desk.work()
    assert len(await scene.contents()) == 3
    (dana,) = (await scene.api.get("/customers?search=%2B15125550177"))["items"]
    records = (await scene.api.get(f"/customers/{dana['id']}/export"))["records"]
    assert [(one["content_type"], (await scene.open(one["url"]))[0]) for one in records["files"]] == [
        ("image/jpeg", 200),
        ("audio/ogg", 200),
    ]
    await scene.api.post(f"/customers/{dana['id']}/erase", status=204)
    await scene.desk.work()
    assert len(await scene.contents()) == 2  # Kim's
    assert [(await scene.open(one["url"]))[0] for one in records["files"]] == [404, 404]
    assert await scene.desk.one("SELECT count(*) FROM files") == 1
    # Nor does Twilio keep anything of hers: words, files or number.
    network = scene.network
    await network.settled()
    network.faults = Faults(rest_500=1)
    for numbers, files in (({OURS, DANA, kim.number}, 3), ({OURS, kim.number}, 1)):
        assert {number for one in network.messages.values() for number in (one.sender, one.to)} == numbers
        assert len(network.media) == files
        await scene.desk.pass_time(timedelta(minutes=15), step=timedelta(minutes=3))


async def test_contents_that_no_row_names_are_swept_after_a_day_and_others_stay(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    """In a folder, whose times can be set."""
    async with opened(database_url, tmp_path, clock) as scene:
        await swept(scene)


async def swept(scene: Scene) -> None:
    await scene.sent((pictures.PDF, "application/pdf"))
    (used,) = await scene.contents()
    root = scene.desk.house.settings.data_dir
    digest = "ab" + "0" * 62
    lost = [
        "files/1/ab/" + digest,
        f"files/1/ab/{digest}.thumbnail",
        f"files/1/ab/{digest}.7.x.part",
        "incoming/x.webp",
    ]
    fresh = "files/1/ab/" + "ab" + "1" * 62
    for name in (*lost, fresh):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"of a process that was killed")
    (root / "files" / used).rename(root / "files" / f"{used}.aside")  # by one who was killed while clearing up
    now = scene.desk.clock.now().timestamp()
    for name in (*lost, f"files/{used}.aside"):
        os.utime(root / name, (now, now))
    os.utime(root / fresh, (now + 90_000, now + 90_000))
    await scene.desk.pass_time(timedelta(hours=25), step=timedelta(hours=5))
    assert await scene.contents() == sorted([used, fresh.removeprefix("files/")])
    assert not any((root / "incoming").iterdir())
    assert (await scene.open((await scene.newest())["media"][0]["url"]))[:2] == (200, pictures.PDF)
    await scene.desk.pass_time(timedelta(hours=25), step=timedelta(hours=25))
    assert await scene.contents() == [used]


async def test_files_are_kept_for_as_long_as_the_settings_say(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with opened(database_url, tmp_path, clock, FRONTDESK_MEDIA__KEEP_DAYS="30") as scene:
        await scene.sent((pictures.jpeg(), "image/jpeg"))
        await scene.desk.pass_time(timedelta(days=29), step=timedelta(days=29))
        assert (await scene.newest())["media"][0]["status"] == "ready"
        await scene.desk.pass_time(timedelta(days=2), step=timedelta(days=1))
        message = await scene.newest()
        assert message["text"] == "look"
        assert message["media"][0]["reason"] == "The file was deleted: files are kept for a limited time."
        assert await scene.contents() == []
