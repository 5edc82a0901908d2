"""How a tenant's inbox works: who gets what is waiting, what is said while we are closed, when the bot resumes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import bindparam, select, update

from desk import audit
from desk.who import Actor
from storage.base import Db
from storage.models.tenants import tenants
from storage.prepared import Prepared

Assignment = Literal["manual", "round_robin", "load"]

_KEY = "inbox"  # in `tenants.settings`
CLOSED_TEXT = "Thank you for your message. We are closed right now and will answer as soon as we are open again."


@dataclass(frozen=True, slots=True)
class AutoAnswer:
    """Said once for each time that the business is closed, when somebody writes whom a person looks after."""

    enabled: bool = False
    text: str = CLOSED_TEXT


@dataclass(frozen=True, slots=True)
class Csat:
    """Whether we ask how it was after a person has closed a conversation, and how long after."""

    enabled: bool = False
    delay_minutes: int = 30


@dataclass(frozen=True, slots=True)
class Rules:
    """`assignment` is for conversations without a team. `resume_bot_after_minutes`: so long a person may be silent."""

    assignment: Assignment = "manual"
    auto_answer: AutoAnswer = field(default_factory=AutoAnswer)
    resume_bot_after_minutes: int | None = None
    csat: Csat = field(default_factory=Csat)
    reassign_when_away: bool = False


def load(db: Db, tenant_id: int) -> Rules:
    """The tenant's rules; the usual ones until somebody changes them."""
    stored = _SETTINGS(db, {"tenant_id": tenant_id}).scalar_one_or_none() or {}
    return _of(stored.get(_KEY) or {})


def get(db: Db, who: Actor) -> Rules:
    """The same, for whoever asks."""
    return load(db, who.tenant_id)


def save(db: Db, who: Actor, rules: Rules, *, now: datetime) -> Rules:
    """From now on these hold."""
    wanted = select(tenants.c.uid, tenants.c.settings).where(tenants.c.id == who.tenant_id)
    row = db.execute(wanted.with_for_update(key_share=True)).one()
    before = _of(row.settings.get(_KEY) or {})
    if before != rules:
        settings = {**row.settings, _KEY: asdict(rules)}
        db.execute(update(tenants).where(tenants.c.id == who.tenant_id).values(settings=settings))
        old, new = asdict(before), asdict(rules)
        audit.record(db, who, "inbox.settings_changed", "tenant", who.tenant_id, old, new, now, uid=row.uid)
    return rules


def _of(stored: Mapping[str, Any]) -> Rules:
    usual = Rules()
    return Rules(
        assignment=stored.get("assignment", usual.assignment),
        auto_answer=AutoAnswer(**stored.get("auto_answer", {})),
        resume_bot_after_minutes=stored.get("resume_bot_after_minutes"),
        csat=Csat(**stored.get("csat", {})),
        reassign_when_away=stored.get("reassign_when_away", False),
    )


_SETTINGS = Prepared(select(tenants.c.settings).where(tenants.c.id == bindparam("tenant_id")))
