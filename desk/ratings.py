"""What customers thought of it, from 1 to 5."""

from datetime import datetime

from sqlalchemy import bindparam, insert, select, update

from desk.errors import Invalid, NotFound
from desk.text import storable
from desk.who import Actor
from storage.base import Db
from storage.models.conversations import conversations, ratings
from storage.prepared import Prepared
from storage.session import announce


def record(db: Db, who: Actor, *, conversation_id: int, score: int, comment: str = "", now: datetime) -> int:
    """The id of the rating, given by the customer of the conversation.

    Raises: Invalid, NotFound
    """
    if not 1 <= score <= 5:
        raise Invalid("score", "A rating is a number from 1 to 5.")
    wanted = {"conversation_id": conversation_id, "tenant_id": who.tenant_id}
    customer_id = _CUSTOMER(db, wanted).scalar_one_or_none()
    if customer_id is None:
        raise NotFound("conversation", conversation_id)
    values = {"customer_id": customer_id, "score": score, "comment": storable(comment, 2000), "at": now}
    rating_id: int = _ADD(db, {**wanted, **values}).scalar_one()
    announce(db, f"inbox:{who.tenant_id}")
    return rating_id


def comment(db: Db, who: Actor, rating_id: int, text: str) -> None:
    """Add the words to a rating that was given before.

    Raises: NotFound
    """
    where = ratings.c.id == rating_id, ratings.c.tenant_id == who.tenant_id
    if db.execute(update(ratings).where(*where).values(comment=storable(text, 2000))).rowcount == 0:
        raise NotFound("rating", rating_id)


_ADD = Prepared(insert(ratings).returning(ratings.c.id))
_CUSTOMER = Prepared(
    select(conversations.c.customer_id).where(
        conversations.c.id == bindparam("conversation_id"), conversations.c.tenant_id == bindparam("tenant_id")
    )
)
