"""Scenarios of a bot as texts: the draft that is being worked on, and every version that was ever published.

What the texts mean nobody here knows; `bots.studio` does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Select, or_, select, update

from desk import audit, bots, businesses, prompts, records
from desk.errors import AlreadyThere, NotFound
from desk.listing import Found, Window, contains, page
from desk.refs import Ref
from desk.refs import row as find_row
from desk.who import Actor
from storage.base import Db
from storage.models.bots import scenario_versions, scenarios
from storage.models.tenants import users

NOUN: Final = "scenario"
_PRIVATE: Final = ("draft",)  # too long for the audit; its versions are kept anyway
_t = scenarios.c
_v = scenario_versions.c


@dataclass(frozen=True, slots=True)
class Version:
    """A published text, which never changes. `is_current`: new conversations begin with it."""

    id: int
    number: int
    source: str
    digest: str
    published_at: datetime
    published_by: str | None
    is_current: bool


@dataclass(frozen=True, slots=True)
class Scenario:
    id: int
    uid: str
    bot_id: int
    bot_uid: str
    name: str
    draft: str | None
    current: Version | None
    created_at: datetime

    @property
    def source(self) -> str:
        """What somebody would go on with: the draft, or else what is published."""
        return self.draft if self.draft is not None else self.current.source if self.current is not None else ""

    @property
    def status(self) -> str:
        """draft: never published; changed: published, and something else is being worked on; published."""
        if self.current is None:
            return "draft"
        return "published" if self.draft in (None, self.current.source) else "changed"


def find(db: Db, who: Actor, bot: Ref, window: Window, *, search: str | None = None) -> Found[Scenario]:
    """By name.

    Raises: NotFound
    """
    owner = bots.row(db, who, bot)
    wanted = _wanted(owner.id)
    if search:
        wanted = wanted.where(contains(search, _t.name))
    sorts = {"name": _t.name, "created_at": _t.created_at}
    return page(db, wanted, window, lambda row: _one(row, owner.uid), sorts=sorts, by="name", tie=_t.id)


def get(db: Db, who: Actor, bot: Ref, ref: Ref, *, lock: bool = False) -> Scenario:
    """Raises: NotFound"""
    owner = bots.row(db, who, bot)
    row = _row(db, who, owner.id, ref, lock=lock)
    return _one(db.execute(_wanted(owner.id).where(_t.id == row.id)).one(), owner.uid)


def add(db: Db, who: Actor, bot: Ref, name: str, draft: str, *, now: datetime) -> Scenario:
    """A draft of that name. One that was taken away before goes on with its versions.

    Raises: NotFound, AlreadyThere
    """
    owner = bots.row(db, who, bot, lock=True)
    former = db.execute(select(scenarios).where(_t.bot_id == owner.id, _t.name == name)).one_or_none()
    if former is None:
        values = {"bot_id": owner.id, "name": name, "draft": draft}
        made = records.add(db, who, scenarios, values, noun=NOUN, private=_PRIVATE, now=now)
        return get(db, who, owner.id, made.id)
    if _is_there(former):
        raise AlreadyThere(NOUN, "name")
    return save(db, who, owner.id, former.id, draft, now=now, is_back=True)


def save(db: Db, who: Actor, bot: Ref, ref: Ref, draft: str, *, now: datetime, is_back: bool = False) -> Scenario:
    """Keep the draft; customers notice nothing.

    Raises: NotFound
    """
    owner = bots.row(db, who, bot)
    row = find_row(db, scenarios, who, ref, NOUN, lock=True) if is_back else _row(db, who, owner.id, ref, lock=True)
    records.change(db, who, scenarios, row.id, {"draft": draft}, noun=NOUN, private=_PRIVATE, now=now)
    return get(db, who, owner.id, row.id)


def remove(db: Db, who: Actor, bot: Ref, ref: Ref, *, now: datetime) -> None:
    """It is begun no more. Who is in the middle of it comes to the end; one that was ever played keeps its versions.

    Raises: NotFound
    """
    owner = bots.row(db, who, bot, lock=True)
    row = _row(db, who, owner.id, ref, lock=True)
    if row.published_id is None and not _has_versions(db, row.id):
        records.remove(db, who, scenarios, row.id, noun=NOUN, private=_PRIVATE, now=now)
        return
    db.execute(update(scenarios).where(_t.id == row.id).values(draft=None, published_id=None))
    audit.record(db, who, "scenario.deleted", NOUN, row.id, {"name": row.name}, None, now, uid=row.uid)
    businesses.touch(db, owner.business_id)


def versions(db: Db, who: Actor, bot: Ref, ref: Ref, window: Window) -> Found[Version]:
    """The newest first.

    Raises: NotFound
    """
    scenario = get(db, who, bot, ref)
    current = scenario.current.id if scenario.current is not None else None
    wanted = _versions(scenario.id)
    return page(
        db, wanted, window, lambda row: _version(row, current), sorts={"number": _v.number}, by="-number", tie=_v.id
    )


def version(db: Db, who: Actor, bot: Ref, ref: Ref, number: int) -> Version:
    """Raises: NotFound"""
    scenario = get(db, who, bot, ref)
    found = db.execute(_versions(scenario.id).where(_v.number == number)).one_or_none()
    if found is None:
        raise NotFound("version", number)
    return _version(found, scenario.current.id if scenario.current is not None else None)


def roll_back(db: Db, who: Actor, bot: Ref, ref: Ref, number: int, *, now: datetime) -> Scenario:
    """New conversations begin with that version again; those under way stay with theirs. The draft stays as it is.

    Raises: NotFound
    """
    owner = bots.row(db, who, bot)
    before = get(db, who, owner.id, ref, lock=True)
    wanted = version(db, who, owner.id, before.id, number)
    if wanted.is_current:
        return before
    db.execute(update(scenarios).where(_t.id == before.id).values(published_id=wanted.id))
    was = {"version": before.current.number} if before.current is not None else None
    prompts.ask(db, who.tenant_id, owner.id, now=now)
    audit.record(db, who, "scenario.rolled_back", NOUN, before.id, was, {"version": number}, now, uid=before.uid)
    businesses.touch(db, owner.business_id)
    return get(db, who, owner.id, before.id)


def forget_draft(db: Db, scenario_id: int, draft: str) -> None:
    """It is published; what somebody wrote in the meantime stays."""
    db.execute(update(scenarios).where(_t.id == scenario_id, _t.draft == draft).values(draft=None))


def texts(db: Db, bot_id: int) -> Mapping[str, str]:
    """What is published of a bot, by name."""
    wanted = select(_t.name, _v.source).join(scenario_versions, _v.id == _t.published_id).where(_t.bot_id == bot_id)
    return {row.name: row.source for row in db.execute(wanted)}


def _row(db: Db, who: Actor, bot_id: int, ref: Ref, *, lock: bool = False) -> Row[Any]:
    found = find_row(db, scenarios, who, ref, NOUN, lock=lock)
    if found.bot_id != bot_id or not _is_there(found):
        raise NotFound(NOUN, ref)
    return found


def _is_there(row: Row[Any]) -> bool:
    return row.draft is not None or row.published_id is not None


def _has_versions(db: Db, scenario_id: int) -> bool:
    return db.execute(select(_v.id).where(_v.scenario_id == scenario_id).limit(1)).first() is not None


def _wanted(bot_id: int) -> Select[Any]:
    joined = scenarios.outerjoin(scenario_versions, _v.id == _t.published_id).outerjoin(
        users, users.c.id == _v.published_by
    )
    wanted = select(
        scenarios,
        _v.id.label("version_id"),
        _v.number,
        _v.source,
        _v.digest,
        _v.published_at,
        users.c.uid.label("published_by_uid"),
    ).select_from(joined)
    return wanted.where(_t.bot_id == bot_id, or_(_t.draft.is_not(None), _t.published_id.is_not(None)))


def _versions(scenario_id: int) -> Select[Any]:
    joined = scenario_versions.outerjoin(users, users.c.id == _v.published_by)
    wanted = select(scenario_versions, _v.id.label("version_id"), users.c.uid.label("published_by_uid"))
    return wanted.select_from(joined).where(_v.scenario_id == scenario_id)


def _version(row: Row[Any], current: int | None) -> Version:
    return Version(
        id=row.version_id,
        number=row.number,
        source=row.source,
        digest=row.digest,
        published_at=row.published_at,
        published_by=row.published_by_uid,
        is_current=row.version_id == current,
    )


def _one(row: Row[Any], bot_uid: str) -> Scenario:
    return Scenario(
        id=row.id,
        uid=row.uid,
        bot_id=row.bot_id,
        bot_uid=bot_uid,
        name=row.name,
        draft=row.draft,
        current=None if row.version_id is None else _version(row, row.version_id),
        created_at=row.created_at,
    )
