"""Whether we may speak to an address. Every sender asks `may_send` (or, within a turn, `judge`) first."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import bindparam, insert, select, update

from storage.base import Db
from storage.models.customers import consent_events, consents
from storage.prepared import Prepared
from storage.session import Conflict, announce, attempt

State = Literal["in", "out"]
Purpose = Literal["all", "marketing"]

# What a message is for. `legal` is the answer that the law wants to STOP, START or HELP, and nothing else.
Use = Literal["reply", "service", "marketing", "legal"]


@dataclass(frozen=True, slots=True)
class Allowed:
    """Speak."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Be silent. `code` is stable; `reason` is a sentence for the people of the business."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Window:
    """For so many `hours` after the customer's last message the channel carries free text, afterwards templates alone;
    None: always.
    """

    hours: int | None = None
    last_in_at: datetime | None = None

    def is_open(self, now: datetime) -> bool:
        if self.hours is None:
            return True
        return self.last_in_at is not None and now - self.last_in_at < timedelta(hours=self.hours)


ALWAYS = Window()
WINDOW_CLOSED = "window_closed"
ALLOWED = Allowed()
OPTED_OUT = Refusal("opted_out", "They asked for no more messages from this number.")
NO_MARKETING = Refusal("opted_out_marketing", "They asked for no more offers from this number.")


def record(
    db: Db,
    *,
    tenant_id: int,
    account_id: int,
    kind: str,
    value: str,
    customer_id: int | None,
    purpose: Purpose,
    state: State,
    source: str,
    message_id: int | None,
    note: str = "",
    now: datetime,
) -> bool:
    """Write down what the address has agreed to or refused; True when that changes how it stands.

    The ledger gets its line in any case. `out` for `all` stops everything but the legal answer, and `in` for `all`
    undoes that; a refusal of marketing stands until it is taken back itself.
    """
    address = {"account_id": account_id, "kind": kind, "value": value, "purpose": purpose}
    event = {"customer_id": customer_id, "source": source, "message_id": message_id, "note": note, "at": now}
    _NOTE(db, {**address, **event, "tenant_id": tenant_id, "state": state})
    if _STATE(db, address).scalar_one_or_none() is None:
        try:
            with attempt(db):
                _ADD(db, {**address, "tenant_id": tenant_id, "state": state, "since": now})
        except Conflict:
            pass  # written by somebody else in the meantime: it is set below like any other
        else:
            announce(db, f"inbox:{tenant_id}")
            return state == "out"
    values = {"of_account": account_id, "of_kind": kind, "of_value": value, "of_purpose": purpose}
    changed = _SET(db, {**values, "new_state": state, "now": now}).rowcount > 0
    if changed:
        announce(db, f"inbox:{tenant_id}")
    return changed


def is_out(db: Db, account_id: int, kind: str, value: str, purpose: Purpose = "all") -> bool:
    """Whether the address refused this purpose, or everything."""
    values = {"account_id": account_id, "kind": kind, "value": value}
    refused = set(_REFUSED(db, values).scalars())
    return "all" in refused or purpose in refused


def may_send(
    db: Db, *, account_id: int, kind: str, value: str, use: Use, window: Window = ALWAYS, now: datetime
) -> Allowed | Refusal:
    """Whether a message of this use may go from the account to the address at `now`. A template, which may be sent at
    any time, has no `window`.
    """
    refused = set(_REFUSED(db, {"account_id": account_id, "kind": kind, "value": value}).scalars())
    allowed = judge(use, is_out="all" in refused, is_out_of_marketing="marketing" in refused)
    if isinstance(allowed, Allowed) and not window.is_open(now):
        return closed(window)
    return allowed


def closed(window: Window) -> Refusal:
    """Why free text may not be sent there now."""
    reason = f"They have not written within {window.hours} hours. Until they do, only templates can be sent here."
    return Refusal(WINDOW_CLOSED, reason)


def judge(use: Use, *, is_out: bool, is_out_of_marketing: bool = False) -> Allowed | Refusal:
    """The same for whoever knows how consent stands already (`Context.is_out`)."""
    if use == "legal":
        return ALLOWED
    if is_out:
        return OPTED_OUT
    if use == "marketing" and is_out_of_marketing:
        return NO_MARKETING
    return ALLOWED


_c = consents.c
_NOTE = Prepared(insert(consent_events))
_ADD = Prepared(insert(consents))
_ADDRESS = (
    _c.account_id == bindparam("account_id"),
    _c.kind == bindparam("kind"),
    _c.value == bindparam("value"),
)
_STATE = Prepared(select(_c.state).where(*_ADDRESS, _c.purpose == bindparam("purpose")))
_REFUSED = Prepared(select(_c.purpose).where(*_ADDRESS, _c.state == "out"))
_SET = Prepared(
    update(consents)
    .where(
        _c.account_id == bindparam("of_account"),
        _c.kind == bindparam("of_kind"),
        _c.value == bindparam("of_value"),
        _c.purpose == bindparam("of_purpose"),
        _c.state != bindparam("new_state"),
    )
    .values(state=bindparam("new_state"), since=bindparam("now"))
)
