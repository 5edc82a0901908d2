"""The demo: keys that open only the simulator, and a business put into an empty database, dated relative to now."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from pydantic import SecretStr
from sqlalchemy import Table, func, insert, select, text

from bots import registry
from desk import businesses
from desk.businesses import Business
from desk.calendar import bookings, hours, slots, zones
from desk.who import Actor
from gateway import demo_business as juniper
from gateway.settings import Settings
from storage.base import Db
from storage.models import accounts as account_models
from storage.models import bots as bot_models
from storage.models import businesses as models
from storage.models.calendar import appointments
from storage.models.customers import customer_identities, customers
from storage.models.tenants import tenants, users

# Made up, and good for nothing but the simulator.
TWILIO_ACCOUNT: Final = "AC" + "d3305e11" * 4
TWILIO_TOKEN: Final = "a-demo-token-for-the-simulator"
META_SECRET: Final = "a-demo-secret-for-the-simulator"
META_TOKEN: Final = "a-demo-access-token-for-the-simulator"
META_WORD: Final = "a-demo-word-for-the-simulator"
ELEVENLABS_KEY: Final = "a-demo-key-for-the-simulator"

_ADVISORY_LOCK: Final = 7_207_314  # any fixed number: two processes that seed at once wait for each other
_FIRST_HOLIDAY: Final = timedelta(days=10)  # whoever tries it with "tomorrow" or "next week" finds us open
_LAST_HOLIDAY: Final = timedelta(days=200)


@dataclass(frozen=True, slots=True)
class Seeded:
    """What is there. `is_new` is False when it had been there and nothing was changed."""

    tenant_id: int
    business_id: int
    is_new: bool
    counts: Mapping[str, int]


def with_keys(settings: Settings, *, api_base: str) -> Settings:
    """The same settings with the made-up keys, and Twilio at `api_base`."""
    keys = {"account_sid": TWILIO_ACCOUNT, "auth_token": SecretStr(TWILIO_TOKEN), "api_base": api_base}
    return settings.model_copy(update={"twilio": settings.twilio.model_copy(update=keys)})


def with_meta_keys(settings: Settings, *, api_base: str) -> Settings:
    """The same for Meta."""
    keys = {
        "app_secret": SecretStr(META_SECRET),
        "access_token": SecretStr(META_TOKEN),
        "verify_token": SecretStr(META_WORD),
        "api_base": api_base,
    }
    return settings.model_copy(update={"meta": settings.meta.model_copy(update=keys)})


def with_speech_key(settings: Settings, *, api_base: str) -> Settings:
    """The same for ElevenLabs."""
    keys = {"api_key": SecretStr(ELEVENLABS_KEY), "api_base": api_base}
    return settings.model_copy(update={"elevenlabs": settings.elevenlabs.model_copy(update=keys)})


def is_empty(db: Db) -> bool:
    """True while there is no tenant at all, so that a demo disturbs nobody."""
    return db.execute(select(tenants.c.id).limit(1)).first() is None


def seed(db: Db, *, password_hash: str | None = None, now: datetime) -> Seeded:
    """The demo business, made unless it is there. All in the caller's transaction: killed half-way, nothing remains.

    `password_hash` lets its owner sign in; without it nobody can.
    """
    if db.dialect.name == "postgresql":
        db.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
    tenant_id = db.execute(select(users.c.tenant_id).where(users.c.email == juniper.OWNER_EMAIL)).scalar_one_or_none()
    if tenant_id is not None:
        return _seeded(db, tenant_id, is_new=False)
    who = Actor(_tenant(db, password_hash, now), "system")
    business_id = _business(db, who.tenant_id, now)
    bot_id = _bot(db, who, business_id, now)
    _accounts(db, who.tenant_id, business_id, bot_id, now)
    customer_ids = _customers(db, who.tenant_id, now)
    business = businesses.load(db, business_id)
    _past(db, business, customer_ids, now)
    _ahead(db, who, business, customer_ids, now)
    return _seeded(db, who.tenant_id, is_new=True)


def _tenant(db: Db, password_hash: str | None, now: datetime) -> int:
    tenant_id = _add(db, tenants, name=juniper.NAME, created_at=now)
    _add(
        db,
        users,
        tenant_id=tenant_id,
        email=juniper.OWNER_EMAIL,
        full_name=juniper.OWNER,
        password_hash=password_hash,
        role="owner",
        created_at=now,
    )
    return tenant_id


def _business(db: Db, tenant_id: int, now: datetime) -> int:
    business_id = _add(
        db,
        models.businesses,
        tenant_id=tenant_id,
        name=juniper.NAME,
        description=juniper.DESCRIPTION,
        phone=juniper.SMS_NUMBER,
        email=juniper.EMAIL,
        website=juniper.WEBSITE,
        address=juniper.ADDRESS,
        time_zone=juniper.ZONE.key,
        languages=["en"],
        currency="USD",
        created_at=now,
    )
    ours = {"tenant_id": tenant_id, "business_id": business_id, "created_at": now}
    for weekday, opens, closes in _ranges(juniper.HOURS):
        _add(
            db,
            models.business_hours,
            business_id=business_id,
            weekday=weekday,
            opens_minute=opens,
            closes_minute=closes,
        )
    _holidays(db, business_id, now.astimezone(juniper.ZONE).date())
    for position, service in enumerate(juniper.SERVICES):
        _add(
            db,
            models.services,
            **ours,
            name=service.name,
            description=service.description,
            keywords=list(service.keywords),
            skills=list(service.skills),
            duration_minutes=service.minutes,
            buffer_before_minutes=service.before,
            buffer_after_minutes=service.after,
            lead_minutes=service.lead,
            horizon_days=service.horizon,
            step_minutes=service.step,
            price_cents=service.price_cents,
            position=position,
        )
    for position, member in enumerate(juniper.STAFF):
        staff_id = _add(db, models.staff, **ours, name=member.name, skills=list(member.skills), position=position)
        for weekday, opens, closes in _ranges(member.week):
            _add(db, models.staff_hours, staff_id=staff_id, weekday=weekday, opens_minute=opens, closes_minute=closes)
    for position, (question, answer, phrasings) in enumerate(juniper.FAQS):
        _add(db, models.faqs, **ours, question=question, answer=answer, phrasings=phrasings, position=position)
    for name, minutes in juniper.REMINDERS.items():
        _add(db, models.reminder_rules, business_id=business_id, name=name, minutes_before=minutes)
    return business_id


def _ranges(week: juniper.Week) -> Iterator[tuple[int, int, int]]:
    """(weekday, opening, closing) of each range, in minutes since midnight."""
    for weekday, ranges in week.items():
        for one in ranges:
            opens, closes = (
                int(hour) * 60 + int(minute) for hour, _, minute in (end.partition(":") for end in one.split("-"))
            )
            yield weekday, opens, closes


def _holidays(db: Db, business_id: int, today: date) -> None:
    for year in (today.year, today.year + 1):
        for name, day, ranges in juniper.holidays(year):
            if not today + _FIRST_HOLIDAY <= day <= today + _LAST_HOLIDAY:
                continue
            row = {"business_id": business_id, "day": day, "name": name}
            if not ranges:
                _add(db, models.holidays, **row)
            for _, opens, closes in _ranges({day.weekday(): ranges}):
                _add(db, models.holidays, **row, opens_minute=opens, closes_minute=closes)


def _bot(db: Db, who: Actor, business_id: int, now: datetime) -> int:
    bot_id = _add(
        db,
        bot_models.bots,
        tenant_id=who.tenant_id,
        business_id=business_id,
        name=juniper.NAME,
        settings={},
        created_at=now,
    )
    registry.install_standard(db, who, bot_id, now=now)
    return bot_id


def _accounts(db: Db, tenant_id: int, business_id: int, bot_id: int, now: datetime) -> None:
    """Without keys of their own: those of the settings hold, made-up or real."""
    for channel, provider, address, is_served in (
        ("sms", "twilio", juniper.SMS_NUMBER, True),
        ("voice", "twilio", juniper.SMS_NUMBER, True),
        ("whatsapp", "twilio", juniper.WHATSAPP_NUMBER, True),
        ("whatsapp", "meta", juniper.META_NUMBER, True),
        ("web", "webchat", juniper.SITE, True),
        ("sim", "simulator", juniper.SITE, True),
    ):
        _add(
            db,
            account_models.accounts,
            tenant_id=tenant_id,
            business_id=business_id,
            bot_id=bot_id,
            channel=channel,
            provider=provider,
            address=address,
            provider_account=juniper.META_ACCOUNT if provider == "meta" else None,
            provider_number=juniper.META_NUMBER_ID if provider == "meta" else None,
            is_active=is_served,
            created_at=now,
        )


def _customers(db: Db, tenant_id: int, now: datetime) -> list[int]:
    """Their ids. Each is known by a number: on the telephone, and in `frontdesk chat --as NUMBER`."""
    found = []
    for ago, (name, number) in enumerate(juniper.CUSTOMERS, start=1):
        since = now - timedelta(weeks=ago)
        customer_id = _add(
            db,
            customers,
            tenant_id=tenant_id,
            name=name,
            phone=number,
            language="en",
            attributes={},
            tags=[],
            created_at=since,
            updated_at=since,
        )
        for kind in ("phone", "sim"):
            _add(
                db,
                customer_identities,
                tenant_id=tenant_id,
                customer_id=customer_id,
                kind=kind,
                value=number,
                created_at=since,
            )
        found.append(customer_id)
    return found


def _past(db: Db, business: Business, customer_ids: list[int], now: datetime) -> None:
    """Visits of the last weeks. Nobody can book into the past, so these rows are written as they would stand now."""
    for visit in juniper.PAST:
        service, member = _named(business, visit.service, visit.member)
        day = zones.local_day(now, business.zone) - timedelta(days=visit.days)
        while not (working := hours.working_ranges(business, member, day)):
            day -= zones.DAY
        starts_at = working[0].start + visit.customer % 2 * service.duration
        booked_at = starts_at - timedelta(days=3)
        is_cancelled = visit.status == "cancelled"
        _add(
            db,
            appointments,
            tenant_id=business.tenant_id,
            business_id=business.id,
            customer_id=customer_ids[visit.customer],
            service_id=service.id,
            staff_id=member.id,
            status=visit.status,
            starts_at=starts_at,
            ends_at=starts_at + service.duration,
            local_start=starts_at.astimezone(business.zone).strftime("%Y-%m-%dT%H:%M"),
            source="staff",
            cancelled_at=booked_at + timedelta(days=1) if is_cancelled else None,
            created_at=booked_at,
            updated_at=booked_at + timedelta(days=1) if is_cancelled else starts_at + service.duration,
        )


def _ahead(db: Db, who: Actor, business: Business, customer_ids: list[int], now: datetime) -> None:
    """Visits of the next weeks, booked as anybody's: at the first free time from the wanted one on."""
    for visit in juniper.AHEAD:
        service, member = _named(business, visit.service, visit.member)
        day = zones.local_day(now, business.zone) + timedelta(days=visit.days)
        [slot] = slots.free(
            db,
            business,
            service.id,
            from_day=day,
            to_day=day + timedelta(days=7),
            staff_id=member.id,
            now=now,
            limit=1,
            not_before=visit.not_before,
        )
        bookings.book(
            db,
            who,
            business,
            slot=slot,
            customer_id=customer_ids[visit.customer],
            conversation_id=None,
            source="staff",
            now=now,
        )


def _named(business: Business, service: str, member: str) -> tuple[businesses.Service, businesses.Staff]:
    return (
        next(one for one in business.services if one.name == service),
        next(one for one in business.staff if one.name == member),
    )


def _seeded(db: Db, tenant_id: int, *, is_new: bool) -> Seeded:
    def count(table: Table) -> int:
        number: int = db.execute(select(func.count()).where(table.c.tenant_id == tenant_id)).scalar_one()
        return number

    found = select(models.businesses.c.id).where(models.businesses.c.tenant_id == tenant_id)
    business_id: int = db.execute(found.order_by(models.businesses.c.id).limit(1)).scalar_one()
    counts = {
        "services": count(models.services),
        "staff": count(models.staff),
        "questions": count(models.faqs),
        "scenarios": count(bot_models.scenarios),
        "customers": count(customers),
        "visits": count(appointments),
    }
    return Seeded(tenant_id, business_id, is_new, counts)


def _add(db: Db, table: Table, **values: object) -> int:
    """The id of the new row."""
    row_id: int = db.execute(insert(table).values(**values).returning(table.c.id)).scalar_one()
    return row_id
