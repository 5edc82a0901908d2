"""What a function inside a transaction may do besides querying: try something, and tell others once it is committed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import IntegrityError

from storage.base import Db

_FOUND = "frontdesk_found"
_TOPICS = "frontdesk_topics"
_NEWS = "frontdesk_news"


@dataclass(frozen=True, slots=True)
class Said:
    """What a function wants others to know once its changes are committed."""

    topics: set[str] = field(default_factory=set)
    news: list[object] = field(default_factory=list)

    def add(self, other: "Said") -> None:
        self.topics.update(other.topics)
        self.news.extend(other.news)


class Conflict(Exception):  # noqa: N818  named like an HTTP status
    """The database refused what was tried: a unique value, an overlap. Nothing of it remains."""


@contextmanager
def attempt(db: Db) -> Iterator[None]:
    """Run a block that the database may refuse, without losing the transaction around it.

    Raises:
        Conflict: a constraint was violated; the block's statements are undone and `db` can be used on.
    """
    # SQLAlchemy's own savepoints take a fifth of a millisecond each, more than what is tried inside them.
    driver = db.connection.driver_connection
    assert driver is not None  # noqa: S101  a connection in use has one
    driver.execute("SAVEPOINT attempt")
    try:
        yield
    except IntegrityError as refused:
        driver.execute("ROLLBACK TO SAVEPOINT attempt")
        driver.execute("RELEASE SAVEPOINT attempt")
        raise Conflict(str(refused.orig)) from None
    except BaseException:
        driver.execute("ROLLBACK TO SAVEPOINT attempt")
        driver.execute("RELEASE SAVEPOINT attempt")
        raise
    driver.execute("RELEASE SAVEPOINT attempt")


def announce(db: Db, topic: str) -> None:
    """Wake whoever listens to `topic`, after the commit and only then; many calls make one wake-up."""
    db.info.setdefault(_TOPICS, set()).add(topic)


def tell(db: Db, news: object) -> None:
    """Hand `news` to whoever listens in this process (`Bus.hear`), after the commit and only then, in this order."""
    db.info.setdefault(_NEWS, []).append(news)


def found_out(db: Db) -> dict[str, Any]:
    """What has been found out in this transaction and need not be asked twice; forgotten at its end."""
    transaction = db.get_transaction()
    kept: tuple[object, dict[str, Any]] | None = db.info.get(_FOUND)
    if kept is None or kept[0] is not transaction:
        kept = db.info[_FOUND] = (transaction, {})
    return kept[1]


def take_said(db: Db) -> Said:
    """What was announced and told since the last call; the store calls this around every function."""
    db.info.pop(_FOUND, None)
    return Said(db.info.pop(_TOPICS, set()), db.info.pop(_NEWS, []))
