"""A customer's conversations and visits, in short."""

from typing import Any

from sqlalchemy import Row, select

from desk import customer_book
from desk.listing import Found, Window, page
from desk.refs import Ref
from desk.who import Actor
from storage.base import Db
from storage.models.accounts import accounts
from storage.models.businesses import services, staff
from storage.models.calendar import appointments
from storage.models.conversations import conversations

_c, _p = conversations.c, appointments.c


def conversations_of(db: Db, who: Actor, ref: Ref, window: Window) -> Found[Row[Any]]:
    """The newest first; each also with the `channel_uid` of its channel.

    Raises: NotFound
    """
    customer = customer_book.row_of(db, who, ref)
    wanted = (
        select(conversations, accounts.c.uid.label("channel_uid"))
        .join(accounts, accounts.c.id == _c.account_id)
        .where(_c.tenant_id == who.tenant_id, _c.customer_id == customer.id)
    )
    return page(db, wanted, window, _row, sorts={"created_at": _c.created_at}, by="-created_at", tie=_c.id)


def appointments_of(db: Db, who: Actor, ref: Ref, window: Window) -> Found[Row[Any]]:
    """The latest first; each also with `service`, `staff` and `staff_uid`.

    Raises: NotFound
    """
    customer = customer_book.row_of(db, who, ref)
    wanted = (
        select(
            appointments, services.c.name.label("service"), staff.c.name.label("staff"), staff.c.uid.label("staff_uid")
        )
        .join(services, services.c.id == _p.service_id)
        .join(staff, staff.c.id == _p.staff_id)
        .where(_p.tenant_id == who.tenant_id, _p.customer_id == customer.id)
    )
    return page(db, wanted, window, _row, sorts={"starts_at": _p.starts_at}, by="-starts_at", tie=_p.id)


def _row(row: Row[Any]) -> Row[Any]:
    return row
