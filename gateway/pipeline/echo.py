"""What a person of the business wrote from the channel's own app, such as WhatsApp on the shop's phone.

It is kept like anything else that was said, and whoever picks up the shop's phone has taken the conversation over.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select

from channels.messages import (
    Contact,
    Echo,
    Edit,
    Location,
    Media,
    OutboundMessage,
    Reaction,
    Revoke,
    Unsupported,
    parts_to_json,
)
from desk import conversations, files, joining, messages, revisions
from desk.conversations import Context
from desk.who import Actor
from gateway.accounts import Account
from gateway.pipeline import outbox, staff, turn
from storage.base import Db
from storage.models.tenants import users


def take(db: Db, account: Account, event: Echo, *, now: datetime) -> str:
    """kept, and the bot is silent from now on; known when it was told before, ours when we have sent it ourselves."""
    peer = event.recipient
    context = conversations.meet(db, account.id, peer_kind=peer.kind, peer=peer.value, now=now)
    if messages.id_of(db, account.id, event.provider_id) is not None:
        return "known"
    if others := [(one.kind, one.value) for one in event.other_recipients]:
        context = joining.told(db, context, others, now=now)
    if changes := [part for part in event.parts if isinstance(part, Edit | Revoke)]:
        _revise(db, context, changes, at=min(event.sent_at or now, now), now=now)
        _note(db, context, event, f"From the phone: {revisions.notice(parts_to_json(_wordless(changes)))}", now=now)
        return "kept"
    if (ours := _on_its_way(db, context, event)) is not None:  # the echo has overtaken the answer to our request
        messages.attach_provider_id(db, ours, event.provider_id, "sent")
        return "ours"
    who = _whoever_has_the_phone(db, context)
    if context.status != "open":
        conversations.reopen(db, who, context.id, now=now)
    _take_over(db, who, context, now=now)
    said = _said(event)
    if said == OutboundMessage(reply_to=said.reply_to):  # a bubble with nothing in it would say that they wrote nothing
        kind = next((part.raw_type for part in event.parts if isinstance(part, Unsupported)), "")
        seen = f"From the phone: something that cannot be shown here{f' ({kind})' if kind else ''}."
        staff.answered(db, who, context, _note(db, context, event, seen, now=now), now=now)
        return "kept"
    message_id = messages.add_out(
        db,
        tenant_id=context.tenant_id,
        conversation_id=context.id,
        account_id=context.account_id,
        author="staff",
        user_id=who.user_id,
        text=said.text,
        content=said.to_json() if said != OutboundMessage(said.text) else None,
        status="accepted",
        now=now,
    )
    assert message_id is not None  # noqa: S101  without `dedupe` nothing keeps it
    messages.attach_provider_id(db, message_id, event.provider_id, "sent")
    files.expect(
        db,
        tenant_id=context.tenant_id,
        account_id=context.account_id,
        message_id=message_id,
        files=turn.expected(said.media),
        now=now,
    )
    staff.answered(db, who, context, message_id, now=now)
    return "kept"


def _on_its_way(db: Db, context: Context, event: Echo) -> int | None:
    """The message that we are sending just now and that this is. What has a form that we do not read (a template, a list)
    is taken for it: within the moment of a request nobody writes such a thing by hand.
    """
    is_unread = all(isinstance(part, Unsupported) for part in event.parts)
    under_way = outbox.under_way(db, context.id)
    return next((message_id for message_id, text in under_way if is_unread or text.strip() == event.text.strip()), None)


def _revise(db: Db, context: Context, changes: Sequence[Edit | Revoke], *, at: datetime, now: datetime) -> None:
    for part in changes:
        said = revisions.Said(context.account_id, context.customer_id, "out", part.target)
        if isinstance(part, Edit):
            revisions.change(db, said, part.text, at=at, now=now)
        else:
            revisions.take_back(db, said, at=at, now=now)


def _wordless(changes: Sequence[Edit | Revoke]) -> list[Edit | Revoke]:
    """So that a note does not keep what is taken back later."""
    return [replace(part, text="") if isinstance(part, Edit) else part for part in changes]


def _note(db: Db, context: Context, event: Echo, text: str, *, now: datetime) -> int:
    """What is for colleagues to see and was said to nobody; it is known by the provider's id when that tells it again."""
    message_id = messages.add_note(
        db,
        tenant_id=context.tenant_id,
        conversation_id=context.id,
        account_id=context.account_id,
        text=text,
        now=now,
    )
    messages.known_as(db, message_id, event.provider_id)
    return message_id


def _said(event: Echo) -> OutboundMessage:
    """The same as if it had gone out through us."""
    files = [part for part in event.parts if isinstance(part, Media)]
    return OutboundMessage(
        event.text,
        media=tuple(replace(file, caption="") for file in files),
        location=next((part for part in event.parts if isinstance(part, Location)), None),
        contact=next((part for part in event.parts if isinstance(part, Contact)), None),
        reaction=next((part for part in event.parts if isinstance(part, Reaction)), None),
        reply_to=event.reply_to or "",
    )


def _whoever_has_the_phone(db: Db, context: Context) -> Actor:
    """The person who has the conversation already, else the owner of the business: the phone does not say who holds it."""
    if context.owner == "staff":
        return Actor(context.tenant_id, "staff", context.owner_user_id)
    u = users.c
    wanted = select(u.id).where(u.tenant_id == context.tenant_id, u.role == "owner", u.is_active.is_(True))
    owner = db.execute(wanted.order_by(u.id).limit(1)).scalar_one_or_none()
    return Actor(context.tenant_id, "staff", owner) if owner is not None else Actor(context.tenant_id, "system")


def _take_over(db: Db, who: Actor, context: Context, *, now: datetime) -> None:
    if context.owner == "staff":
        return
    if who.user_id is not None:
        conversations.take_over(db, who, context.id, user_id=who.user_id, reason="wrote_from_phone", now=now)
    else:
        conversations.to_queue(db, who, context.id, reason="wrote_from_phone", now=now)
