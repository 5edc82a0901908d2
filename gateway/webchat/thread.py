"""A conversation as its visitor sees it: what both sides said, with who it was, and nothing that is private."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, select

from channels.messages import JSON, Media, OutboundMessage, Quote, Reaction, parts_from_json
from channels.split import shorten
from channels.webchat import codec
from desk import files, messages
from desk.events import rfc3339
from desk.files import File
from desk.inbox import reads
from desk.messages import Message
from desk.who import Actor
from gateway.media.links import Show, Variant
from storage.base import Db
from storage.models.conversations import conversations
from storage.models.tenants import users
from storage.prepared import Prepared

_QUOTED = 200  # characters of a message that is quoted
MOST = 100  # messages in one answer; the page asks again for more

_UNSAID = ("refused", "scheduled", "held", "parked", "canceled")
Shown = dict[str, JSON]


@dataclass(frozen=True, slots=True)
class Place:
    """Which conversation it is."""

    id: int
    tenant_id: int
    account_id: int


def find(db: Db, account_id: int, visitor: str) -> Place | None:
    """The visitor's conversation; None while nothing was said in it."""
    row = _PLACE(db, {"account_id": account_id, "peer": visitor}).one_or_none()
    return None if row is None else Place(*row)


def replies(db: Db, account_id: int, visitor: str, after: str, show: Show) -> list[OutboundMessage]:
    """What was said to a visitor after the message `after`, or all of it; at most `MOST`."""
    place = find(db, account_id, visitor)
    if place is None:
        return []
    known = messages.id_of_uid(db, place.id, after) if after else 0
    rows, _ = _page(db, place, lambda row: row.direction == "out" and is_said(row), after=known or 0)
    return [show.links.filled(outbound(row), show.now) for row in rows]


def whole(db: Db, account_id: int, visitor: str, show: Show, *, after: str = "", before: str = "") -> dict[str, JSON]:
    """`messages` of both sides after the message `after`, else the last of them (before `before`); whether there may be
    `more` after these or `earlier` ones; and `read`, the visitor's last message that a person has seen, or empty.
    """
    place = find(db, account_id, visitor)
    edge = messages.id_of_uid(db, place.id, after or before) if place is not None and (after or before) else None
    if place is None or (before and edge is None):
        return {"messages": [], "more": False, "earlier": False, "read": ""}
    since, until = (None, edge) if before else (edge, None)
    rows, is_full = _page(db, place, is_said, after=since, before=until)
    said: list[JSON] = [*shown(db, place, rows, show)]
    more, earlier = (False, is_full) if since is None else (is_full, False)
    return {"messages": said, "more": more, "earlier": earlier, "read": read(db, place)}


def read(db: Db, place: Place) -> str:
    """The visitor's last message that a person has seen; empty when nobody has seen one."""
    return reads.seen_of_theirs(db, place.id) or ""


def seen(db: Db, account_id: int, visitor: str, up_to: str) -> None:
    """The visitor has seen everything up to the message `up_to`."""
    place = find(db, account_id, visitor)
    last = None if place is None else messages.id_of_uid(db, place.id, up_to)
    if place is not None and last is not None:
        messages.seen(db, Actor(place.tenant_id, "customer"), place.id, last)


def news(db: Db, place: Place, message_ids: Collection[int], show: Show) -> list[Shown]:
    """Those of these messages that the visitor may see, in order."""
    if not message_ids:
        return []
    rows = messages.history(db, Actor(place.tenant_id, "customer"), place.id, after=min(message_ids) - 1, limit=MOST)
    return shown(db, place, [row for row in rows if row.id in message_ids and is_said(row)], show)


def is_said(row: Message) -> bool:
    return not row.is_private and row.status not in _UNSAID


def outbound(row: Message) -> OutboundMessage:
    if row.content is None:
        return OutboundMessage(row.text, reference=row.uid)
    return OutboundMessage.from_json(row.content)


def shown(db: Db, place: Place, rows: Sequence[Message], show: Show) -> list[Shown]:
    """Each as the page shows it, with `from` (visitor, bot, staff or system), the `name` of a person, `at`, and as `quote`
    what it answers.
    """
    names: dict[int, str] = {}

    def name(user_id: int) -> str:
        if user_id not in names:
            names[user_id] = _NAME(db, {"user_id": user_id, "tenant_id": place.tenant_id}).scalar_one()
        return names[user_id]

    found: list[Shown] = []
    answered = messages.named(db, place.account_id, {*map(messages.target, [row.content for row in rows])} - {""})
    with_files = files.of_messages(db, [row.id for row in rows if row.content is not None])
    for row in rows:
        if row.direction == "in":
            more = _own(row)
        else:
            more = {**codec.shown(outbound(row)), "id": row.uid, "from": row.author}
            if row.user_id is not None:
                more["name"] = name(row.user_id)
        quoted = answered.get(messages.target(row.content))
        if quoted is not None and quoted.conversation_id == place.id and "reaction" not in more:
            more["quote"] = {
                "id": quoted.uid,
                "from": "visitor" if quoted.author == "customer" else quoted.author,
                **({} if quoted.user_id is None else {"name": name(quoted.user_id)}),
                "text": shorten(quoted.text, _QUOTED),
            }
        if row.id in with_files:
            variant: Variant = "file" if row.direction == "in" else "onward"  # their own, or somebody else's
            more["media"] = _media(more, with_files[row.id], show, variant)
        found.append({**more, "at": rfc3339(row.created_at)})
    return found


def _media(message: Shown, ours: Sequence[File], show: Show, variant: Variant) -> list[JSON]:
    """The message's files: ours with links while they are there, then those of others."""
    said = message.get("media")
    elsewhere = [one for one in said if isinstance(one, dict) and "url" in one] if isinstance(said, list) else []
    found: list[JSON] = []
    for one in ours:
        told: dict[str, JSON] = {"kind": one.kind, "name": one.name, "content_type": one.content_type}
        if one.status == "ready":
            told["url"] = show.links.to(one.uid, show.now, variant=variant)
            if one.has_thumbnail:
                told["thumbnail_url"] = show.links.to(one.uid, show.now, variant="thumbnail")
        else:
            told["reason"] = files.WHY.get(one.reason or "", "")
        found.append({name: value for name, value in told.items() if value})
    return [*found, *elsewhere]


def _own(row: Message) -> Shown:
    said: Shown = {"id": row.uid, "from": "visitor", "text": row.text}
    if row.provider_id is not None:
        said["client_id"] = codec.counted_as(row.provider_id)
    if isinstance(row.content, list):
        parts = parts_from_json(row.content)
        media = [codec.file(one) for one in parts if isinstance(one, Media)]
        said |= {"media": media} if media else {}
        for one in parts:
            if isinstance(one, Quote):
                said["reply_to"] = one.target
            elif isinstance(one, Reaction):
                said["reaction"] = codec.reacted(one)
    return said


def _page(
    db: Db,
    place: Place,
    is_wanted: Callable[[Message], bool],
    *,
    after: int | None = None,
    before: int | None = None,
) -> tuple[list[Message], bool]:
    """The wanted ones among the first `MOST` messages after the id `after`, else among the last (before `before`); and
    whether there may be more beyond them.

    Where none of those is wanted, the next are looked at: who goes on from the last message they were shown would
    otherwise ask for the same ones for ever.
    """
    who = Actor(place.tenant_id, "customer")
    while True:
        rows = messages.history(db, who, place.id, after=after, before=before, limit=MOST)
        is_full = len(rows) == MOST
        found = [row for row in rows if is_wanted(row)]
        if found or not is_full:
            return found, is_full
        if after is None:
            before = rows[0].id
        else:
            after = rows[-1].id


_c = conversations.c
_PLACE = Prepared(
    select(_c.id, _c.tenant_id, _c.account_id).where(
        _c.account_id == bindparam("account_id"), _c.peer_kind == "web", _c.peer == bindparam("peer")
    )
)
_NAME = Prepared(
    select(users.c.full_name).where(users.c.id == bindparam("user_id"), users.c.tenant_id == bindparam("tenant_id"))
)
