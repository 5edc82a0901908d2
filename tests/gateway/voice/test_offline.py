"""Calls without a key: what is said is made on this machine, what callers say is understood there, and what they hear is
judged from its samples.
"""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from bots import language
from channels.voice.audio import RATE
from channels.voice.speech import offline
from channels.voice.speech.grammar import words_of
from channels.voice.speech.helper import Helper
from channels.voice.speech.sound import PAUSE, wav
from gateway.voice.door import EXCHANGE
from simulators import tones
from simulators.twilio import TwilioSimulator
from tests.gateway.front import OURS, Front
from tests.gateway.rest.api import person
from tests.gateway.test_cli import call, environment
from tests.gateway.voice import judge
from tests.gateway.voice.caller import Caller
from tests.gateway.voice.test_relay import BOOKED, MARIA

HER_VOICE = "en-us+f5"  # another one than the bot's
BOTS_VOICE = "en-us+f2"
DRILL = Random(1).randbytes(RATE)  # a second of it, as loud as can be
MOST_GAP_MS = 40


@pytest.fixture(params=["stream"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def env() -> dict[str, str]:
    return {
        "FRONTDESK_VOICE__SPEECH": "offline",
        "FRONTDESK_VOICE__VAD": "silero",
        "FRONTDESK_VOICE__PLAY_BUDGET_S": "5",
    }


class Voice:
    def __init__(self, mouth: Helper, name: str, words_a_minute: int) -> None:
        self._speaker = offline.OfflineSpeaker(mouth, offline.voices({"en": name}, words_a_minute=words_a_minute))

    async def say(self, text: str) -> bytes:
        return b"".join([piece async for piece in self._speaker.say(text, "en")])


@pytest.fixture
async def mouth() -> AsyncIterator[Helper]:
    mouth = offline.mouth()
    yield mouth
    await mouth.close()


def _sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.?!]) +", text)


def _ours() -> list[str]:
    """Prompts that could have been said instead."""
    phrases = language.load("en").phrases
    return [
        one
        for key in phrases
        if key.startswith("voice_") and "{" not in phrases[key]
        for one in _sentences(phrases[key])
    ]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_caller_books_by_voice_alone_and_hears_what_was_meant(
    desk: Front, network: TwilioSimulator, mouth: Helper
) -> None:
    her, bots = Voice(mouth, HER_VOICE, 150), Voice(mouth, BOTS_VOICE, 160)
    lines = [
        await her.say(one) for one in ("a haircut tomorrow at three p m", "yes", "my name is Emily", "no thank you")
    ]
    before = await desk.one(BOOKED)
    ports = desk.app[EXCHANGE].streams
    call = await network.call(MARIA, OURS)

    # Into the greeting, when what can be done is read: a noise that stops nobody, and then she.
    for second, sound in ((4, DRILL), (6, lines[0])):

        def has_played(second: int = second) -> bool:
            return call.stream is not None and len(call.stream.played) > second * RATE

        assert await network.time.until(has_played, timeout_s=30, within_s=60)
        assert call.stream is not None
        call.stream.hear(sound)
    for turn, line in enumerate(lines[1:], 1):

        def is_asked(turn: int = turn) -> bool:
            return any(one.turn >= turn and not one.is_talking and not one.is_at_work for one in ports.values())

        assert await network.time.until(is_asked, timeout_s=30, within_s=60)
        await call.utter(line)
    assert await call.ends(timeout_s=30) == "completed"
    assert await desk.one(BOOKED) == before + 1
    assert await desk.one("select count(*) from customers where name = 'Emily'") == 1

    assert call.stream is not None
    played = bytes(call.stream.played)
    (cleared_at,) = call.stream.clears
    assert judge.after_ms(played, cleared_at) <= 20  # and the simulated telephone drops what was on the way
    assert not judge.clicks(played)
    answers = [
        text
        for (text,) in await desk.rows(
            "select m.text from call_turns t join messages m on m.id = t.reply_id order by t.number"
        )
    ]
    meant = [one for text in answers[1:] for one in _sentences(text)]
    heard = bytes(played[cleared_at:])
    assert judge.understood(heard, [*meant, *_ours()]) == [words_of(one) for one in meant]
    for sentence, (_, part) in zip(meant, judge.parts(heard), strict=True):
        assert abs(judge.gap_ms(part, await bots.say(sentence))) < MOST_GAP_MS, sentence


SAID = ("Thank you, Emily.", "Is there anything else?")


async def test_damage_is_heard(mouth: Helper) -> None:
    bots = Voice(mouth, BOTS_VOICE, 160)
    first, second = [await bots.say(one) for one in SAID]
    sound, half = first + PAUSE + second, len(first) // 2
    prompts = [*SAID, *_ours()]
    assert judge.understood(sound, prompts) == [words_of(one) for one in SAID]
    assert not judge.clicks(sound)
    assert judge.gap_ms(first, first) == 0
    # Words that were left out or are others; half a sentence.
    assert judge.understood(second + PAUSE + await bots.say("One moment."), prompts) != [words_of(one) for one in SAID]
    # A header, a sample of another sound, silence as zeros.
    assert judge.clicks(sound[:half] + wav(b"")[:58] + sound[half:])
    assert judge.clicks(first + PAUSE[:600] + b"\x00" + PAUSE[600:] + second)
    assert judge.clicks(first + b"\x00" * 160 + second)
    # Late by three frames.
    assert judge.gap_ms(first[:half] + PAUSE[:480] + first[half:], first) > MOST_GAP_MS
    # Half a second of the sentence goes on.
    assert judge.after_ms(first[:half] + PAUSE + second, half) == 0
    assert judge.after_ms(sound, half) > 300


@pytest.mark.parametrize(("database_url", "mode"), [("sqlite", "gather")], indirect=True)
async def test_gather_plays_the_same_voice_at_the_speed_of_the_bot(desk: Front) -> None:
    sound = await _greeting(desk, MARIA)
    assert 3 < len(sound) / tones.RATE < 30
    assert sound.count(tones.SILENCE) < len(sound) / 2
    api = await person(desk)
    bot = f"/bots/{(await api.get('/bots'))['items'][0]['id']}"
    await api.patch(bot, {"settings": {"voices": {"en": {"voice_id": "SaysNothingHere", "speed": 1.2}}}})
    assert 0.75 < len(await _greeting(desk, "+15125550178")) / len(sound) < 0.9


async def _greeting(desk: Front, number: str) -> bytes:
    caller = Caller(desk, number=number)
    await caller.ring()
    (play,) = list(caller.twiml.iter("Play"))
    async with desk.http.get(play.text or "") as answer:
        return tones.from_wav(await answer.read())


def test_a_call_in_the_terminal_can_be_listened_to(tmp_path: Path) -> None:
    file = tmp_path / "call.wav"
    called = call("call", "--listen", str(file), env=environment(tmp_path))
    assert called.returncode == 0, called.stderr
    assert "What can I do for you?" in called.stdout
    (_, asked, *_) = judge.parts(tones.from_wav(file.read_bytes()))
    assert judge.understood(asked[1], ["What can I do for you?", *SAID, "One moment."]) == ["what can i do for you"]
