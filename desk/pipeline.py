"""The stages that deals go through, from first contact to won or lost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import Row, func, insert, select, update

from desk import audit, records, refs
from desk.errors import InUse, Invalid, NotFound
from desk.listing import Found, Window, page
from desk.refs import Ref
from desk.who import Actor
from storage.base import Db, new_uid
from storage.models.work import deals
from storage.models.work import pipeline_stages as table
from storage.session import Conflict, attempt

Outcome = Literal["open", "won", "lost"]

NOUN = "pipeline stage"
_USUAL: Final[tuple[tuple[str, Outcome], ...]] = (
    ("New", "open"),
    ("Contacted", "open"),
    ("Proposal", "open"),
    ("Won", "won"),
    ("Lost", "lost"),
)
_t = table.c


@dataclass(frozen=True, slots=True)
class Stage:
    """`outcome` says what a deal in it has come to."""

    id: int
    uid: str
    name: str
    position: int
    outcome: Outcome
    deals: int
    created_at: datetime


def find(db: Db, who: Actor, window: Window, *, outcome: str | None = None) -> Found[Stage]:
    """The tenant's, in their order; none before the first deal or `prepared`."""
    wanted = _STAGE.where(_t.tenant_id == who.tenant_id)
    if outcome is not None:
        wanted = wanted.where(_t.outcome == outcome)
    sorts = {"position": _t.position, "name": _t.name, "created_at": _t.created_at}
    return page(db, wanted, window, _one, sorts=sorts, by="position", tie=_t.id)


def prepared(db: Db, who: Actor, *, now: datetime) -> None:
    """A tenant without stages gets the usual ones."""
    if db.execute(select(_t.id).where(_t.tenant_id == who.tenant_id).limit(1)).first() is not None:
        return
    rows = [
        {
            "uid": new_uid(),
            "tenant_id": who.tenant_id,
            "name": name,
            "position": place,
            "outcome": outcome,
            "created_at": now,
        }
        for place, (name, outcome) in enumerate(_USUAL)
    ]
    try:
        with attempt(db):
            db.execute(insert(table), rows)
    except Conflict:
        return  # somebody else has just made them


def get(db: Db, who: Actor, ref: Ref) -> Stage:
    """Raises: NotFound"""
    return _get(db, who, refs.id_of(db, table, who, ref, NOUN))


def named(db: Db, who: Actor, stage: str | None) -> Row[Any]:
    """The stage of that id or name (in any case), or without either the first that is open.

    Raises: NotFound
    """
    mine = select(table).where(_t.tenant_id == who.tenant_id).order_by(_t.position, _t.id)
    if stage is None:
        found = db.execute(mine.where(_t.outcome == "open").limit(1)).first()
    else:
        found = db.execute(mine.where(func.lower(_t.name) == stage.strip().lower()).limit(1)).first()
        found = found or refs.row(db, table, who, stage, NOUN)
    if found is None:
        raise NotFound(NOUN, stage)
    return found


def add(db: Db, who: Actor, values: Mapping[str, Any], *, now: datetime) -> Stage:
    """`values`: name, outcome, and position, None for the end.

    Raises: AlreadyThere
    """
    prepared(db, who, now=now)
    if values.get("position") is None:
        last = db.execute(select(func.max(_t.position)).where(_t.tenant_id == who.tenant_id)).scalar_one()
        values = {**values, "position": (-1 if last is None else last) + 1}
    return _get(db, who, records.add(db, who, table, values, noun=NOUN, now=now).id)


def change(db: Db, who: Actor, ref: Ref, values: Mapping[str, Any], *, now: datetime) -> Stage:
    """Raises: NotFound, AlreadyThere, InUse"""
    values = {name: value for name, value in values.items() if name != "position" or value is not None}
    before = refs.row(db, table, who, ref, NOUN, lock=True)
    if values.get("outcome", before.outcome) != before.outcome:
        if db.execute(select(deals.c.id).where(deals.c.stage_id == before.id).limit(1)).first() is not None:
            raise InUse(NOUN, "There are deals in this stage; what it means cannot change under them.")
        _keep_an_open_one(db, who, before)
    return _get(db, who, records.change(db, who, table, before.id, values, noun=NOUN, now=now).id)


def remove(db: Db, who: Actor, ref: Ref, *, now: datetime) -> None:
    """Raises: NotFound, InUse while deals are in it or no other is open"""
    _keep_an_open_one(db, who, refs.row(db, table, who, ref, NOUN))
    records.remove(db, who, table, ref, noun=NOUN, now=now)


def reorder(db: Db, who: Actor, stages: Sequence[str], *, now: datetime) -> None:
    """Put all of the tenant's stages into this order.

    Raises: NotFound, Invalid when one is missing or there twice
    """
    ids = [refs.id_of(db, table, who, stage, NOUN) for stage in stages]
    before = db.execute(select(_t.id).where(_t.tenant_id == who.tenant_id).order_by(_t.position, _t.id)).scalars().all()
    if sorted(ids) != sorted(before):
        raise Invalid("stage_ids", "Name every stage once.")
    for place, stage_id in enumerate(ids):
        db.execute(update(table).where(_t.id == stage_id).values(position=place))
    if ids != [*before]:
        audit.record(db, who, "pipeline.reordered", "pipeline_stage", ids[0], None, {"order": [*stages]}, now)


def _keep_an_open_one(db: Db, who: Actor, stage: Row[Any]) -> None:
    """Raises: InUse"""
    others = select(_t.id).where(_t.tenant_id == who.tenant_id, _t.outcome == "open", _t.id != stage.id)
    if stage.outcome == "open" and db.execute(others.limit(1)).first() is None:
        raise InUse(NOUN, "One stage has to be open, for new deals.")


def _get(db: Db, who: Actor, stage_id: int) -> Stage:
    return _one(db.execute(_STAGE.where(_t.id == stage_id, _t.tenant_id == who.tenant_id)).one())


_STAGE = select(table, select(func.count(deals.c.id)).where(deals.c.stage_id == _t.id).scalar_subquery().label("deals"))


def _one(found: Row[Any]) -> Stage:
    return Stage(
        id=found.id,
        uid=found.uid,
        name=found.name,
        position=found.position,
        outcome=found.outcome,
        deals=found.deals,
        created_at=found.created_at,
    )
