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


@pytest.mark.parametrize(
    ("code", "said", "day", "hour"),
    [
        ("de", "Di um 10", 3, 10), ("de", "Fr. 15 Uhr", 6, 15), ("de", "Haircut Mi 14 Uhr bei Anna", 4, 14),
        ("de", "am So um 10", 8, 10), ("de", "So, 8.3. um 11", 8, 11), ("de", "So", 8, None), ("de", "lieber Do", 5, None),
        ("de", "nächsten Sa um 9", 7, 9), ("de", "so um 10", None, 10), ("de", "Fr. Müller um 10", None, 10),
        ("es", "el mar. a las 10", 3, 10), ("es", "mié a las 15h", 4, 15), ("es", "lun. a las 16:00", 9, 16),
        ("es", "sáb", 7, None), ("es", "mi cita a las 10", None, 10),
        ("es", "de hoy en ocho a las 16 h", 9, 16), ("es", "el 3 mar a las 15:00", 3, 15),
        ("fr", "mer. à 15h", 4, 15), ("fr", "le sam à 11h", 7, 11), ("fr", "dim. 8 mars à 14h", 8, 14),
        ("fr", "avec Sam à 11h", None, 11), ("fr", "à la mer à 11h", None, 11), ("fr", "vendredi en huit à 10h", 13, 10),
        ("pt", "ter. às 15h", 3, 15), ("pt", "na sex às 9", 6, 9), ("pt", "qui às 16h", 5, 16),
        ("pt", "quero ter um horário às 10h", None, 10), ("pt", "das 14h às 16h", None, 14),
    ],
)  # fmt: skip
def test_days_cut_short_are_days_where_a_day_can_stand(code: str, said: str, day: int | None, hour: int | None) -> None:
    """On Monday, March 2; some of them are other words as well."""
    found = _read(language.load(code), said)
    assert found == (day and date(2026, 3, day), None if hour is None else time(hour)), found


def _read(words: language.Language, said: str) -> tuple[date | None, time | None]:
    when = dates.parse(words.english(said), now=NOW, asked="when", dayfirst=words.is_dayfirst)
    return (None, None) if when is None else (when.day, when.time)
