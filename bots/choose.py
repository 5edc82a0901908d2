"""From what a customer said or pressed to what it means here: an answer, a digression, a scenario to begin, or nothing.

Buttons say which question they belong to, so a press long after is still understood. Words are read in the order in
which people mean them: exactly what is on offer, a person, what the scenario listens for, a question of theirs, what
the scenario wants to know, another matter, and only then what merely resembles something on offer.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from bots.ear import Ear, Trigger
from bots.flow import Level
from bots.loaded import LoadedBot, LoadedScenario
from bots.render import read_choice_id
from bots.times import ANYONE, Wish, from_id, read_time, read_wish, wish_of
from bots.understand import acts, answers, dates, names, slots, wishes
from bots.understand.answers import Choice, Picked
from bots.understand.dates import When
from bots.understand.names import Name
from bots.understand.slots import Ctx, Extracted, Meaning, Want
from bots.understand.text import stems
from flows import events
from flows.definition import Collect, Slot, State
from flows.machine import can_interrupt
from flows.state import Option, Run, SlotValue

_SURE = 0.5  # of an intent: a keyword was said
_LIKELY = 0.35  # of a question's likeness to one that has an answer, where it does not look like a question
MENU = "welcome"  # where a conversation begins, and goes when nothing was understood
# Nearly every yes and no is one of these; "1" and "2" come from people who think that the answers are numbered.
_YES_NO = {
    **dict.fromkeys(("yes", "y", "yep", "yeah", "yes please", "ok", "okay", "sure", "1"), True),
    **dict.fromkeys(("no", "n", "nope", "no thanks", "2"), False),
}
_OF_NOBODY = frozenset(("services", "days", "free_times"))  # sources that offer no people
_NODS = frozenset(("yes", "no", "acknowledge"))
_NOTHING_BUT_NO = frozenset(("no", "thanks", "bye", "acknowledge"))
_MERE_NO = 5  # words: "no thank you, not today"
ASKED_OUTRIGHT = frozenset(("yes_no", "choice"))  # slots that have their own answers, if these are not looked up
_NO_NAME = frozenset(("no", "thanks", "bye", "dont_know", "dont_care", "acknowledge"))


class Said(NamedTuple):
    """The customer's words, and the id of the button or list row that was pressed, if one was."""

    text: str
    pressed: str = ""


class Begin(NamedTuple):
    """Another scenario begins, with what the words already say."""

    scenario: str
    slots: Mapping[str, SlotValue] = {}


class Unsure(NamedTuple):
    """It answers nothing. `hint` is said before the question is asked again, instead of the usual apology."""

    hint: str = ""


class Aside(NamedTuple):
    """Something is said (a phrase, or nothing), and the question stays as it is; nothing was answered in vain."""

    phrase: str = ""


Reading = events.Event | Begin | Unsure | Aside


def at_rest(bot: LoadedBot, ear: Ear, said: Said, now: datetime, *, settled: bool = False) -> Begin | Aside | None:
    """What to begin when nothing is open; None when the words begin nothing.

    `settled`: the last matter came to its end, so that a mere "ok" is only a nod.
    """
    if said.pressed:
        begun = _press_at_rest(bot, ear, said.pressed)
        if begun is not None:
            return begun
    heard = _Heard(ear, said.text, now)
    begins = _first(bot, heard, current="")
    if begins is None and settled and (heard.acts & _NODS or not any(map(str.isalnum, said.text))):
        return Aside("nod")
    return begins


def at_question(bot: LoadedBot, ear: Ear, level: Level, said: Said, now: datetime) -> Reading:
    """What it means while `level` waits for an answer."""
    ask = _Question(bot, ear, level, now)
    if said.pressed:
        pressed = _press(ask, said.pressed)
        if pressed is not None:
            return pressed
    return _read(ask, _Heard(ear, said.text, now))


def stranger(ear: Ear, text: str, now: datetime) -> str:
    """The name of whom they want to come to, when nobody here is called that; empty otherwise."""
    heard = _Heard(ear, text, now)
    if not ear.members:
        return ""
    code = ear.voice.language.code
    # German writes every noun with a capital, so only "bei" tells that a person is meant.
    meant = names.somebody(heard.text, led_by="bei") if code == "de" else names.somebody(heard.english)
    if meant is None:
        return ""
    known = (*ear.staff_choices, *ear.service_choices)
    said = meant.full
    is_known = answers.choose(said, known, asked=False).how != "none"
    local = ear.voice.local(now)
    return "" if is_known or dates.parse(ear.english(said), now=local, asked="date") is not None else said


def unknown_wish(ear: Ear, text: str) -> str:
    """What they want to have done, when nothing that is offered here is called so; empty otherwise."""
    wish = wishes.thing(ear.english(text))
    is_known = answers.choose(wish, (*ear.service_choices, *ear.staff_choices), asked=False).how != "none"
    return "" if not wish or is_known else wish


def caller(ear: Ear, text: str, now: datetime) -> str:
    """The name with which the message begins, when nobody and nothing here is called that; empty otherwise."""
    name = names.leading(ear.english(text))
    if name is None or not ear.members:
        return ""
    known = (*ear.staff_choices, *ear.service_choices)
    is_known = answers.choose(name.full, known, asked=False).how != "none"
    is_ours = name.full.casefold() in ear.business.name.casefold().split()
    is_day = dates.parse(name.full, now=ear.voice.local(now), asked="date") is not None
    return "" if is_known or is_ours or is_day or acts.acts(name.full) else name.full


def other_wish(ear: Ear, text: str, now: datetime) -> str:
    """What they name beside something that is offered here ("haircut and massage") and is not offered; empty otherwise."""
    for pair in wishes.pairs(ear.english(text)):
        first, second = (answers.choose(side, ear.service_choices, asked=False) for side in pair[:2])
        is_apart = pair.is_a and first.id is None
        said = answers.choose(pair.left, ear.service_choices, asked=False) if is_apart else first
        for offered, other, thing in ((said, second, pair.second), (second, first, pair.first)):
            if offered.id is not None and other.how == "none" and thing and _is_thing(ear, offered.id, thing, now):
                return thing
    return ""


def two_wishes(ear: Ear, text: str) -> tuple[str, ...]:
    """The ids of two services that they want at once, and that are offered here one by one; none otherwise."""
    if answers.choose(ear.english(text), ear.service_choices, asked=False).id is not None:
        return ()  # one that is offered as such
    for pair in wishes.pairs(ear.english(text)):
        sides = pair.first or pair.left, pair.second
        first, second = (answers.choose(side, ear.service_choices, asked=False).id for side in sides)
        if first is not None and second is not None and first != second:
            return first, second
    return ()


def _is_thing(ear: Ear, beside: str, said: str, now: datetime) -> bool:
    """Whether it may be something to be done, and is not what the service beside it holds anyway, by its description."""
    service = next((one for one in ear.business.services if str(one.id) == beside), None)
    held = stems(service.description) if service is not None else ()
    is_held = all(word in held for word in stems(said))
    is_person = answers.choose(said, ear.staff_choices, asked=False).how != "none"
    is_day = dates.parse(said, now=ear.voice.local(now), asked="when") is not None
    return not (is_held or is_person or is_day or acts.acts(said) or any(map(names.is_everyday, said.lower().split())))


def opening(ear: Ear, scenario: LoadedScenario, text: str, now: datetime) -> dict[str, SlotValue]:
    """What the words that begin `scenario` already tell of what it wants to know."""
    heard = _Heard(ear, text, now)
    return heard.values_for(_wants(ear, scenario.compiled.scenario.slots, None), None, {})


def declines(ear: Ear, scenario: LoadedScenario, text: str, now: datetime) -> bool:
    """Whether the words that would begin `scenario` are a mere no, and it does not begin by asking something to which no is an
    answer.
    """
    found = scenario.compiled.scenario
    task = scenario.compiled.nodes[found.start].task
    asked = found.slots[task.slot] if isinstance(task, Collect) else None
    if asked is not None and asked.source is None and asked.type in ASKED_OUTRIGHT:
        return False
    heard = _Heard(ear, text, now)
    is_no = "no" in heard.acts and heard.acts <= _NOTHING_BUT_NO and len(heard.english.split()) <= _MERE_NO
    return is_no and not opening(ear, scenario, text, now)


def option_of_letter(options: Iterable[Option], text: str) -> Option | None:
    """The option whose letter the text is, and nothing else: "R" moves a visit, "R u open?" asks something."""
    said = text.strip(" .!)(\"'").casefold()
    return next((option for option in options if option.letter and option.letter.casefold() == said), None)


def asked_slot(level: Level) -> Slot | None:
    """What the open question wants to know; None when none is open."""
    task = level.scenario.compiled.nodes[level.run.node].task
    return level.scenario.compiled.scenario.slots[task.slot] if isinstance(task, Collect) else None


# Buttons -------------------------------------------------------------------------------------------------------------


def _press_at_rest(bot: LoadedBot, ear: Ear, pressed: str) -> Begin | None:
    """An old button, after all is over: what can be taken up again begins a booking, a settled answer does not."""
    slot, option_id = read_choice_id(pressed)
    value = _known_value(ear, slot, option_id)
    if value and "book" in bot.scenarios:
        return Begin("book", value)
    if slot in ("confirm", "answer", "take") and "visits" in bot.scenarios:
        return Begin("visits")
    return None


def _press(ask: "_Question", pressed: str) -> Reading | None:
    """A button: of this question, of an earlier one of this scenario, or of one that is no longer asked."""
    slot, option_id = read_choice_id(pressed)
    if slot == ask.slot.name:
        for option in ask.run.offered:
            if option.id == option_id:
                return _picked(ask, option_id)
        if ask.slot.type == "yes_no" and option_id in ("yes", "no"):
            return events.Answer({slot: SlotValue(option_id == "yes", option_id)})
    if slot in ask.slots:
        value = {name: each for name, each in _known_value(ask.ear, slot, option_id).items() if name in ask.slots}
        if value:
            return events.Answer(value)
    return Aside("stale") if slot else None


def _known_value(ear: Ear, slot: str, option_id: str) -> dict[str, SlotValue]:
    """What an option of a booking means by itself, whatever is on offer now."""
    if slot == "service" and option_id in ear.services:
        return {"service": ear.services[option_id].chosen()}
    if slot == "staff" and option_id in ear.staff:
        return {"staff": ear.staff[option_id].chosen()}
    if slot == "day":
        try:
            day = date.fromisoformat(option_id)
        except ValueError:
            return {}
        return {"day": _day(ear, day)}
    if slot == "when":
        option = from_id(option_id, ear.voice)
        known = read_time(option.value) if option is not None else None
        if known is None or str(known[1]) not in ear.services:
            return {}
        local = ear.voice.local(known[0])
        return {
            "service": ear.services[str(known[1])].chosen(),
            "day": _day(ear, local.date()),
            "time": Wish(at=local.time()).slot(ear.voice),
        }
    return {}


# Words ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Question:
    """The open question and what is known around it."""

    bot: LoadedBot
    ear: Ear
    level: Level
    now: datetime

    @property
    def run(self) -> Run:
        return self.level.run

    @property
    def node(self) -> State:
        return self.level.scenario.compiled.nodes[self.run.node]

    @property
    def slots(self) -> Mapping[str, Slot]:
        return self.level.scenario.compiled.scenario.slots

    @property
    def shows_numbers(self) -> bool:
        """Whether what is on offer has been shown in numbered lines, because the channel has no buttons."""
        return self.run.facts.get("channel") == "sms"

    @property
    def slot(self) -> Slot:
        """The slot that is asked for."""
        task = self.node.task
        return self.slots[task.slot] if isinstance(task, Collect) else next(iter(self.slots.values()))


@dataclass(slots=True)
class _Heard:
    """One message, read as far as somebody has asked; nothing is worked out twice."""

    ear: Ear
    text: str
    now: datetime
    known: dict[str, Any] = field(default_factory=dict)

    @property
    def english(self) -> str:
        """The words as the grammar reads them."""
        found: str = self._once("english", lambda: self.ear.english(self.text))
        return found

    @property
    def acts(self) -> frozenset[str]:
        found: frozenset[str] = self._once("acts", lambda: acts.acts(self.english))
        return found

    @property
    def is_question(self) -> bool:
        return "?" in self.text or "question" in self.acts

    @property
    def topic(self) -> float:
        """How surely it is about hours, prices and the like."""
        found: float = self._once("topic", lambda: self.ear.topic(self.text))
        return found

    @property
    def faq(self) -> float:
        """How surely it is a question that the business has answered."""
        found: float = self._once("faq", lambda: self.ear.faq(self.text))
        return found

    @property
    def told(self) -> Mapping[str, SlotValue]:
        """What it tells of a booking, to know "Tuesday at 3" from what is about nothing of ours."""
        found: Mapping[str, SlotValue] = self._once(
            "told", lambda: self.values_for(_wants(self.ear, _BOOKING, None), None, {})
        )
        return found

    def begins(self, *, signs_only: bool = False) -> list[Trigger]:
        """The scenarios that it begins, the surest first."""
        found: list[Trigger] = self._once(
            f"begins {signs_only}", lambda: self.ear.begins(self.text, self.acts, signs_only=signs_only)
        )
        return found

    def _once(self, name: str, work: Callable[[], Any]) -> Any:
        if name not in self.known:
            self.known[name] = work()
        return self.known[name]

    def extracted(self, wants: tuple[Want, ...], asked: str | None, known: Mapping[str, Meaning]) -> Extracted:
        language = self.ear.voice.language
        ctx = Ctx(self.ear.voice.local(self.now), asked, known, dayfirst=language.is_dayfirst, language=language.code)
        is_name = any(want.name == asked and want.type == "name" for want in wants)
        found = slots.extract(self.ear.named(self.text) if is_name else self.english, wants, ctx)
        return found if is_name else self._as_written(found)

    def _as_written(self, found: Extracted) -> Extracted:
        """With a name that was told as it is written: the "da" of "João da Silva" is a word only elsewhere."""
        if self.english == self.text:
            return found
        written = names.find(self.ear.named(self.text))
        values = {
            name: each._replace(value=written)
            for name, each in found.values.items()
            if written is not None and isinstance(each.value, Name) and each.value.first == written.first
        }
        return replace(found, values={**found.values, **values})

    def values_for(
        self, wants: tuple[Want, ...], asked: str | None, known: Mapping[str, Meaning], *, soonest: bool = True
    ) -> dict[str, SlotValue]:
        """The slots that it tells. `soonest`: "as soon as possible" is today."""
        if not wants or not self.text:
            return {}
        values = _values(self.ear, self.extracted(wants, asked, known))
        wants_day = soonest and asked != "time" and any(want == Want("day", "date") for want in wants)
        if wants_day and "day" not in values and self.ear.hears("soonest", self.text, self.acts):
            values["day"] = _day(self.ear, self.ear.voice.local(self.now).date())
        return values


def _read(ask: _Question, heard: _Heard) -> Reading:
    options = ask.ear.choices(ask.run.offered)
    picked = answers.choose(heard.english, options) if options else answers.NOTHING
    if (sure := _surely(ask, picked, heard)) is not None:
        return sure
    if ask.slot.type == "yes_no" and (plain := heard.english.strip(" #.)(!").lower()) in _YES_NO:
        return events.Answer({ask.slot.name: SlotValue(_YES_NO[plain], "yes" if _YES_NO[plain] else "no")})
    if (interrupt := _interrupt(ask, heard)) is not None:
        return interrupt
    if "human" in heard.acts and (human := _begins(ask, heard, "human")) is not None:
        return human
    if ask.slot.type in ("text", "place") and heard.text:
        return events.Answer({ask.slot.name: SlotValue(heard.text, heard.text)})
    if ask.slot.type == "name" and heard.acts & _NO_NAME:
        return Unsure()
    if ask.run.scenario == MENU and (matter := _other_matter(ask, heard)) is not None:
        return matter
    if picked.how == "ambiguous" and not heard.is_question and (both := two_wishes(ask.ear, heard.text)):
        # Before it looks like a question about them all.
        return _which_one(ask, both if {*both} <= {*picked.ids} else picked.ids)
    is_any = picked.how == "any" and ask.slot.source in ("days", "staff")
    # "Whenever" is the first day that is offered, rather than today; and said of a person it moves no day agreed on.
    values = heard.values_for(
        *_around(ask), soonest=not is_any or (ask.slot.source == "staff" and "day" not in ask.run.slots)
    )
    if is_any and not (values or heard.is_question or _is_whoever(ask, heard)) and "dont_care" in heard.acts:
        return _picked(ask, picked.ids[0])  # before "no preference" resembles a question about something else
    if (question := _question(ask, heard, values)) is not None:
        return question
    if not values.keys() - {ask.slot.name} and (other := _other_times(ask, heard)) is not None:
        return other
    if (answer := _answer(ask, heard, values)) is not None:
        return answer
    if (nod := _nod(ask, heard, picked)) is not None:
        return nod
    if (matter := _other_matter(ask, heard)) is not None:
        return matter
    if picked.how in ("part", "fuzzy") and picked.id is not None:
        return _picked(ask, picked.id)
    if picked.how == "any" and ask.slot.type != "yes_no":
        return _anyone(ask) if _is_whoever(ask, heard) else _picked(ask, picked.ids[0])
    if picked.how == "ambiguous":
        return _which_one(ask, picked.ids)
    if "upset" not in heard.acts and (heard.acts & {"repeat", "greet"} or _is_same_matter(ask, heard)):
        return Aside()
    if "upset" in heard.acts or _is_unknown_question(heard):
        return Unsure(ask.ear.voice.phrase("upset" if "upset" in heard.acts else "unknown"))
    return Unsure()


def _is_whoever(ask: _Question, heard: _Heard) -> bool:
    """Whether "any" is said of people, where a service, a day or a time is asked for."""
    return ask.slot.source in _OF_NOBODY and answers.is_of_people(heard.english)


def _anyone(ask: _Question) -> Reading:
    """Kept as what is wished, where there is somebody to be chosen."""
    slot = next((each for each in ask.slots.values() if each.source == "staff"), None)
    anyone = ask.ear.staff.get(str(ANYONE))
    return events.Answer({slot.name: anyone.chosen()}) if slot is not None and anyone is not None else Unsure()


def _which_one(ask: _Question, ids: Iterable[str]) -> Unsure:
    labels = [_option(ask, each).label for each in ids]
    return Unsure(ask.ear.voice.phrase("which_one", options=ask.ear.voice.either(labels)))


def _surely(ask: _Question, picked: Picked, heard: _Heard) -> events.Answer | None:
    """The place or the very name of something on offer. Beside times and days, "3pm" and "the 5th" are no places."""
    if (lettered := option_of_letter(ask.run.offered, heard.text)) is not None:
        return _picked(ask, lettered.id)
    # As it is written: "A pessoa" among what can be changed asks for nobody of the team.
    as_shown = heard.text.strip(" .!").casefold()
    named = [option.id for option in ask.run.offered if option.label.casefold() == as_shown]
    if len(named) == 1:
        return _picked(ask, named[0])
    bare = heard.text.strip(" #.)(")
    is_bare = bare.isdecimal() and len(bare) <= 2
    # Times and days are full of numbers; where ours stand before them, a number is one of ours: "1." is no one o'clock.
    if (
        is_bare
        and ask.shows_numbers
        and ask.slot.type in ("slot_time", "date")
        and 0 < int(bare) <= len(ask.run.offered)
    ):
        return _picked(ask, ask.run.offered[int(bare) - 1].id)
    if picked.id is None or picked.how not in ("number", "exact"):
        return None
    may_be_when = picked.how == "number" and ask.slot.type in ("slot_time", "date") and not is_bare
    if may_be_when and dates.parse(heard.english, now=ask.ear.voice.local(ask.now)) is not None:
        return None
    return _picked(ask, picked.id)


def _interrupt(ask: _Question, heard: _Heard) -> events.Interrupt | None:
    """What the scenario listens for at any question."""
    for interrupt in ask.level.scenario.compiled.scenario.interrupts.values():
        if not can_interrupt(interrupt, ask.node):
            continue
        if interrupt.intent is not None and ask.ear.hears(interrupt.intent, heard.text, heard.acts):
            return events.Interrupt(interrupt.name)
        words = tuple(map(ask.ear.english, interrupt.keywords))
        if words and answers.choose(heard.english, (Choice(interrupt.name, words[0], words),), asked=False).how in (
            "exact",
            "part",
        ):
            return events.Interrupt(interrupt.name)
    return None


def _question(ask: _Question, heard: _Heard, values: Mapping[str, SlotValue]) -> Begin | None:
    """A question of theirs in the middle of ours. One that tells a day or a time ("at 3?") is an answer all the same."""
    if ask.ear.faq_scenario not in ask.bot.scenarios:
        return None
    tells_when = bool(values.keys() & {"day", "time"})
    topic = heard.topic
    if topic >= _SURE and (heard.is_question or not values):
        aside = [each for each in heard.begins() if _is_digression(ask.bot, each.scenario)]
        return Begin(aside[0].scenario if aside and aside[0].score >= topic else ask.ear.faq_scenario)
    known = heard.faq
    if known and not tells_when and (heard.is_question or (known >= _LIKELY and not values)):
        return Begin(ask.ear.faq_scenario)
    return None


def _is_digression(bot: LoadedBot, name: str) -> bool:
    return name in bot.scenarios and bot.scenarios[name].is_digression


def _answer(ask: _Question, heard: _Heard, values: dict[str, SlotValue]) -> Reading | None:
    """What the words tell of what this scenario wants to know; a bare yes or no is the answer to a question for it."""
    if ask.slot.type == "name" and heard.acts & {*_NO_NAME, "cancel"}:
        values.pop(ask.slot.name, None)
    return events.Answer(values) if values else None


def _other_times(ask: _Question, heard: _Heard) -> events.Answer | None:
    """ "More", "later", "anything earlier" beside times on offer, or one read back: the page after or before it.

    "The earliest" of those on offer is the first.
    """
    if ask.slot.type not in ("slot_time", "yes_no") or "time" not in ask.slots:
        return None
    chosen = [slot.value for slot in (ask.run.slots.get("when"),) if slot is not None]
    values = chosen or [option.value for option in ask.run.offered]
    times = [known[0] for value in values if (known := read_time(value)) is not None]
    if not times:
        return None
    if not chosen and ask.ear.hears("soonest", heard.text, heard.acts):
        return _picked(ask, ask.run.offered[0].id)
    if ask.ear.hears("earlier_times", heard.text, heard.acts):
        wish = Wish(before=ask.ear.voice.local(times[0]).time(), page=True)
    elif ask.ear.hears("more_times", heard.text, heard.acts) or "alternatives" in heard.acts:
        wish = Wish(after=ask.ear.voice.local(times[-1]).time(), page=True)
    else:
        return None
    return events.Answer({"time": wish.slot(ask.ear.voice)})


def _other_matter(ask: _Question, heard: _Heard) -> Begin | None:
    """Something else that they want now. What is open already is not begun again."""
    return _first(ask.bot, heard, current=ask.run.scenario)


def _nod(ask: _Question, heard: _Heard, picked: Picked) -> events.Answer | None:
    """A yes, "see you" or "thanks, I'll come", where one of the choices means just that, or where there is only one."""
    options = ask.run.offered
    if ask.slot.type != "choice" and len(options) != 1:
        return None
    if "yes" in heard.acts and picked.how not in ("part", "ambiguous"):
        yes = ask.ear.voice.phrase("yes").casefold()
        meant = options[:1] if len(options) == 1 else [each for each in options if yes in each.keywords]
        return _picked(ask, meant[0].id) if meant else None
    is_kind = bool(heard.acts & {"bye", "thanks"})
    return _picked(ask, picked.id) if picked.how == "part" and picked.id and is_kind else None


def _is_unknown_question(heard: _Heard) -> bool:
    """Whether it asks us something, rather than being an answer that ends in a question mark."""
    return "question" in heard.acts and "repeat" not in heard.acts and heard.ear.is_wordy(heard.text)


def _is_same_matter(ask: _Question, heard: _Heard) -> bool:
    """Whether they say once more what they came for."""
    triggers = heard.begins()
    return bool(triggers) and triggers[0].scenario == ask.run.scenario and triggers[0].score >= _SURE


def _begins(ask: _Question, heard: _Heard, act: str) -> Begin | None:
    for trigger in ask.ear.begins("", frozenset((act,))):
        if trigger.scenario in ask.bot.scenarios and trigger.scenario != ask.run.scenario:
            return Begin(trigger.scenario)
    return None


def _first(bot: LoadedBot, heard: _Heard, *, current: str) -> Begin | None:
    """The scenario that the words begin while `current` is open; at the menu, and at rest, any sign will do."""
    ear = heard.ear
    exactly = ear.exactly(heard.text)
    if exactly in bot.scenarios and exactly not in (current, MENU if current else ""):
        return Begin(exactly)
    told = heard.told
    triggers = [
        each
        for each in heard.begins(signs_only=bool(told))
        if each.scenario in bot.scenarios and each.scenario != current
    ]
    is_busy = current not in ("", MENU)
    if triggers and triggers[0].scenario == MENU and (told or is_busy or len(triggers) > 1):
        triggers = triggers[1:]  # "hi, I'd like a haircut"
    best = triggers[0] if triggers else None
    is_wish = best is None and not is_busy and not heard.is_question and heard.topic < _SURE
    if is_wish and "book" in bot.scenarios and two_wishes(ear, heard.text):
        return Begin("book", opening(ear, bot.scenarios["book"], heard.text, heard.now))  # not what both of them cost
    if ear.faq_scenario in {*bot.scenarios} - {current} and _asks(heard, best, told):
        return Begin(ear.faq_scenario)
    if best is not None and (best.score >= _SURE or not is_busy):
        return Begin(best.scenario, opening(ear, bot.scenarios[best.scenario], heard.text, heard.now))
    if told and "book" in {*bot.scenarios} - {current} and (not is_busy or "service" in told):
        return Begin("book", opening(ear, bot.scenarios["book"], heard.text, heard.now))
    if not is_busy and ear.faq_scenario in bot.scenarios and _is_unknown_question(heard):
        return Begin(ear.faq_scenario)  # it says that it does not know
    return None


def _asks(heard: _Heard, best: Trigger | None, told: Mapping[str, SlotValue]) -> bool:
    """Whether it is a question about the business rather than what `best` does for them."""
    is_rival = best is not None and best.scenario not in ("book", MENU)
    topic = heard.topic
    if topic >= _SURE and (heard.is_question or not told):
        return not (is_rival and best is not None and best.score >= topic)
    known = heard.faq
    if not known or told.keys() & {"day", "time"}:
        return False
    if best is None:
        return heard.is_question or not told
    return heard.is_question and best.score < known + _LIKELY


# What a booking wants to know, to tell "Tuesday at 3" from a message that is about nothing of ours.
_BOOKING: Mapping[str, Slot] = {
    "service": Slot("service", "choice", source="services"),
    "day": Slot("day", "date"),
    "time": Slot("time", "time"),
}


# Slots ---------------------------------------------------------------------------------------------------------------


def _around(ask: _Question) -> tuple[tuple[Want, ...], str | None, Mapping[str, Meaning]]:
    """What to look for in an answer, what was asked, and what is known already (to be corrected)."""
    asked = ask.slot.name
    known: dict[str, Meaning] = {}
    for name, held in ask.run.slots.items():
        slot = ask.slots.get(name)
        if slot is None:
            continue
        if slot.type == "time" and (wish := read_wish(held)) != Wish():
            known[name] = When(time=wish.at or wish.near or wish.after or wish.before)
        elif slot.type in ("date", "number", "people") and isinstance(held.value, str | int):
            known[name] = held.value
    if ask.slot.type == "slot_time" and "time" in ask.slots:
        asked = "time"  # a bare "4" is a time where times are on offer
    task = ask.node.task
    is_alone = isinstance(task, Collect) and task.focus  # what was settled before is past correcting here
    return _wants(ask.ear, {ask.slot.name: ask.slot} if is_alone else ask.slots, ask.slot), asked, known


def _wants(ear: Ear, wanted: Mapping[str, Slot], asked: Slot | None) -> tuple[Want, ...]:
    wants: list[Want] = []
    for slot in wanted.values():
        if slot.source == "services":
            wants.append(Want(slot.name, "choice", ear.service_choices))
        elif slot.source == "staff":
            wants.append(Want(slot.name, "choice", ear.staff_choices))
        elif slot.type in ("date", "time", "name") or (slot is asked and slot.type in _ASKED_ONLY):
            wants.append(Want(slot.name, slot.type))
    return tuple(wants)


_ASKED_ONLY = frozenset(("yes_no", "number", "phone", "email"))


def _values(ear: Ear, found: Extracted) -> dict[str, SlotValue]:
    values: dict[str, SlotValue] = {}
    for name, each in found.values.items():
        value = _value(ear, name, each.value)
        if isinstance(each.value, Name) and each.said.endswith(("'s", "\u2019s")):
            continue  # "Anna's mom" is not Anna
        if value is not None:
            values[name] = value
    return values


def _value(ear: Ear, name: str, meant: Meaning) -> SlotValue | None:
    match meant:
        case Picked():
            offered = ear.staff if name == "staff" else ear.services
            return offered[meant.id].chosen() if meant.id in offered else None
        case When():
            return _when(ear, name, meant)
        case Name():
            return SlotValue(meant.full, meant.full)
        case bool():
            return SlotValue(meant, "yes" if meant else "no")
        case int() | str():
            return SlotValue(meant, str(meant))


def _when(ear: Ear, name: str, when: When) -> SlotValue | None:
    if name == "time":
        wish = wish_of(when)
        return wish.slot(ear.voice) if wish is not None and wish != Wish() else None
    if when.day is None:
        return None
    is_after = when.edge == "after" and when.time is None
    return _day(ear, when.day + timedelta(days=1) if is_after else when.day)


def _day(ear: Ear, day: date) -> SlotValue:
    return SlotValue(day.isoformat(), ear.voice.day(day))


def _picked(ask: _Question, option_id: str) -> events.Answer:
    """The option as an answer. "Tomorrow" is said of today only, so a day is kept by its own name."""
    value = _option(ask, option_id).chosen()
    if ask.slot.type == "date" and isinstance(value.value, str):
        value = _day(ask.ear, date.fromisoformat(value.value))
    return events.Answer({ask.slot.name: value})


def _option(ask: _Question, option_id: str) -> Option:
    return next(option for option in ask.run.offered if option.id == option_id)
