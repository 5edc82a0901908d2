"""The turn at work: steps runs of scenarios, carries out what they ask for, and collects what is to be said."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from bots import flow, language, render, times
from bots.acting import Acting, Later
from bots.ear import Ear
from bots.effects import ACTIONS, SOURCES
from bots.flow import Flow, Level
from bots.loaded import LoadedBot, LoadedScenario
from bots.render import Voice
from channels.messages import Link, Option, OutboundMessage
from desk import conversations, customers
from desk.calendar import bookings
from desk.conversations import Context
from desk.errors import DeskError
from flows import effects, events
from flows import step as engine
from flows.definition import Json
from flows.state import Run, SlotValue
from storage.base import Db

_MOST_SCENARIOS = 8  # begun in one turn; more is two scenarios that hand over to each other
_AGREED = ("booked", "moved")  # outcomes after which a visit is worth a line in the calendar
_NO_SLOTS: Mapping[str, SlotValue] = {}


@dataclass(slots=True)
class Turn:
    """One turn's work in progress; nobody else ever sees it. Methods that step on may say, ask, begin and end things."""

    db: Db
    bot: LoadedBot
    context: Context
    flow: Flow
    now: datetime
    said_at: datetime = field(init=False)  # days in what they say count from then: it may be from yesterday
    in_full: bool = False  # a yes or no is asked for in all its words also when that is asked again
    heard: str = ""
    begins: str = ""  # the scenario that it begins when none is open
    broadcast: str = ""  # the name of the broadcast that they answer, or answered when this began
    excuse: str = ""  # said before a question that is asked again because the answer made no sense
    is_handed_over: bool = False
    answered_reminder: bool = False
    introduced: str = ""  # the name that the customer has just said
    agreed: str = ""  # the visit that was booked or moved
    learnt_language: str | None = None
    lang: str = ""
    begun: int = 0
    lines: list[str] = field(default_factory=list)
    question: str = ""
    asks: str = ""  # the type of the slot that the question is about
    is_private: bool = False  # and that slot is
    choices: tuple[Option, ...] = ()
    last: tuple[str, str, str] = ("", "", "")  # scenario, state and outcome, for the log

    def __post_init__(self) -> None:
        self.said_at = self.now
        self.lang = self.context.language or self.context.customer_language or self.bot.business.languages[0]

    @property
    def voice(self) -> Voice:
        return self.bot.voice(self.lang)

    @property
    def tongue(self) -> str:
        """The language whose words are used, which is another one where the business speaks not that of the customer."""
        return self.voice.language.code

    @property
    def ear(self) -> Ear:
        return self.bot.ear(self.lang)

    def speak(self, code: str) -> None:
        """Go on in another language, in which the customer has just written; what is open is asked in it from here on."""
        self.lang = self.learnt_language = code
        customers.speaks(self.db, self.bot.actor, self.context.customer_id, code)
        for level in self.flow.stack:
            if code in level.scenario.compiled.options:
                level.run.lang = code
            for name, held in level.run.slots.items():
                level.run.slots[name] = times.reworded(held, self.voice)

    def is_called(self, name: str) -> None:
        """The customer has said their name; what is open need not ask for it."""
        try:
            customers.set_name(self.db, self.bot.actor, self.context.customer_id, name, now=self.now)
        except DeskError:
            return
        self.context = replace(self.context, customer_name=name)
        self.introduced = name
        for level in self.flow.stack:
            for slot in level.scenario.names:
                level.run.slots.setdefault(slot, SlotValue(name, name))

    # Scenarios: begun, left, stepped through.

    def begin(self, name: str, slots: Mapping[str, SlotValue] = _NO_SLOTS) -> None:
        """Begin a scenario on top of whatever is there."""
        scenario = self.bot.scenarios.get(name)
        self.begun += 1
        if scenario is None or self.begun > _MOST_SCENARIOS:
            self.give_up(f"no_scenario:{name}" if scenario is None else "scenarios")
            return
        first = engine.begin(
            scenario.compiled, self.now, {**self._profile(scenario), **slots}, facts=self._facts(), lang=self.tongue
        )
        self.flow.stack.append(Level(scenario, first.run))
        self._carry_out(first)

    def replace(self, name: str, slots: Mapping[str, SlotValue] = _NO_SLOTS) -> None:
        """Give up everything that is open for another scenario."""
        self.leave_all("replaced")
        self.begin(name, slots)

    def leave_all(self, ended: str) -> None:
        """End all open runs in that way, the top one first, without a word."""
        while self.flow.stack:
            self.flow.memo.settled = False
            self._close(ended)

    def forget(self, is_past: Callable[[Run], bool]) -> None:
        """End the open runs that are about what is no more, wherever they are, without a word; the others stay."""
        stack, self.flow.stack = self.flow.stack, []
        for level in stack:
            self.flow.stack.append(level)
            if is_past(level.run):
                self._close("replaced")

    def drop_expired(self) -> None:
        """When the time of the open question is up, everything that is open is over."""
        top = self.flow.top
        if top is not None and top.run.expires_at is not None and self.now >= top.run.expires_at:
            self.leave_all("expired")

    def step(self, event: events.Event) -> bool:
        """Let the top run hear of `event`; False when it does not listen."""
        top = self.flow.top
        if top is None:
            return False
        result = engine.step(top.scenario.compiled, top.run, event, self.now)
        if result.ignored:
            return False
        self._carry_out(result)
        return True

    def learn(self, data: Mapping[str, Json]) -> bool:
        """Take the outcome of slow work; False when nobody waits for it, or it has to wait itself.

        It waits while a person talks, and while another scenario runs on top of the one that asked.
        """
        memo, top = self.flow.memo, self.flow.top
        if not memo.call or data.get("call") != memo.call or top is None:
            return False
        if top.run.waiting != "call" or not conversations.may_talk(self.context, self.bot.actor):
            memo.late = data
            return False
        memo.call, memo.late = "", None
        told = data.get("slots")
        slots = {name: SlotValue(value, str(value)) for name, value in (told if isinstance(told, dict) else {}).items()}
        return self.step(events.Outcome(str(data.get("name", "error")), slots))

    def ask_again(self) -> None:
        """The open question, in short; it was talked past, not answered in vain."""
        self.step(events.Resume())

    def place(self) -> tuple[str, str, int] | None:
        """Where the conversation stands: two equal places mean that nothing came of what was between."""
        top = self.flow.top
        return None if top is None else (top.run.scenario, top.run.node, len(top.run.slots))

    def memo_progress(self) -> None:
        """The last message got us somewhere: whoever writes is no machine that repeats itself."""
        memo = self.flow.memo
        memo.echo, memo.pace = (memo.echo[0], 1), (memo.pace[0], 0)

    # Giving up.

    def give_up(self, code: str) -> None:
        """Something of ours is broken: the customer hears so, and a person is told."""
        self.last = ("", "", code)
        self.leave_all("failed")
        self.lines.clear()
        self.question, self.choices = "", ()
        if "internal_error" in self.bot.scenarios and self.begun < _MOST_SCENARIOS:
            self.begun = _MOST_SCENARIOS - 1  # whatever is begun from here on, this is the last
            self.begin("internal_error")
        else:
            self.say("broken")
            self.hand_over("failed")

    def hand_over(self, reason: str) -> None:
        """A person is wanted; the bot says nothing about it."""
        self.leave_all("handed_off")
        note = self.bot.voice(self.bot.business.languages[0]).phrase(f"note_{reason}")  # the team reads it
        conversations.to_queue(self.db, self.bot.actor, self.context.id, reason=reason, note=note, now=self.now)
        self.is_handed_over = True

    # What is said.

    def say(self, phrase: str, **args: str) -> None:
        self.lines.append(self.voice.phrase(phrase, **args))

    def replies(self) -> tuple[OutboundMessage, ...]:
        """All of it as one message, or none."""
        message = render.message([*self.lines, self.question], self.choices, menu=self.voice.phrase("choose"))
        if message is not None and self.context.channel == "sms" and self.tongue != language.DEFAULT:
            message = render.cheaply(message)
        url = self.bot.calendar_link(self.context.channel, self.agreed) if self.agreed else ""
        if message is not None and url:
            message = replace(message, link=Link(self.voice.phrase("calendar"), url))
        if message is not None and self.question and self.asks == "place":
            message = replace(message, asks_location=True)  # a button for it, where the channel has one
        return () if message is None else (message,)

    def log(self) -> dict[str, str | int | None]:
        scenario, state, outcome = self.last
        return {"scenario": scenario, "state": state, "outcome": outcome}

    # Carrying out.

    def _carry_out(self, result: engine.Step) -> None:
        level = self.flow.stack[-1]
        level.run = result.run
        level.moved(result.moves)
        if result.moves:
            self.last = (level.run.scenario, level.run.node, result.moves[-1].outcome)
        for effect in result.effects:
            match effect:
                case effects.Say(key, args, short):
                    self._say(level, key, args, short=short)
                case effects.Ask():
                    self._ask(level, effect)
                case effects.Call(action, params):
                    self._call(level, action, params)
                case effects.Lookup(source):
                    self.step(SOURCES[source].run(self._acting(level, {})))
                case effects.Switch(scenario, slots):
                    self.broadcast = self.broadcast or _broadcast_of(level.run)
                    self._close("switched")
                    self.begin(scenario, slots)
                case effects.RunChild(scenario):
                    self.begin(scenario)
                case effects.End(kind):
                    self._close(kind)
                    self._after(kind)
                case effects.Failed(code):
                    self.give_up(code)

    def _call(self, level: Level, action: str, params: Mapping[str, Json]) -> None:
        outcome = ACTIONS[action].run(self._acting(level, params))
        if not isinstance(outcome, Later) and outcome.name in _AGREED:
            self.agreed = outcome.args.get("uid", self.agreed)
        if action == "hand_off":
            self.is_handed_over = True
        if isinstance(outcome, Later):
            self.flow.memo.call, self.flow.memo.late = outcome.call, None
        else:
            self.step(outcome)

    def _after(self, kind: str) -> None:
        """A run has ended: the one below goes on, unless a person does."""
        self.flow.memo.settled = self.flow.top is None
        if kind == "completed":
            self.flow.memo.pace = (0, 0)
        if self.is_handed_over:
            return
        if self.flow.memo.late is not None:
            self.learn(self.flow.memo.late)
        else:
            self.ask_again()

    def _close(self, ended: str) -> None:
        level = self.flow.stack.pop()
        run = level.run
        if ended == "completed" and "answer" in run.slots and "sequence" in run.slots:
            self.answered_reminder = True
        if "hold" in run.slots:
            bookings.release(self.db, self.bot.actor, conversation_id=self.context.id, now=self.now)
        if ended in ("switched", "replaced", "failed"):
            self.flow.memo.story = _story(run) or self.flow.memo.story
        elif ended != "resume":
            self.flow.memo.story = ""
        flow.record(
            self.db,
            level,
            tenant_id=self.context.tenant_id,
            conversation_id=self.context.id,
            ended=ended,
            now=self.now,
        )

    def _say(self, level: Level, key: str, args: Mapping[str, str], *, short: bool) -> None:
        text = level.scenario.text(level.run.lang, key, self.context.channel, args, short=short)
        if text:
            self.lines.append(text)

    def _ask(self, level: Level, ask: effects.Ask) -> None:
        words, slot = level.scenario, level.scenario.compiled.scenario.slots[ask.slot]
        short = ask.short and not (self.in_full and slot.type == "yes_no")
        text = words.text(level.run.lang, ask.key, self.context.channel, ask.args, short=short)
        if ask.again:
            self.lines.append(self.excuse or self.voice.phrase("sorry"))
        if slot.remember is not None and slot.name not in self.flow.memo.asked:
            self.flow.memo.asked += (slot.name,)
        self.question, self.asks, self.is_private = text, slot.type, slot.private
        if slot.type == "yes_no" and not ask.options and self.context.channel not in ("sms", "voice"):
            self.choices = self.bot.choices(self.lang).yes_no(slot.name, _about(level.run))
        else:
            says_all = words.names_letters(level.run.lang, ask.key, self.context.channel, ask.options, short=short)
            self.choices = () if says_all else render.choices(slot.name, ask.options, _about(level.run))

    def _acting(self, level: Level, params: Mapping[str, Json]) -> Acting:
        below = self.flow.stack[-2].run if len(self.flow.stack) > 1 else None
        return Acting(
            db=self.db,
            bot=self.bot,
            context=self.context,
            run=level.run,
            below=below,
            voice=self.voice,
            now=self.now,
            said_at=self.said_at,
            params=params,
            heard=self.heard,
            reminded=self.flow.memo.reminded,
            story=(_story(below) if below is not None else "") or self.flow.memo.story,
        )

    def _profile(self, scenario: LoadedScenario) -> dict[str, SlotValue]:
        """What we know of the customer already, for the slots that remember it."""
        name = self.context.customer_name
        if not name:
            return {}
        return {slot: SlotValue(name, name) for slot in scenario.names}

    def _facts(self) -> dict[str, Json]:
        knows_name = self.context.customer_name or self.context.customer_profile_name
        return {
            "business": self.bot.business.name,
            "channel": self.context.channel,
            "broadcast": self.broadcast or (_broadcast_of(self.flow.top.run) if self.flow.top is not None else ""),
            "asks_name": self.bot.asks_name and not knows_name and "name" not in self.flow.memo.asked,
        }


def _broadcast_of(run: Run) -> str:
    found = run.facts.get("broadcast")
    return found if isinstance(found, str) else ""


def _about(run: Run) -> str:
    """Which visit a question is about, and in which state of it, for the buttons of a reminder: `17.0`. Or who waits and
    which of the offers they had it is.
    """
    for thing, state in (("visit", "sequence"), ("waitlist", "round")):
        if (about := run.slots.get(thing)) is not None and (then := run.slots.get(state)) is not None:
            return f"{about.value}.{then.value}"
    return ""


def _story(run: Run | None) -> str:
    """What a run was about, for a person: `book: Haircut, Tuesday, March 3, at 3:00 PM`."""
    labels = [value.label for value in run.slots.values() if value.label] if run is not None else []
    return f"{run.scenario}: {', '.join(labels)}" if run is not None and labels else ""
