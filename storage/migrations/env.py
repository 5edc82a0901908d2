"""Runs Alembic on the connection that `storage.migrate` hands over."""

from typing import Any, Literal

from alembic import context

import storage.models  # noqa: F401  fills the metadata
from storage.base import BigId, UtcDateTime, metadata, type_json


def _render(kind: str, item: Any, _autogen: Any) -> str | Literal[False]:
    """Migrations stand alone: they name SQLAlchemy's types, not ours, and the same text runs on both engines."""
    if kind == "type":
        if isinstance(item, UtcDateTime):
            return "sa.DateTime(timezone=True)"
        if item is BigId:
            return "big_id"
        if item is type_json:
            return "json_type"
    return False


_WORDS = {("index", "ix_messages_search"), ("column", "search_words")}


def _is_ours(name: str | None, kind: str, _parents: Any) -> bool:
    """The index of words is each engine's own affair (0001), and has no model."""
    return not (name or "").startswith("message_search") and (kind, name) not in _WORDS


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    include_name=_is_ours,
    render_as_batch=True,
    render_item=_render,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
