"""Every language that the bot has words for: it says all of them, and reads back what it says itself."""

import re
from datetime import date, datetime, time, timedelta
from importlib.resources import files
from zoneinfo import ZoneInfo

import pytest
import yaml

from bots import language
from bots.registry import lint, standard
from bots.render import Voice
from bots.understand import dates
from channels.split import count, plain
from channels.voice.words import spoken

_WORDS = files("bots") / "words"
LANGUAGES = sorted(entry.name.removesuffix(".yaml") for entry in _WORDS.iterdir())
OTHERS = [code for code in LANGUAGES if code != "en"]
NOW = datetime(2026, 3, 2, 12, tzinfo=ZoneInfo("Europe/Berlin"))
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@pytest.mark.parametrize("code", OTHERS)
def test_a_language_has_every_phrase_and_intent_with_the_same_places_to_fill(code: str) -> None:
    english, other = (yaml.safe_load((_WORDS / f"{each}.yaml").read_text("utf-8")) for each in ("en", code))
    assert other["phrases"].keys() == english["phrases"].keys()
    for key, text in english["phrases"].items():
        assert sorted(_PLACEHOLDER.findall(other["phrases"][key])) == sorted(_PLACEHOLDER.findall(text)), key
    assert other["intents"].keys() == english["intents"].keys()


@pytest.mark.parametrize("code", LANGUAGES)
def test_no_phrase_needs_the_dear_alphabet_of_text_messages(code: str) -> None:
    dear = {key: guilty for key, text in language.load(code).phrases.items() if (guilty := count(plain(text)).guilty)}
    assert not dear


@pytest.mark.parametrize("name", standard())
def test_a_standard_scenario_is_sound_and_says_everything_in_every_language(name: str) -> None:
    scenario, problems = lint(standard()[name], scenarios=frozenset(standard()))
    assert scenario is not None
    assert sorted(scenario.languages) == LANGUAGES
    assert not problems, [str(each) for each in problems]


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_day_and_time_is_read_back_as_the_bot_says_it(code: str) -> None:
    words = language.load(code)
    voice = Voice(words, ZoneInfo("Europe/Berlin"), "EUR")
    for ahead in range(364):  # until the first days of this month come again: those are taken for this year's
        day = NOW.date() + timedelta(days=ahead)
        said = voice.phrase("day_time", day=voice.day(day), time=voice.time(time(15, 30)))
        assert _read(words, said) == (day, time(15, 30)), said
        assert _read(words, spoken(said, code)) == (day, time(15, 30)), spoken(said, code)
    for minute in range(0, 24 * 60, 5):
        at = time(minute // 60, minute % 60)
        said = voice.phrase("at", time=voice.time(at))
        assert _read(words, said)[1] == at, said
        if not 1 <= at.hour < 7:  # aloud, an hour of one digit has no zero before it: people mean the afternoon by it
            assert _read(words, spoken(said, code))[1] == at, spoken(said, code)


def _read(words: language.Language, said: str) -> tuple[date | None, time | None]:
    when = dates.parse(words.english(said), now=NOW, asked="when", dayfirst=words.is_dayfirst)
    return (None, None) if when is None else (when.day, when.time)
