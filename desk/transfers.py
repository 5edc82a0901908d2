"""Customers in and out as CSV: long work, done in pieces, each committed with how far it has come.

Only rows are here. Files belong to whoever reads and writes them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import Row, func, select, update

from desk import attributes, customer_book, records
from desk.attributes import Definitions
from desk.customer_book import Address, Entry, Filter
from desk.errors import DeskError, Invalid, NotFound, WrongState
from desk.listing import Found, Window, page
from desk.refs import Ref, row
from desk.who import Actor
from storage import queue
from storage.base import Db, JsonValue
from storage.models.customers import customers as customer_table
from storage.models.work import transfers as table
from storage.session import Conflict, attempt

IMPORT: Final = "import"
EXPORT: Final = "export"

PLAIN: Final = ("name", "email", "phone", "language", "time_zone", "address", "city", "state", "zip", "notes", "status")
HEADER: Final = ("id", *PLAIN, "tags", "created_at")
# Columns of the table by the length that a value may have.
_LENGTHS: Final[Mapping[str, int]] = MappingProxyType(
    {name: customer_table.c[name].type.length or 20_000 for name in PLAIN}  # type: ignore[attr-defined]
)
_ATTRIBUTE: Final = "attributes."
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_EMPTY: Final[Mapping[str, Any]] = MappingProxyType({"notes": "", "status": "active", "tags": [], "attributes": {}})
_MOST_PROBLEMS: Final = 100
_NOUN = "transfer"
_t = table.c


@dataclass(frozen=True, slots=True)
class Transfer:
    """How far an import or export is. `problems`: the first hundred, each with its row (the header is row 1)."""

    id: int
    uid: str
    tenant_id: int
    created_by: int | None
    kind: Literal["import", "export"]
    noun: str
    status: str
    options: Mapping[str, Any]
    total: int | None
    done: int
    made: int
    changed: int
    refused: int
    problems: Sequence[Mapping[str, Any]]
    error: str | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Problem:
    row: int
    field: str
    problem: str


def find(db: Db, who: Actor, window: Window, *, kind: str | None = None) -> Found[Transfer]:
    """The tenant's, the newest first."""
    wanted = select(table).where(_t.tenant_id == who.tenant_id)
    if kind is not None:
        wanted = wanted.where(_t.kind == kind)
    return page(db, wanted, window, _one, sorts={"created_at": _t.created_at}, by="-created_at", tie=_t.id)


def get(db: Db, who: Actor, ref: Ref) -> Transfer:
    """Raises: NotFound"""
    return _one(row(db, table, who, ref, _NOUN))


def get_done(db: Db, who: Actor, ref: Ref) -> Transfer:
    """An export whose file can be fetched.

    Raises: NotFound, WrongState
    """
    found = get(db, who, ref)
    if found.kind != EXPORT or found.status != "done":
        raise WrongState(_NOUN, found.id, found.status, "There is no file (yet): only an export that is done has one.")
    return found


def begin(db: Db, who: Actor, kind: str, options: Mapping[str, Any], *, uid: str, now: datetime) -> Transfer:
    """Have customers taken in from the file `uid`, or written into it.

    Raises: Invalid, for an export of what cannot be looked for
    """
    if kind == EXPORT:
        customer_book.matching(db, who, filter_of(options))
    values = {"uid": uid, "kind": kind, "noun": "customers", "status": "waiting", "options": options, "problems": []}
    made = records.add(db, who, table, values, noun=_NOUN, private=("options",), now=now)
    queue.enqueue(
        db,
        kind,
        {"transfer_id": made.id},
        now=now,
        tenant_id=who.tenant_id,
        lane=f"transfers:{who.tenant_id}",
        priority=1,
    )
    return _one(made)


def of_job(db: Db, job: queue.Job) -> Transfer | None:
    """What the job is to do; None when there is nothing (left) to do."""
    found = db.execute(select(table).where(_t.id == job.payload["transfer_id"])).one_or_none()
    return _one(found) if found is not None and found.status in ("waiting", "running") else None


def started(db: Db, transfer_id: int, *, total: int) -> None:
    """It runs, and this many rows are to be done."""
    db.execute(update(table).where(_t.id == transfer_id).values(status="running", total=total))


def restarted(db: Db, transfer_id: int, *, total: int) -> None:
    """The same from the beginning: a file that was half written cannot be trusted."""
    db.execute(update(table).where(_t.id == transfer_id).values(status="running", total=total, done=0))


def finished(db: Db, who: Actor, transfer_id: int, *, error: str | None = None, now: datetime) -> bool:
    """It is done, or cannot be done for `error`; False when it was given up by others before."""
    values = {"status": "failed" if error else "done", "error": error and error[:500], "finished_at": now}
    open_ones = _t.id == transfer_id, _t.status.in_(("waiting", "running"))
    return db.execute(update(table).where(*open_ones).values(values)).rowcount > 0


def expired(db: Db, transfer_id: int) -> str | None:
    """The id of the file that is to be removed; None when it is gone already."""
    done = _t.id == transfer_id, _t.status == "done"
    found: str | None = db.execute(
        update(table).where(*done).values(status="expired").returning(_t.uid)
    ).scalar_one_or_none()
    return found


def advance(db: Db, transfer_id: int, rows: int) -> bool:
    """So many more rows of an export are done; False when it was given up meanwhile."""
    running = _t.id == transfer_id, _t.status == "running"
    return db.execute(update(table).where(*running).values(done=_t.done + rows)).rowcount > 0


# -- In ----------------------------------------------------------------------------------------------------------------


def columns(db: Db, who: Actor, header: Sequence[str]) -> tuple[list[str | None], list[Problem]]:
    """What each column of a file holds, None for what is left out, and what is wrong with them.

    Raises: Invalid, when nothing in the file can tell who is meant
    """
    definitions = attributes.all_of(db, who)
    found: list[str | None] = []
    problems = []
    for name in (title.strip().lower().replace(" ", "_") for title in header):
        key = name.removeprefix(_ATTRIBUTE)
        if name in (*PLAIN, "id", "tags", "created_at", "updated_at") and name not in found:
            found.append(name)
        elif key in definitions and _ATTRIBUTE + key not in found:
            found.append(_ATTRIBUTE + key)
        else:
            found.append(None)
            problems.append(Problem(1, name[:100], "There is no such field (or it is there twice); it is left out."))
    if not {"id", "phone", "email"} & {*found}:
        raise Invalid("header", "The first line names the columns, at least one of phone, email and id.")
    return found, problems


def take_in(
    db: Db,
    who: Actor,
    transfer_id: int,
    titles: Sequence[str | None],
    rows: Sequence[tuple[int, Sequence[str]]],
    problems: Sequence[Problem],
    *,
    now: datetime,
) -> bool:
    """Add or change a customer for every row, and count them; False when the import was given up meanwhile.

    `rows` are numbered. Whoever is known by the phone number or the e-mail address is changed, so a row that is taken
    twice makes one customer; empty cells change nothing.
    """
    before = db.execute(select(table).where(_t.id == transfer_id).with_for_update()).one()
    if before.status != "running":
        return False
    definitions = attributes.all_of(db, who)
    lines: list[_Line] = []
    outcomes: list[_Outcome] = []
    for number, cells in rows:
        try:
            lines.append(_read(db, who, definitions, titles, number, cells))
        except DeskError as bad:
            outcomes.append(_Outcome(number, bad))
    outcomes += _take_lines(db, who, lines, now=now)
    counts = {"made": 0, "changed": 0, "refused": 0}
    told = [*before.problems, *map(asdict, problems)]
    for number, what in sorted(outcomes, key=_number):
        if isinstance(what, DeskError):
            told.append(asdict(Problem(number, what.field if isinstance(what, Invalid) else "", what.message)))
        counts["refused" if isinstance(what, DeskError) else what] += 1
    values = {name: getattr(before, name) + count for name, count in counts.items()}
    values |= {"done": before.done + len(rows), "problems": told[:_MOST_PROBLEMS]}
    db.execute(update(table).where(_t.id == transfer_id).values(values))
    return True


@dataclass(frozen=True, slots=True)
class _Line:
    """A row that can be read. `uid` is the id it has, if any; `addresses` tell whom it means."""

    number: int
    uid: str | None
    addresses: frozenset[Address]
    values: Mapping[str, Any]


class _Outcome(NamedTuple):
    """What became of a row."""

    number: int
    what: Literal["made", "changed"] | DeskError


def _take_lines(db: Db, who: Actor, lines: Sequence[_Line], *, now: datetime) -> Iterator[_Outcome]:
    """As if they were taken one after the other. Most files hold people who are all new, or known and unchanged: these are
    written at once, or not at all; every other line is taken by itself.
    """
    known = customer_book.known(db, who, {address for line in lines for address in line.addresses})
    new: list[tuple[_Line, Mapping[str, Any]]] = []
    rest: list[_Line] = []
    seen: set[Address | str] = set()  # addresses and ids of the lines before
    is_sure = True  # whom they all mean
    for line in lines:
        found = {row.id: row for address in line.addresses if (row := known.get(address)) is not None}
        row = next(iter(found.values())) if len(found) == 1 else None
        marks: set[Address | str] = {*line.addresses, *(one.uid for one in found.values()), *filter(None, [line.uid])}
        is_first = is_sure and seen.isdisjoint(marks)
        is_sure = is_sure and line.uid in (None, row and row.uid)
        seen |= marks
        try:
            if is_first and not found and line.uid is None:
                new.append((line, customer_book.checked(db, who, {**_EMPTY, **line.values})))
            elif is_first and row and line.uid in (None, row.uid) and customer_book.is_so(db, who, row, line.values):
                yield _Outcome(line.number, "changed")
            else:
                rest.append(line)
        except DeskError as bad:
            yield _Outcome(line.number, bad)
    try:
        customer_book.enter_many(db, who, [values for _, values in new], now=now)
        yield from (_Outcome(line.number, "made") for line, _ in new)
    except Conflict:
        rest = sorted([*rest, *(line for line, _ in new)], key=_number)
    for line in rest:
        try:
            with attempt(db):
                what = _take_line(db, who, line, now=now)
            yield _Outcome(line.number, what)
        except DeskError as bad:
            yield _Outcome(line.number, bad)


def _number(line: _Line | _Outcome) -> int:
    return line.number


def _read(
    db: Db, who: Actor, definitions: Definitions, titles: Sequence[str | None], number: int, cells: Sequence[str]
) -> _Line:
    """Raises: Invalid"""
    if len(cells) > len(titles):
        raise Invalid("", "This row has more cells than the first line has names.")
    given = {title: _plain(cell) for title, cell in zip(titles, cells, strict=False) if title is not None}
    given = {title: cell for title, cell in given.items() if cell}
    values: dict[str, Any] = {name: _short(name, given[name]) for name in PLAIN if name in given}
    if values.get("status", "active") not in ("active", "inactive"):
        raise Invalid("status", "should be active or inactive")
    if "email" in values and ("@" not in values["email"].strip("@") or " " in values["email"].strip()):
        raise Invalid("email", "This is no e-mail address.")
    if "phone" in values and not any(char.isdecimal() for char in values["phone"]):
        raise Invalid("phone", "A phone number needs at least one digit.")
    custom = {title.removeprefix(_ATTRIBUTE): cell for title, cell in given.items() if title.startswith(_ATTRIBUTE)}
    if custom:
        values["attributes"] = {key: attributes.read(definitions, key, cell) for key, cell in custom.items()}
    if "tags" in given:
        values["tags"] = [tag.strip() for tag in given["tags"].replace("|", ";").split(";")]
    addresses = frozenset(
        (kind, customer_book.canonical(db, who, kind, given[kind])) for kind in ("phone", "email") if kind in given
    )
    if not addresses and "id" not in given:
        raise Invalid("phone", "A row needs a phone number, an e-mail address or the id of a customer.")
    return _Line(number, given.get("id"), addresses, values)


def _take_line(db: Db, who: Actor, line: _Line, *, now: datetime) -> Literal["made", "changed"]:
    """Raises: Invalid, NotFound, IdentityTaken"""
    known = _known(db, who, line)
    if known is None:
        customer_book.enter(db, who, {**_EMPTY, **line.values}, now=now)
        return "made"
    customer_book.amend(db, who, known, line.values, now=now)
    return "changed"


def _known(db: Db, who: Actor, line: _Line) -> int | None:
    """Whom the row means; None for somebody new.

    Raises: Invalid, NotFound
    """
    found = {row.id for row in customer_book.known(db, who, line.addresses).values()}
    if line.uid is not None:
        try:
            found.add(customer_book.row_of(db, who, line.uid).id)
        except NotFound:
            if not line.addresses:
                raise
    if len(found) > 1:
        raise Invalid("phone", "This row fits two different customers; merge them first.")
    return next(iter(found), None)


def _short(name: str, cell: str) -> str:
    if len(cell) > _LENGTHS[name]:
        raise Invalid(name, f"should have at most {_LENGTHS[name]} characters")
    return cell


def _plain(cell: str) -> str:
    """A cell as it was before `safe`."""
    cell = cell.replace("\x00", "").strip()
    return cell[1:] if cell[:1] == "'" and cell[1:2] in _FORMULA else cell


# -- Out ---------------------------------------------------------------------------------------------------------------


def filter_of(options: Mapping[str, Any]) -> Filter:
    """The filter of an export as `begin` was given it."""
    given = {name: options[name] for name in ("search", "tag", "status", "channel", "attribute") if options.get(name)}
    times = {n: datetime.fromisoformat(options[n]) for n in ("created_from", "created_before") if options.get(n)}
    return Filter(**given, created_from=times.get("created_from"), created_before=times.get("created_before"))


def counted(db: Db, who: Actor, wanted: Filter) -> tuple[int, list[str]]:
    """How many customers there are, and the first line of their file."""
    found = customer_book.matching(db, who, wanted).subquery()
    total: int = db.execute(select(func.count()).select_from(found)).scalar_one()
    return total, [*HEADER, *(_ATTRIBUTE + key for key in attributes.all_of(db, who))]


def lines(
    db: Db, who: Actor, wanted: Filter, header: Sequence[str], *, after: int, limit: int
) -> tuple[list[list[str]], int]:
    """The next customers after the number `after`, each as a line of the file, and the number of the last one."""
    rows = db.execute(
        customer_book.matching(db, who, wanted)
        .where(customer_table.c.id > after)
        .order_by(customer_table.c.id)
        .limit(limit)
    ).all()
    found = customer_book.entries(db, rows)
    return [[safe(cell) for cell in _cells(entry, header)] for entry in found], found[-1].id if found else after


def safe(cell: str) -> str:
    """A cell that a spreadsheet does not take for a formula (promises I6)."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _cells(entry: Entry, header: Sequence[str]) -> Iterable[str]:
    for name in header:
        if name.startswith(_ATTRIBUTE):
            yield _written(entry.attributes.get(name.removeprefix(_ATTRIBUTE)))
        elif name == "id":
            yield entry.uid
        elif name == "tags":
            yield ";".join(entry.tags)
        else:
            yield _written(getattr(entry, name))


def _written(value: JsonValue | datetime) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _one(found: Row[Any]) -> Transfer:
    return Transfer(**found._mapping)
