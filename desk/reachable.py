"""Addresses at which nobody can be reached: the provider has said so, and they have not written from there since.

Campaigns leave them out; whoever writes to somebody, or answers them, may still try.
"""

from datetime import datetime
from typing import Final, Literal

from sqlalchemy import ColumnElement, and_, case, exists, update

from storage.base import Db
from storage.models.conversations import conversations
from storage.models.customers import customer_identities

# A landline or the like, a number that nobody has, somebody who is not there by this channel.
Why = Literal["takes_no_texts", "no_such_number", "not_on_channel"]

_i, _c = customer_identities.c, conversations.c
_WROTE: Final = exists().where(
    _c.customer_id == _i.customer_id,
    _c.peer_kind == _i.kind,
    _c.peer == _i.value,
    _c.last_in_at > _i.unreachable_at,
)
# Of an address: why nobody is reached there; null while somebody is.
LOST_FOR: Final[ColumnElement[str]] = case((and_(_i.unreachable_for.is_not(None), ~_WROTE), _i.unreachable_for))


def note(db: Db, *, tenant_id: int, kind: str, value: str, why: Why, now: datetime) -> None:
    """The provider says that nobody can be reached there."""
    whose = _i.tenant_id == tenant_id, _i.kind == kind, _i.value == value
    db.execute(update(customer_identities).where(*whose).values(unreachable_for=why, unreachable_at=now))
