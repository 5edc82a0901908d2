"""What people write from the inbox: checked, kept and put into the outbox in one transaction, with the word taken."""

import ipaddress
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import update

from channels import fitting
from channels.base import Capabilities
from channels.messages import Contact, Location, Media, MediaKind, OutboundMessage, Reaction, Template
from channels.render import render
from desk import audit, conversations, customer_book, customers, files, live, messages, refs, sending
from desk.conversations import Context
from desk.errors import Invalid, NotFound, Stale, WrongState
from desk.inbox import notes, reads, sla, thread
from desk.inbox.thread import Line
from desk.refs import Ref
from desk.who import Actor
from gateway.pipeline import outbox, parked, ways
from gateway.pipeline.ways import Adapters
from gateway.voice.taking import Caller, on_line
from storage.base import Db
from storage.models.accounts import accounts
from storage.models.conversations import conversations as conversation_table
from storage.models.conversations import messages as message_table

_FARTHEST: Final = timedelta(days=366)  # ahead, for a message that is to go out later


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person wants to say. `media` are ids of files that were sent here, or addresses that everybody can fetch; with
    a `template`, the one file in its header. Of that, `text` is the wording for people, and what is said where there are no
    templates. `reply_to` and the target of a `reaction` are ids of messages of the same conversation; a reaction stands
    alone.

    `private`: a note for colleagues; `mentions` are ids or e-mails of those who are told. `client_id`: said twice under
    the same name it is said once. `expected_version` is the `owner_version` that the person saw; `force` says that they
    know of the colleague who has the conversation.
    """

    text: str = ""
    media: tuple[str, ...] = ()
    template: Template | None = None
    location: Location | None = None
    contact: Contact | None = None
    reply_to: str | None = None
    reaction: Reaction | None = None
    private: bool = False
    mentions: tuple[str, ...] = ()
    send_at: datetime | None = None
    client_id: str | None = None
    expected_version: int | None = None
    force: bool = False


def send(db: Db, who: Actor, adapters: Adapters, ref: Ref, wanted: Wanted, *, now: datetime) -> Line:
    """The message, on its way, waiting for its time or (where only templates may be sent) for the customer, refused with
    the reason, or kept as a note.

    Who writes first takes the conversation over: the bot is silent from now on. Where it talks with a caller just now, it
    says what they write, and nothing is sent. A text longer than the channel carries goes out as several messages, of
    which this is the first.

    Raises:
        NotFound, Invalid: what was given cannot be used, or the channel cannot carry it.
        Collision: a colleague has the conversation.
        Stale: somebody took it since `expected_version`.
    """
    row = refs.row(db, conversation_table, who, ref, "conversation")
    conversation_id = row.id
    # What this locks is locked before its conversation, everywhere.
    caller = on_line(db, conversation_id, row.channel)
    context = conversations.by_id(db, who, conversation_id)
    dedupe = f"staff:{conversation_id}:{wanted.client_id}" if wanted.client_id else None
    if dedupe is not None and (known := messages.id_of_dedupe(db, dedupe)) is not None:
        return thread.by_id(db, who, known)
    if wanted.private:
        return _note(db, who, context, wanted, dedupe, now=now)
    if wanted.mentions:
        raise Invalid("mentions", "Only a private note names colleagues.")
    able = ways.able(adapters, context.provider, context.channel)
    pieces = _pieces(db, who, context, wanted, able)
    if wanted.send_at is not None:
        return _later(db, who, context, pieces, wanted, dedupe, now=now)
    if caller is not None:
        return _aloud(db, who, context, caller, pieces, wanted, dedupe, now=now)
    refusal = ways.refusal(db, ways.of(context), able, is_template=wanted.template is not None, now=now)
    if refusal is not None and refusal.code == sending.WINDOW_CLOSED:
        _claim(db, who, context, wanted, now=now)
        return thread.by_id(db, who, ways.wait(db, who, context, pieces, dedupe, refusal=refusal, now=now)[0])
    if refusal is not None:
        kept = ways.keep(db, who, context, pieces[0], "refused", dedupe, refusal=refusal, now=now)
        return thread.by_id(db, who, kept)
    _claim(db, who, context, wanted, now=now)
    ids = []
    for number, piece in enumerate(pieces):
        name = f"{dedupe}#{number}" if dedupe and number else dedupe
        ids.append(ways.keep(db, who, context, piece, "queued", name, now=now))
        outbox.post(db, context.tenant_id, context.account_id, ids[-1], now=now)
    answered(db, who, context, ids[-1], now=now)
    return thread.by_id(db, who, ids[0])


def start(
    db: Db, who: Actor, adapters: Adapters, *, customer: Ref, account: Ref, wanted: Wanted, now: datetime
) -> Line:
    """The first message to a customer over one of our numbers; in the conversation with them, if there is one already.

    Raises: as `send`, and IdentityTaken when their number is known as another customer's
    """
    number = refs.row(db, accounts, who, account, "channel")
    if number.disconnected_at is not None:
        raise NotFound("channel", account)
    person = customers.get(db, who, customer_book.row_of(db, who, customer).id)
    kind, value = ways.address(db, who, number.channel, person, now=now)
    context = conversations.begin(db, number.id, peer_kind=kind, peer=value, now=now)
    return send(db, who, adapters, context.id, wanted, now=now)


def retry(db: Db, who: Actor, adapters: Adapters, ref: Ref, *, now: datetime) -> Line:
    """A message that did not get through, tried again; refused again when we still may not send it.

    Raises: NotFound; WrongState, for one that is not known to have failed
    """
    line = thread.get(db, who, ref)
    context = conversations.by_id(db, who, line.conversation_id)
    if line.direction != "out" or line.is_private or line.status not in messages.LOST:
        raise WrongState("message", line.id, line.status, "Only a message that did not get through is sent again.")
    able = ways.able(adapters, context.provider, context.channel)
    is_template = isinstance(line.content, Mapping) and "template" in line.content
    refusal = ways.refusal(db, ways.of(context), able, is_template=is_template, now=now)
    if refusal is not None and refusal.code == sending.WINDOW_CLOSED:
        parked.keep(db, line.id, refusal, is_told=True, now=now)
        return thread.by_id(db, who, line.id)
    if refusal is not None:
        messages.give_up(db, line.id, "refused", code=refusal.code, text=refusal.reason)
        return thread.by_id(db, who, line.id)
    earlier = outbox.earlier_ids(db, line.id)
    fresh = {"status": "queued", "error_code": None, "error_text": None, "provider_id": None}
    db.execute(update(message_table).where(message_table.c.id == line.id).values(**fresh))
    outbox.post(db, line.tenant_id, line.account_id, line.id, now=now, earlier_ids=earlier)
    _note_change(db, who, line, "message.retried", now=now)
    return thread.by_id(db, who, line.id)


def cancel(db: Db, who: Actor, ref: Ref, *, now: datetime) -> Line:
    """A message that was to go out later, or when the customer writes again, stays here.

    Raises: NotFound; WrongState, when it is not waiting any more
    """
    line = _waiting(db, who, ref, "scheduled", "held", parked.STATUS)
    gone = {"status": "canceled", "error_code": None, "error_text": None}
    db.execute(update(message_table).where(message_table.c.id == line.id).values(**gone))
    _note_change(db, who, line, "message.canceled", now=now)
    return thread.by_id(db, who, line.id)


def move(db: Db, who: Actor, ref: Ref, *, send_at: datetime, now: datetime) -> Line:
    """A message that was to go out later does so at another time.

    Raises: NotFound; WrongState, when it is not waiting any more; Invalid
    """
    _to_come(send_at, now)
    line = _waiting(db, who, ref, "scheduled", "held")
    db.execute(update(message_table).where(message_table.c.id == line.id).values(scheduled_for=send_at))
    outbox.post(db, line.tenant_id, line.account_id, line.id, now=now, run_at=send_at)
    _note_change(db, who, line, "message.moved", now=now)
    return thread.by_id(db, who, line.id)


def answered(db: Db, who: Actor, context: Context, message_id: int, *, now: datetime) -> None:
    """What a person has said to a customer, up to `message_id`, answers all that they had said."""
    c = conversation_table.c
    db.execute(update(conversation_table).where(c.id == context.id).values(last_out_at=now, unread_count=0))
    sla.answered(db, context.id, now=now)
    reads.mark(db, who, context.id, message_id, now=now)


def _aloud(
    db: Db,
    who: Actor,
    context: Context,
    caller: Caller,
    pieces: tuple[OutboundMessage, ...],
    wanted: Wanted,
    dedupe: str | None,
    *,
    now: datetime,
) -> Line:
    """Who talks with the bot hears it, and nothing is sent."""
    _claim(db, who, context, wanted, now=now)
    is_first = context.owner != "staff" or context.owner_user_id != who.user_id
    ids: list[int] = []
    for number, piece in enumerate(pieces):
        name = f"{dedupe}#{number}" if dedupe and number else dedupe
        ids.append(ways.keep(db, who, context, piece, "accepted", name, now=now))
        caller.hears(db, piece.text, ids[-1], is_first=is_first and not number, now=now)
    answered(db, who, context, ids[-1], now=now)
    return thread.by_id(db, who, ids[0])


def _note(db: Db, who: Actor, context: Context, wanted: Wanted, dedupe: str | None, *, now: datetime) -> Line:
    more = wanted.media, wanted.template, wanted.location, wanted.contact, wanted.reply_to, wanted.reaction
    if any(more) or wanted.send_at:
        raise Invalid("private", "A note is text alone, and is there at once.")
    if not wanted.text.strip():
        raise Invalid("text", "Write something.")
    note_id = notes.add(db, who, context, wanted.text, names=wanted.mentions, dedupe=dedupe, now=now)
    assert note_id is not None  # noqa: S101  looked for under the conversation's lock
    return thread.by_id(db, who, note_id)


def _later(
    db: Db,
    who: Actor,
    context: Context,
    pieces: tuple[OutboundMessage, ...],
    wanted: Wanted,
    dedupe: str | None,
    *,
    now: datetime,
) -> Line:
    """Keep it until its time; nobody takes the word before that, nor then."""
    assert wanted.send_at is not None  # noqa: S101  the caller has looked
    _to_come(wanted.send_at, now)
    if len(pieces) > 1:
        raise Invalid("text", "This is too long for one message, and only one can be sent later.")
    if context.owner == "staff" and context.owner_user_id != who.user_id and not wanted.force:
        raise conversations.collision(db, context)
    message_id = ways.keep(db, who, context, pieces[0], "scheduled", dedupe, send_at=wanted.send_at, now=now)
    outbox.post(db, context.tenant_id, context.account_id, message_id, now=now, run_at=wanted.send_at)
    return thread.by_id(db, who, message_id)


def _claim(db: Db, who: Actor, context: Context, wanted: Wanted, *, now: datetime) -> None:
    """The word is theirs who write; a program takes it from nobody."""
    is_anothers = context.owner == "staff" and context.owner_user_id != who.user_id
    if is_anothers and not wanted.force:
        raise conversations.collision(db, context)
    if wanted.expected_version not in (None, context.owner_version):
        raise Stale("conversation", context.id, context.owner_version)
    if context.status != "open":
        conversations.reopen(db, who, context.id, now=now)
    if who.user_id is not None:
        conversations.take_over(
            db,
            who,
            context.id,
            user_id=who.user_id,
            reason="forced" if is_anothers else "wrote_first",
            now=now,
        )


def _pieces(db: Db, who: Actor, context: Context, wanted: Wanted, able: Capabilities) -> tuple[OutboundMessage, ...]:
    if wanted.template is not None:
        return _in_template(db, who, wanted, able)
    if wanted.reaction is not None:
        return (_reaction(db, context, wanted, wanted.reaction, able),)
    media = _media(db, who, wanted, able)
    if media and not able.media_max:
        raise Invalid("media", "This channel carries no files.")
    if len(media) > able.media_max:
        raise Invalid("media", f"This channel carries at most {able.media_max} files in one message.")
    quoted = "" if wanted.reply_to is None else _target(db, context, wanted.reply_to, able, "reply_to")
    said = OutboundMessage(wanted.text, media=media, location=wanted.location, contact=wanted.contact, reply_to=quoted)
    pieces = render(said, able)
    if not pieces:
        raise Invalid("text", "Write something.")
    return pieces


def _media(db: Db, who: Actor, wanted: Wanted, able: Capabilities) -> tuple[Media, ...]:
    """The files, as the channel carries them; one for a template's header stays what it is."""
    files = []
    for place, one in enumerate(wanted.media):
        field = f"media.{place}"
        try:
            files.append(fitting.fit(_file(db, who, one, field), able, as_it_is=wanted.template is not None))
        except fitting.Unfit as unfit:
            raise Invalid(field, str(unfit)) from None
    try:
        fitting.fit_together(files, able)
    except fitting.Unfit as unfit:
        raise Invalid("media", str(unfit)) from None
    return tuple(files)


def _reaction(db: Db, context: Context, wanted: Wanted, reaction: Reaction, able: Capabilities) -> OutboundMessage:
    if wanted.text.strip() or wanted.media or wanted.location or wanted.contact or wanted.reply_to:
        raise Invalid("reaction", "A reaction stands alone; send what you have to say besides as another message.")
    if not able.reactions:
        raise Invalid("reaction", "This channel carries no reactions.")
    target = _target(db, context, reaction.target, able, "reaction.message_id")
    return OutboundMessage(reaction=Reaction(target, reaction.emoji))


def _target(db: Db, context: Context, uid: str, able: Capabilities, field: str) -> str:
    """By which name the channel knows the message that is quoted, or reacted to; empty where it can do neither.

    Raises: Invalid
    """
    found = messages.quotable(db, context.id, uid)
    if found is None:
        raise Invalid(field, "There is no such message in this conversation.")
    if able.knows_by_our_ids:
        return uid
    if found.provider_id is None and (able.reactions or able.quotes):
        raise Invalid(field, "The provider has not taken this message yet; please try again in a moment.")
    return found.provider_id or ""


def _in_template(db: Db, who: Actor, wanted: Wanted, able: Capabilities) -> tuple[OutboundMessage, ...]:
    assert wanted.template is not None  # noqa: S101  the caller has looked
    if wanted.media and able.templates and not able.template_file:
        raise Invalid("media", "A template brings its own files.")
    if len(wanted.media) > 1:
        raise Invalid("media", "A template has one file at most, in its header.")
    if wanted.reaction or wanted.location or wanted.contact or wanted.reply_to:
        raise Invalid("template", "A template goes alone.")
    if not able.templates and not wanted.text.strip():
        raise Invalid("template", "This channel has no templates; write what it says as text.")
    if wanted.media and not able.media_max:
        raise Invalid("media", "This channel carries no files.")
    media = _media(db, who, wanted, able)
    return render(OutboundMessage(wanted.text or wanted.template.name, media=media, template=wanted.template), able)


def _file(db: Db, who: Actor, wanted: str, field: str) -> Media:
    """A file that was sent here before, or one behind an address."""
    if not _UUID.fullmatch(wanted):
        return _file_at(wanted, field)
    found = files.get_ready(db, who, wanted, field=field)
    kind: MediaKind = _KIND_OF.get(found.kind, "document")
    return Media(kind, file=found.uid, content_type=found.content_type, name=found.name, size=found.size)


def _file_at(url: str, field: str) -> Media:
    """A file behind a public https address; who fetches it is the provider, so it must be one that anybody can reach."""
    try:
        parts = urlsplit(url)
        host, has_user = parts.hostname or "", "@" in parts.netloc
    except ValueError:
        raise Invalid(field, "This is no address of a file.") from None
    if parts.scheme != "https" or not host or has_user or not url.isprintable() or " " in url:
        raise Invalid(field, "Give an address that begins with https:// and that anybody can open.")
    try:
        is_public = ipaddress.ip_address(host).is_global
    except ValueError:
        is_public = "." in host.strip(".") and not host.rstrip(".").endswith((".localhost", ".local", ".internal"))
    if not is_public:
        raise Invalid(field, "Give an address that begins with https:// and that anybody can open.")
    content_type = mimetypes.guess_type(parts.path)[0] or ""
    name = parts.path.rpartition("/")[2][:200]
    return Media(
        _KIND_OF.get(content_type.partition("/")[0], "document"), url=url, content_type=content_type, name=name
    )


def _waiting(db: Db, who: Actor, ref: Ref, *statuses: str) -> Line:
    """A message that waits like this, taken out of the outbox."""
    conversations.by_id(db, who, thread.get(db, who, ref).conversation_id)
    line = thread.get(db, who, ref)  # as it is under the lock: it may just have been sent
    is_waiting = line.status in statuses and (line.status == parked.STATUS or outbox.withdraw(db, line.id))
    if not is_waiting:
        raise WrongState("message", line.id, line.status, "This message does not wait to be sent later (any more).")
    return line


def _to_come(send_at: datetime, now: datetime) -> None:
    if not now < send_at <= now + _FARTHEST:
        raise Invalid("send_at", "Choose a time that is still to come, within a year.")


def _note_change(db: Db, who: Actor, line: Line, action: str, *, now: datetime) -> None:
    audit.record(db, who, action, "message", line.id, {"status": line.status}, None, now, uid=line.uid)
    live.changed(db, line.tenant_id, line.conversation_id, "status", message_id=line.id)


_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_KIND_OF: Final[Mapping[str, MediaKind]] = {"image": "image", "video": "video", "audio": "audio"}
