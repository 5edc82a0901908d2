"""A bot as it is kept in memory: the business, its published scenarios, and everything prepared per language."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bots.ear import Ear
from bots.language import short
from bots.render import Voice, choice_id
from bots.times import ANYONE
from channels import messages
from desk.businesses import Business
from desk.who import Actor
from flows.definition import Collect, Finish
from flows.machine import Compiled
from flows.state import Option
from flows.words import fill
from storage.base import Db


@dataclass(frozen=True, slots=True)
class LoadedScenario:
    """One published version. `names` are the slots that a known customer's name fills; a digression comes back to what
    it broke into, whoever began it.
    """

    version_id: int
    compiled: Compiled
    names: tuple[str, ...]
    is_digression: bool

    @classmethod
    def of(cls, version_id: int, compiled: Compiled) -> "LoadedScenario":
        scenario = compiled.scenario
        remembered = [slot for slot in scenario.slots.values() if slot.remember == "customer"]
        return cls(
            version_id,
            compiled,
            names=tuple(slot.name for slot in remembered if slot.type == "name"),
            is_digression=any(state.task == Finish("resume") for state in scenario.states.values())
            and not any(isinstance(state.task, Collect) for state in scenario.states.values()),
        )

    @property
    def id(self) -> str:
        return self.compiled.scenario.id

    def text(self, lang: str, key: str, channel: str, args: Mapping[str, str], *, short: bool) -> str:
        """The words of `key`, filled in."""
        words = self.compiled.scenario.words
        said = words.get(lang) or words[self.compiled.scenario.languages[0]]
        wording = said.get(key)
        return "" if wording is None else fill(wording.pick(channel, short=short), args)

    def names_letters(self, lang: str, key: str, channel: str, options: Sequence[Option], *, short: bool) -> bool:
        """Whether the words of a question tell the letters of its choices by themselves: a text message that has words
        of its own ("Reply C to confirm") needs no lines of choices.
        """
        words = self.compiled.scenario.words
        wording = (words.get(lang) or words[self.compiled.scenario.languages[0]]).get(key)
        if wording is None or channel != "sms" or not wording.sms or (short and wording.short):
            return False
        return bool(options) and all(option.letter for option in options)


@dataclass(frozen=True, slots=True)
class Choices:
    """What the business offers to choose from, in one language."""

    services: tuple[Option, ...]
    staff: tuple[Option, ...]
    yes_label: str
    no_label: str

    @classmethod
    def of(cls, business: Business, voice: Voice) -> "Choices":
        return cls(
            services=tuple(
                Option(
                    str(one.id), one.name, one.id, _detail(voice, one.duration_minutes, one.price_cents), one.keywords
                )
                for one in business.services
            ),
            staff=(
                Option(str(ANYONE), voice.phrase("anyone"), ANYONE),
                *(Option(str(one.id), one.name, one.id) for one in business.staff),
            ),
            yes_label=voice.phrase("yes"),
            no_label=voice.phrase("no"),
        )

    def yes_no(self, slot: str, about: str = "") -> tuple[messages.Option, ...]:
        """Buttons for a question that is answered by yes or no."""
        return (
            messages.Option(choice_id(slot, "yes", about), self.yes_label),
            messages.Option(choice_id(slot, "no", about), self.no_label),
        )


def _detail(voice: Voice, minutes: int, price_cents: int | None) -> str:
    if price_cents is None:
        return voice.phrase("minutes", count=str(minutes))
    return voice.phrase("service_detail", minutes=str(minutes), price=voice.money(price_cents))


@dataclass(frozen=True, slots=True)
class Spoken:
    """All that is prepared for one language."""

    voice: Voice
    ear: Ear
    choices: Choices


# Where a customer of a channel finds a visit (by its uid) for their calendar; empty where nothing is said of it.
CalendarLink = Callable[[str, str], str]


def no_calendar_link(_channel: str, _visit_uid: str) -> str:
    """Nobody is told."""
    return ""


@dataclass(frozen=True, slots=True)
class LoadedBot:
    """Nothing in it ever changes; a change of the business or of the scenarios makes a new one.

    `scenarios` are the published ones by id, `find_version` finds those that conversations are still
    pinned to. `spoken` goes by the first part of a language tag (`es` of `es-MX`).
    `asks_name`: a new customer is asked for a name once a visit is booked. `records_calls`: callers are told that their call
    is recorded, and it is. `closed_calls`: what a call gets while the business is closed.
    """

    id: int
    business: Business
    actor: Actor
    scenarios: Mapping[str, LoadedScenario]
    spoken: Mapping[str, Spoken]
    asks_name: bool
    records_calls: bool
    closed_calls: Literal["bot", "voicemail"]
    find_version: Callable[[Db, int], LoadedScenario | None]
    calendar_link: CalendarLink = no_calendar_link

    def speaks(self, lang: str) -> Spoken:
        """What is prepared for the language, or for the business's own where it does not speak that one."""
        return self.spoken.get(short(lang)) or self.spoken[short(self.business.languages[0])]

    def voice(self, lang: str) -> Voice:
        return self.speaks(lang).voice

    def ear(self, lang: str) -> Ear:
        return self.speaks(lang).ear

    def choices(self, lang: str) -> Choices:
        return self.speaks(lang).choices

    def version(self, db: Db, version_id: int) -> LoadedScenario | None:
        """The scenario of that version, published or not any more; None when it is none of this bot's."""
        for scenario in self.scenarios.values():
            if scenario.version_id == version_id:
                return scenario
        return self.find_version(db, version_id)
