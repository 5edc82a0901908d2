"""The ledger of what people have agreed to and refused, by address. Whether a message may go is asked of `desk.sending`.

A person may have several addresses on a channel: a number, and WhatsApp's id of whoever hides it. What is said from one of
them holds for all, also for one that becomes known to be theirs later.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal

from sqlalchemy import and_, bindparam, delete, insert, or_, select, tuple_, union_all, update

from desk import live
from desk.verdicts import ALLOWED, Allowed, Refusal, Use
from storage.base import Db
from storage.models.accounts import accounts
from storage.models.conversations import conversations, messages
from storage.models.customers import consent_events, consents, customer_identities
from storage.prepared import Prepared
from storage.session import Conflict, announce, attempt

State = Literal["in", "out"]
Purpose = Literal["all", "marketing", "reminder"]
Marks = Callable[[bytes], Sequence[str]]  # keyed digests, the first by the newest key (`Sealer.marks`)

OPTED_OUT = Refusal("opted_out", "They asked for no more messages from this number.")
NO_MARKETING = Refusal("opted_out_marketing", "They asked for no more offers from this number.")
NO_REMINDERS = Refusal("opted_out_reminder", "They asked for no more reminders from this number.")

# At which kinds of address a channel reaches somebody.
KINDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"sms": ("phone",), "voice": ("phone",), "whatsapp": ("whatsapp", "bsuid"), "web": ("web",), "sim": ("sim",)}
)
_TOGETHER = {kind: kinds for kinds in KINDS.values() for kind in kinds}


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
    """Write down what somebody has agreed to or refused; True when that changes how they stand.

    The ledger gets its line in any case, and one for each further address of the customer on that channel that stood
    otherwise. `out` for `all` stops everything but the legal answer, and `in` for `all` undoes that; a refusal of marketing
    or of reminders stands until it is taken back itself.
    """
    said = {"tenant_id": tenant_id, "account_id": account_id, "purpose": purpose, "state": state}
    proof = {"customer_id": customer_id, "source": source, "message_id": message_id, "note": note, "at": now}
    changed = _write(db, {**said, "kind": kind, "value": value}, proof)
    for other in _others(db, customer_id, kind, value):
        where = {"account_id": account_id, "kind": other.kind, "value": other.value, "purpose": purpose}
        if (_STATE(db, where).scalar_one_or_none() or "in") != state:
            changed = _write(db, {**said, "kind": other.kind, "value": other.value}, proof) or changed
    return changed


def _others(db: Db, customer_id: int | None, kind: str, value: str) -> Sequence[Any]:
    """The other addresses at which the same channel reaches the customer."""
    if customer_id is None:
        return ()
    known = _OTHERS(db, {"customer_id": customer_id, "kinds": _TOGETHER.get(kind, (kind,))})
    return [one for one in known if (one.kind, one.value) != (kind, value)]


def _write(db: Db, said: Mapping[str, Any], proof: Mapping[str, Any]) -> bool:
    """A line of the ledger, and how that address stands now; True when it stood otherwise."""
    tenant_id, state, now = said["tenant_id"], said["state"], proof["at"]
    address = {name: said[name] for name in ("account_id", "kind", "value", "purpose")}
    _NOTE(db, {**said, **proof})
    if _STATE(db, address).scalar_one_or_none() is None:
        try:
            with attempt(db):
                _ADD(db, {**said, "since": now})
        except Conflict:
            pass  # written by somebody else in the meantime: it is set below like any other
        else:
            _show(db, tenant_id, address)
            return bool(state == "out")
    values = {f"of_{name.removesuffix('_id')}": value for name, value in address.items()}
    changed = _SET(db, {**values, "new_state": state, "now": now}).rowcount > 0
    if changed:
        _show(db, tenant_id, address)
    return changed


def _show(db: Db, tenant_id: int, address: Mapping[str, Any]) -> None:
    """Whoever looks at the conversation with that address sees how they stand now."""
    announce(db, f"inbox:{tenant_id}")
    for conversation_id in _TALK(db, {name: address[name] for name in ("account_id", "kind", "value")}).scalars():
        live.changed(db, tenant_id, conversation_id, "conversation")


def is_out(db: Db, account_id: int, kind: str, value: str, purpose: Purpose = "all") -> bool:
    """Whether whoever has the address refused this purpose, or everything."""
    refused, _ = _refused(db, account_id, kind, value, None)
    return "all" in refused or purpose in refused


def refused_with(db: Db, account_id: int, kind: str, value: str) -> tuple[str, str] | None:
    """How whoever has the address has refused everything, while that stands: the source in the ledger, and their words if
    it was a message of theirs.
    """
    row = _LAST(db, {"account_id": account_id, "kind": kind, "value": value}).one_or_none()
    return (row.source, row.text or "") if row is not None and row.state == "out" else None


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
    """What whoever has the address has said to a message of this use; with `marks` also before they were erased. Who was, and
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
    """These addresses (kind, value) of one person are forgotten. What was refused from one of them is kept for all by which
    the same channel reaches them, each under a mark that names it to nobody.
    """
    for kinds in dict.fromkeys(_TOGETHER.get(kind, (kind,)) for kind, _ in addresses):
        theirs = [(kind, value) for kind, value in addresses if kind in kinds]
        at_one = or_(*(and_(_c.kind == kind, _c.value == value) for kind, value in theirs))
        there = _c.tenant_id == tenant_id, at_one
        told = select(_c.account_id, _c.purpose, _c.state, _c.since).where(*there).order_by(_c.since, _c.id)
        said = db.execute(told).all()
        db.execute(delete(consents).where(*there))
        if not said:
            continue
        anew = tuple_(_c.account_id, _c.purpose).in_({(row.account_id, row.purpose) for row in said})
        refused = {(row.account_id, row.purpose): row.since for row in said if row.state == "out"}
        for kind, value in theirs:
            names = marks(_name(kind, value))
            # What is kept from an earlier time holds no longer.
            db.execute(delete(consents).where(anew, _c.kind == kind, _c.value.in_(names)))
            mark = {"tenant_id": tenant_id, "kind": kind, "value": names[0], "state": "out"}
            kept = [
                {**mark, "account_id": account_id, "purpose": purpose, "since": since}
                for (account_id, purpose), since in refused.items()
            ]
            if kept:
                db.execute(insert(consents), kept)


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
    """The purposes that whoever has the address refused, and with `marks` those which they refused before they were erased
    and have said nothing of since.
    """
    before = () if marks is None else marks(_name(kind, value))
    where = {"account_id": account_id, "kind": kind, "value": value}
    rows = _SAID(db, {**where, "values": [value, *before]}).all()
    said = {(row.account_id, row.purpose) for row in rows if row.value not in before}
    refused = {row.purpose for row in rows if row.value not in before and row.state == "out"}
    return refused, {row.purpose for row in rows if row.value in before and (row.account_id, row.purpose) not in said}


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
_OTHERS = Prepared(
    select(customer_identities.c.kind, customer_identities.c.value).where(
        customer_identities.c.customer_id == bindparam("customer_id"),
        customer_identities.c.kind.in_(bindparam("kinds", expanding=True)),
    )
)
_TALK = Prepared(
    select(conversations.c.id).where(
        conversations.c.account_id == bindparam("account_id"),
        conversations.c.peer_kind == bindparam("kind"),
        conversations.c.peer == bindparam("value"),
    )
)
_e = consent_events.c
_LAST = Prepared(
    select(_e.state, _e.source, messages.c.text)
    .select_from(consent_events.outerjoin(messages, messages.c.id == _e.message_id))
    .where(
        _e.account_id == bindparam("account_id"),
        _e.kind == bindparam("kind"),
        _e.value == bindparam("value"),
        _e.purpose == "all",
    )
    .order_by(_e.id.desc())
    .limit(1)
)
_STATE = Prepared(select(_c.state).where(*_ADDRESS, _c.purpose == bindparam("purpose")))
# What is written from a number that is called goes by SMS from that number, so what was said to its SMS holds as well.
_asked, _same = accounts.alias("asked"), accounts.alias("same")
_OVER = _c.account_id.in_(
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
)
_to, _named, _theirs = accounts.alias("to"), customer_identities.alias("named"), customer_identities.alias("theirs")
_FOUND = (_c.account_id, _c.value, _c.purpose, _c.state)
_BY_ANYBODY = union_all(  # not by `or_`, for which all that was said to the account would be looked through
    select(*_FOUND).where(_c.kind == bindparam("kind"), _c.value.in_(bindparam("values", expanding=True)), _OVER),
    select(*_FOUND)
    .select_from(_to)
    .join(_named, and_(_named.c.tenant_id == _to.c.tenant_id, _named.c.kind == bindparam("kind")))
    .join(_theirs, _theirs.c.customer_id == _named.c.customer_id)
    .join(consents, and_(_c.kind == _theirs.c.kind, _c.value == _theirs.c.value))
    .where(_to.c.id == bindparam("account_id"), _named.c.value == bindparam("value"), _OVER),
).subquery("said")
_SAID = Prepared(select(*_BY_ANYBODY.c))
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
