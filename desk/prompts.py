"""What a bot always says is made into sound before anybody calls: when that is due."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, and_, func, or_, select, update

from storage import queue
from storage.base import Db, JsonValue
from storage.models.accounts import accounts
from storage.models.bots import bots
from storage.models.sounds import sounds
from storage.queue import Job

KIND: Final = "prompts"
_a = accounts.c
_b = bots.c
_CALLED: Final = (_a.channel == "voice", _a.disconnected_at.is_(None))


def ask(db: Db, tenant_id: int, bot_id: int, *, now: datetime) -> None:
    """Have the bot's prompts made, if it is called at all."""
    _ask(db, tenant_id, _a.bot_id == bot_id, now=now)


def ask_all(db: Db, tenant_id: int, business_id: int, *, now: datetime) -> None:
    """Those of all bots of the business: another service speaks, it has another name, or other languages."""
    _ask(db, tenant_id, _a.business_id == business_id, now=now)


def see_to_it(db: Db, made_of: str, *, now: datetime) -> int:
    """Have those made of all bots that are called and whose prompts were not asked for with these settings. How many."""
    others = or_(_b.prompts_of.is_(None), _b.prompts_of != made_of)
    found = db.execute(
        select(_b.id, _b.tenant_id)
        .join(accounts, and_(_a.bot_id == _b.id, *_CALLED))
        .where(others, _b.removed_at.is_(None))
        .distinct()
    ).all()
    for bot_id, tenant_id in found:
        ask(db, tenant_id, bot_id, now=now)
        db.execute(update(bots).where(_b.id == bot_id).values(prompts_of=made_of))
    return len(found)


def go_on(db: Db, job: Job, more: Mapping[str, int], *, at: datetime | None, now: datetime) -> None:
    """A part is made and that job finished; the rest at that time. If they were asked for anew meanwhile, that is it."""
    bot_id = int(str(job.payload["bot_id"]))
    if not is_due(db, bot_id):
        payload: dict[str, JsonValue] = {"bot_id": bot_id, **more}
        queue.enqueue(db, KIND, payload, now=now, run_at=at, tenant_id=job.tenant_id, dedupe=_name(bot_id))


def keep(db: Db, job: Job, *, at: datetime, now: datetime) -> None:
    """All of them are there, and are to stay: what nobody has heard for long would go with its time."""
    payload: dict[str, JsonValue] = {"bot_id": job.payload["bot_id"]}
    name = f"{KIND}_kept:{job.payload['bot_id']}"
    queue.enqueue(db, KIND, payload, now=now, run_at=at, tenant_id=job.tenant_id, dedupe=name)


def is_due(db: Db, bot_id: int) -> bool:
    """Whether they are being made, or will be."""
    return queue.is_due(db, _name(bot_id))


def ready(db: Db, tenant_id: int, keys: Collection[str], *, now: datetime) -> int:
    """How many of these sounds there are."""
    there = sounds.c.tenant_id == tenant_id, sounds.c.key.in_(keys), sounds.c.until > now
    count: int = db.execute(select(func.count()).select_from(sounds).where(*there)).scalar_one()
    return count


def _ask(db: Db, tenant_id: int, whose: ColumnElement[bool], *, now: datetime) -> None:
    called = select(_a.bot_id).where(whose, _a.bot_id.is_not(None), *_CALLED).distinct()
    for bot_id in db.execute(called).scalars().all():
        queue.enqueue(db, KIND, {"bot_id": bot_id}, now=now, tenant_id=tenant_id, dedupe=_name(bot_id))


def _name(bot_id: int) -> str:
    return f"{KIND}:{bot_id}"
