"""What a bot listens for in one language: the words that begin scenarios, and the questions it can answer."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from bots import profile
from bots.language import Language
from bots.render import Voice
from bots.understand import answers, dates, faq
from bots.understand.acts import ACTS
from bots.understand.answers import Choice
from bots.understand.intents import Intent, Match, Matcher
from desk.businesses import Business, Service
from flows.definition import Scenario, Triggers
from flows.state import Option

# Intents that are acts of conversation: `understand.acts` hears them, no list of words does.
ACT_INTENTS = frozenset(ACTS)
FAQ = "faq"  # the intent of a question that the business itself has answered
TOPICS = ("hours", "prices", "duration", "location", "contact", "services", "staff")
_SURE = 0.5  # a keyword was said, not just something alike
_LIKELY = 0.35  # of a question's likeness to one that has an answer, where it could as well be about something else
# A word of five letters, or two of four: "no" and "what" are in many a question without asking any.
_ENOUGH = re.compile(r"[^\W\d_]{5,}|[^\W\d_]{4}.*[^\W\d_]{4}", re.DOTALL)


class Trigger(NamedTuple):
    """A scenario that the words begin. `score` is 1 when they say nothing else; an act counts as sure."""

    scenario: str
    score: float


class Ear:
    """Prepared once for a bot and a language; asked for every message."""

    def __init__(
        self,
        business: Business,
        language: Language,
        voice: Voice,
        *,
        services: Iterable[Option],
        staff: Iterable[Option],
        scenarios: Iterable[Scenario],
    ) -> None:
        self.business = business
        self.voice = voice
        self.services = {option.id: option for option in services}
        self.staff = {option.id: option for option in staff}
        self._language = language
        self.members = tuple(one.name for one in business.staff if one.kind == "person")
        self.service_choices = self.choices(self.services.values())
        # Nobody says "anyone" of a service alone; it is offered only where somebody is to be chosen.
        self.staff_choices = self.choices(option for option in self.staff.values() if option.value)
        self._words = language.intents
        self._each = {name: Matcher((intent,)) for name, intent in self._words.items()}
        self._topics = Matcher([self._words[name] for name in TOPICS if name in self._words])
        self._by_act: dict[str, str] = {}
        self._exactly: dict[str, str] = {}
        self._faq_scenario = ""
        begun_by = [found for one in scenarios if (found := self._listen_for(one.id, one.triggers)) is not None]
        self._intents = Matcher(begun_by)
        self._signs = Matcher([Intent(one.name, one.keywords) for one in begun_by])
        entries = [one for one in business.faqs if one.language.partition("-")[0] in (language.code, "")]
        self._answers = {str(one.id): one.answer for one in entries}
        own = language.plain
        self._faqs = faq.Index(
            [faq.Faq(str(one.id), own(one.question), one.answer, tuple(map(own, one.phrasings))) for one in entries]
        )

    def english(self, text: str) -> str:
        """The message in the words of the grammar; the very message where that is its language."""
        return self._language.english(text)

    def named(self, text: str) -> str:
        """The message as it is read for a name that was asked for."""
        return self._language.named(text)

    def choices(self, options: Iterable[Option]) -> tuple[Choice, ...]:
        """What is on offer, named as `english` reads a message that chooses from it."""
        if self._language.gloss is None:
            return tuple(Choice(one.id, one.label, one.keywords) for one in options)
        return tuple(self._choice(one) for one in options)

    def exactly(self, text: str) -> str:
        """The scenario whose keyword `text` is, and nothing else; empty when there is none."""
        said = text.strip(" .!").casefold()
        found = self._exactly.get(said, "")
        return found or ("" if self._language.gloss is None else self._exactly.get(self.english(said), ""))

    def begins(self, text: str, said: frozenset[str], *, signs_only: bool = False) -> list[Trigger]:
        """The scenarios that `text` begins, the surest first; `said` are the acts in it.

        With `signs_only` a likeness to an example is not enough: some keyword must have been said.
        """
        # In the order of the scenarios, for a set has another one in every process: "thank you, that is all" is a goodbye.
        found = {scenario: 1.0 for act, scenario in self._by_act.items() if act in said}
        # A word or two are like many an example; only what is a sign by itself counts then.
        is_short = not self.is_wordy(text)
        for each in self._matches(self._signs if signs_only or is_short else self._intents, text):
            found[each.name] = max(found.get(each.name, 0.0), each.score)
        return [Trigger(name, found[name]) for name in sorted(found, key=lambda name: -found[name])]

    def topic(self, text: str) -> float:
        """How surely `text` is about hours, prices and the like, which the profile of the business answers."""
        found = self._topics.match(self._language.plain(text)) if self._faq_scenario else ()
        return found[0].score if found else 0.0

    def faq(self, text: str) -> float:
        """How surely `text` is one of the questions that the business has answered itself; 0 for too few words."""
        if not self._faq_scenario or not self.is_wordy(text):
            return 0.0
        hit = self._faqs.best(self._language.plain(text))
        return hit.score if hit is not None else 0.0

    def is_wordy(self, text: str) -> bool:
        """Whether there are words enough in it to be about something."""
        return _ENOUGH.search(text) is not None

    @property
    def faq_scenario(self) -> str:
        """The scenario that answers questions; empty when there is none."""
        return self._faq_scenario

    def answer(self, text: str, about: Service | None, now: datetime) -> str | None:
        """The answer to a question that was asked at `now`, None when we have none; `about` is the service under discussion.

        What the business wrote itself comes first, except where its own data is more exact: the price or length of a
        service that was named, the hours of a day that was named.
        """
        english, own = self.english(text), self._language.plain(text)
        topics = self._topics.match(own)
        topic = topics[0] if topics else None
        named = answers.choose(english, self.service_choices, asked=False)
        service = self._service(named.id) if named.id is not None else None
        when = self._when(english, now) if topic is not None and topic.name == "hours" else None
        if topic is not None and topic.score >= _SURE:
            if when is not None and when.day is not None:
                return profile.hours_of(self.business, self.voice, when.day)
            if (service or about) is not None and topic.name in ("prices", "duration"):
                return self._from_profile(topic.name, service or about, now)
        hit = self._faqs.best(own)
        if hit is not None and (hit.score >= _LIKELY or topic is None or topic.score < _SURE):
            return self._answers[hit.id]
        return None if topic is None else self._from_profile(topic.name, service or about, now)

    def hears(self, intent: str, text: str, said: frozenset[str]) -> bool:
        """Whether `text` speaks of that one intent."""
        if intent in ACT_INTENTS:
            return intent in said
        if intent == FAQ:
            return self._faqs.best(self._language.plain(text)) is not None
        words = self._each.get(intent)
        return words is not None and bool(words.match(self._language.plain(text), threshold=_SURE))

    def _matches(self, words: Matcher, text: str) -> Iterable[Match]:
        """A scenario may be begun by words of its own in any language, or by those of the language that is spoken."""
        if self._language.gloss is None:
            return words.match(text)
        return (*words.match(self._language.plain(text)), *words.match(self.english(text)))

    def _when(self, english: str, now: datetime) -> dates.When | None:
        return dates.parse(english, now=self.voice.local(now), dayfirst=self._language.is_dayfirst)

    def _choice(self, option: Option) -> Choice:
        names = (option.label, self._language.plain(option.label), *option.keywords)
        read = tuple(dict.fromkeys(map(self.english, names)))
        return Choice(option.id, read[0], read[1:])

    def _listen_for(self, scenario_id: str, triggers: Triggers) -> Intent | None:
        """What begins the scenario, in words; None when no words do."""
        keywords: list[str] = list(triggers.keywords)
        examples: list[str] = []
        for name in triggers.intents:
            if name in ACT_INTENTS:
                self._by_act.setdefault(name, scenario_id)
            elif name == FAQ:
                self._faq_scenario = scenario_id
            elif name in self._words and name not in TOPICS:
                keywords += self._words[name].keywords
                examples += self._words[name].examples
        for keyword in triggers.keywords:
            self._exactly.setdefault(keyword.casefold(), scenario_id)
        if not keywords and not examples:
            return None
        keywords = [*keywords, *map(self._language.plain, keywords)]
        return Intent(scenario_id, tuple(dict.fromkeys(keywords)), tuple(dict.fromkeys(examples)))

    def _service(self, option_id: str) -> Service | None:
        return next((one for one in self.business.services if str(one.id) == option_id), None)

    def _from_profile(self, topic: str, service: Service | None, now: datetime) -> str | None:
        match topic:
            case "hours":
                return profile.opening_hours(self.business, self.voice)
            case "prices":
                return profile.prices(self.business, self.voice, service)
            case "duration":
                return profile.duration(self.business, self.voice, service)
            case "location":
                return profile.location(self.business, self.voice)
            case "contact":
                return profile.contact(self.business, self.voice)
            case "services":
                return profile.services(self.business, self.voice)
            case _:
                return profile.staff(self.business, self.voice)


def known_intents(language: Language) -> frozenset[str]:
    """Every intent that a scenario may name."""
    return frozenset({*language.intents, *ACT_INTENTS, FAQ})
