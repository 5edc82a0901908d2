"""The turns of a call, each in one transaction: what the caller said or did not say, and all that comes of it.

Plain functions of the database, like those of `gateway.pipeline.turn`, which does the bot's part. The key of everything
is the question that was open: whatever comes twice, or late, for one that was answered is answered the same again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from bots import language as languages
from bots.bot import Cue
from bots.registry import Registry
from bots.understand.answers import yes_no
from channels.messages import InboundMessage, OutboundMessage, Part, Text
from channels.voice import hearing
from channels.voice.codec import Given, Ring
from channels.voice.listen import PERSON as PERSON_KEY
from channels.voice.listen import Listen
from desk import businesses, calls, connecting, conversations, messages, outbound, pausing, sending
from desk.calls import Live
from desk.conversations import Context
from desk.who import Actor
from flows.definition import Json
from gateway.pipeline import outbox, turn
from gateway.voice import missed, promised
from gateway.voice.speech import Speech, choices, phrase
from storage.base import Db, JsonValue, new_uid
from storage.session import announce

Step = Literal["again", "keys", "person", "voicemail", "end"]

_MOST_FAILURES: Final = 2  # of the line, before a simpler one takes over
WRITTEN: Final = "written"  # the input of a turn in which a person writes to the caller
_BETWEEN: Final = ("taken", WRITTEN, "returned")  # inputs that are no answer to the question before
_TOLD_EVERY: Final = 4  # silences, until who waits for what a person writes hears again that one does
_MOST_SILENCES: Final = 24  # in a row, while that person writes nothing
LEARNT: Final = "call_learnt"  # the topic of who waits for what a call learns, or for its end
PERSON: Final = "human"  # what the key for a person stands for, as the bot hears it


@dataclass(frozen=True, slots=True)
class Line:
    """How a call speaks: over which account, in which mode, and what is done about silence."""

    channel: turn.Channel
    bots: Registry
    mode: calls.Mode
    ladder: Sequence[Step]
    takes_messages: bool = True
    missed_every: timedelta = timedelta()
    usual: sending.Policy = sending.USUAL
    people: connecting.Rules | None = None  # how callers are passed on to people; None: they are not


class Reach(NamedTuple):
    """How much of what we said was heard: all of it (None), or no more than these words, as the caller or we broke in."""

    words: str | None
    by_us: bool = False


class Between(NamedTuple):
    """What people put in: in the words that one of them has written, or else so that the bot goes on elsewhere."""

    speech: Speech
    is_written: bool


def begin(db: Db, line: Line, ring: Ring, *, took_ms: Callable[[], int], now: datetime) -> Speech:
    """The first words to a caller, or to whom we call. For a call in which we have spoken: what was said last."""
    account = line.channel.account
    known = calls.live(db, account.id, ring.sid)
    if known is not None and (known.direction == "inbound" or calls.answer_to(db, known.id, 0) is not None):
        return _last(db, known)
    peer = ring.peer
    context = conversations.meet(db, account.id, peer_kind=peer.kind, peer=peer.value, now=now)
    call = known or calls.begin(
        db,
        context,
        sid=ring.sid,
        phone=ring.caller or None,
        mode=line.mode,
        now=now,
    )
    if call is None:  # begun by another process in this very moment
        known = calls.live(db, account.id, ring.sid)
        assert known is not None  # noqa: S101  it is there
        return _last(db, known)
    if context.status != "open":
        conversations.reopen(db, Actor(context.tenant_id, "customer"), context.id, now=now)
    turn_ = _Turn(db, line, call, context, None, Given(-1, "speech"), now)
    speech = turn_.greet()
    is_recorded = not speech.ends and turn.records(db, line.bots, line.channel, context)
    if is_recorded:
        calls.is_recorded(db, call.id)
    return turn_.keep(replace(speech, is_recorded=is_recorded), input="start", number=0, took_ms=took_ms)


def hear(
    db: Db,
    line: Line,
    ring: Ring,
    given: Given,
    *,
    took_ms: Callable[[], int],
    timing: calls.Timing | None = None,
    reach: Reach | None = None,
    is_broken: bool = False,
    now: datetime,
) -> Speech:
    """What comes of an answer to the question number `given.turn`. `timing` is how long that had taken to be heard, and
    `reach` how much of it was, if that is known now.

    With `is_broken` the bot's turn has failed before: the caller hears an apology, and a person gets the word.
    """
    account = line.channel.account
    call = calls.live(db, account.id, ring.sid)
    if call is None:  # its first request never reached us
        return begin(db, line, ring, took_ms=took_ms, now=now)
    if reach is not None:
        _reached(db, call, given.turn, reach)
    if given.turn < call.turn:
        _keep_late(db, call, given, now=now)
        if line.mode == "gather" and calls.input_of(db, call.id, given.turn + 1) == WRITTEN:
            calls.reached(db, call, given.turn + 1, "whole")  # they are about to hear it
        found = calls.answer_to(db, call.id, given.turn + 1)
        return Speech.from_json(given.turn + 1, found) if found is not None else _last(db, call)
    if timing is not None:
        calls.timed(db, call.id, given.turn, timing)
    last = _last(db, call)
    if call.is_over:
        return Speech(last.turn, last.text, None, last.language, then=last.then)
    if last.transfer:  # nobody listens to whoever waits
        return last
    if line.mode == "gather" and (given.kind == "silence" or (last.listen is not None and last.listen.is_consent)):
        calls.reached(db, call, call.turn, "whole")  # `codec.gather` listens behind it
    peer = ring.peer
    context = conversations.find(db, account.id, peer.kind, peer.value)
    if context is None:  # erased while they speak
        context = conversations.begin(db, account.id, peer_kind=peer.kind, peer=peer.value, now=now)
        call = calls.goes_on_in(db, call, context)
    turn_ = _Turn(db, line, call, context, last, given, now)
    return turn_.keep(turn_.answer(is_broken=is_broken), input=given.kind, number=call.turn + 1, took_ms=took_ms)


def _keep_late(db: Db, call: Live, given: Given, *, now: datetime) -> None:
    """What the caller said while people came between is kept, once, though nobody answers it."""
    number = given.turn + 1
    if given.kind != "speech" or calls.input_of(db, call.id, number) not in _BETWEEN:
        return
    context = conversations.by_id(db, Actor(call.tenant_id, "system"), call.conversation_id)
    message_id = messages.add_in(
        db,
        tenant_id=context.tenant_id,
        account_id=context.account_id,
        conversation_id=context.id,
        text=given.text,
        provider_id=f"{call.sid}:{number}",
        sent_at=now,
        now=now,
    )
    if message_id is not None:
        calls.said_into(db, call.id, number, message_id)
        conversations.touch(db, context, last_in_at=now, unread=1)


def open_in(db: Db, call: Live) -> Speech:
    """What was said last in that call."""
    return _last(db, call)


def interject(
    db: Db,
    call: Live,
    speech: Speech,
    *,
    input: str,  # noqa: A002  the column's name
    reply_id: int | None,
    now: datetime,
) -> None:
    """What the call says next, whatever was open in it: people come between. What its caller gives to the question before
    is answered with this, and kept.
    """
    last, number = _last(db, call), call.turn + 1
    if last.is_private:
        pausing.want(db, call.tenant_id, call.id, is_paused=False, now=now)
    calls.add_turn(
        db,
        call,
        number=number,
        input=input,
        message_id=None,
        reply_id=reply_id,
        answer={**replace(speech, turn=number).to_json(), "given": ""},
        pause_ms=None,
        recognition_ms=None,
        took_ms=0,
        now=now,
    )
    if last.waits:
        announce(db, LEARNT)
    if input == WRITTEN:
        announce(db, topic(call.account_id, call.sid))


def topic(account_id: int, sid: str) -> str:
    """What is published when somebody writes to the caller of that call."""
    return f"call:{account_id}:{sid}"


def between(db: Db, account_id: int, sid: str, number: int) -> Between | None:
    """What people put in after that turn; None for nothing."""
    call = calls.find_live(db, account_id, sid)
    kind = "" if call is None else calls.input_of(db, call.id, number + 1)
    found = calls.answer_to(db, call.id, number + 1) if call is not None and kind in _BETWEEN else None
    return None if found is None else Between(Speech.from_json(number + 1, found), kind == WRITTEN)


def again(db: Db, line: Line, ring: Ring, number: int, *, now: datetime) -> Speech:
    """What was answered to the question with that number, or else the question that is open."""
    call = calls.live(db, line.channel.account.id, ring.sid)
    if call is None:
        return begin(db, line, ring, took_ms=lambda: 0, now=now)
    found = calls.answer_to(db, call.id, number + 1)
    return _last(db, call) if found is None else Speech.from_json(number + 1, found)


def go_on(db: Db, line: Line, ring: Ring, *, is_hopeless: bool, now: datetime) -> tuple[Speech, calls.Mode]:
    """The question that is open, with a word of apology, because the line broke; and the mode in which it is said."""
    call = calls.live(db, line.channel.account.id, ring.sid)
    if call is None:
        return begin(db, line, ring, took_ms=lambda: 0, now=now), "gather"
    mode: calls.Mode = "gather" if is_hopeless or call.failures + 1 >= _MOST_FAILURES else "relay"
    calls.failed(db, call, mode)
    return _again(call, _last(db, call)), mode


def after_stream(db: Db, line: Line, ring: Ring, *, now: datetime) -> tuple[Speech, bool]:
    """What was said last, with a word of apology, and whether those were the last words and heard to their end."""
    call = calls.live(db, line.channel.account.id, ring.sid)
    if call is None:
        return begin(db, line, ring, took_ms=lambda: 0, now=now), False
    last = _last(db, call)
    if last.listen is None and calls.heard(db, call.id, call.turn) == "whole":
        return last, True
    calls.failed(db, call, line.mode)
    return _again(call, last), False


def resume(db: Db, line: Line, ring: Ring, turn_: int, *, now: datetime) -> tuple[Speech, list[str]]:
    """What is open in a call whose socket has just connected, and what its caller gave since the question `turn_`. What
    was decided after that question may never have been heard, so it is said with a word of apology.
    """
    call = calls.live(db, line.channel.account.id, ring.sid)
    if call is None:
        return begin(db, line, ring, took_ms=lambda: 0, now=now), []
    last = _last(db, call)
    return (_again(call, last) if call.turn > turn_ else last), calls.given_since(db, call.id, turn_)


def _again(call: Live, last: Speech) -> Speech:
    if last.transfer and not call.is_over:
        return last
    if call.is_over or last.ends:
        return Speech(last.turn, last.text, None, last.language, then=last.then)
    return replace(last, text=f"{phrase(last.language, 'voice_cut_off')} {last.text}".strip(), is_recorded=False)


def timed(db: Db, account_id: int, sid: str, number: int, timing: calls.Timing) -> None:
    """Keep what was measured of that turn."""
    call = calls.find_live(db, account_id, sid)
    if call is not None:
        calls.timed(db, call.id, number, timing)


def reached(db: Db, account_id: int, sid: str, number: int, reach: Reach) -> None:
    """Note how much was heard of what we said in that turn; what is cut short was said as far as that."""
    call = calls.live(db, account_id, sid)
    if call is not None:
        _reached(db, call, number, reach)


def _reached(db: Db, call: Live, number: int, reach: Reach) -> None:
    reply_id = calls.reached(db, call, number, "whole" if reach.words is None else "cut", by_us=reach.by_us)
    if reply_id is not None and reach.words and calls.input_of(db, call.id, number) != WRITTEN:
        messages.reword(db, reply_id, reach.words.strip())


def ended(
    db: Db,
    line: Line,
    ring: Ring,
    status: str,
    *,
    sequence: int | None = None,
    duration_s: int | None = None,
    now: datetime,
) -> str:
    """What became of the news that a call is over: noted, ignored (it was known) or missed (the call was not)."""
    call = calls.live(db, line.channel.account.id, ring.sid)
    if call is None:  # busy, or our doors did not answer
        unheard = missed.unheard(db, line.channel.account, ring, now=now)
        # What was picked up without us was so by the fallback, which asks for a message.
        _missed(db, line, unheard, may_have_left=status == "completed", now=now)
        return "missed"
    if not calls.end(db, call, status, sequence=sequence, duration_s=duration_s, now=now):
        return "ignored"
    last = _last(db, call)
    if last.waits:
        announce(db, LEARNT)  # that there is nobody any more to tell it to
    _send_unsaid(db, call, now=now)
    outbound.talked(db, call, now=now)
    wait = connecting.caller_gone(db, call, rules=line.people or connecting.Rules(), now=now)
    if wait is not None and wait.ending == "hung_up":
        promised.owed(db, wait, now=now)
    _missed(db, line, call, may_have_left=bool(last.then), now=now)
    context = conversations.by_id(db, Actor(call.tenant_id, "system"), call.conversation_id)
    if context.owner == "bot":
        turn.on_line(db, line.bots, line.channel, context, Cue("hung_up", {}), now=now)
    return "noted"


def _missed(db: Db, line: Line, call: Live, *, may_have_left: bool, now: datetime) -> None:
    if may_have_left:
        missed.text_later(db, call, now=now)
    else:
        missed.text(db, call, every=line.missed_every, usual=line.usual, now=now)


def _send_unsaid(db: Db, call: Live, *, now: datetime) -> None:
    """What people wrote and the caller did not stay to hear goes to them as text messages."""
    for message_id in calls.unsaid(db, call.id, WRITTEN, between=_BETWEEN):
        if call.phone is None:
            why = "They hung up before it was said, and their number is withheld."
            messages.give_up(db, message_id, "failed", code="hung_up", text=why)
        elif (refusal := _no_text(db, call, now=now)) is not None:
            messages.give_up(db, message_id, "refused", code=refusal.code, text=refusal.reason)
        else:
            messages.send_after_all(db, message_id)
            outbox.post(db, call.tenant_id, call.account_id, message_id, now=now)


def _no_text(db: Db, call: Live, *, now: datetime) -> sending.Refusal | None:
    """Why the caller may not be sent a text message, or None."""
    peer = _ring(call).peer
    allowed = sending.may_send(db, account_id=call.account_id, kind=peer.kind, value=peer.value, use="service", now=now)
    return allowed if isinstance(allowed, sending.Refusal) else None


def learnt(db: Db, line: Line, conversation_id: int, *, cue: Cue, now: datetime) -> bool:
    """Have the call say what came of the slow work that it waits for; False when none does (any more)."""
    turn_ = _now_in(db, line, conversation_id, now=now)
    if turn_ is None or turn_.last is None or not turn_.last.waits:
        return False
    turn_.keep(turn_.learn(cue), input="learnt", number=turn_.call.turn + 1, took_ms=lambda: 0)
    announce(db, LEARNT)
    return True


def handed_back(db: Db, line: Line, conversation_id: int, *, now: datetime) -> bool:
    """Have the bot, which a person has given the word, ask its open question again in the call; False when none goes on
    that could hear it.
    """
    turn_ = _now_in(db, line, conversation_id, now=now)
    if turn_ is None or turn_.last is None or turn_.last.listen is None or turn_.context.owner != "bot":
        return False
    turn_.keep(turn_.ask_again("voice_back"), input="returned", number=turn_.call.turn + 1, took_ms=lambda: 0)
    announce(db, topic(turn_.call.account_id, turn_.call.sid))
    return True


def _now_in(db: Db, line: Line, conversation_id: int, *, now: datetime) -> "_Turn | None":
    """A turn that no caller began, in the call that goes on there; the call is locked before its conversation, as
    everywhere.
    """
    call = calls.live_in(db, conversation_id)
    if call is None or call.is_over:
        return None
    context = conversations.by_id(db, Actor(call.tenant_id, "system"), conversation_id)
    return _Turn(db, line, call, context, _last(db, call), Given(call.turn, "speech"), now)


def after(db: Db, account_id: int, sid: str, number: int) -> Speech | None:
    """What was said after that turn; None as long as nothing was."""
    call = calls.find_live(db, account_id, sid)
    found = None if call is None else calls.answer_to(db, call.id, number + 1)
    if found is not None:
        return Speech.from_json(number + 1, found)
    return Speech(number, "", None) if call is None or call.is_over else None


def waiting(db: Db, account_id: int, sid: str) -> Speech | None:
    """What was said last to a caller who waits for a person, talks with one, or is still to hear that the wait is over:
    somebody may have ended it before they were in line. None when they do not.
    """
    wait = connecting.of_call(db, account_id, sid)
    if wait is None:
        return None
    call = calls.find_live(db, account_id, sid)
    last = None if call is None else _last(db, call)
    return last if last is not None and last.transfer == wait.uid else None


def language(db: Db, business_id: int, account_id: int, sid: str) -> str:
    """What that call is held in; the first language of the business while nothing has been said."""
    call = calls.find_live(db, account_id, sid)
    said = None if call is None else calls.answer_to(db, call.id, call.turn)
    return businesses.load(db, business_id).languages[0] if said is None else Speech.from_json(0, said).language


def back(db: Db, line: Line, ring: Ring, wait: str, key: str, *, now: datetime) -> Speech:
    """The bot speaks again after a wait: the phrase `key`, and the question that was open. The same whenever it is asked."""
    account = line.channel.account
    call, found = calls.live(db, account.id, ring.sid), connecting.of_call(db, account.id, ring.sid)
    if call is None:
        return begin(db, line, ring, took_ms=lambda: 0, now=now)
    last = _last(db, call)
    if call.is_over:
        return Speech(last.turn, last.text, None, last.language)
    if found is None or found.uid != wait or found.back_turn is not None or found.state != "over":
        return last
    system = Actor(call.tenant_id, "system")
    conversations.give_back(db, system, call.conversation_id, reason="call_returned", now=now)
    context = conversations.by_id(db, system, call.conversation_id)
    if (flow := connecting.flow_of(db, found)) is not None:
        conversations.touch(db, replace(context, flow=flow, flow_expires_at=None))
        context = conversations.by_id(db, system, call.conversation_id)
    turn_ = _Turn(db, line, call, context, last, Given(call.turn, "speech"), now)
    speech = turn_.keep(turn_.ask_again(key), input="returned", number=call.turn + 1, took_ms=lambda: 0)
    connecting.came_back(db, found, speech.turn)
    return speech


def _last(db: Db, call: Live) -> Speech:
    answer = calls.answer_to(db, call.id, call.turn)
    return Speech.from_json(call.turn, answer if answer is not None else {})


@dataclass(slots=True)
class _Turn:
    """One turn of a call at work. `last` is what we said before, which `given` answers."""

    db: Db
    line: Line
    call: Live
    context: Context
    last: Speech | None
    given: Given
    now: datetime
    message_id: int | None = None
    reply_id: int | None = None
    spoken: str = ""  # the language in which the bot has answered just now
    heard_all: bool = False  # of the read-back that they answer

    @property
    def language(self) -> str:
        if self.spoken:
            return self.spoken
        if self.last is not None:
            return self.last.language
        known = self.context.language or self.context.customer_language
        return known or businesses.load(self.db, self.context.business_id).languages[0]

    def keep(self, speech: Speech, *, input: str, number: int, took_ms: Callable[[], int]) -> Speech:  # noqa: A002  the column's name
        """The answer, kept as this turn's; a call that ends with it is over."""
        kept = replace(speech, turn=number, is_private=self._is_private(speech))
        if kept.is_private or (self.last is not None and self.last.is_private):
            pausing.want(self.db, self.call.tenant_id, self.call.id, is_paused=kept.is_private, now=self.now)
        calls.add_turn(
            self.db,
            self.call,
            number=number,
            input=input,
            message_id=self.message_id,
            reply_id=self.reply_id,
            answer={**kept.to_json(), "given": self.given.text},
            pause_ms=self.given.pause_ms,
            recognition_ms=self.given.recognition_ms,
            took_ms=took_ms(),
            now=self.now,
        )
        if kept.ends and not kept.then:
            ended(self.db, self.line, _ring(self.call), "completed", now=self.now)
        return kept

    def _is_private(self, speech: Speech) -> bool:
        """Whether what is asked for is nobody else's business; a question that is asked again stays what it was."""
        is_again = self.last is not None and speech.listen is not None and speech.listen is self.last.listen
        return speech.is_private or (is_again and self.last is not None and self.last.is_private)

    def greet(self) -> Speech:
        if self.call.direction == "outbound":
            return self._remind()
        line = self.line
        if line.takes_messages and turn.is_left_alone(self.db, line.bots, line.channel, self.context, now=self.now):
            name = businesses.load(self.db, self.context.business_id).name
            return replace(self._own("voice_closed", None, business=name), then="voicemail")
        taken = self._cue("called")
        if taken.replies:
            return self._of(taken)
        if self.context.owner != "bot":
            return self._queued()
        name = businesses.load(self.db, self.context.business_id).name
        if self.line.takes_messages:
            return replace(self._own("voice_no_one", None, business=name), then="voicemail")
        return self._own("voice_nobody", None, business=name)

    def _remind(self) -> Speech:
        """Why we call. What was to be said may have come to nothing meanwhile."""
        out = outbound.of_call(self.db, self.call.id)
        visit = None if out is None else outbound.visit_of(self.db, out, now=self.now)
        if visit is None:
            return self._own("voice_no_matter", None)
        taken = self._cue("reminder", {"appointment_id": visit.id, "sequence": visit.sequence})
        return self._of(taken) if taken.replies else self._own("voice_no_matter", None)

    def answer(self, *, is_broken: bool) -> Speech:
        assert self.last is not None  # noqa: S101  there is an answer to something only
        listen, given = self.last.listen or Listen(), self.given
        if self.context.owner == "staff":
            return self._to_writer(self.last, is_broken=is_broken)
        self.heard_all = listen.is_consent and calls.heard(self.db, self.call.id, self.call.turn) != "cut"
        if given.kind == "silence":
            return self._silence(self.last, listen)
        part: Part | None
        if given.kind == "digits":
            part = hearing.pressed(given.text, listen, person=PERSON)
        else:
            part = Text(hearing.said(given.text, listen, self.language))
        words = part.text if isinstance(part, Text) else part.title if part is not None else given.text  # type: ignore[union-attr]
        meant = languages.load(self.language).english(words)
        if part is None or (given.kind == "speech" and hearing.is_backchannel(meant, listen)):
            return self._repeat(self.last, words)
        if listen.is_consent and not self.heard_all and yes_no(meant) is True:
            return self._repeat(self.last, words, "voice_reread")
        if given.kind == "speech" and hearing.wants_text(meant):
            return self._text(self.last, words)
        if given.kind == "speech" and self.line.takes_messages and hearing.wants_voicemail(meant):
            self._heard(words)
            return replace(self._own("voice_of_course", None), then="voicemail")
        if self.last.is_more and yes_no(meant) is False:
            self._heard(words)
            return self._own("voice_bye", None)
        return self._ask_the_bot(part, is_broken=is_broken)

    def _to_writer(self, last: Speech, *, is_broken: bool) -> Speech:
        """A person has the word, and writes: what the caller says is for them, and the bot asks nothing."""
        given, language = self.given, self.language
        if given.kind == "silence":
            if self.call.quiet + 1 >= _MOST_SILENCES:
                return self._promised()
            is_told = self.call.quiet % _TOLD_EVERY == 0
            return Speech(0, phrase(language, "voice_writing") if is_told else "", Listen(), language, last.written)
        if given.kind == "digits" and given.text == PERSON_KEY and (wait := self._wait()):
            return replace(self._own("voice_connecting", None), transfer=wait)
        taken = self._take(Text(given.text), is_broken=is_broken)
        told = [*(one.text for one in taken.replies), phrase(language, "voice_passed_on")]
        return Speech(0, " ".join(told), Listen(), language, last.written)

    def _promised(self) -> Speech:
        """Nobody has written for too long."""
        if self.call.phone is None:
            return self._own("voice_call_again", None)
        promised.to_them(self.db, self.context, self.call.phone, now=self.now)
        return self._own("voice_later", None)

    def _ask_the_bot(self, part: Part, *, is_broken: bool) -> Speech:
        taken = self._take(part, is_broken=is_broken)
        if taken.replies:
            return self._of(taken)
        if "owner" in taken.facts and taken.facts["owner"] != "bot":
            return self._queued()
        if taken.waits:
            return self._of(taken)
        assert self.last is not None  # noqa: S101  see `answer`
        return Speech(0, self.last.text, self.last.listen, self.language, self.last.written)

    def _take(self, part: Part, *, is_broken: bool) -> turn.Taken:
        message = InboundMessage(
            provider_id=self._name,
            sender=_ring(self.call).peer,
            recipient=self.line.channel.account.sender,
            parts=(part,),
            sent_at=self.now,
        )
        take = turn.take_broken if is_broken else turn.take
        taken = take(self.db, self.line.bots, self._channel, message, now=self.now)
        self.message_id = taken.message_id or None
        return taken

    def learn(self, cue: Cue) -> Speech:
        """What the bot says to it, or else whether there is anything else."""
        taken = self._cue(cue.kind, cue.data)
        return self._of(taken) if taken.replies or taken.waits else self._own_more()

    def _own_more(self) -> Speech:
        return replace(self._own("voice_more", Listen()), is_more=True)

    def _silence(self, last: Speech, listen: Listen) -> Speech:
        ladder = self.line.ladder
        step = ladder[min(self.call.quiet, len(ladder) - 1)] if ladder else "end"
        # Else a yes to what is said now would agree to it.
        unheard = last.text if listen.is_consent and not self.heard_all else ""
        if step == "again":
            taken = self._cue("again")
            speak_up = f"{phrase(self.language, 'voice_speak_up')} {unheard}".strip()
            return self._of(taken) if taken.replies else self._said(speak_up, listen)
        if step == "keys":
            keys = choices(self.language, "voice_keys", listen) or phrase(self.language, "voice_speak_up")
            return self._said(f"{unheard} {keys}".strip(), listen, last.written)
        if step == "person":
            return self._said(f"{phrase(self.language, 'voice_person')} {unheard}".strip(), listen, last.written)
        if step == "voicemail" and self.line.takes_messages:
            return replace(self._own("voice_speak_later", None), then="voicemail")
        return self._own("voice_silent", None)

    def _repeat(self, last: Speech, words: str, why: str = "") -> Speech:
        """The same question once more; the bot hears nothing of it."""
        self._heard(words)
        text = last.text
        if why and not text.startswith(said := phrase(self.language, why)):
            text = f"{said} {text}"
        return self._said(text, last.listen, last.written)

    def _text(self, last: Speech, words: str) -> Speech:
        """What we have just said as a text message of the same conversation."""
        self._heard(words)
        if self.call.phone is None:
            return self._then(last, "voice_no_number")
        options = last.listen.options if last.listen is not None else ()
        letter = OutboundMessage(last.written, choices=options, reference=(uid := new_uid()))
        if not last.written:
            return self._then(last, "voice_nothing")
        if _no_text(self.db, self.call, now=self.now) is not None:
            return self._then(last, "voice_no_text")
        content: Mapping[str, JsonValue] | None = letter.to_json() if options else None
        row_id = messages.add_out(
            self.db,
            tenant_id=self.context.tenant_id,
            account_id=self.context.account_id,
            conversation_id=self.context.id,
            uid=uid,
            author="bot",
            text=last.written,
            content=content,
            status="queued",
            turn_id=self.message_id,
            now=self.now,
        )
        if row_id is not None:
            outbox.put(self.db, self.line.channel.account, row_id, now=self.now)
        return self._then(last, "voice_texted")

    def ask_again(self, key: str) -> Speech:
        """The phrase, and the question that is open, or whether there is anything else."""
        more = phrase(self.language, "voice_more")
        return self._then(Speech(0, more, Listen(), self.language, "", is_more=True), key)

    def _queued(self) -> Speech:
        """A person is wanted already: one of those who can be called now, or else they call back."""
        wait = self._wait()
        if wait:
            return replace(self._own("voice_connecting", None), transfer=wait)
        return self._own("voice_waiting", None)

    def _wait(self) -> str:
        """The line in which the caller waits from now on; empty when there is nobody to be called."""
        if self.line.people is None:
            return ""
        wait = connecting.begin(
            self.db,
            self.call,
            language=self.language,
            flow=self.context.flow,
            rules=self.line.people,
            now=self.now,
        )
        return "" if wait is None else wait.uid

    def _then(self, last: Speech, key: str) -> Speech:
        """The phrase, and the open question in short behind it."""
        taken = self._cue("again")
        if not taken.replies:
            return self._said(f"{phrase(self.language, key)} {last.text}", last.listen, last.written, last.is_more)
        asked = self._of(taken)
        text = f"{phrase(self.language, key)} {asked.text}"
        if self.reply_id is not None:
            messages.reword(self.db, self.reply_id, text)
        return replace(asked, text=text)

    def _of(self, taken: turn.Taken) -> Speech:
        """What the bot says, with a question behind it as long as the call goes on."""
        self.spoken = taken.language
        if not taken.replies:  # it waits without a word
            return Speech(0, "", Listen(), self.language, waits=True)
        reply = taken.replies[-1]
        self.reply_id = messages.id_of_uid(self.db, self.context.id, reply.reference)
        text = " ".join(one.text for one in taken.replies)
        wait = self._wait() if taken.is_handed_over else ""
        if wait:
            text = phrase(self.language, "voice_connecting")
            if self.reply_id is not None:
                messages.reword(self.db, self.reply_id, text)
            return Speech(0, text, None, self.language, taken.written, transfer=wait)
        if taken.is_handed_over and self.call.phone is None:
            text = phrase(self.language, "voice_call_again")
            if self.reply_id is not None:
                messages.reword(self.db, self.reply_id, text)
        if taken.is_handed_over or taken.facts.get("scenario") == "bye":
            return Speech(0, text, None, self.language, taken.written)
        if taken.waits:
            return Speech(0, text, Listen(), self.language, taken.written, waits=True)
        if taken.asks or reply.choices:
            listen = Listen.to(taken.asks or "choice", reply.choices)
            return Speech(0, text, listen, self.language, taken.written, is_private=taken.is_private)
        if text.rstrip().endswith("?"):
            return Speech(0, text, Listen(), self.language, taken.written)
        text = f"{text} {phrase(self.language, 'voice_more')}"
        if self.reply_id is not None:
            messages.reword(self.db, self.reply_id, text)
        return Speech(0, text, Listen(), self.language, taken.written, is_more=True)

    def _own(self, key: str, listen: Listen | None, *, written: str = "", **args: str) -> Speech:
        return self._said(phrase(self.language, key, **args), listen, written)

    def _said(self, text: str, listen: Listen | None, written: str = "", is_more: bool = False) -> Speech:
        """Words of our own, kept as the bot's."""
        self.reply_id = messages.add_out(
            self.db,
            tenant_id=self.context.tenant_id,
            account_id=self.context.account_id,
            conversation_id=self.context.id,
            author="bot",
            text=text,
            status="accepted",
            turn_id=self.message_id,
            now=self.now,
        )
        return Speech(0, text, listen, self.language, written, is_more)

    def _heard(self, words: str) -> None:
        """The caller's words, kept though the bot does not hear them."""
        self.message_id = messages.add_in(
            self.db,
            tenant_id=self.context.tenant_id,
            account_id=self.context.account_id,
            conversation_id=self.context.id,
            text=words,
            provider_id=self._name,
            sent_at=self.now,
            now=self.now,
        )

    def _cue(self, kind: str, data: Mapping[str, Json] | None = None) -> turn.Taken:
        cue = Cue(kind, data or {})
        return turn.on_line(self.db, self.line.bots, self._channel, self.context, cue, now=self.now)

    @property
    def _channel(self) -> turn.Channel:
        """Of this turn: what is to be agreed to is asked for in short only behind the whole of it, heard to its end."""
        return replace(self.line.channel, in_full=not self.heard_all)

    @property
    def _name(self) -> str:
        """The id of what the caller says in this turn: the call, and which turn of it."""
        return f"{self.call.sid}:{self.call.turn + 1}"


def _ring(call: Live) -> Ring:
    return Ring(call.sid, "", call.phone or "")
