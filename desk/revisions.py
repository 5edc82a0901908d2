"""What became of words after they were said: changed, or taken back. And the line that tells people of it.

A message holds its words as they are now. What it said before stays beside them until it is taken back; then all of its
words, files and earlier wordings are gone here too, and only that there was a message is left.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import Row, Select, select, update

from desk import files, live, messages
from desk.events import rfc3339
from desk.text import one_line, storable
from storage.base import Db, JsonValue
from storage.models.conversations import conversations
from storage.models.conversations import messages as table
from storage.models.files import files as file_table

_m = table.c
_LINE: Final = 200  # characters of what somebody changed a message to, or ordered


@dataclass(frozen=True, slots=True)
class Said:
    """The message that its provider calls so, `in` from the customer or `out` to them; nobody changes another's."""

    account_id: int
    customer_id: int
    direction: Literal["in", "out"]
    provider_id: str


def change(db: Db, said: Said, text: str, *, at: datetime, now: datetime) -> bool:
    """From now on the message reads so, and shows what it said until `at`; False when we have no such message (any more)."""
    row, text = _row(db, said), storable(text)
    if row is None:
        return False
    if _is_gone(row.content):
        _forget_changes(db, row, said)
        return False
    if text == row.text:
        return True
    before: dict[str, JsonValue] = {"text": row.text, "at": rfc3339(at)}
    content: JsonValue
    if said.direction == "out":
        kept = row.content if isinstance(row.content, dict) else {}
        earlier = kept.get("before")
        content = {**kept, "text": text, "before": [*(earlier if isinstance(earlier, list) else ()), before]}
    else:
        parts = row.content if isinstance(row.content, list) else [{"type": "text", "text": row.text}]
        content = [*_reworded(parts, text), {"type": "before", **before}]
    _keep(db, row, "changed", now=now, text=text, content=content)
    return True


def take_back(db: Db, said: Said, *, at: datetime, now: datetime) -> bool:
    """The message says nothing any more, nor does what it said before or was to be changed to; False when we have no such
    message.
    """
    row = _row(db, said)
    if row is None:
        return False
    if not _is_gone(row.content):
        files.erase(db, row.tenant_id, file_table.c.message_id == row.id, now=now)
        when = rfc3339(at)
        gone: JsonValue = {"revoked": when} if said.direction == "out" else [{"type": "revoked", "at": when}]
        _keep(db, row, "revoked", now=now, text="", content=gone, raw=None)
    _forget_changes(db, row, said)
    return True


def notice(content: JsonValue) -> str:
    """One line for people about what a message does without words, or what became of its words; empty when all is said."""
    if isinstance(content, dict):
        parts: Sequence[Mapping[str, Any]] = ()
        is_gone, is_changed = "revoked" in content, "before" in content
    else:
        parts = [one for one in content if isinstance(one, dict)] if isinstance(content, list) else []
        kinds = {one.get("type") for one in parts}
        is_gone, is_changed = "revoked" in kinds, "before" in kinds
    if is_gone:
        return "This message was taken back."
    if is_changed:
        return "This message was changed after it was sent."
    return next((line for one in parts if (line := _line(one))), "")


def _line(part: Mapping[str, Any]) -> str:
    text = one_line(str(part.get("text", "")), _LINE)
    match part.get("type"):
        case "edit":
            return f"Changed an earlier message to: {text}" if text else "Changed an earlier message."
        case "revoke":
            return "Took an earlier message back."
        case "reaction":
            emoji = str(part.get("emoji", ""))
            return f"Reacted with {emoji}" if emoji else "Took a reaction back."
        case "system":
            return text or _NEWS.get(str(part.get("event")), "")
        case "order":
            items = (f"{one.get('quantity', 1)} x {one.get('product_id', '')}" for one in part.get("items", ()))
            return one_line(f"Ordered {', '.join(items)}", _LINE)
        case "unsupported":
            return "Sent something that cannot be shown here."
    return ""


_NEWS: Final = {"number_changed": "Has a new number.", "welcome": "Opened the chat for the first time."}


def _row(db: Db, said: Said) -> Row[Any] | None:
    wanted: Select[Any] = (
        select(_m.id, _m.tenant_id, _m.conversation_id, _m.text, _m.content)
        .join(conversations, conversations.c.id == _m.conversation_id)
        .where(
            _m.account_id == said.account_id,
            _m.provider_id == said.provider_id,
            _m.direction == said.direction,
            _m.is_private.is_(False),
            conversations.c.customer_id == said.customer_id,
        )
    )
    return db.execute(wanted).one_or_none()


def _keep(db: Db, row: Row[Any], how: str, *, now: datetime, **values: Any) -> None:
    """Whoever looks on and whoever subscribes hears of it."""
    db.execute(update(table).where(_m.id == row.id).values(**values))
    live.changed(db, row.tenant_id, row.conversation_id, "file", message_id=row.id)
    live.changed(db, row.tenant_id, row.conversation_id, "conversation")
    messages.tell_changed(db, row.id, how, now=now)


def _forget_changes(db: Db, row: Row[Any], said: Said) -> None:
    """The lines that tell how it was changed do not say to what any more."""
    changes = select(_m.id, _m.content).where(
        _m.conversation_id == row.conversation_id, _m.status == messages.NOTED, _m.id > row.id, _m.direction == "in"
    )
    for one in db.execute(changes).all():
        first = _first(one.content)
        if (first.get("type"), first.get("target")) == ("edit", said.provider_id):
            wordless: JsonValue = [{"type": "edit", "target": said.provider_id}]
            db.execute(update(table).where(_m.id == one.id).values(content=wordless, raw=None))


def _reworded(parts: Sequence[JsonValue], text: str) -> list[JsonValue]:
    """The same with these words: the text, or what stands beside a file."""
    found: list[JsonValue] = [*parts]
    for kind, name in (("text", "text"), ("media", "caption")):
        for place, one in enumerate(found):
            if isinstance(one, dict) and one.get("type") == kind:
                found[place] = {**one, name: text}
                return found
    return [*found, {"type": "text", "text": text}]


def _first(content: JsonValue) -> Mapping[str, Any]:
    return content[0] if isinstance(content, list) and content and isinstance(content[0], dict) else {}


def _is_gone(content: JsonValue) -> bool:
    return "revoked" in content if isinstance(content, dict) else _first(content).get("type") == "revoked"
