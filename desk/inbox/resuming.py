"""The bot goes on where a person has fallen silent, if the tenant wants that."""

from datetime import datetime, timedelta

from sqlalchemy import and_, case, select

from desk import conversations as talk
from desk.conversations import Due
from desk.inbox import handling, rules
from desk.who import Actor
from storage.base import Db
from storage.models.conversations import conversations
from storage.models.tenants import tenants


def due(db: Db, now: datetime, limit: int = 100) -> list[Due]:
    """Open conversations whose person has said nothing for as long as the tenant allows, the longest silence first."""
    minutes = tenants.c.settings["inbox"]["resume_bot_after_minutes"].as_integer()
    found: list[Due] = []
    for tenant_id, after in db.execute(select(tenants.c.id, minutes).where(minutes.is_not(None))).all():
        before = now - timedelta(minutes=after)
        wanted = (
            select(_c.id, _c.tenant_id, _SINCE)
            .where(_c.tenant_id == tenant_id, _c.owner == "staff", _c.status == "open", before >= _SINCE, talk.HAS_BOT)
            .order_by(_SINCE, _c.id)
            .limit(limit)
        )
        found += [Due(*row) for row in db.execute(wanted)]
    return sorted(found, key=lambda one: (one.since, one.id))[:limit]


def resume(db: Db, one: Due, *, now: datetime) -> bool:
    """Give the word back to the bot, unless somebody has spoken since; True when it has it now."""
    who = Actor(one.tenant_id, "system")
    context = talk.by_id(db, who, one.id)
    after = rules.load(db, one.tenant_id).resume_bot_after_minutes
    spoken_at = max(context.owner_since, context.last_out_at or context.owner_since)
    if after is None or context.owner != "staff" or spoken_at > now - timedelta(minutes=after):
        return False
    talk.give_back(db, who, one.id, reason="silence", now=now, expected_version=context.owner_version)
    handling.resume_later(db, one.tenant_id, one.id, now=now)
    return True


_c = conversations.c
_SINCE = case(
    (and_(_c.last_out_at.is_not(None), _c.last_out_at > _c.owner_since), _c.last_out_at), else_=_c.owner_since
)
