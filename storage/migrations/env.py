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


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    render_item=_render,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
