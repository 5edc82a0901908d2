"""A small business to test with, and a way to it on either engine."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, Table, insert
from sqlalchemy.engine import make_url

from desk import businesses
from desk.businesses import Business, Range, Service, Staff
from desk.who import Actor
from storage.base import Db, new_uid
from storage.models import accounts, conversations, customers, tenants
from storage.models import businesses as tables
from storage.store import postgres_engine, sqlite_engine

# A Wednesday in Austin, well away from any change of the clocks: 09:00 on the wall.
NOW = datetime(2026, 1, 14, 15, 0, tzinfo=UTC)
AUSTIN = ZoneInfo("America/Chicago")
NINE_TO_FIVE = ((540, 1020),)


def engine(url: str, *, pool_size: int = 4) -> Engine:
    """The same kind of engine that the store makes."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return sqlite_engine(parsed.database or "")
    return postgres_engine(parsed, pool_size=pool_size)


def at(text: str, zone: ZoneInfo = AUSTIN) -> datetime:
    """`at("2026-01-14 10:00")`: that wall time, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


@dataclass(frozen=True)
class Shop:
    """Ids of what was put in. Anna cuts and colours; Ben cuts."""

    tenant_id: int
    business_id: int
    account_id: int
    haircut: int
    colour: int
    anna: int
    ben: int
    user_id: int
    customer_id: int
    conversation_id: int

    @property
    def bot(self) -> Actor:
        return Actor(self.tenant_id, "bot")

    @property
    def staff(self) -> Actor:
        return Actor(self.tenant_id, "staff", self.user_id, "agent")

    def business(self, db: Db) -> Business:
        return businesses.load(db, self.business_id)


def open_shop(db: Db, *, zone: str = "America/Chicago", number: str = "+15125550100") -> Shop:
    """Open every day from nine to five; a haircut takes 30 minutes, colour 90 and a quarter of an hour to clean up."""
    tenant_id = _add(db, tenants.tenants, uid=new_uid(), name="Shear Delight", created_at=NOW)
    business_id = _add(
        db,
        tables.businesses,
        uid=new_uid(),
        tenant_id=tenant_id,
        name="Shear Delight",
        phone=number,
        time_zone=zone,
        languages=["en"],
        created_at=NOW,
    )
    for weekday in range(7):
        for opens, closes in NINE_TO_FIVE:
            _add(
                db,
                tables.business_hours,
                business_id=business_id,
                weekday=weekday,
                opens_minute=opens,
                closes_minute=closes,
            )
    haircut = add_service(db, tenant_id, business_id, "Haircut", 30, skills=["cut"])
    colour = add_service(db, tenant_id, business_id, "Colour", 90, skills=["colour"], buffer_after_minutes=15)
    anna = add_staff(db, tenant_id, business_id, "Anna", skills=["cut", "colour"], position=1)
    ben = add_staff(db, tenant_id, business_id, "Ben", skills=["cut"], position=2)
    for name, minutes in (("day", 1440), ("soon", 120)):
        _add(db, tables.reminder_rules, business_id=business_id, name=name, minutes_before=minutes)
    user_id = _add(
        db,
        tenants.users,
        uid=new_uid(),
        tenant_id=tenant_id,
        email=f"{new_uid()}@shear.example",
        full_name="Olga",
        role="agent",
        created_at=NOW,
    )
    account_id = _add(
        db,
        accounts.accounts,
        uid=new_uid(),
        tenant_id=tenant_id,
        business_id=business_id,
        channel="sms",
        provider="twilio",
        address=number,
        created_at=NOW,
    )
    customer_id = add_customer(db, tenant_id, "Maria")
    conversation_id = add_conversation(db, tenant_id, business_id, account_id, customer_id, "+15125550001")
    return Shop(tenant_id, business_id, account_id, haircut, colour, anna, ben, user_id, customer_id, conversation_id)


def add_service(
    db: Db, tenant_id: int, business_id: int, name: str, minutes: int, *, skills: Sequence[str] = (), **more: object
) -> int:
    return _add(
        db,
        tables.services,
        uid=new_uid(),
        tenant_id=tenant_id,
        business_id=business_id,
        name=name,
        keywords=[],
        skills=list(skills),
        duration_minutes=minutes,
        created_at=NOW,
        **{"step_minutes": 30, **more},
    )


def add_staff(
    db: Db, tenant_id: int, business_id: int, name: str, *, skills: Sequence[str] = (), **more: object
) -> int:
    return _add(
        db,
        tables.staff,
        uid=new_uid(),
        tenant_id=tenant_id,
        business_id=business_id,
        name=name,
        skills=list(skills),
        created_at=NOW,
        **more,
    )


def add_customer(db: Db, tenant_id: int, name: str | None) -> int:
    return _add(
        db,
        customers.customers,
        uid=new_uid(),
        tenant_id=tenant_id,
        name=name,
        attributes={},
        tags=[],
        created_at=NOW,
        updated_at=NOW,
    )


def add_conversation(db: Db, tenant_id: int, business_id: int, account_id: int, customer_id: int, peer: str) -> int:
    return _add(
        db,
        conversations.conversations,
        uid=new_uid(),
        tenant_id=tenant_id,
        business_id=business_id,
        account_id=account_id,
        customer_id=customer_id,
        channel="sms",
        peer_kind="phone",
        peer=peer,
        owner_since=NOW,
        created_at=NOW,
    )


def add_hours(db: Db, staff_id: int, weekday: int, opens: int, closes: int) -> None:
    _add(db, tables.staff_hours, staff_id=staff_id, weekday=weekday, opens_minute=opens, closes_minute=closes)


def add_absence(db: Db, staff_id: int, starts_at: datetime, ends_at: datetime) -> None:
    _add(db, tables.staff_absences, staff_id=staff_id, starts_at=starts_at, ends_at=ends_at)


def add_holiday(db: Db, business_id: int, day: date, *ranges: tuple[int, int]) -> None:
    for opens, closes in ranges or ((None, None),):
        _add(db, tables.holidays, business_id=business_id, day=day, opens_minute=opens, closes_minute=closes)


def _add(db: Db, table: Table, **values: object) -> int:
    added: int = db.execute(insert(table).returning(table.c.id), values).scalar_one()
    return added


def service(**changes: object) -> Service:
    """A service without a database: 30 minutes, every 30 minutes."""
    plain = Service(1, new_uid(), "Haircut", "", (), frozenset(), 30, 0, 0, 0, 60, 30, None, True)
    return replace(plain, **changes)  # type: ignore[arg-type]  # a test that names a wrong field fails anyway


def member(**changes: object) -> Staff:
    """A staff member without a database: no plan, alone."""
    return replace(Staff(1, new_uid(), "Anna", "person", frozenset(), 1, None, (), True), **changes)  # type: ignore[arg-type]  # as above


def business(zone: str, ranges: Sequence[tuple[int, int]], **changes: object) -> Business:
    """A business without a database, open every day in `ranges`."""
    weekly = (tuple(Range(opens, closes) for opens, closes in ranges),) * 7
    plain = Business(
        id=1,
        uid=new_uid(),
        tenant_id=1,
        name="Anywhere",
        description="",
        phone=None,
        email=None,
        website=None,
        address=None,
        region="US",
        zone=ZoneInfo(zone),
        languages=("en",),
        currency="USD",
        revision=1,
        hours=weekly,
        holidays={},
        services=(service(),),
        staff=(member(),),
        faqs=(),
        reminder_rules=(),
        former_services=(),
        former_staff=(),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # as above


def minutes(count: int) -> timedelta:
    return timedelta(minutes=count)
