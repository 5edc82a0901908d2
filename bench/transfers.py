"""50,000 customers in and out as CSV: how long, how much memory, and how others fare meanwhile.

`python -m bench.transfers [--rows 50000] [--most-mb 300]`. One server process on SQLite. Progress is read while it
goes on, and a small request is timed beside it: a long import must not make anybody wait.
"""

import argparse
import csv
import http.client
import io
import json
import secrets
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from sqlalchemy import insert, select

from bench import load, report, server, shop
from gateway.auth.tokens import digest
from storage.base import Db, new_uid
from storage.models.accounts import accounts
from storage.models.sign_in import api_keys
from tests import servers

_LOOK_S: Final = 0.25
_LONGEST_S: Final = 1800.0


class Client:
    """Calls the API with one key (or as nobody) over one connection."""

    def __init__(self, port: int, key: str) -> None:
        self._line = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._head = {"Authorization": f"Bearer {key}"} if key else {}

    def call(self, method: str, path: str, body: bytes = b"", kind: str = "application/json") -> bytes:
        """Raises: Trouble unless it went well"""
        head = {**self._head, **({"Content-Type": kind} if body else {})}
        self._line.request(method, f"/api/v1{path}", body=body or None, headers=head)
        answer = self._line.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise server.Trouble(f"{method} {path}: {answer.status} {content[:500]!r}")
        return content

    def json(self, method: str, path: str, body: bytes = b"", kind: str = "application/json") -> Any:
        return json.loads(self.call(method, path, body, kind))


def _fill(key: str) -> Callable[[Db, int], None]:
    def fill(db: Db, account_id: int) -> None:
        account = db.execute(select(accounts).where(accounts.c.id == account_id)).one()
        scopes = ["customers:read", "customers:write"]
        values = {"name": "Bench", "prefix": key[:8], "digest": digest(key), "scopes": scopes}
        ours = {"tenant_id": account.tenant_id, "created_at": account.created_at}
        db.execute(insert(api_keys).values(uid=new_uid(), **ours, **values))

    return fill


def file_of(rows: int) -> bytes:
    out = io.StringIO()
    lines = csv.writer(out)
    lines.writerow(["name", "phone", "email", "city", "notes", "tags"])
    for number in range(rows):
        phone = f"+1{512 + number // 10_000:03}55{number % 10_000:05}"
        name = f"Customer {number}"
        lines.writerow([name, phone, f"c{number}@mail.example", "Austin", "Came by on a Friday.", "imported;bench"])
    return out.getvalue().encode()


def _watched(client: Client, uid: str) -> tuple[Any, float, list[float], int]:
    """The transfer once it is done, how long it took, how long small requests took meanwhile, and how many different
    states of its progress were seen.
    """
    began, waits, seen = time.perf_counter(), [], set()
    while True:
        asked = time.perf_counter()
        transfer = client.json("GET", f"/transfers/{uid}")
        waits.append(time.perf_counter() - asked)
        seen.add(transfer["done"])
        if transfer["status"] not in ("waiting", "running"):
            return transfer, time.perf_counter() - began, waits, len(seen)
        if time.perf_counter() - began > _LONGEST_S:
            raise server.Trouble(f"it is not done after {_LONGEST_S:.0f} s: {transfer}")
        time.sleep(_LOOK_S)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.transfers", description="Customers in and out as CSV.")
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--most-mb", type=float, default=300.0, help="memory that the server may use")
    given = parser.parse_args()
    print(report.machine())
    server.pin(server.CLIENT_CORE)
    key = f"fd_{secrets.token_urlsafe(32)}"
    content = file_of(given.rows)
    rows, lines = [], 0
    with tempfile.TemporaryDirectory(prefix="frontdesk-bench-") as folder:
        room = Path(folder)
        url = f"sqlite:///{room}/desk.db"
        shop.make(url, fill=_fill(key))
        port = servers.free_port()
        env = server.frontdesk_env(url, room, port=port) | {"FRONTDESK_LIMITS__ENABLED": "false"}
        ours = server.start(server.frontdesk_command(), port=port, log=room / "log", env=env)
        try:
            ours.wait_ready()
            client = Client(port, key)
            idle_mb = ours.peak_mb()
            for title in ("in, all new", "in again, nothing new", "out"):
                if title == "out":
                    sent = client.json("POST", "/customers/export", b'{"format": "csv"}')
                else:
                    sent = client.json("POST", "/customers/import", content, "text/csv")
                done, took_s, waits, states = _watched(client, sent["id"])
                count = done["changed"] if "again" in title else done["done"] if title == "out" else done["made"]
                if done["status"] != "done" or count < given.rows or done["refused"]:
                    raise server.Trouble(f"{title}: {done}")
                p99 = load.percentile(waits, 99) * 1000
                rows.append([title, f"{took_s:.1f}", f"{given.rows / took_s:,.0f}", str(states)])
                rows[-1] += [f"{p99:.0f}", f"{max(waits) * 1000:.0f}", f"{ours.peak_mb():.0f}"]
                if title == "out":
                    lines = client.call("GET", f"/transfers/{sent['id']}/file").count(b"\n") - 1
            peak_mb = ours.peak_mb()
        except server.Trouble as trouble:
            print(trouble, file=sys.stderr)
            print(ours.last_words(), file=sys.stderr)
            return 1
        finally:
            ours.stop()
    head = [f"{given.rows:,} customers", "s", "rows/s", "states seen", "others' p99 ms", "longest ms", "peak MB"]
    print(report.table(head, rows))
    print(f"idle {idle_mb:.0f} MB, at most {peak_mb:.0f} MB (allowed {given.most_mb:.0f}); {lines:,} lines came out")
    return int(peak_mb > given.most_mb or lines < given.rows)


if __name__ == "__main__":
    sys.exit(main())
