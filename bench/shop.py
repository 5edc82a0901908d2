"""The business that the benchmarks book at: four chairs, open all week, free for a year ahead.

The calendar has the size of a real one, because looking for free times is part of what is measured, and lasts for tens of
thousands of bookings because it reaches so far.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, Table, insert
from sqlalchemy.engine import make_url

from bots import registry
from desk.who import Actor
from storage import migrate
from storage.base import Db
from storage.models import accounts, bots, businesses, tenants
from storage.store import postgres_engine, sqlite_engine

NUMBER: Final = "+15125550140"
TWILIO_ACCOUNT: Final = "AC" + "be9c4000" * 4
TWILIO_TOKEN: Final = "opens-nothing-but-this-benchmark"
NAME: Final = "Bench Street Barbers"
ZONE: Final = ZoneInfo("America/Chicago")

SERVICES: Final = ("Haircut", "Beard trim", "Shave")
STAFF: Final = ("Maya", "Anna", "Theo", "Sam")
_MINUTES: Final = 30
_OPENS, _CLOSES = 8, 20
_HORIZON_DAYS: Final = 365
_FIRST_DAY, _DAYS = 2, 350  # ahead of today: never too soon, and never the same day of the next year
_TIMES: Final = (_CLOSES - _OPENS) * 60 // _MINUTES

CAPACITY: Final = _DAYS * _TIMES * len(STAFF)  # visits


class Visit(NamedTuple):
    """A visit that is free as long as every number is booked once."""

    service: str
    day: date
    time: time

    @property
    def day_words(self) -> str:
        """`Tuesday, March 3`, as the bot writes it."""
        return f"{self.day:%A, %B} {self.day.day}"

    @property
    def time_words(self) -> str:
        """`3:00 PM`, as the bot writes it."""
        return f"{self.time.hour % 12 or 12}:{self.time:%M %p}"

    @property
    def starts_at(self) -> datetime:
        """The instant, in UTC."""
        return datetime.combine(self.day, self.time, ZONE).astimezone(UTC)


def visit(number: int, today: date) -> Visit:
    """The visit with this number, from 0 up to `CAPACITY`; days fill evenly, so no number is dearer to book than another.

    Raises: IndexError when the calendar is full
    """
    if not 0 <= number < CAPACITY:
        raise IndexError(f"the shop has {CAPACITY} visits to give, so there is no number {number}")
    rest, day = divmod(number, _DAYS)
    minutes = _OPENS * 60 + rest % _TIMES * _MINUTES
    return Visit(
        SERVICES[number % len(SERVICES)],
        today + timedelta(days=_FIRST_DAY + day),
        time(*divmod(minutes, 60)),
    )


def make(url: str, *, fill: Callable[[Db, int], None] | None = None) -> None:
    """Put the business into the new database at `url`; `fill` is then given the database and the id of its account."""
    migrate.upgrade(url)
    engine = engine_of(url)
    try:
        with engine.begin() as db:
            account_id = add(db, datetime.now(UTC))
            if fill is not None:
                fill(db, account_id)
    finally:
        engine.dispose()


def engine_of(url: str, *, read_only: bool = False) -> Engine:
    """An engine of our own beside the server's; `read_only` matters for SQLite, where there is one writer."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return sqlite_engine(str(parsed.database), read_only=read_only)
    return postgres_engine(parsed, pool_size=1)


def add(db: Db, now: datetime, *, number: str = NUMBER) -> int:
    """One more such business, another tenant's, under a number of its own; the id of its account."""
    tenant_id = _add(db, tenants.tenants, name=NAME, created_at=now)
    business_id = _add(
        db,
        businesses.businesses,
        tenant_id=tenant_id,
        name=NAME,
        phone=number,
        address="1 Bench Street",
        time_zone=ZONE.key,
        languages=["en"],
        created_at=now,
    )
    ours = {"tenant_id": tenant_id, "business_id": business_id, "created_at": now}
    for weekday in range(7):
        opening = {"opens_minute": _OPENS * 60, "closes_minute": _CLOSES * 60}
        _add(db, businesses.business_hours, business_id=business_id, weekday=weekday, **opening)
    for position, name in enumerate(SERVICES):
        _add(
            db,
            businesses.services,
            **ours,
            name=name,
            keywords=[],
            skills=[],
            duration_minutes=_MINUTES,
            step_minutes=_MINUTES,
            horizon_days=_HORIZON_DAYS,
            price_cents=3500,
            position=position,
        )
    for position, name in enumerate(STAFF):
        _add(db, businesses.staff, **ours, name=name, skills=[], position=position)
    for name, minutes in {"day": 24 * 60, "soon": 2 * 60}.items():
        _add(db, businesses.reminder_rules, business_id=business_id, name=name, minutes_before=minutes)
    bot_id = _add(db, bots.bots, **ours, name=NAME, settings={})
    registry.install_standard(db, Actor(tenant_id, "system"), bot_id, now=now)
    return _add(db, accounts.accounts, **ours, bot_id=bot_id, channel="sms", provider="twilio", address=number)


def _add(db: Db, table: Table, **values: object) -> int:
    """The id of the new row."""
    row_id: int = db.execute(insert(table).values(**values).returning(table.c.id)).scalar_one()
    return row_id
