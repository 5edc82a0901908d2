"""Gather in a voice of our own: what is said comes as a file by a signed link, is made once, and gives way when it fails."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from unittest.mock import ANY
from urllib.parse import urlsplit

import pytest

from gateway.jobs.schedule import Sweeper
from gateway.pipeline.spool import Spool
from gateway.voice.prompts import made_of
from simulators import tones
from simulators.elevenlabs import ElevenLabsSimulator, Faults
from tests.clock import FakeClock
from tests.gateway.front import Front
from tests.gateway.rest.api import person
from tests.gateway.voice.caller import VOICE, Caller

HERS = "21m00Tcm4TlvDq8ikWAM"


@pytest.fixture
def mode() -> str:
    return "gather"


@pytest.fixture
async def voice() -> AsyncIterator[ElevenLabsSimulator]:
    async with ElevenLabsSimulator() as running:
        yield running


@pytest.fixture
def env(voice: ElevenLabsSimulator) -> dict[str, str]:
    return {
        "ELEVENLABS_API_KEY": "the key",
        "FRONTDESK_ELEVENLABS__API_BASE": voice.url,
        "FRONTDESK_ELEVENLABS__LETTERS_PRICE": "0.05",
    }


def _link(caller: Caller) -> str:
    (play,) = list(caller.twiml.iter("Play"))
    return play.text or ""


async def _heard(desk: Front, caller: Caller) -> str:
    """What the file that is played says, from its samples."""
    async with desk.http.get(_link(caller)) as answer:
        file = await answer.read()
        assert (answer.status, answer.content_type) == (200, "audio/wav")
        assert answer.content_length == len(file)
        assert "max-age" in answer.headers["Cache-Control"]
    sound = tones.from_wav(file)
    assert file.count(b"RIFF") == 1
    return tones.decode(sound)


async def test_a_call_is_played_in_our_voice_and_each_sentence_is_made_once(
    desk: Front, voice: ElevenLabsSimulator
) -> None:
    first = Caller(desk)
    await first.ring()
    assert first.heard == [""]  # nothing is left to Twilio's voice
    greeting = await _heard(desk, first)
    made = [one.text for one in voice.spoken]
    assert len(made) > 1  # each sentence for itself
    assert all(one in greeting for one in made)
    assert sum(len(one) for one in made) == len(greeting)
    assert all(one.voice_id == "UgBBYS2sOqTuMpoF3BR0" for one in voice.spoken)
    await first.say("Book a visit.", "hair cut", "Tomorrow.", "at three p m")
    assert "three p m" in await _heard(desk, first)
    # Consent counts only to what was heard: the file stands before the listening.
    assert [one.tag for one in first.twiml] == ["Play", "Gather"]

    count = len(voice.spoken)
    second, third = Caller(desk, number="+15125550178"), Caller(desk, number="+15125550179")
    await asyncio.gather(second.ring(), third.ring())
    assert (await _heard(desk, second), await _heard(desk, third)) == (greeting, greeting)
    await second.say("Book a visit.")
    await third.say("Book a visit.")
    assert len(voice.spoken) == count  # all of it has been said before
    assert "sound=kept." in second.action
    assert _link(second) == _link(third)
    await desk.house.speech.write_down()
    assert await desk.rows("select amount from speech_usage") == [(float(sum(len(one.text) for one in voice.spoken)),)]


async def _played(desk: Front, caller: Caller) -> list[str]:
    """What the files of the last answer say, and that nothing is left to Twilio's voice."""
    assert not list(caller.twiml.iter("Say"))
    heard = []
    for play in caller.twiml.iter("Play"):
        async with desk.http.get(play.text or "") as answer:
            heard.append(tones.decode(tones.from_wav(await answer.read())))
    return heard


async def test_what_stands_around_the_bot_is_said_in_its_voice_too(desk: Front) -> None:
    """The notice of a recording, and a message: before the tone, and after it for whoever said something or nothing."""
    api = await person(desk)
    await api.patch(f"/bots/{(await api.get('/bots'))['items'][0]['id']}", {"settings": {"records_calls": True}})
    caller = Caller(desk)
    await caller.ring()
    notice, greeting = await _played(desk, caller)
    assert (notice, "Move a visit" in greeting) == ("This call is recorded.", True)
    assert [one.tag for one in caller.twiml][:2] == ["Play", "Start"]
    await caller.say("Can I leave a message?")
    asked, nothing_heard = await _played(desk, caller)
    assert asked.startswith("Of course.Please leave a message after the tone")
    assert nothing_heard.startswith("I didn't hear a message.")
    await caller.post(f"{VOICE}/voicemail/left")
    (thanks,) = await _played(desk, caller)
    assert "We have your message" in thanks


async def test_what_a_bot_always_says_is_sound_before_anybody_calls_in_the_voice_that_it_was_given(
    desk: Front, voice: ElevenLabsSimulator, clock: FakeClock
) -> None:
    api = await person(desk)
    bot = f"/bots/{(await api.get('/bots'))['items'][0]['id']}"
    scenarios = {one["name"]: one for one in (await api.get(f"{bot}/scenarios?limit=100"))["items"]}
    book = f"{bot}/scenarios/{scenarios['book']['id']}"
    assert (await api.get(f"{book}/prompts"))["status"] == "incomplete"
    own = {"type": "eleven_labs", "config": {"api_key": "the key"}, "status": "active"}
    await api.post("/integrations", own)
    assert (await api.get(f"{book}/prompts"))["status"] == "making"
    await api.patch(bot, {"settings": {"voices": {"en": {"voice_id": "tooshort?"}}}}, status=422)
    await api.patch(bot, {"settings": {"voices": {"en": {"voice_id": HERS, "speed": 2}}}}, status=422)
    given = {"en": {"voice_id": HERS, "speed": 1.1}}
    assert (await api.patch(bot, {"settings": {"voices": given}}))["settings"]["voices"]["en"]["voice_id"] == HERS
    voice.faults = Faults(http_429=1)  # of one sentence only
    assert await api.get(f"{book}/prompts") == {"status": "making", "sentences": ANY, "ready": 0}
    await desk.work()
    clock.advance(timedelta(minutes=2))
    await desk.work()
    made = await api.get(f"{book}/prompts")
    assert made == {"status": "ready", "sentences": made["ready"], "ready": ANY}
    assert made["ready"] > 10
    texts = [one.text for one in voice.spoken]
    assert len(set(texts)) == len(texts)
    assert {"One moment.", "You can say or press one for yes or two for no."} <= {*texts}
    assert {(one.voice_id, (one.settings or {}).get("speed")) for one in voice.spoken} == {(HERS, 1.1)}

    caller = Caller(desk)
    await caller.ring()
    await caller.say("Book a visit.", "hair cut", "Tomorrow.", "at three p m")
    live = [one.text for one in voice.spoken][len(texts) :]
    assert not {*texts} & {*live}
    assert any("three p m" in one for one in live)
    # Nothing but values, and the choices that follow from the data.
    assert [one for one in live if not re.search("[ap] m|March|Haircut|'more'", one)] == []

    draft = (await api.get(book))["source"].replace("Shall I book it?", "Shall I book that for you?")
    await api.put(book, {"source": draft})
    await api.post(f"{book}/publish", status=200)
    assert (await api.get(f"{book}/prompts"))["status"] == "making"
    before = len(voice.spoken)
    await desk.work()
    assert [one.text for one in voice.spoken][before:] == ["Shall I book that for you?"]
    new = await api.post(f"{bot}/scenarios", {"name": "gift"})
    await api.get(f"{bot}/scenarios/{new['id']}/prompts", status=409)
    letters, lively = sum(len(one.text) for one in voice.spoken), sum(map(len, live))
    await desk.house.speech.write_down()
    used = await api.get("/speech-usage?since=2026-03-02")
    assert used["items"] == [
        {
            "business_id": (await api.get("/businesses"))["items"][0]["id"],
            "day": "2026-03-02",
            "kind": "spoken",
            "amount": letters,
            "cost": round(letters * 0.05 / 1000, 6),
            "currency": "USD",
        }
    ]
    assert used["total"] == 1
    assert (await api.get("/speech-usage?until=2026-03-01"))["total"] == 0
    (called,) = (await api.get("/calls"))["items"]
    stages = [turn["stages"] for turn in (await api.get(f"/calls/{called['id']}"))["turns"]]
    # What the last answer took is told with what they say to it.
    sources = [(one["sound_source"], one["sound_ms"] is None) for one in stages]
    assert sources == [("kept", False), *[("made", False)] * 3, (None, True)]
    assert called["speech"] == {
        "spoken_letters": lively,
        "heard_seconds": 0,
        "cost": round(lively * 0.05 / 1000, 6),
        "currency": "USD",
    }

    # What nobody has heard for long stays all the same, but for what is not said any more, and nothing is made twice.
    before, lasting = len(voice.spoken), f"until > '{clock.now() + timedelta(days=29):%Y-%m-%d}'"
    kept = await desk.one(f"select count(*) from sounds where {lasting}")
    for _ in range(2):
        clock.advance(timedelta(days=16))
        await desk.work()
    assert await desk.one(f"select count(*) from sounds where {lasting}") == kept - 1 > 100
    assert len(voice.spoken) == before
    # A process that starts with another model in its settings has all of it made anew, and one that starts after it not.
    object.__setattr__(desk.house.settings.elevenlabs, "model", "eleven_turbo_v2_5")
    for due in (1, 0):
        await desk.change("delete from jobs where kind = 'prompts'")
        await Sweeper(desk.house, Spool(desk.house.settings.data_dir / "spool", desk.house.sealer)).sweep()
        assert await desk.one("select count(*) from jobs where kind = 'prompts' and status = 'ready'") == due


async def test_what_is_asked_for_at_the_same_time_is_made_once(desk: Front, voice: ElevenLabsSimulator) -> None:
    voice.first_byte_s = 0.05
    callers = [Caller(desk, number=f"+1512555018{n}") for n in range(4)]
    await asyncio.gather(*(caller.ring() for caller in callers))
    assert len({_link(caller) for caller in callers}) == 1
    assert len(voice.spoken) == len({one.text for one in voice.spoken})


async def test_a_link_is_ours_whole_and_for_a_while(desk: Front, clock: FakeClock) -> None:
    caller = Caller(desk)
    await caller.ring()
    address = urlsplit(_link(caller)).path
    name = address.rpartition("/")[2]
    until = address.split(".")[1]
    for bad in (
        address.replace(name, name[33:]),  # a part of it
        address.replace(name, f"{name[:32]}-{name}"),
        address.replace(until, f"{int(until, 16) + 3600:x}"),
        address.replace("sounds/1.", "sounds/2."),
        address + "x",
        address[:-4],
        f"{address.rpartition('/')[0]}/..%2f..%2fsecret.key.wav",
        "/voice/sounds/1",
    ):
        async with desk.http.get(desk.url + bad) as answer:
            assert answer.status == 404, bad
    assert (await _status(desk, address), await _status(desk, address, method="HEAD")) == (200, 200)
    clock.advance(timedelta(minutes=31))
    assert await _status(desk, address) == 404


async def _status(desk: Front, address: str, method: str = "GET") -> int:
    async with desk.http.request(method, desk.url + address) as answer:
        return answer.status


async def test_a_broken_voice_gives_way_to_twilios_and_is_left_alone_for_a_while(
    desk: Front, voice: ElevenLabsSimulator
) -> None:
    voice.faults = Faults(http_401=True)
    caller = Caller(desk)
    assert "Move a visit" in await caller.ring()
    (services,) = await caller.say("Book a visit.")
    assert "Haircut" in services
    assert not list(caller.twiml.iter("Play"))
    voice.faults = Faults()
    again = Caller(desk, number="+15125550178")
    assert "Move a visit" in await again.ring()  # nobody has asked it
    assert voice.spoken == []


async def test_a_slow_voice_is_not_waited_for_and_is_there_the_next_time(
    desk: Front, voice: ElevenLabsSimulator
) -> None:
    voice.first_byte_s = 0.3
    object.__setattr__(desk.house.settings.voice, "play_budget_s", 0.01)
    caller = Caller(desk)
    assert "Move a visit" in await caller.ring()
    object.__setattr__(desk.house.settings.voice, "play_budget_s", 5.0)
    await caller.post(VOICE)
    assert "Move a visit" in await _heard(desk, caller)
    assert len(voice.spoken) == len({one.text for one in voice.spoken})


async def test_sounds_go_when_nobody_has_wanted_them_and_when_there_are_too_many(
    desk: Front, clock: FakeClock, voice: ElevenLabsSimulator
) -> None:
    await desk.change("update bots set prompts_of = :made_of", made_of=made_of(desk.house.speech))
    caller = Caller(desk)
    await caller.ring()
    folder = desk.house.settings.data_dir / "files"
    kept = await desk.one("select count(*) from sounds")
    assert kept == len(voice.spoken) == len([one for one in folder.rglob("*") if one.is_file()])
    clock.advance(timedelta(minutes=59))
    await desk.work()
    assert await desk.one("select count(*) from sounds") == kept
    clock.advance(timedelta(minutes=2))
    await desk.work()
    assert await desk.one("select count(*) from sounds") == 0
    assert not [one for one in folder.rglob("*") if one.is_file()]
    # And a row whose sound is gone is no sound: it is made anew.
    await caller.post(VOICE)
    for one in folder.rglob("*"):
        if one.is_file():
            one.unlink()
    clock.advance(timedelta(minutes=40))
    await caller.post(VOICE)
    assert "Move a visit" in await _heard(desk, caller)


def test_the_file_is_one_that_twilio_plays() -> None:
    from channels.voice.speech.sound import wav

    for length in (0, 1, 160, 161):
        sound = bytes(range(160))[:length].ljust(length, b"\xff")
        file = wav(sound)
        assert tones.from_wav(file) == sound
        assert len(file) == int.from_bytes(file[4:8], "little") + 8
