"""A new tenant: its first person, and a business that can be talked to at once."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select

from desk import audit
from desk.errors import AlreadyThere
from desk.who import Actor
from storage.base import Db, new_uid
from storage.models.bots import bots
from storage.models.businesses import business_hours, businesses
from storage.models.tenants import tenants, users
from storage.session import Conflict, attempt

# Monday to Friday; whoever opens a business says what is right soon.
_DAYS = range(5)
_OPENS, _CLOSES = 9 * 60, 17 * 60


@dataclass(frozen=True, slots=True)
class Opened:
    """What a new tenant begins with."""

    tenant_id: int
    user_id: int
    business_id: int
    bot_id: int

    @property
    def actor(self) -> Actor:
        return Actor(self.tenant_id, "staff", self.user_id, "admin")


def add(
    db: Db,
    *,
    name: str,
    email: str,
    full_name: str,
    phone: str | None,
    password_hash: str,
    username: str | None = None,
    time_zone: str = "UTC",
    now: datetime,
) -> Opened:
    """A tenant called `name` with its first admin, who signs in with `email` (or `username`), and a business with a bot.

    Raises: AlreadyThere, for an e-mail or username in use
    """
    tenant = db.execute(
        insert(tenants).values(uid=new_uid(), name=name, created_at=now).returning(tenants.c.id, tenants.c.uid)
    ).one()
    ours = {"tenant_id": tenant.id, "created_at": now}
    person = {"email": email, "username": username, "full_name": full_name, "phone": phone, "role": "admin"}
    try:
        with attempt(db):
            made = insert(users).values(uid=new_uid(), password_hash=password_hash, **ours, **person)
            user = db.execute(made.returning(users.c.id, users.c.uid)).one()
    except Conflict:
        is_name = db.execute(select(users.c.id).where(users.c.email == email)).first() is None
        raise AlreadyThere("user", "username" if is_name else "email") from None
    profile = {"name": name, "time_zone": time_zone, "languages": ["en"], "email": email, "phone": phone}
    business_id: int = db.execute(
        insert(businesses).values(uid=new_uid(), **ours, **profile).returning(businesses.c.id)
    ).scalar_one()
    week = [
        {"business_id": business_id, "weekday": day, "opens_minute": _OPENS, "closes_minute": _CLOSES} for day in _DAYS
    ]
    db.execute(insert(business_hours), week)
    bot = {"business_id": business_id, "name": name, "settings": {}}
    bot_id: int = db.execute(insert(bots).values(uid=new_uid(), **ours, **bot).returning(bots.c.id)).scalar_one()
    opened = Opened(tenant.id, user.id, business_id, bot_id)
    audit.record(db, opened.actor, "tenant.created", "tenant", tenant.id, None, {"name": name}, now, uid=tenant.uid)
    shown = {"role": "admin"}
    audit.record(db, opened.actor, "user.created", "user", user.id, None, shown, now, uid=user.uid)
    return opened
