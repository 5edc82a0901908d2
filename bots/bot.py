"""One turn: what the customer said, or what else happened, and everything the bot does about it in one transaction."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from bots import choose, flow
from bots.choose import Begin, Said, Unsure
from bots.flow import is_asking
from bots.loaded import LoadedBot
from bots.turn import Turn
from channels import messages
from channels.messages import InboundMessage, OutboundMessage
from desk import conversations
from desk.calendar import appointments, waitlist
from desk.conversations import Context
from desk.errors import NotFound
from flows import events
from flows.definition import Json
from flows.state import SlotValue
from storage.base import Db

__all__ = ["Cue", "Heard", "TurnResult", "internal_error", "is_asking", "take_turn"]

_ECHOES = 4  # the same words so often in a row, to no effect: something answers by itself
_PACE = 40  # messages within ten minutes that nothing came of: two machines are talking
_PACE_MINUTES = 10
_STALE = timedelta(minutes=15)  # a question without any answer so far is given up for a reminder after that


@dataclass(frozen=True, slots=True)
class Heard:
    """The customer said or pressed something."""

    message_id: int
    message: InboundMessage


@dataclass(frozen=True, slots=True)
class Cue:
    """Another cause of a turn.

    `silent`, `expired`, `reminder` {appointment_id, rule, sequence}, `waitlist_offer` {waitlist_id}, `outcome`
    {ticket, name, slots, args} (slow work is done), `csat`, `handoff_expired`, `resume` (a person gave back), `inactive`.
    """

    kind: str
    data: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class TurnResult:
    """What to say, already worded for the language but not yet cut to the channel; and what to keep.

    `language` is set when it has become known. `log` are the facts for the one log line of the turn.
    """

    replies: tuple[OutboundMessage, ...]
    flow: dict[str, Json] | None
    silence_due_at: datetime | None
    flow_expires_at: datetime | None
    language: str | None
    log: Mapping[str, str | int | None]


def take_turn(db: Db, bot: LoadedBot, context: Context, cause: Heard | Cue, *, now: datetime) -> TurnResult:
    """Everything that comes of `cause`.

    Raises:
        FlowError: what is stored of the conversation does not read back; `internal_error` then sees to the customer.
    """
    kept = flow.read(context.flow, lambda version_id: bot.version(db, version_id))
    turn = Turn(db, bot, context, kept, now)
    turn.drop_expired()
    if isinstance(cause, Heard):
        _hear(turn, cause.message)
    else:
        _CUES[cause.kind](turn, cause.data)
    return _result(turn)


def internal_error(db: Db, bot: LoadedBot, context: Context, *, now: datetime) -> TurnResult:
    """An apology, and the conversation in the queue with a note; what was stored of a flow is let go.

    For a fresh transaction after `take_turn` raised. It reads nothing of the stored flow, so that it cannot fail on it.
    """
    turn = Turn(db, bot, context, flow.Flow(), now)
    turn.give_up("internal_error")
    return _result(turn)


def _result(turn: Turn) -> TurnResult:
    top = turn.flow.top
    speaks = not turn.is_handed_over and conversations.may_talk(turn.context, turn.bot.actor)
    return TurnResult(
        replies=turn.replies(),
        flow=turn.flow.to_json(),
        silence_due_at=top.run.silence_due if top is not None and speaks else None,
        flow_expires_at=turn.flow.expires_at,
        language=turn.learnt_language,
        log=turn.log(),
    )


# What the customer said ------------------------------------------------------------------------------------------------


def _hear(turn: Turn, message: InboundMessage) -> None:
    if all(isinstance(part, _WORDLESS) for part in message.parts):
        return
    pressed = message.choice
    said = Said(message.text.strip(), pressed.id if pressed is not None else "")
    turn.heard = said.text
    if _is_machine(turn, said):
        turn.hand_over("loop")
        return
    before = turn.place()
    if said.text or said.pressed:
        _understand(turn, said)
    else:
        turn.say("only_text")
        turn.ask_again()
    if turn.place() != before:
        turn.memo_progress()


def _understand(turn: Turn, said: Said) -> None:
    top = turn.flow.top
    if top is None:
        turn.begin(*_opening(turn, said))
        return
    if top.run.waiting != "input":
        _at_work(turn, said)
        return
    reading = choose.at_question(turn.bot, turn.ear, top, said, turn.now)
    if isinstance(reading, Begin):
        _digress(turn, reading)
    elif isinstance(reading, Unsure):
        turn.excuse = reading.hint
        turn.step(events.Invalid())
    else:
        turn.step(reading)


def _opening(turn: Turn, said: Said) -> tuple[str, Mapping[str, SlotValue]]:
    """Which scenario the words begin, and what they fill in."""
    begin = choose.at_rest(turn.bot, turn.ear, said, turn.now)
    if begin is not None:
        return begin.scenario, begin.slots
    return "welcome", {}


def _digress(turn: Turn, begin: Begin) -> None:
    """Another scenario in the middle of one: on top of it when it comes back by itself, instead of it otherwise."""
    scenario = turn.bot.scenarios[begin.scenario]
    if scenario.is_digression:
        turn.begin(begin.scenario, begin.slots)
    else:
        turn.replace(begin.scenario, begin.slots)
