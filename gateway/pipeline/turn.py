"""One inbound event and all that it causes, in one transaction: message, new state, bookings, replies, jobs.

Everything here is a plain function of the database and what it is given; `receive` and the jobs call it through
`store.write`, one at a time for each conversation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple, cast

from bots import bot as bots
from bots.registry import LoadedBot, Registry
from channels import optout, written
from channels.base import Capabilities
from channels.messages import (
    Address,
    AddressKind,
    Edit,
    Forwarded,
    InboundMessage,
    Media,
    Order,
    OutboundMessage,
    Part,
    Quote,
    Referral,
    Revoke,
    System,
    Text,
    parts_from_json,
    parts_to_json,
)
from channels.optout import Word
from channels.render import in_template, is_text_and_files, render, render_all
from desk import (
    broadcasts,
    consent,
    conversations,
    customers,
    files,
    joining,
    legal,
    messages,
    phone,
    revisions,
    sending,
)
from desk.calendar import hours
from desk.conversations import Context
from desk.errors import NotFound
from desk.inbox import arriving, assignment
from desk.verdicts import Use
from desk.who import Actor
from gateway.accounts import Account
from gateway.pipeline import ordered, outbox
from gateway.voice.speech import aloud
from storage.base import Db, JsonValue, new_uid
from storage.session import attempt


@dataclass(frozen=True, slots=True)
class Taken:
    """What a turn left behind. `replies` are rendered and wait to be put into the webhook's answer."""

    conversation_id: int
    message_id: int
    replies: tuple[OutboundMessage, ...]
    facts: Mapping[str, JsonValue]
    is_duplicate: bool = False
    asks: str = ""  # the type of the slot that the bot asks for
    is_private: bool = False  # and that is nobody else's business
    written: str = ""  # the replies as they would stand in a text message, where they are spoken
    is_handed_over: bool = False
    language: str = ""  # that of the replies, where they are the bot's
    waits: bool = False  # the bot has asked another system, and its answer is another turn


@dataclass(frozen=True, slots=True)
class Channel:
    """How a turn speaks: over which account, with which limits, whether the webhook's answer carries it, whether it is said
    aloud, and whether a yes or no is asked for `in_full` also when that is asked again.
    """

    account: Account
    capabilities: Capabilities
    inline: bool
    is_aloud: bool = False
    in_full: bool = False

    def saying(self, pieces: Sequence[OutboundMessage]) -> "Channel":
        """The same for these pieces: what the answer cannot carry goes by the outbox, and all else with it, in order."""
        shortens = self.account.keys.shortens_links and any("://" in piece.text for piece in pieces)
        fits = not self.capabilities.inline_plain or all(map(is_text_and_files, pieces))
        return self if fits and not shortens else replace(self, inline=False)


class _Kept(NamedTuple):
    """A customer's message, its row, and where it was said."""

    context: Context
    message_id: int
    message: InboundMessage


def take(db: Db, registry: Registry, channel: Channel, message: InboundMessage, *, now: datetime) -> Taken:
    """Keep a customer's message and everything the bot does about it.

    A message that we have already gives the replies of the first time again, and changes nothing. One whose words are in
    a file that is still to be fetched is answered when they are there (`take_words`). One that says nothing is kept, and
    that is all: who puts a thumb on our goodbye has not written again. A change to what was said before is seen by people,
    and answered by nobody: the bot has acted on the words as they were, and its next question is another one. Only STOP is
    STOP all the same.
    """
    context = _context(db, channel.account, message, now=now)
    message_id = _keep(db, context, message, now=now)
    if message_id is None:
        return _again(db, context, message)
    if channel.account.sender_pool:
        conversations.wrote_to(db, context.id, message.recipient.value)
    if _says_nothing(message):
        _revise(db, context, message, now=now)
        word = _opt_out(channel, replace(message, parts=_changes(message)), context)
        if word is not None and word.meaning == "stop":  # whatever it had been before
            return _consent(db, channel, context, message, message_id, word, now=now)
        return Taken(context.id, message_id, (), {"heard": "nothing"})
    if context.status != "open":
        conversations.reopen(db, Actor(context.tenant_id, "customer"), context.id, now=now)
    if waits_for_words(message):
        conversations.touch(db, context, last_in_at=_heard_at(context, message, now))
        return Taken(context.id, message_id, (), {"waits_for": "words"})
    return _hear(db, registry, channel, _Kept(context, message_id, message), now=now)


def _says_nothing(message: InboundMessage) -> bool:
    return message.is_wordless and message.opt_out is None


def _changes(message: InboundMessage) -> tuple[Part, ...]:
    """To what an earlier message was changed, as if it had been said so."""
    return tuple(Text(part.text) for part in message.parts if isinstance(part, Edit))


def _revise(db: Db, context: Context, message: InboundMessage, *, now: datetime) -> None:
    """What they have changed or taken back is so here too."""
    at = min(message.sent_at or now, now)
    for part in message.parts:
        if isinstance(part, Edit | Revoke):
            said = revisions.Said(context.account_id, context.customer_id, "in", part.target)
            if isinstance(part, Edit):
                revisions.change(db, said, part.text, at=at, now=now)
            else:
                revisions.take_back(db, said, at=at, now=now)


def waits_for_words(message: InboundMessage) -> bool:
    """Whether there is nothing to answer yet. What the provider has answered by itself is over."""
    return written.place_in(message.parts) is not None and not (message.opt_out or message.answered_by_provider)


def take_words(
    db: Db, registry: Registry, channel: Channel, message_id: int, words: str, *, is_answered: bool, now: datetime
) -> Taken | None:
    """The turn of a message whose words have come as a file; None when it was erased meanwhile. Without any (the file is
    not to be had, or no text), it is answered as one that holds a file. Once that was done (`is_answered`) they are shown
    to people, and that is all.

    Raises: NotFound
    """
    channel = replace(channel, inline=False)
    kept = _whole(db, channel.account, message_id, words, is_told=is_answered, now=now)
    if kept is None:
        return None
    if is_answered and _opt_out(channel, kept.message, kept.context) is None:
        return Taken(kept.context.id, message_id, (), {"words": "late"})
    return _hear(db, registry, channel, kept, now=now)


def _hear(db: Db, registry: Registry, channel: Channel, kept: _Kept, *, now: datetime) -> Taken:
    """What comes of a message that is kept, and has all its words."""
    context, message_id, message = kept
    word = _opt_out(channel, message, context)
    if word is not None:
        return _consent(db, channel, context, message, message_id, word, now=now)
    heard_at = _heard_at(context, message, now)
    hours = channel.capabilities.session_window_h
    if (hours is not None and sending.Window(hours, heard_at).is_open(now)) and outbox.release(
        db, context.tenant_id, context.account_id, context.id, now=now
    ):
        channel = replace(channel, inline=False)  # behind what had waited for them
    routed = broadcasts.Routed()
    if context.broadcast_id is not None:
        context, routed = _routed(db, context, context.broadcast_id, heard_at=heard_at, now=now)
    is_ours = context.owner == "bot" and not context.is_out and not message.answered_by_provider
    bot = _bot(db, registry, channel, context) if is_ours else None
    is_late = message.sent_at is not None and now - message.sent_at > _LATEST
    if bot is None or is_late:
        _keep_flow(db, context, heard_at=heard_at)
        why = "late_message" if bot is not None else ""
        said = () if message.answered_by_provider else _to_people(db, channel, context, message_id, why=why, now=now)
        return Taken(context.id, message_id, said, {"owner": context.owner, "opted_out": context.is_out})
    heard = bots.Heard(message_id, message, begins=routed.scenario, broadcast=routed.name)
    result = bots.take_turn(db, bot, context, heard, in_full=channel.in_full, now=now)
    return _answer(db, channel, context, result, message_id=message_id, heard_at=heard_at, now=now)


def take_broken(db: Db, registry: Registry, channel: Channel, message: InboundMessage, *, now: datetime) -> Taken:
    """The same for a message whose turn failed: it is kept, the customer hears an apology, a person gets the word."""
    context = _context(db, channel.account, message, now=now)
    message_id = _keep(db, context, message, now=now)
    if message_id is None:
        return _again(db, context, message)
    if _says_nothing(message):
        return Taken(context.id, message_id, (), {"heard": "nothing"})
    return _hear_broken(db, registry, channel, _Kept(context, message_id, message), now=now)


def take_words_broken(
    db: Db, registry: Registry, channel: Channel, message_id: int, words: str, *, now: datetime
) -> Taken | None:
    """The same for one whose words have come as a file.

    Raises: NotFound
    """
    channel = replace(channel, inline=False)
    kept = _whole(db, channel.account, message_id, words, is_told=False, now=now)
    return None if kept is None else _hear_broken(db, registry, channel, kept, now=now)


def _hear_broken(db: Db, registry: Registry, channel: Channel, kept: _Kept, *, now: datetime) -> Taken:
    context, message_id, message = kept
    heard_at = _heard_at(context, message, now)
    bot = _bot(db, registry, channel, context) if context.owner == "bot" and not context.is_out else None
    if bot is None:
        _keep_flow(db, context, heard_at=heard_at)
        said = _to_people(db, channel, context, message_id, now=now)
        return Taken(context.id, message_id, said, {"owner": context.owner})
    result = bots.internal_error(db, bot, context, now=now)
    return _answer(db, channel, context, result, message_id=message_id, heard_at=heard_at, now=now)


def cue(db: Db, registry: Registry, channel: Channel, context: Context, what: bots.Cue, *, now: datetime) -> Taken:
    """A turn that the customer did not begin: silence, a reminder, an offer. Replies go to the outbox.

    Where only a template may be sent just now, the account's says it. Without one, an answer that they wait for is kept
    until they write; anything else is shown to people as refused, and what would have been asked was not.
    """
    bot = _bot(db, registry, channel, context)
    if bot is None:
        return Taken(context.id, 0, (), {})
    channel = replace(channel, inline=False)
    use: Use | None = "reminder" if what.kind == "reminder" else None
    about = _visit_of(what)
    window = sending.Window(channel.capabilities.session_window_h, context.last_in_at)
    if window.is_open(now) or channel.account.window_template is not None:
        result = bots.take_turn(db, bot, context, what, now=now)
        if not window.is_open(now) and (template := channel.account.window_template) is not None:
            said = tuple(in_template(one, channel.capabilities, template) for one in result.replies)
            result = replace(result, replies=said)
        return _answer(db, channel, context, result, message_id=None, use=use, about=about, now=now)
    unsaid = Unsaid(sending.closed(window), is_kept=what.kind in _ANSWERS)
    try:
        with attempt(db):
            result = bots.take_turn(db, bot, context, what, now=now)
            if what.kind in _QUESTIONS and result.replies:
                raise _NotAsked(result.replies)
    except _NotAsked as not_asked:
        for piece in render_all(not_asked.replies, channel.capabilities):
            _say(db, channel, context, piece, message_id=None, unsaid=unsaid, use=use, now=now)
        return Taken(context.id, 0, (), {"refused": unsaid.refusal.code})
    return _answer(db, channel, context, result, message_id=None, unsaid=unsaid, use=use, now=now)


def _visit_of(what: bots.Cue) -> tuple[int, int] | None:
    """The visit that a reminder is of, and which state of it."""
    visit, sequence = what.data.get("appointment_id"), what.data.get("sequence")
    if what.kind == "reminder" and isinstance(visit, int) and isinstance(sequence, int):
        return visit, sequence
    return None


def on_line(db: Db, registry: Registry, channel: Channel, context: Context, what: bots.Cue, *, now: datetime) -> Taken:
    """The same within a call: they are listening, so what comes of it is said at once."""
    bot = _bot(db, registry, channel, context)
    if bot is None:
        return Taken(context.id, 0, (), {})
    result = bots.take_turn(db, bot, context, what, in_full=channel.in_full, now=now)
    return _answer(db, channel, context, result, message_id=None, now=now)


def records(db: Db, registry: Registry, channel: Channel, context: Context) -> bool:
    """Whether calls of that conversation's bot are recorded."""
    bot = _bot(db, registry, channel, context)
    return bot is not None and bot.records_calls


def is_left_alone(db: Db, registry: Registry, channel: Channel, context: Context, *, now: datetime) -> bool:
    """Whether a call gets no bot just now, since the business is closed."""
    bot = _bot(db, registry, channel, context)
    return bot is not None and bot.closed_calls == "voicemail" and not hours.is_open(bot.business, now)


def refuse(
    db: Db,
    registry: Registry,
    channel: Channel,
    context: Context,
    what: bots.Cue,
    refusal: sending.Refusal,
    *,
    planned_at: datetime,
    now: datetime,
) -> Taken:
    """Show people what the cue would have said at its time, and why it was not said. Nothing else comes of it."""
    speaking = replace(channel, inline=False, account=replace(channel.account, is_active=True))
    bot = _bot(db, registry, speaking, context)
    if bot is None:
        return Taken(context.id, 0, (), {})
    use: Use | None = "reminder" if what.kind == "reminder" else None
    unsaid = Unsaid(refusal, is_kept=False)
    try:
        with attempt(db):
            raise _NotAsked(bots.take_turn(db, bot, context, what, now=planned_at).replies)
    except _NotAsked as not_asked:
        for piece in render_all(not_asked.replies, channel.capabilities):
            _say(db, speaking, context, piece, message_id=None, unsaid=unsaid, use=use, now=now)
    return Taken(context.id, 0, (), {"refused": refusal.code})


# A message that was on its way for longer is no answer to anything: a "yes" to a visit may be to one of last week, and who
# said "tomorrow" has come and gone. A provider repeats for days what it could not bring us.
_LATEST = timedelta(days=1)
_ONCE_MORE = timedelta(minutes=1)  # what is younger than that was surely not left behind by another address
# What the customer waits for; and what begins something new, and comes by a job that is done then.
_ANSWERS = ("outcome", "resume")
_QUESTIONS = ("reminder", "waitlist_offer", "csat")


@dataclass(frozen=True, slots=True)
class Unsaid:
    """Why words cannot go out now, and whether they are kept until the customer writes."""

    refusal: sending.Refusal
    is_kept: bool


class _NotAsked(Exception):  # noqa: N818  takes back what a turn did, and nothing failed
    def __init__(self, replies: tuple[OutboundMessage, ...]) -> None:
        super().__init__()
        self.replies = replies


def _context(db: Db, account: Account, message: InboundMessage, *, now: datetime) -> Context:
    """Where the message belongs: with whoever it is from, by all addresses that are told of them."""
    peer = message.sender
    others = [(one.kind, one.value) for one in message.other_identities]
    found = conversations.find(db, account.id, peer.kind, peer.value)
    if found is None and (earlier := _repeated(db, account, message, now=now)) is not None:
        return earlier
    if found is None:
        found = conversations.begin(
            db,
            account.id,
            peer_kind=peer.kind,
            peer=peer.value,
            others=others,
            profile_name=message.profile_name or None,
            now=now,
        )
    elif others:
        found = joining.told(db, found, others, now=now)
    for part in message.parts:
        if isinstance(part, System) and part.address is not None:
            found = _at_new_address(db, found, part.address, now=now)
    return found


def _repeated(db: Db, account: Account, message: InboundMessage, *, now: datetime) -> Context | None:
    """The conversation of a message that comes once more, when it is with another address of theirs by now; else None."""
    if message.sent_at is None or now - message.sent_at < _ONCE_MORE:
        return None
    kept = messages.id_of(db, account.id, message.provider_id)
    if kept is None:
        return None
    return conversations.by_id(db, Actor(account.tenant_id, "system"), messages.received(db, kept).conversation_id)


def _at_new_address(db: Db, context: Context, new: Address, *, now: datetime) -> Context:
    """The conversation, which is with that address of theirs from now on, unless that is somebody else's."""
    taken = customers.know_also(db, context.tenant_id, context.customer_id, [(new.kind, new.value)], now=now)
    if taken or not conversations.move(db, context.id, peer_kind=new.kind, peer=new.value):
        return context
    return conversations.by_id(db, Actor(context.tenant_id, "system"), context.id)


def _routed(
    db: Db, context: Context, broadcast_id: int, *, heard_at: datetime, now: datetime
) -> tuple[Context, broadcasts.Routed]:
    """The conversation of whoever answers a broadcast, in the hands that it names; and what the answer begins. Who is in the
    middle of something goes on with that.
    """
    routed = broadcasts.routed(db, context.id, broadcast_id, heard_at=heard_at)
    if bots.is_amid(context, now):
        return context, broadcasts.Routed()
    if routed.to != "inbox" or context.owner != "bot":
        return context, routed
    conversations.to_queue(db, Actor(context.tenant_id, "system"), context.id, reason="broadcast_reply", now=now)
    assignment.entered(db, context.tenant_id, context.id, now=now)
    return replace(context, owner="queue"), routed


def _keep(db: Db, context: Context, message: InboundMessage, *, now: datetime) -> int | None:
    is_plain = len(message.parts) == 1 and isinstance(message.parts[0], Text) and not _beside(message)
    message_id = messages.add_in(
        db,
        tenant_id=context.tenant_id,
        account_id=context.account_id,
        conversation_id=context.id,
        provider_id=message.provider_id,
        text=message.text,
        content=None if is_plain else _content(message),
        raw=None if is_plain else message.raw,
        sent_at=message.sent_at,
        is_whole=is_plain or not waits_for_words(message),
        is_notice=_says_nothing(message),
        now=now,
    )
    if not is_plain and message_id is not None:
        files.expect(
            db,
            tenant_id=context.tenant_id,
            account_id=context.account_id,
            message_id=message_id,
            files=expected(message.parts),
            visitor=context.peer,
            now=now,
        )
        ordered.to_team(db, context, message.parts, now=now)
    return message_id


def _content(message: InboundMessage) -> Sequence[JsonValue]:
    return parts_to_json((*message.parts, *_beside(message)))


def _beside(message: InboundMessage) -> tuple[Part, ...]:
    """What is to be kept of a message besides what it says."""
    if not (message.reply_to or message.forwarded or message.referral):
        return ()  # nearly every message
    quote = (Quote(message.reply_to),) if message.reply_to else ()
    forwarded = (Forwarded(message.frequently_forwarded),) if message.forwarded else ()
    return (*quote, *forwarded, *((message.referral,) if message.referral else ()))


def _whole(db: Db, account: Account, message_id: int, words: str, *, is_told: bool, now: datetime) -> _Kept | None:
    """The message that waits for its words, with them; its conversation is open again if somebody closed it meanwhile.
    None when there is no such message any more.

    Raises: NotFound
    """
    where = messages.received(db, message_id).conversation_id
    context = conversations.by_id(db, Actor(account.tenant_id, "system"), where)
    kept = messages.received(db, message_id)  # whoever had the conversation before us may have erased it
    parts = parts_from_json(kept.content if isinstance(kept.content, list) else ())
    if written.place_in(parts) is None:
        return None
    if context.status != "open":
        conversations.reopen(db, Actor(context.tenant_id, "customer"), context.id, now=now)
    message = InboundMessage(
        kept.provider_id or "",
        Address(cast(AddressKind, context.peer_kind), context.peer),
        account.sender,
        tuple(part for part in parts if not isinstance(part, Quote | Forwarded | Referral)),
        reply_to=next((part.target for part in parts if isinstance(part, Quote)), None),
        sent_at=kept.sent_at,
        forwarded=any(isinstance(part, Forwarded) for part in parts),
        frequently_forwarded=any(isinstance(part, Forwarded) and part.frequently for part in parts),
        referral=next((part for part in parts if isinstance(part, Referral)), None),
    )
    if words:
        message = replace(message, parts=written.with_words(message.parts, words))
    messages.whole(db, message_id, message.text, _content(message), is_told=is_told, now=now)
    return _Kept(context, message_id, message)


def expected(parts: Sequence[object]) -> list[files.Expected]:
    """The files among the parts of a message."""
    return [
        files.Expected(
            place,
            part.kind,
            part.name,
            part.content_type,
            is_there=bool(part.url or part.media_id),
            uid=part.file,
        )
        for place, part in enumerate(parts)
        if isinstance(part, Media)
    ]


def _heard_at(context: Context, message: InboundMessage, now: datetime) -> datetime:
    """When they last wrote, from which the provider counts its 24 hours: what it repeats for days was not written today.
    Clocks differ, so never later than now, and what came late does not take back what came before.
    """
    written_at = now if message.sent_at is None else min(message.sent_at, now)
    return written_at if context.last_in_at is None else max(written_at, context.last_in_at)


def _keep_flow(db: Db, context: Context, *, heard_at: datetime, language: str | None = None) -> None:
    """The bot does not answer: the message waits for a person. `language` is the one of the conversation, if it has told."""
    conversations.touch(db, context, last_in_at=heard_at, unread=1, language=language)


def _to_people(
    db: Db, channel: Channel, context: Context, message_id: int, *, why: str = "", now: datetime
) -> tuple[OutboundMessage, ...]:
    """A message that people are to answer, and what is said by itself meanwhile. Where no bot speaks, all of them are; else
    `why` says the reason.
    """
    if context.is_out and context.owner == "bot":
        return ()
    if context.owner == "bot":
        why = why or ("no_bot" if channel.account.is_active else "channel_paused")
        conversations.to_queue(db, Actor(context.tenant_id, "system"), context.id, reason=why, now=now)
        context = replace(context, owner="queue")
        assignment.entered(db, context.tenant_id, context.id, now=now)
    answer = arriving.heard(db, context, now=now)
    if answer is None or not channel.account.is_active or messages.id_of_dedupe(db, answer.dedupe) is not None:
        return ()
    piece = OutboundMessage(answer.text)
    channel = channel.saying([piece])
    said = _say(db, channel, context, piece, message_id=message_id, author="system", dedupe=answer.dedupe, now=now)
    return (said,) if channel.inline else ()


def _again(db: Db, context: Context, message: InboundMessage) -> Taken:
    first = messages.id_of(db, context.account_id, message.provider_id)
    rows = messages.replies_of(db, first) if first is not None else []
    by_request = outbox.among(db, [row.id for row in rows])  # said by a request of ours, not in the first one's answer
    replies = tuple(_outbound(row) for row in rows if row.id not in by_request)
    return Taken(context.id, first or 0, replies, {}, is_duplicate=True)


def _outbound(row: messages.Message) -> OutboundMessage:
    if row.content is None:
        return OutboundMessage(row.text, reference=row.uid)
    return OutboundMessage.from_json(row.content)


def _bot(db: Db, registry: Registry, channel: Channel, context: Context) -> LoadedBot | None:
    """Who speaks for us there; None when nobody does, or the bot is switched off, or the channel is paused."""
    if context.bot_id is None or not channel.account.is_active:
        return None
    try:
        return registry.get(db, context.bot_id, business_id=context.business_id, revision=context.business_revision)
    except NotFound:
        return None


def _answer(
    db: Db,
    channel: Channel,
    context: Context,
    result: bots.TurnResult,
    *,
    message_id: int | None,
    heard_at: datetime | None = None,
    use: Use | None = None,
    about: tuple[int, int] | None = None,
    unsaid: Unsaid | None = None,
    now: datetime,
) -> Taken:
    replies = result.replies
    if channel.is_aloud:
        replies = tuple(aloud(reply, result.speaks) for reply in replies)
    pieces = [piece for reply in replies for piece in render(reply, channel.capabilities)]
    channel = channel.saying(pieces)
    said = tuple(
        _say(db, channel, context, piece, message_id=message_id, use=use, about=about, unsaid=unsaid, now=now)
        for piece in pieces
    )
    conversations.save_turn(
        db,
        context.id,
        flow=result.flow,
        silence_due_at=result.silence_due_at,
        flow_expires_at=result.flow_expires_at,
        language=result.language,
        last_in_at=heard_at,
        last_out_at=now if said and unsaid is None else None,
    )
    if result.is_handed_over:
        assignment.entered(db, context.tenant_id, context.id, now=now)
    return Taken(
        context.id,
        message_id or 0,
        said if channel.inline else (),
        result.log,
        asks=result.asks,
        is_private=result.is_private,
        written="\n".join(reply.text for reply in result.replies) if channel.is_aloud else "",
        is_handed_over=result.is_handed_over,
        language=result.speaks,
        waits=result.waits,
    )


def _say(
    db: Db,
    channel: Channel,
    context: Context,
    piece: OutboundMessage,
    *,
    message_id: int | None,
    author: messages.Author = "bot",
    dedupe: str | None = None,
    use: Use | None = None,
    about: tuple[int, int] | None = None,
    unsaid: Unsaid | None = None,
    now: datetime,
) -> OutboundMessage:
    """Keep one reply; it goes out in the webhook's answer, or by the outbox, or not now.

    Its own id is its reference: news about it carries that, since an answer to a webhook has no provider id yet.
    """
    uid = new_uid()
    piece = OutboundMessage(piece.text, reference=uid) if piece.is_plain else replace(piece, reference=uid)
    row_id = messages.add_out(
        db,
        tenant_id=context.tenant_id,
        account_id=context.account_id,
        conversation_id=context.id,
        uid=uid,
        author=author,
        text=piece.text,
        content=None if piece.is_plain else piece.to_json(),
        status="accepted"
        if channel.inline
        else "queued"
        if unsaid is None
        else "parked"
        if unsaid.is_kept
        else "refused",
        error_code=unsaid.refusal.code if unsaid else None,
        error_text=unsaid.refusal.reason if unsaid else None,
        turn_id=message_id,
        dedupe=dedupe,
        use=use,
        about=about,
        now=now,
    )
    if not channel.inline and row_id is not None and unsaid is None:
        outbox.put(db, channel.account, row_id, now=now)
    return piece


def _opt_out(channel: Channel, message: InboundMessage, context: Context) -> Word | None:
    """STOP, START or HELP, by the provider's word or our own list; in a web chat these are words like any other. What is said of
    offers alone counts wherever it is written.
    """
    word = optout.find(message.text)
    if message.opt_out is not None:
        languages = word.languages if word is not None else ("en",)
        return Word(message.opt_out, languages, is_answer=False, is_carriers=True)
    if word is not None and word.purpose == "marketing":
        return None if channel.is_aloud else word
    if word is not None and word.is_answer and any(isinstance(part, Order) for part in message.parts):
        return None  # "yes" beside what they order answers nothing; STOP is STOP there too
    carrier = channel.capabilities.carrier_opt_out
    if word is None or (not carrier and channel.account.channel != "whatsapp"):
        return None
    if word.meaning == "start" and word.is_answer and not context.is_out:
        return None  # "yes" to somebody who never stopped us is just that
    is_active = context.flow is not None and not context.is_out
    return word if optout.counts(word, active=is_active, carrier=carrier) else None


def _consent(
    db: Db,
    channel: Channel,
    context: Context,
    message: InboundMessage,
    message_id: int,
    word: Word,
    *,
    now: datetime,
) -> Taken:
    """Write it down, and say what the law wants, unless the carrier or the provider has said it by itself."""
    is_answered = message.answered_by_provider or (word.is_carriers and _carrier_answers(db, channel, context, word))
    asked: legal.Word = word.meaning
    if word.purpose == "marketing" and word.meaning != "help":
        # Who has stopped everything is told that this still holds.
        asked = "stop" if context.is_out else "stop_offers" if word.meaning == "stop" else "start_offers"
    if word.meaning in ("stop", "start"):
        consent.record(
            db,
            tenant_id=context.tenant_id,
            account_id=context.account_id,
            kind=context.peer_kind,
            value=context.peer,
            customer_id=context.customer_id,
            purpose=word.purpose,
            state="out" if word.meaning == "stop" else "in",
            source="provider" if message.opt_out else "keyword",
            message_id=message_id,
            now=now,
        )
    if word.meaning == "stop" and context.broadcast_id is not None:
        broadcasts.overtaken(db, context.id)  # that was the answer to it
    known = _languages(context)
    is_telling = not known and len(word.languages) == 1 and word.languages != ("en",)
    language = word.languages[0] if is_telling else None
    _keep_flow(db, context, heard_at=_heard_at(context, message, now), language=language)
    facts: Mapping[str, JsonValue] = {"opt_out": asked}
    if is_answered:
        return Taken(context.id, message_id, (), facts)
    text = legal.answer(db, context.business_id, asked, asked_in=word.languages, known=known)
    piece = OutboundMessage(text)
    channel = channel.saying([piece])
    said = _say(db, channel, context, piece, message_id=message_id, author="system", use="legal", now=now)
    return Taken(context.id, message_id, (said,) if channel.inline else (), facts)


def _carrier_answers(db: Db, channel: Channel, context: Context, word: Word) -> bool:
    """Whether the carrier answers this word of its own: on US and Canadian numbers and short codes, and START only to whoever
    it has shut out, which it has not done at a word of ours or what people of the business wrote down.
    """
    if not channel.capabilities.carrier_opt_out or phone.region_of(channel.account.address) not in ("US", "CA"):
        return False
    if word.meaning != "start":
        return True
    refused = consent.refused_with(db, context.account_id, context.peer_kind, context.peer)
    if refused is None:
        return False
    source, words = refused
    said = optout.find(words)
    return source == "provider" or (said is not None and said.is_carriers)


def _languages(context: Context) -> tuple[str, ...]:
    """Those that are known of them, the one of the conversation first."""
    return tuple(one[:2].lower() for one in (context.language, context.customer_language) if one)
