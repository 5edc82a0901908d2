"""What SQLAlchemy makes of a statement, kept for all engines of a run.

Every test has engines of its own, and each would compile anew what a server compiles once in its life.
"""

from typing import Any, Final

from sqlalchemy import Connection, Engine, event
from sqlalchemy.util import LRUCache

_MOST: Final = 2_000


class _Kept(LRUCache[Any, Any]):
    """By the name of the dialect, of which each engine has one of its own."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_named(key), default)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(_named(key), value)


def keep() -> None:
    """From now on, whatever engine compiles a statement, it is compiled for all."""
    kept = _Kept(_MOST)

    @event.listens_for(Engine, "engine_connect")
    def _share(connection: Connection) -> None:
        connection.execution_options(compiled_cache=kept)


def _named(key: Any) -> Any:
    dialect, *statement = key
    return (dialect.name, *statement)
