"""The job table: work that is enqueued in the caller's transaction and outlives any process.

A job is claimed by lease and acknowledged in the transaction of its effect. When a lease runs out (the process died or
was stopped) somebody else takes the job, and the first one's acknowledgement is refused.
"""

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Insert,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from storage.base import Db, JsonValue
from storage.models.jobs import jobs, lanes
from storage.prepared import Prepared
from storage.session import Conflict, announce, attempt

TOPIC = "jobs"


class LeaseLost(Exception):  # noqa: N818  reads better than LeaseLostError
    """The lease ran out and the job is somebody else's now; the effect must not be committed."""


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed job. `attempts` counts this one."""

    id: int
    tenant_id: int | None
    kind: str
    payload: Mapping[str, JsonValue]
    lane: str
    attempts: int
    lease: str
    run_at: datetime


def enqueue(
    db: Db,
    kind: str,
    payload: Mapping[str, JsonValue],
    *,
    now: datetime,
    run_at: datetime | None = None,
    tenant_id: int | None = None,
    lane: str = "main",
    priority: int = 0,
    dedupe: str | None = None,
    topic: str = TOPIC,
    wakes: bool = True,
) -> None:
    """Have `kind` done at `run_at` (default: now).

    With `dedupe`, a waiting job of that name is replaced: it moves to the new time and payload. `topic` is what its
    worker listens to; one that does not `wakes` it is found when the worker looks next.
    """
    values = {
        "kind": kind,
        "payload": dict(payload),
        "tenant_id": tenant_id,
        "lane": lane,
        "priority": priority,
        "run_at": run_at or now,
        "dedupe": dedupe,
        "created_at": now,
    }
    _ENQUEUE(db, values)
    if wakes and values["run_at"] == now:
        announce(db, topic)


def cancel(db: Db, dedupe: str) -> bool:
    """True when a waiting job of that name was taken away; a running one is not stopped."""
    return _CANCEL(db, {"name": dedupe}).rowcount > 0


def cancel_prefix(db: Db, prefix: str) -> int:
    """How many waiting jobs were taken away whose dedupe name begins with `prefix`."""
    return _CANCEL_FROM(db, {"first": prefix, "last": prefix + _LAST_CHARACTER}).rowcount


def is_due(db: Db, dedupe: str) -> bool:
    """Whether a job of that name waits or runs."""
    alive = jobs.c.dedupe == dedupe, jobs.c.status.in_(("ready", "running"))
    return db.execute(select(jobs.c.id).where(*alive).limit(1)).scalar_one_or_none() is not None


def fate(db: Db, names: Sequence[str], *, no_later_than: Job) -> list[tuple[str, datetime]]:
    """Status (ready or running) and due time of the jobs of these names that are no less urgent than that one, in the order
    in which they came.
    """
    mine = select(jobs.c.priority).where(jobs.c.id == no_later_than.id).scalar_subquery()
    wanted = jobs.c.dedupe.in_(names), jobs.c.status.in_(("ready", "running")), jobs.c.priority <= mine
    found = db.execute(select(jobs.c.status, jobs.c.run_at).where(*wanted).order_by(jobs.c.id))
    return [(row.status, row.run_at) for row in found]


def claim(
    db: Db,
    *,
    now: datetime,
    lease: str,
    lease_for: timedelta,
    limit: int,
    kinds: frozenset[str],
    one_per_lane: bool = False,
    after: str = "",
    held: Collection[int] = (),
    urgent_only: bool = False,
) -> list[Job]:
    """Up to `limit` due jobs of known kinds, replies first, then oldest; each is ours until `lease_for` has passed.

    Where more is due than can be taken, lanes take turns: first those in which least is running, and of these the next
    `after` the one served last. So nobody's flood keeps others waiting.

    Jobs of an unknown kind stay where they are: a newer version may have written them. With `one_per_lane`, lanes in
    which one is running are left alone, and of each other lane one is taken: who is slow is slow for itself only. `held` are the
    jobs that whoever asks is doing already: a clock that was set forward does not make them anybody's. With `urgent_only`,
    what goes behind replies is left for later.
    """
    closed = _closed_lanes(db, now)
    buckets = {} if one_per_lane else _buckets(db, now)
    closed |= {name for name, bucket in buckets.items() if bucket.has(0) == 0}
    if one_per_lane:
        closed |= _busy_lanes(db, now, kinds)
    mine: dict[str, Any] = {
        "kinds": sorted(kinds),
        "closed": _padded(sorted(closed), ""),
        "held": _padded(sorted(held), -1),
        "now": now,
    }
    campaigns: list[Any] = []
    due = _URGENT if urgent_only else _DUE
    rated: dict[str, Any] = {}
    if not urgent_only and buckets and _CAMPAIGNS(db, {"now": now}).first() is not None:
        # What waits in a lane with a rate is looked at lane by lane: thousands of rows wait there for their second.
        waiting = {row.lane for row in _LANES(db, {}) if row.lane is not None}
        due = _URGENT
        if waiting - buckets.keys():
            due, rated = _URGENT_OR_UNRATED, {"rated": _padded(sorted(buckets), "")}
        open_ones = sorted((waiting & buckets.keys()) - closed, key=lambda lane: (lane <= after, lane))
        campaigns = _campaigns(db, {lane: buckets[lane] for lane in open_ones}, now=now, kinds=kinds, limit=limit)
    found = due(db, {**mine, **rated, "most": limit}).all()
    if not one_per_lane and len(found) == limit and (limit == 1 or len({row.lane for row in found}) < limit):
        found = _in_turns(db, found, mine=mine, after=after)[:limit]
    inside = {row.id for row in found}
    found = [*found, *(row for row in campaigns if row.id not in inside)][:limit]
    purses = _Purses(db, {row.lane for row in found} & buckets.keys(), now)
    taken: list[Job] = []
    lanes_taken: set[str] = set()
    for row in found:
        if one_per_lane and row.lane in lanes_taken:
            continue
        lanes_taken.add(row.lane)
        if not purses.take(row.lane, row.priority):
            continue
        taken.append(Job(row.id, row.tenant_id, row.kind, row.payload, row.lane, row.attempts + 1, lease, row.run_at))
    purses.close()
    if taken:
        ids = _padded([job.id for job in taken], -1)
        _TAKE(db, {"ids": ids, "mine": lease, "until": now + lease_for})
    return taken


def finish(db: Db, job: Job) -> None:
    """The job is done; call it in the transaction of its effect.

    Raises: LeaseLost
    """
    if _FINISH(db, {"job": job.id, "mine": job.lease}).rowcount == 0:
        raise LeaseLost(f"job {job.id} is no longer leased to {job.lease!r}")


def again(
    db: Db,
    job: Job,
    *,
    at: datetime,
    error: str,
    now: datetime,
    is_try: bool = True,
    payload: Mapping[str, JsonValue] | None = None,
) -> None:
    """Try once more at `at`, with this payload if there is one; unless it `is_try`, this one does not count. When the same
    dedupe name waits already, that one stands for both.

    Raises: LeaseLost
    """
    try:
        with attempt(db):
            changed = db.execute(
                update(jobs)
                .where(jobs.c.id == job.id, jobs.c.lease == job.lease)
                .values(
                    status="ready",
                    run_at=at,
                    lease=None,
                    leased_until=None,
                    error=error[:500],
                    attempts=jobs.c.attempts if is_try else jobs.c.attempts - 1,
                    payload=jobs.c.payload if payload is None else dict(payload),
                )
            )
    except Conflict:
        finish(db, job)
        return
    if changed.rowcount == 0:
        raise LeaseLost(f"job {job.id} is no longer leased to {job.lease!r}")
    if at <= now:
        announce(db, TOPIC)


def wait(db: Db, job: Job, *, lane: str, until: datetime, payload: Mapping[str, JsonValue]) -> None:
    """Keep it in that lane, with this payload, until `go_on` or the time has come. This was no try. When the same dedupe
    name waits already, that one stands for both.

    Raises: LeaseLost
    """
    values = {"status": "ready", "lane": lane, "run_at": until, "payload": dict(payload), "lease": None}
    where = jobs.c.id == job.id, jobs.c.lease == job.lease
    try:
        with attempt(db):
            changed = db.execute(
                update(jobs).where(*where).values(**values, leased_until=None, attempts=jobs.c.attempts - 1)
            )
    except Conflict:
        finish(db, job)
        return
    if changed.rowcount == 0:
        raise LeaseLost(f"job {job.id} is no longer leased to {job.lease!r}")


def go_on(db: Db, lane: str, *, now: datetime) -> int:
    """How many jobs that wait in the lane are due from now on."""
    changed = db.execute(update(jobs).where(jobs.c.lane == lane, jobs.c.status == "ready").values(run_at=now))
    if changed.rowcount:
        announce(db, TOPIC)
    return changed.rowcount


def bury(db: Db, job: Job, *, error: str) -> None:
    """No more tries; the row stays as `dead` for a person to look at."""
    db.execute(
        update(jobs)
        .where(jobs.c.id == job.id, jobs.c.lease == job.lease)
        .values(status="dead", lease=None, leased_until=None, error=error[:500])
    )


def extend(db: Db, job: Job, *, until: datetime) -> bool:
    """True when the lease is still ours and now lasts until `until`."""
    return _EXTEND(db, {"job": job.id, "mine": job.lease, "until": until}).rowcount > 0


def release(db: Db, lease: str) -> int:
    """Give back everything leased to `lease`, for a clean stop."""
    changed = db.execute(
        update(jobs)
        .where(jobs.c.lease == lease, jobs.c.status == "running")
        .values(status="ready", lease=None, leased_until=None, attempts=jobs.c.attempts - 1)
    )
    return changed.rowcount


def next_due(db: Db, *, kinds: frozenset[str]) -> datetime | None:
    """When the earliest waiting job of these kinds is due, or None."""
    earliest: datetime | None = db.execute(
        select(func.min(jobs.c.run_at)).where(jobs.c.status == "ready", jobs.c.kind.in_(sorted(kinds)))
    ).scalar_one()
    return earliest


def next_token(db: Db, *, now: datetime, kinds: frozenset[str]) -> datetime | None:
    """When the next job of these kinds that waits for its lane's rate may go; None when none does."""
    closed = _closed_lanes(db, now)
    found = [
        bucket.wait_s(due.priority)
        for name, bucket in _buckets(db, now).items()
        if bucket.has(1) == 0
        and name not in closed
        and (due := _WAITS_IN(db, {"lane": name, "now": now}).first()) is not None
        and due.kind in kinds
    ]
    return now + timedelta(seconds=min(found)) if found else None


def set_lane(db: Db, name: str, *, rate_per_s: float | None = None, burst: int = 1, is_paused: bool = False) -> None:
    """Limit a lane to `rate_per_s` with bursts of `burst`; None is no limit. Pausing keeps its jobs where they are.

    In any span of t seconds no more than rate × t + burst go, over all processes together. With a burst of two or more
    campaigns leave the last token to replies.
    """
    values = {"rate_per_s": rate_per_s, "burst": burst, "is_paused": is_paused}
    _upsert_lane(db, name, values)


def block_lane(db: Db, name: str, *, until: datetime) -> None:
    """Claim nothing from the lane before `until`: the provider asked us to wait."""
    _upsert_lane(db, name, {"blocked_until": until})


def spend(db: Db, name: str, tokens: int) -> None:
    """So many tokens more are gone from the lane, which may leave it in debt: nothing goes until that is paid."""
    _OWE(db, {"lane": name, "tokens": tokens})


def _upsert_lane(db: Db, name: str, values: Mapping[str, object]) -> None:
    change = update(lanes).where(lanes.c.name == name).values(**values)
    if db.execute(change).rowcount == 0:
        try:
            with attempt(db):
                db.execute(insert(lanes).values(name=name, **values))
        except Conflict:
            db.execute(change)


def _closed_lanes(db: Db, now: datetime) -> Set[str]:
    return set(_CLOSED(db, {"now": now}).scalars())


def _busy_lanes(db: Db, now: datetime, kinds: frozenset[str]) -> frozenset[str]:
    return frozenset(_BUSY(db, {"now": now, "kinds": sorted(kinds)}).scalars())


def _in_turns(db: Db, found: Sequence[Any], *, mine: Mapping[str, Any], after: str) -> list[Any]:
    """What was lost by others, the first of each lane, in turn, and then the rest of `found`, which may be of one lane."""
    running = {row.lane: row.jobs for row in _RUNNING(db, {"now": mine["now"]})}
    left = _LOST(db, {**mine, "most": len(found)}).all()
    whose = {name: mine[name] for name in ("kinds", "closed", "now")}
    ids = [one for one in _FIRSTS(db, whose).scalars() if one is not None]
    heads = _THESE(db, {"ids": _padded(ids, -1)}).all()

    def turn(row: Any) -> tuple[int, int, bool, str]:
        return row.priority, running.get(row.lane, 0), row.lane <= after, row.lane

    inside = {row.id for row in (*left, *heads)}
    return [*left, *sorted(heads, key=turn), *(row for row in found if row.id not in inside)]


_T = TypeVar("_T")


def _padded(values: Sequence[_T], filler: _T) -> list[_T]:
    """The list made longer, up to a power of two: a prepared statement is kept for each length of its lists."""
    longer = 1 << max(len(values) - 1, 0).bit_length()
    return [*values, *[filler] * (longer - len(values))]


def _campaigns(
    db: Db, buckets: Mapping[str, "_Bucket"], *, now: datetime, kinds: frozenset[str], limit: int
) -> list[Any]:
    """What may go in these lanes behind replies: of each as many as it has tokens for, one of each lane in turn."""
    heads: list[list[Any]] = []
    for lane, bucket in buckets.items():
        may = min(bucket.has(1), limit)
        if may == 0 or _WAITS_IN(db, {"lane": lane, "now": now}).first() is None:
            continue
        heads.append(_HEADS(db, {"lane": lane, "now": now, "kinds": sorted(kinds), "most": may}).all())
    return [row for turn in zip_longest(*heads) for row in turn if row is not None]


@dataclass(slots=True)
class _Bucket:
    """What a lane with a rate may send at this moment."""

    rate_per_s: float
    burst: int
    tokens: float

    @classmethod
    def of(cls, row: Any, now: datetime) -> "_Bucket":
        tokens = float(row.burst)
        if row.filled_at is not None:
            waited_s = max((now - row.filled_at).total_seconds(), 0.0)
            tokens = min(tokens, row.tokens + waited_s * row.rate_per_s)
        return cls(row.rate_per_s, row.burst, tokens)

    def needs(self, priority: int) -> int:
        """Tokens that must be there for one to go. Campaigns leave one behind, so that a reply finds it."""
        return 2 if priority > 0 and self.burst > 1 else 1

    def has(self, priority: int) -> int:
        """How many may go."""
        return max(int(self.tokens + _GRAIN) - self.needs(priority) + 1, 0)

    def wait_s(self, priority: int) -> float:
        """Until the next one may."""
        return max((self.needs(priority) - self.tokens) / self.rate_per_s, 0.0)


class _Purses:
    """The buckets of these lanes, held against all other processes until the transaction ends: so a rate is one rate,
    however many there are. They are locked in one order, so nobody waits in a circle.
    """

    def __init__(self, db: Db, names: Set[str], now: datetime) -> None:
        self._db = db
        self._now = now
        self._spent: set[str] = set()
        self._of: dict[str, _Bucket] = {}
        if names:
            self._of = {row.name: _Bucket.of(row, now) for row in _PURSES(db, {"names": _padded(sorted(names), "")})}

    def take(self, lane: str, priority: int) -> bool:
        """Whether one more may go; it has its token then."""
        bucket = self._of.get(lane)
        if bucket is None:
            return True
        if bucket.has(priority) == 0:
            return False
        bucket.tokens -= 1
        self._spent.add(lane)
        return True

    def close(self) -> None:
        """Write down what is left."""
        for lane in sorted(self._spent):
            _SPEND(self._db, {"lane": lane, "left": self._of[lane].tokens, "at": self._now})


def _buckets(db: Db, now: datetime) -> dict[str, _Bucket]:
    return {row.name: _Bucket.of(row, now) for row in _RATED(db, {})}


_GRAIN = 1e-6  # of a token: seconds are binary fractions, and a token that is due is there
_LAST_CHARACTER = "\U0010ffff"  # sorts behind everything that can follow
_WAITS = and_(jobs.c.status == "ready", jobs.c.dedupe.is_not(None))


def _enqueue(dialect: type[sqlite.Insert] | type[postgresql.Insert]) -> Insert:
    """Put a job in, in the place of a waiting one with the same name."""
    new = dialect(jobs)
    replaced = {
        name: new.excluded[name]
        for name in ("kind", "payload", "tenant_id", "lane", "priority", "run_at", "created_at")
    }
    return new.values(attempts=0).on_conflict_do_update(
        index_elements=[jobs.c.dedupe],
        index_where=text("dedupe IS NOT NULL AND status = 'ready'"),
        set_={**replaced, "attempts": 0, "error": None},
    )


_ENQUEUE = Prepared({"sqlite": _enqueue(sqlite.Insert), "postgresql": _enqueue(postgresql.Insert)})
_FINISH = Prepared(delete(jobs).where(jobs.c.id == bindparam("job"), jobs.c.lease == bindparam("mine")))
_EXTEND = Prepared(
    update(jobs)
    .where(jobs.c.id == bindparam("job"), jobs.c.lease == bindparam("mine"))
    .values(leased_until=bindparam("until"))
)
_CANCEL = Prepared(delete(jobs).where(jobs.c.dedupe == bindparam("name"), jobs.c.status == "ready"))
# A range, which the index can answer; LIKE it could not.
_CANCEL_FROM = Prepared(
    delete(jobs).where(_WAITS, jobs.c.dedupe >= bindparam("first"), jobs.c.dedupe < bindparam("last"))
)
_RATED = Prepared(
    select(lanes.c.name, lanes.c.rate_per_s, lanes.c.burst, lanes.c.tokens, lanes.c.filled_at).where(
        lanes.c.rate_per_s.is_not(None)
    )
)
_SPEND = Prepared(
    update(lanes).where(lanes.c.name == bindparam("lane")).values(tokens=bindparam("left"), filled_at=bindparam("at"))
)
_OWE = Prepared(
    update(lanes)
    .where(lanes.c.name == bindparam("lane"), lanes.c.rate_per_s.is_not(None))
    .values(tokens=lanes.c.tokens - bindparam("tokens"))
)
_is_ready = jobs.c.status == "ready"
_CLOSED = Prepared(
    select(lanes.c.name).where(or_(lanes.c.is_paused.is_(True), lanes.c.blocked_until > bindparam("now")))
)
_HEADS = Prepared(
    select(jobs)
    .where(_is_ready, jobs.c.lane == bindparam("lane"), jobs.c.priority > 0, jobs.c.run_at <= bindparam("now"))
    .where(jobs.c.kind.in_(bindparam("kinds", expanding=True)))
    .order_by(jobs.c.priority, jobs.c.run_at, jobs.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_CAMPAIGNS = Prepared(
    select(jobs.c.id).where(_is_ready, jobs.c.priority == 1, jobs.c.run_at <= bindparam("now")).limit(1)
)
_WAITS_IN = Prepared(
    select(jobs.c.priority, jobs.c.kind)
    .where(_is_ready, jobs.c.lane == bindparam("lane"), jobs.c.run_at <= bindparam("now"))
    .order_by(jobs.c.priority)
    .limit(1)
)
# The lanes in which something waits, one after the other by the index: however much waits in one, it is looked at once.
_lane = select(func.min(jobs.c.lane).label("lane")).where(_is_ready).cte("lane", recursive=True)
_further = select(func.min(jobs.c.lane)).where(_is_ready, jobs.c.lane > _lane.c.lane).scalar_subquery()
_lane = _lane.union_all(select(_further).where(_lane.c.lane.is_not(None)))
_LANES = Prepared(select(_lane.c.lane))

# What whoever asks may do: of kinds that it knows, in lanes that are open, and that it does not do already.
_mine = (
    jobs.c.kind.in_(bindparam("kinds", expanding=True)),
    jobs.c.lane.not_in(bindparam("closed", expanding=True)),
    jobs.c.id.not_in(bindparam("held", expanding=True)),
)
_is_lost = and_(jobs.c.status == "running", jobs.c.leased_until <= bindparam("now"))


def _due(*further: ColumnElement[bool]) -> Prepared:
    ready = and_(_is_ready, jobs.c.run_at <= bindparam("now"), *_mine, *further)
    return Prepared(
        select(jobs)
        .where(or_(ready, and_(_is_lost, *_mine)))
        .order_by(jobs.c.priority, jobs.c.run_at, jobs.c.id)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True)
    )


_DUE = _due()
_URGENT = _due(jobs.c.priority <= 0)
_URGENT_OR_UNRATED = _due(or_(jobs.c.priority <= 0, jobs.c.lane.not_in(bindparam("rated", expanding=True))))
_LOST = Prepared(select(jobs).where(_is_lost, *_mine).limit(bindparam("most")).with_for_update(skip_locked=True))
_first = (
    select(jobs.c.id)
    .where(_is_ready, jobs.c.lane == _lane.c.lane, jobs.c.kind.in_(bindparam("kinds", expanding=True)))
    .where(jobs.c.run_at <= bindparam("now"))
    .order_by(jobs.c.priority, jobs.c.run_at, jobs.c.id)
    .limit(1)
    .scalar_subquery()
)
_FIRSTS = Prepared(
    select(_first.label("id")).where(
        _lane.c.lane.is_not(None), _lane.c.lane.not_in(bindparam("closed", expanding=True))
    )
)
_THESE = Prepared(
    select(jobs).where(jobs.c.id.in_(bindparam("ids", expanding=True)), _is_ready).with_for_update(skip_locked=True)
)
_RUNNING = Prepared(
    select(jobs.c.lane, func.count().label("jobs"))
    .where(jobs.c.status == "running", jobs.c.leased_until > bindparam("now"))
    .group_by(jobs.c.lane)
)
_BUSY = Prepared(
    select(jobs.c.lane)
    .where(jobs.c.status == "running", jobs.c.leased_until > bindparam("now"))
    .where(jobs.c.kind.in_(bindparam("kinds", expanding=True)))
)
_TAKE = Prepared(
    update(jobs)
    .where(jobs.c.id.in_(bindparam("ids", expanding=True)))
    .values(status="running", lease=bindparam("mine"), leased_until=bindparam("until"), attempts=jobs.c.attempts + 1)
)
_PURSES = Prepared(
    select(lanes)
    .where(lanes.c.name.in_(bindparam("names", expanding=True)), lanes.c.rate_per_s.is_not(None))
    .order_by(lanes.c.name)
    .with_for_update()
)
