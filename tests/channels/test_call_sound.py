"""Calls whose sound goes through us: their messages, their samples, and when somebody speaks."""

import json
from contextlib import suppress
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.errors import BadRequest
from channels.voice import audio, stream
from channels.voice.endpoint import LONGEST_PAUSE_MS, Endpoint
from channels.voice.listen import PAUSE_MS
from channels.voice.vad import EnergyVad
from simulators import tones

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=9), inside, max_size=3),
    max_leaves=9,
)
_EVENTS = st.sampled_from(["connected", "start", "media", "mark", "dtmf", "stop", "other"])


@given(_EVENTS, _JSON, st.binary(max_size=40))
def test_whatever_comes_over_the_socket_is_read_or_refused_by_name(event: str, inside: object, noise: bytes) -> None:
    for raw in (json.dumps({"event": event, event: inside}), json.dumps(inside), noise):
        with suppress(BadRequest):  # and nothing else
            assert stream.read(raw) is None or isinstance(stream.read(raw), stream.Message)


@given(st.binary(max_size=16_000), st.text(max_size=20))
def test_what_we_send_is_what_twilio_takes(sound: bytes, sid: str) -> None:
    try:
        sid.encode()
    except UnicodeEncodeError:
        return
    told = json.loads(stream.media(sid, sound))
    assert set(told) == {"event", "streamSid", "media"}
    assert set(told["media"]) == {"payload"}
    assert stream.read(json.dumps(told)) == stream.Sound(sound)
    assert json.loads(stream.clear("MZ1")) == {"event": "clear", "streamSid": "MZ1"}
    assert stream.read(stream.mark("MZ1", "7:160")) == stream.Mark("7:160")


def test_too_much_sound_in_a_message_is_refused() -> None:
    for payload in ("/" * 22_000, "not base64!"):
        with pytest.raises(BadRequest):
            stream.read(json.dumps({"event": "media", "media": {"payload": payload}}))


def test_samples_are_those_of_the_standard() -> None:
    for byte, sample in enumerate(audio.LINEAR):
        assert sample.to_bytes(2, "little", signed=True) == tones.to_pcm(bytes([byte]))
        assert audio.power(bytes([byte] * 160)) == sample * sample
    assert audio.power(audio.SILENCE * 160) == 0


FOLLOWS = {
    "began": {"paused", "finished"},  # at once only when it was far too long
    "paused": {"resumed", "finished"},
    "resumed": {"paused", "finished"},
    "finished": {"began"},
}


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 200)), max_size=20), st.sampled_from([*PAUSE_MS.values(), 9000])
)
def test_a_caller_has_finished_after_their_pause_and_never_before(runs: list[tuple[bool, int]], pause_ms: int) -> None:
    frames = [is_speech for is_speech, times in runs for _ in range(times)]
    endpoint, events, quiet = Endpoint(pause_ms), [], 0
    most = min(pause_ms, LONGEST_PAUSE_MS) // 20
    for is_speech in frames:
        was = endpoint.is_speaking
        event = endpoint.take(is_speech)
        quiet = 0 if is_speech or not was else quiet + 1
        if event:
            events.append(event)
        if event == "finished":
            assert quiet == most or endpoint.spoken_ms > 50_000
        if event == "paused":
            assert quiet * 20 >= most * 20 * 0.6 > (quiet - 1) * 20
        assert not (endpoint.is_speaking and quiet > most)
    assert all(two in FOLLOWS[one] for one, two in pairwise(events))
    assert events[:1] in ([], ["began"])


@pytest.mark.parametrize("noise", [0, 40, 400, 1500], ids=["silence", "quiet", "street", "car"])
def test_speech_is_told_from_the_noise_around_it(noise: int) -> None:
    rng, vad = Random(noise), EnergyVad()
    speech = tones.to_pcm(tones.encode("a quarter past four"))

    def frames(pcm: bytes) -> list[bool]:
        mixed = [
            int.from_bytes(pcm[at : at + 2], "little", signed=True) + round(rng.gauss(0, noise))
            for at in range(0, len(pcm) // 2 * 2, 2)
        ]
        sound = tones.from_pcm(
            b"".join(max(-32768, min(32767, one)).to_bytes(2, "little", signed=True) for one in mixed)
        )
        return [vad.is_speech(sound[at : at + 160]) for at in range(0, len(sound) - 159, 160)]

    before = frames(bytes(8000 * 2 * 3))
    during = frames(speech)
    after = frames(bytes(8000 * 2 * 3))
    assert sum(before) <= 3
    assert sum(during) >= len(during) - 2
    assert sum(after) <= 3
