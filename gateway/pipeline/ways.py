"""The ways to a customer: over which channel and address we reach them, whether we may, and a message put on its way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, and_, bindparam, select, update

from channels.base import Adapter, Capabilities
from channels.messages import OutboundMessage
from channels.render import in_template, render
from desk import audit, consent, conversations, customers, files, messages, phone, sending
from desk.conversations import Context
from desk.errors import IdentityTaken, Invalid
from desk.who import Actor
from gateway.accounts import window_template
from gateway.pipeline import outbox, parked
from storage.base import Db, new_uid
from storage.models import customers as customer_models
from storage.models.accounts import accounts
from storage.models.conversations import conversations as conversation_table
from storage.prepared import Prepared

Adapters = Mapping[tuple[str, str], Adapter]

# Under which kinds of address a channel reaches somebody, the best first.
_KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "sms": ("phone", "whatsapp"),
    "whatsapp": ("whatsapp", "bsuid", "phone"),
    "web": ("web",),
    "sim": ("sim",),
}
_TELEPHONES: Final = ("phone", "whatsapp")


@dataclass(frozen=True, slots=True)
class Way:
    """An account and the address that it reaches; `last_in_at` is when they last wrote from there."""

    account_id: int
    kind: str
    value: str
    last_in_at: datetime | None


def of(context: Context) -> Way:
    """The way that a conversation goes."""
    return Way(context.account_id, context.peer_kind, context.peer, context.last_in_at)


def able(adapters: Adapters, provider: str, channel: str) -> Capabilities:
    """What the channel carries.

    Raises: Invalid
    """
    adapter = adapters.get((provider, channel))
    if adapter is None:
        raise Invalid("channel_id", "Nothing can be written over this channel.")
    return adapter.capabilities


def window(adapters: Adapters, provider: str, channel: str, last_in_at: datetime | None) -> sending.Window:
    """Until when the channel carries free text to somebody who last wrote at `last_in_at`."""
    adapter = adapters.get((provider, channel))
    return sending.Window(None if adapter is None else adapter.capabilities.session_window_h, last_in_at)


def refusal(
    db: Db, way: Way, able: Capabilities, *, is_template: bool = False, now: datetime
) -> sending.Refusal | None:
    """Why a person may not write there just now, or None."""
    window = sending.ALWAYS if is_template else sending.Window(able.session_window_h, way.last_in_at)
    allowed = sending.may_send(
        db, account_id=way.account_id, kind=way.kind, value=way.value, use="service", window=window, now=now
    )
    return allowed if isinstance(allowed, sending.Refusal) else None


def address(db: Db, who: Actor, channel: str, person: customers.Customer, *, now: datetime) -> tuple[str, str]:
    """Where that channel reaches the customer, as kind and value; from now on they are known by it.

    Raises: Invalid, IdentityTaken
    """
    found = _known(db, channel, person)
    if found is None:
        raise Invalid("channel_id", "This customer has no address on this channel.")
    kind, value, is_new = found
    if is_new:
        customers.add_identity(db, who, person.id, kind="phone", value=value, now=now)
    return kind, value


def tell(
    db: Db, who: Actor, adapters: Adapters, text: str, *, customer_id: int, business_id: int, now: datetime
) -> int | None:
    """A message that is no part of the talk, such as an invoice, over the business's best channel to the customer: the
    message, on its way or refused with the reason; None when no channel reaches them. Whoever has the word keeps it.

    The best is the one from which they wrote last, a web chat after all others (its page is soon closed). Where the time
    to answer is over the next best is taken; whoever said STOP there is not looked for elsewhere. Where it is over
    everywhere, the best one's template says it, or it waits until they write.

    Raises: IdentityTaken
    """
    person = customers.get(db, who, customer_id)
    best = _best(db, person, adapters, business_id=business_id, now=now)
    if best is None:
        return None
    row, capabilities, no = best
    kind, value = (row.peer_kind, row.peer) if row.peer is not None else address(db, who, row.channel, person, now=now)
    context = conversations.begin(db, row.account_id, peer_kind=kind, peer=value, now=now)
    pieces = render(OutboundMessage(text), capabilities)
    if no is not None and no.code == sending.WINDOW_CLOSED and (template := window_template(row.window_template)):
        pieces, no = (in_template(OutboundMessage(text), capabilities, template),), None
    if no is not None and no.code == sending.WINDOW_CLOSED:
        return wait(db, who, context, pieces, None, refusal=no, now=now)[0]
    if no is not None:
        return keep(db, who, context, pieces[0], "refused", None, refusal=no, now=now)
    ids = [keep(db, who, context, piece, "queued", None, now=now) for piece in pieces]
    for message_id in ids:
        outbox.post(db, context.tenant_id, context.account_id, message_id, now=now)
    db.execute(update(conversation_table).where(conversation_table.c.id == context.id).values(last_out_at=now))
    return ids[0]


def where_to(
    db: Db,
    who: Actor,
    adapters: Adapters,
    *,
    customer_id: int,
    business_id: int,
    asked_in: int | None,
    now: datetime,
) -> int | None:
    """The conversation in which the bot comes back to something: that in which it was asked for, unless its channel is
    disconnected or a web chat (whose page is soon closed), or the time to write there is over and nothing says it in a
    template; then the best way at which a bot answers and we may write, begun if need be; else that all the same. None:
    there is none.
    """
    before = None if asked_in is None else _ASKED_IN(db, {"conversation_id": asked_in}).one_or_none()
    if before is not None and _carries_on(db, before, adapters, now=now):
        return asked_in
    person = customers.get(db, who, customer_id)
    best = _best(db, person, adapters, business_id=business_id, asks=True, now=now)
    if best is None or (best[2] is not None and window_template(best[0].window_template) is None):
        return asked_in
    row = best[0]
    try:
        kind, value = (
            (row.peer_kind, row.peer) if row.peer is not None else address(db, who, row.channel, person, now=now)
        )
    except IdentityTaken:  # the number that they gave is somebody else's
        return asked_in
    return conversations.meet(db, row.account_id, peer_kind=kind, peer=value, now=now).id


def _carries_on(db: Db, before: Row[Any], adapters: Adapters, *, now: datetime) -> bool:
    """Whether a conversation is where one comes back to what was said in it."""
    if before.channel == "web" or before.disconnected_at is not None:
        return False
    adapter = adapters.get((before.provider, before.channel))
    if adapter is None or window_template(before.window_template) is not None:
        return True
    way = Way(before.account_id, before.peer_kind, before.peer, before.last_in_at)
    no = refusal(db, way, adapter.capabilities, now=now)
    return no is None or no.code != sending.WINDOW_CLOSED


def _best(
    db: Db, person: customers.Customer, adapters: Adapters, *, business_id: int, asks: bool = False, now: datetime
) -> tuple[Any, Capabilities, sending.Refusal | None] | None:
    """The best account to reach them over as `tell` has it, what it carries, and why it may not be used just now if it may
    not; with `asks` only where a bot answers.
    """
    best: tuple[Any, Capabilities, sending.Refusal | None] | None = None
    for row in _WAYS(db, {"customer_id": person.id, "business_id": business_id}):
        adapter = adapters.get((row.provider, row.channel))
        found = (row.peer_kind, row.peer, False) if row.peer is not None else _known(db, row.channel, person)
        if adapter is None or found is None or (asks and (row.bot_id is None or row.channel == "voice")):
            continue
        way = Way(row.account_id, found[0], found[1], row.last_in_at)
        no = refusal(db, way, adapter.capabilities, now=now)
        if best is None or no is None:
            best = row, adapter.capabilities, no
        if no is None or no is consent.OPTED_OUT:
            break
    return best


def wait(
    db: Db,
    who: Actor,
    context: Context,
    pieces: Sequence[OutboundMessage],
    dedupe: str | None,
    *,
    refusal: sending.Refusal,
    now: datetime,
) -> list[int]:
    """Messages of the people of the business that are sent when the customer writes again."""
    ids = []
    for number, piece in enumerate(pieces):
        name = f"{dedupe}#{number}" if dedupe and number else dedupe
        ids.append(keep(db, who, context, piece, parked.STATUS, name, refusal=refusal, now=now))
    return ids


def keep(
    db: Db,
    who: Actor,
    context: Context,
    piece: OutboundMessage,
    status: str,
    dedupe: str | None,
    *,
    refusal: sending.Refusal | None = None,
    send_at: datetime | None = None,
    now: datetime,
) -> int:
    """A message of the people of the business, written down as `status` says."""
    uid = new_uid()
    sources = [(place, file.file, new_uid()) for place, file in enumerate(piece.media) if file.file]
    own = {place: own for place, _, own in sources}
    media = (
        tuple(replace(file, file=own.get(place, "")) for place, file in enumerate(piece.media)) if own else piece.media
    )
    piece = replace(piece, reference=uid, media=media)
    message_id = messages.add_out(
        db,
        tenant_id=context.tenant_id,
        conversation_id=context.id,
        account_id=context.account_id,
        author="staff",
        user_id=who.user_id,
        uid=uid,
        text=piece.text,
        content=None if piece.is_plain else piece.to_json(),
        status=status,
        dedupe=dedupe,
        error_code=refusal.code if refusal else None,
        error_text=refusal.reason if refusal else None,
        scheduled_for=send_at,
        now=now,
    )
    assert message_id is not None  # noqa: S101  looked for under the conversation's lock
    files.attach(db, who, message_id, sources, now=now)
    audit.record(db, who, f"message.{status}", "message", message_id, None, {"status": status}, now, uid=uid)
    return message_id


def _known(db: Db, channel: str, person: customers.Customer) -> tuple[str, str, bool] | None:
    """Where that channel reaches the customer, as kind and value, and whether they are not known by that yet."""
    kinds = _KINDS.get(channel, ())
    found = {row.kind: row.value for row in _IDENTITIES(db, {"customer_id": person.id})}
    for kind in kinds:
        if kind in found:
            # The telephone number of a WhatsApp user is a telephone number, and the other way round.
            return (kinds[0] if kind in _TELEPHONES else kind), found[kind], False
    if "phone" in kinds and person.phone and (number := phone.canonical(person.phone)).startswith("+"):
        return kinds[0], number, True
    return None


_i = customer_models.customer_identities.c
_IDENTITIES = Prepared(select(_i.kind, _i.value).where(_i.customer_id == bindparam("customer_id")).order_by(_i.id))
_a = accounts.c
_c = conversation_table.c
_ASKED_IN = Prepared(
    select(
        _a.id.label("account_id"),
        _a.provider,
        _a.channel,
        _a.disconnected_at,
        _a.window_template,
        _c.peer_kind,
        _c.peer,
        _c.last_in_at,
    )
    .join(conversation_table, _c.account_id == _a.id)
    .where(_c.id == bindparam("conversation_id"))
)
_WAYS = Prepared(
    select(
        _a.id.label("account_id"),
        _a.provider,
        _a.channel,
        _a.bot_id,
        _a.window_template,
        _c.peer_kind,
        _c.peer,
        _c.last_in_at,
    )
    .select_from(
        accounts.outerjoin(conversation_table, and_(_c.account_id == _a.id, _c.customer_id == bindparam("customer_id")))
    )
    .where(_a.business_id == bindparam("business_id"), _a.is_active.is_(True), _a.disconnected_at.is_(None))
    .order_by(_a.channel == "web", _c.last_in_at.desc().nulls_last(), _a.id)
)
