"""Imports and exports: a file on one side, pieces of work in the database on the other.

A piece is committed together with how far it has come, so a process that dies in between costs one piece of time and
doubles nothing. An export begins anew then: its file may be half written.
"""

import asyncio
import csv
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Final, TextIO

import structlog

from desk import transfers
from desk.errors import DeskError
from desk.transfers import EXPORT, IMPORT, Problem, Transfer
from desk.who import Actor
from gateway.context import House
from storage import queue
from storage.base import Db
from storage.queue import Job, LeaseLost

__all__ = ["EXPORT", "FORGET", "IMPORT", "drop_files", "file_of", "forget", "give_out", "pieces", "take_in"]

log = structlog.get_logger()

LARGEST: Final = 20 * 1024 * 1024  # bytes of a file that is taken in
FORGET: Final = "forget_file"
_KEPT: Final = timedelta(days=7)  # the file of an export
_PIECE_IN: Final = 50  # rows in one transaction: others wait for it, so it is short
_PIECE_OUT: Final = 1000
_DELIMITERS: Final = ",;\t|"


def file_of(house: House, uid: str) -> Path:
    """Where the file of a transfer lies. Nothing in the name came from outside."""
    return house.settings.data_dir / "transfers" / f"{uid}.csv"


async def drop_files(house: House, uids: Iterable[str]) -> None:
    """Remove the files of these transfers, where there are any."""
    for uid in uids:
        for path in (file_of(house, uid), _half(house, uid)):
            await asyncio.to_thread(path.unlink, missing_ok=True)


async def take_in(house: House, job: Job) -> None:
    """Read a CSV file of customers, from where an earlier try stopped."""
    transfer = await house.store.read(transfers.of_job, job)
    if transfer is None:
        await house.store.write(queue.finish, job)
        return
    who = _on_behalf(transfer)
    problem: str | None = None
    try:
        async for _ in pieces(house, job, transfer):
            pass
    except UnicodeDecodeError:
        problem = "The file is not written in UTF-8; save it as CSV UTF-8."
    except csv.Error as bad:
        problem = f"The file is not CSV: {bad}."
    except FileNotFoundError:
        problem = "The file is not there any more; send it again."
    except DeskError as bad:
        problem = bad.message
    await house.store.write(_finish, job, who, transfer.id, problem, house)
    await drop_files(house, [transfer.uid])  # it holds names and numbers, and nobody needs it any more
    log.info("import finished", transfer=transfer.uid, failed=problem is not None)


async def give_out(house: House, job: Job) -> None:
    """Write a CSV file of customers."""
    transfer = await house.store.read(transfers.of_job, job)
    if transfer is None:
        await house.store.write(queue.finish, job)
        return
    who = _on_behalf(transfer)
    wanted = transfers.filter_of(transfer.options)
    half, whole = _half(house, transfer.uid), file_of(house, transfer.uid)
    await asyncio.to_thread(half.parent.mkdir, parents=True, exist_ok=True)
    problem: str | None = None
    try:
        total, header = await house.store.read(transfers.counted, who, wanted)
        await house.store.write(transfers.restarted, transfer.id, total=total)
        await asyncio.to_thread(_write_lines, half, [header], "w")
        after = 0
        while True:
            lines, after = await house.store.read(transfers.lines, who, wanted, header, after=after, limit=_PIECE_OUT)
            if not lines:
                break
            await asyncio.to_thread(_write_lines, half, lines, "a")
            if not await house.store.write(_advance, job, transfer.id, len(lines), house):
                break
        await asyncio.to_thread(half.replace, whole)
    except DeskError as bad:
        problem = bad.message
    if not await house.store.write(_finish, job, who, transfer.id, problem, house) or problem:
        await drop_files(house, [transfer.uid])
    log.info("export finished", transfer=transfer.uid, failed=problem is not None)


async def forget(house: House, job: Job) -> None:
    """Remove the file of an export that nobody has had any use for lately."""
    uid = await house.store.write(transfers.expired, int(str(job.payload["transfer_id"])))
    await drop_files(house, [uid] if uid else [])
    await house.store.write(queue.finish, job)


async def pieces(house: House, job: Job, transfer: Transfer) -> AsyncGenerator[int, None]:
    """Take the rows in, and say after each piece how many are committed with it.

    Raises: UnicodeDecodeError, csv.Error, FileNotFoundError, DeskError, LeaseLost
    """
    path, who = file_of(house, transfer.uid), _on_behalf(transfer)
    if transfer.total is None:
        total = await asyncio.to_thread(_count, path)
        await house.store.write(transfers.started, transfer.id, total=total)
    with await asyncio.to_thread(_open, path) as file:
        rows = _rows(file)
        _, header = await asyncio.to_thread(_first, rows)
        titles, problems = await house.store.read(transfers.columns, who, header)
        rest = islice(rows, transfer.done, None)
        told = problems if transfer.done == 0 else []
        while found := await asyncio.to_thread(_next, rest):
            if not await house.store.write(_take_piece, job, who, transfer.id, titles, found, told, house):
                return
            told = []
            yield len(found)


def _take_piece(
    db: Db,
    job: Job,
    who: Actor,
    transfer_id: int,
    titles: Sequence[str | None],
    rows: Sequence[tuple[int, Sequence[str]]],
    problems: Sequence[Problem],
    house: House,
) -> bool:
    _keep_lease(db, job, house)
    return transfers.take_in(db, who, transfer_id, titles, rows, problems, now=house.clock.now())


def _advance(db: Db, job: Job, transfer_id: int, rows: int, house: House) -> bool:
    _keep_lease(db, job, house)
    return transfers.advance(db, transfer_id, rows)


def _finish(db: Db, job: Job, who: Actor, transfer_id: int, problem: str | None, house: House) -> bool:
    is_ours = transfers.finished(db, who, transfer_id, error=problem, now=house.clock.now())
    queue.finish(db, job)
    if is_ours and job.kind == EXPORT and problem is None:
        now = house.clock.now()
        queue.enqueue(
            db, FORGET, {"transfer_id": transfer_id}, now=now, run_at=now + _KEPT, tenant_id=who.tenant_id, priority=1
        )
    return is_ours


def _keep_lease(db: Db, job: Job, house: House) -> None:
    """Raises: LeaseLost"""
    until = house.clock.now() + timedelta(seconds=house.settings.jobs.lease_s)
    if not queue.extend(db, job, until=until):
        raise LeaseLost(f"job {job.id} is no longer leased to {job.lease!r}")


def _on_behalf(transfer: Transfer) -> Actor:
    """Whoever asked for it; what is done is written down in their name."""
    if transfer.created_by is None:
        return Actor(transfer.tenant_id, "system")
    return Actor(transfer.tenant_id, "staff", transfer.created_by)


def _half(house: House, uid: str) -> Path:
    return file_of(house, uid).with_suffix(".part")


def _open(path: Path) -> TextIO:
    return path.open(encoding="utf-8-sig", newline="")


def _rows(file: TextIO) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not empty, numbered from 1; the delimiter is the one that the first line has most of."""
    first = file.readline()
    file.seek(0)
    delimiter = max(_DELIMITERS, key=first.count)
    numbered = enumerate(csv.reader(file, delimiter=delimiter, strict=True), start=1)
    return ((number, row) for number, row in numbered if any(row))


def _next(rows: Iterator[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    return list(islice(rows, _PIECE_IN))


def _first(rows: Iterator[tuple[int, list[str]]]) -> tuple[int, list[str]]:
    return next(rows, (1, []))


def _count(path: Path) -> int:
    """Rows without the header; reading them all also tells whether the file can be read to its end."""
    with _open(path) as file:
        return max(sum(1 for _ in _rows(file)) - 1, 0)


def _write_lines(path: Path, lines: Sequence[Sequence[str]], mode: str) -> None:
    with path.open(mode, encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(lines)
