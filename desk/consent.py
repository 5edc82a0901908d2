"""The ledger of what an address has agreed to and refused. Whether a message may go is asked of `desk.sending`."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Literal

from sqlalchemy import and_, bindparam, delete, insert, or_, select, update

from desk.verdicts import ALLOWED, Allowed, Refusal, Use
from storage.base import Db
from storage.models.accounts import accounts
from storage.models.customers import consent_events, consents, erased_refusals
from storage.prepared import Prepared
from storage.session import Conflict, announce, attempt

State = Literal["in", "out"]
Purpose = Literal["all", "marketing", "reminder"]
Marks = Callable[[bytes], Sequence[str]]  # keyed digests, the first by the newest key (`Sealer.marks`)

OPTED_OUT = Refusal("opted_out", "They asked for no more messages from this number.")
NO_MARKETING = Refusal("opted_out_marketing", "They asked for no more offers from this number.")
NO_REMINDERS = Refusal("opted_out_reminder", "They asked for no more reminders from this number.")


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
    undoes that; a refusal of marketing or of reminders stands until it is taken back itself.
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


def standing(
    db: Db, *, account_id: int, kind: str, value: str, use: Use, marks: Marks | None = None
) -> Allowed | Refusal:
    """What the address has said to a message of this use; with `marks` also before whoever had it was erased."""
    if use == "legal":
        return ALLOWED
    refused = set(_REFUSED(db, {"account_id": account_id, "kind": kind, "value": value}).scalars())
    if marks is not None:
        refused |= forgotten(db, account_id, [(kind, value)], marks=marks).get((kind, value), set())
    return refusal(refused, use) or ALLOWED


def remember(db: Db, addresses: Collection[tuple[str, str]], *, tenant_id: int, marks: Marks, now: datetime) -> None:
    """What these addresses (kind, value) have refused outlives them: they are about to be erased."""
    for kind, value in addresses:
        theirs = _c.tenant_id == tenant_id, _c.kind == kind, _c.value == value
        for row in db.execute(select(_c.account_id, _c.purpose, _c.state).where(*theirs)).all():
            names = marks(_name(row.account_id, kind, value))
            same = _f.account_id == row.account_id, _f.mark.in_(names), _f.purpose == row.purpose
            db.execute(delete(erased_refusals).where(*same))
            if row.state == "out":
                kept = {"account_id": row.account_id, "mark": names[0], "purpose": row.purpose, "since": now}
                db.execute(insert(erased_refusals).values(kept))


def forgotten(
    db: Db, account_id: int, addresses: Collection[tuple[str, str]], *, marks: Marks
) -> dict[tuple[str, str], set[str]]:
    """What those addresses refused before whoever had them was erased, and have not taken back since."""
    by_mark = {mark: (kind, value) for kind, value in addresses for mark in marks(_name(account_id, kind, value))}
    wanted = select(_f.mark, _f.purpose).where(_f.account_id == account_id, _f.mark.in_(by_mark))
    found: dict[tuple[str, str], set[str]] = {}
    for row in db.execute(wanted):
        found.setdefault(by_mark[row.mark], set()).add(row.purpose)
    if found:
        values = [value for _, value in found]
        back = _c.account_id == account_id, _c.value.in_(values), _c.state == "in"
        for row in db.execute(select(_c.kind, _c.value, _c.purpose).where(*back)):
            found.get((row.kind, row.value), set()).discard(row.purpose)
    return {address: purposes for address, purposes in found.items() if purposes}


def refusal(refused: Collection[str], use: Use) -> Refusal | None:
    """What speaks against a message of this use where these purposes were refused."""
    return OPTED_OUT if "all" in refused else _NO.get(use) if use in refused else None


def _name(account_id: int, kind: str, value: str) -> bytes:
    return f"refusal\n{account_id}\n{kind}\n{value}".encode()


_NO: Mapping[str, Refusal] = {"marketing": NO_MARKETING, "reminder": NO_REMINDERS}
_c, _f = consents.c, erased_refusals.c
_NOTE = Prepared(insert(consent_events))
_ADD = Prepared(insert(consents))
_ADDRESS = (
    _c.account_id == bindparam("account_id"),
    _c.kind == bindparam("kind"),
    _c.value == bindparam("value"),
)
_STATE = Prepared(select(_c.state).where(*_ADDRESS, _c.purpose == bindparam("purpose")))
# What is written from a number that is called goes by SMS from that number, so what was said to its SMS holds as well.
_asked, _same = accounts.alias("asked"), accounts.alias("same")
_REFUSED = Prepared(
    select(_c.purpose).where(
        _c.kind == bindparam("kind"),
        _c.value == bindparam("value"),
        _c.state == "out",
        _c.account_id.in_(
            select(_same.c.id)
            .join(
                _asked,
                or_(
                    _same.c.id == _asked.c.id,
                    and_(
                        _asked.c.channel == "voice",
                        _same.c.channel == "sms",
                        _same.c.address == _asked.c.address,
                        _same.c.provider == _asked.c.provider,
                        _same.c.tenant_id == _asked.c.tenant_id,
                    ),
                ),
            )
            .where(_asked.c.id == bindparam("account_id"))
        ),
    )
)
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
