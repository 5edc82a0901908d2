"""What a small statement costs, by the way it is run: `python -m bench.statements`.

One row is read by its key and one is written, in memory, so that nearly all the time is Python's.
"""

import sqlite3
import time
from collections.abc import Callable
from typing import Final

from sqlalchemy import Column, Integer, MetaData, Table, Text, bindparam, create_engine, insert, select, update
from sqlalchemy.pool import StaticPool

from bench import report
from storage.prepared import Prepared

_TIMES: Final = 20_000
_ROUNDS: Final = 5

_METADATA: Final = MetaData()
_PEERS: Final = Table(
    "peers", _METADATA, Column("id", Integer, primary_key=True), Column("state", Text), Column("note", Text)
)
_READ: Final = select(_PEERS.c.id, _PEERS.c.state, _PEERS.c.note).where(_PEERS.c.id == bindparam("peer"))
_WRITE: Final = update(_PEERS).where(_PEERS.c.id == bindparam("peer")).values(state=bindparam("new"))


def _us(run: Callable[[int], object]) -> float:
    """Microseconds a call, the best of several rounds."""
    best = float("inf")
    for _ in range(_ROUNDS):
        began = time.process_time()
        for number in range(_TIMES):
            run(number % 100 + 1)
        best = min(best, time.process_time() - began)
    return best / _TIMES * 1e6


def main() -> None:
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    _METADATA.create_all(engine)
    read, write = Prepared(_READ), Prepared(_WRITE)
    with engine.connect() as db:
        db.execute(insert(_PEERS), [{"id": n, "state": "new", "note": "x" * 40} for n in range(1, 101)])
        raw = db.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        rows = [
            [
                "read one row by its key",
                f"{_us(lambda n: raw.execute('SELECT id, state, note FROM peers WHERE id = ?', (n,)).fetchone()):.1f}",
                f"{_us(lambda n: read(db, {'peer': n}).one()):.1f}",
                f"{_us(lambda n: db.execute(_READ, {'peer': n}).one()):.1f}",
            ],
            [
                "change one row",
                f"{_us(lambda n: raw.execute('UPDATE peers SET state = ? WHERE id = ?', ('seen', n))):.1f}",
                f"{_us(lambda n: write(db, {'peer': n, 'new': 'seen'})):.1f}",
                f"{_us(lambda n: db.execute(_WRITE, {'peer': n, 'new': 'seen'})):.1f}",
            ],
        ]
    engine.dispose()
    print(report.machine())
    print(report.table(["µs of CPU", "sqlite3 alone", "Prepared", "Connection.execute"], rows))


if __name__ == "__main__":
    main()
