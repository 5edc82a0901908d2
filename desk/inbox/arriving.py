"""A customer has written where people answer: the clock runs, somebody else gets it if they must, and outside opening
hours we say so once.
"""

from dataclasses import dataclass
from datetime import datetime

from desk import businesses
from desk.calendar import hours
from desk.conversations import Context
from desk.inbox import assignment, rules, sla
from storage.base import Db


@dataclass(frozen=True, slots=True)
class AutoAnswer:
    """`dedupe` is its name: said under the same one it is said once."""

    text: str
    dedupe: str


def heard(db: Db, context: Context, *, now: datetime) -> AutoAnswer | None:
    """What is to be said by itself to a customer who waits for a person, or None."""
    sla.waits(db, context.id, now=now)
    if context.owner == "staff" and context.owner_user_id is not None:
        assignment.pass_on(db, context.tenant_id, context.id, context.owner_user_id, now=now)
    wanted = rules.load(db, context.tenant_id).auto_answer
    if not wanted.enabled or context.is_out:
        return None
    business = businesses.load(db, context.business_id)
    opens_at = hours.next_opening(business, now)
    if opens_at == now:
        return None
    # One name for all the time until we open again.
    closed_until = opens_at.isoformat() if opens_at is not None else "further notice"
    return AutoAnswer(wanted.text, f"closed:{context.id}:{closed_until}")
