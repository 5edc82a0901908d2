"""The ledger of what an address has agreed to and refused. Whether a message may go is asked of `desk.sending`."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Literal

from sqlalchemy import and_, bindparam, delete, insert, or_, select, update

from desk.verdicts import ALLOWED, Allowed, Refusal, Use
from storage.base import Db
from storage.models.accounts import accounts
from storage.models.customers import consent_events, consents
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
    refused, _ = _refused(db, account_id, kind, value, None)
    return "all" in refused or purpose in refused


def standing(
    db: Db,
    *,
    account_id: int,
    kind: str,
    value: str,
    use: Use,
    marks: Marks | None = None,
    has_written: Callable[[], bool] = lambda: False,
) -> Allowed | Refusal:
    """What the address has said to a message of this use; with `marks` also before whoever had it was erased. Who was, and
    `has_written` since, is answered all the same.
    """
    if use == "legal":
        return ALLOWED
    refused, before = _refused(db, account_id, kind, value, marks)
    if before and (use in _NO or not has_written()):
        refused |= before
    return refusal(refused, use) or ALLOWED


def refusal(refused: Collection[str], use: Use) -> Refusal | None:
    """What speaks against a message of this use where these purposes were refused."""
    return OPTED_OUT if "all" in refused else _NO.get(use) if use in refused else None


def outlive(db: Db, addresses: Collection[tuple[str, str]], *, tenant_id: int, marks: Marks) -> None:
    """These addresses (kind, value) are forgotten; what they refused is kept under a mark that names them to nobody."""
    for kind, value in addresses:
        names = marks(_name(kind, value))
        theirs = _c.tenant_id == tenant_id, _c.kind == kind
        for row in db.execute(select(_c.account_id, _c.purpose).where(*theirs, _c.value == value)).all():
            same = _c.account_id == row.account_id, _c.purpose == row.purpose
            db.execute(delete(consents).where(*theirs, *same, _c.value.in_(names)))  # they have said it anew
        db.execute(delete(consents).where(*theirs, _c.value == value, _c.state != "out"))
        db.execute(update(consents).where(*theirs, _c.value == value).values(value=names[0]))


def forgotten(
    db: Db, account_id: int, addresses: Collection[tuple[str, str]], *, marks: Marks
) -> dict[tuple[str, str], set[str]]:
    """What those addresses refused before whoever had them was erased, and have not taken back since; asked for all of them
    at once.
    """
    by_mark = {mark: (kind, value) for kind, value in addresses for mark in marks(_name(kind, value))}
    kept = select(_c.purpose, _c.value).where(_c.account_id == account_id, _c.value.in_(by_mark), _c.state == "out")
    found: dict[tuple[str, str], set[str]] = {}
    for row in db.execute(kept):
        found.setdefault(by_mark[row.value], set()).add(row.purpose)
    if found:
        said = select(_c.kind, _c.value, _c.purpose).where(
            _c.account_id == account_id, _c.value.in_([value for _, value in found])
        )
        for kind, value, purpose in db.execute(said):
            found.get((kind, value), set()).discard(purpose)
    return found


def _refused(db: Db, account_id: int, kind: str, value: str, marks: Marks | None) -> tuple[set[str], set[str]]:
    """The purposes that the address refused, and with `marks` those which it refused before whoever had it was erased and
    has said nothing of since.
    """
    values = [value] if marks is None else [value, *marks(_name(kind, value))]
    rows = _SAID(db, {"account_id": account_id, "kind": kind, "values": values}).all()
    said = {(row.account_id, row.purpose) for row in rows if row.value == value}
    refused = {row.purpose for row in rows if row.value == value and row.state == "out"}
    return refused, {row.purpose for row in rows if row.value != value and (row.account_id, row.purpose) not in said}


def _name(kind: str, value: str) -> bytes:
    return f"refusal\n{kind}\n{value}".encode()


_NO: Mapping[str, Refusal] = {"marketing": NO_MARKETING, "reminder": NO_REMINDERS}
_c = consents.c
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
_SAID = Prepared(
    select(_c.account_id, _c.value, _c.purpose, _c.state).where(
        _c.kind == bindparam("kind"),
        _c.value.in_(bindparam("values", expanding=True)),
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
