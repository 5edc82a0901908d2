"""1,000 people invited at once: `python -m bench.invitations [--people 1000] [--most-mb 300]`.

One server process on SQLite and a mail server beside it. The owner of a business registers, signs in and sends one list;
its progress is read until the last letter has come, and a small request is timed beside it. Every link must be another
one, and some are used: those people can sign in.
"""

import argparse
import asyncio
import re
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import orjson

from bench import load, report, server, shop
from bench.transfers import Client
from simulators.smtp import SmtpSimulator
from tests import servers

_LOOK_S: Final = 0.1
_LONGEST_S: Final = 600.0
_JOIN: Final = 3  # of them use their link
_LINK: Final = re.compile(r"/accept-invitation#(\S+)")


@contextmanager
def _post_office() -> Iterator[SmtpSimulator]:
    """A mail server in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    office = SmtpSimulator()
    try:
        asyncio.run_coroutine_threadsafe(office.serve(), loop).result()
        yield office
    finally:
        asyncio.run_coroutine_threadsafe(office.close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _owner(port: int) -> Client:
    """Somebody who has just registered."""
    password = secrets.token_urlsafe(16)
    who = {"email": "olive@bench.example", "password": password, "full_name": "Olive", "tenant_name": "Bench"}
    nobody = Client(port, "")
    nobody.json("POST", "/auth/register", orjson.dumps(who))
    signed_in = {"username": who["email"], "password": password}
    return Client(port, nobody.json("POST", "/auth/login", orjson.dumps(signed_in))["access_token"])


def _watched(owner: Client, uid: str, office: SmtpSimulator, people: int) -> tuple[Any, float, float, list[float], int]:
    """The list once it is done, when that was, when the last letter had come, how long small requests took meanwhile, and
    how many different states of its progress were seen.
    """
    began, done_s, waits, seen = time.perf_counter(), 0.0, [], set()
    while True:
        asked = time.perf_counter()
        many = owner.json("GET", f"/invitations/bulk/{uid}")
        waits.append(time.perf_counter() - asked)
        seen.add(many["done"])
        passed = time.perf_counter() - began
        if many["status"] == "done" and not done_s:
            done_s = passed
        if done_s and len(office.inbox) >= people:
            return many, done_s, passed, waits, len(seen)
        if passed > _LONGEST_S:
            raise server.Trouble(f"it is not done after {_LONGEST_S:.0f} s: {len(office.inbox)} letters, {many}")
        time.sleep(_LOOK_S)


def _join(port: int, office: SmtpSimulator, people: int) -> None:
    """Raises: Trouble, when a link is missing, there twice, or does not let its owner in"""
    links = {letter.to[0]: found.group(1) for letter in office.inbox if (found := _LINK.search(letter.text))}
    if len(links) != people or len({*links.values()}) != people:
        raise server.Trouble(f"{people} were invited, and {len({*links.values()})} links went to {len(links)} of them")
    for email, token in [*links.items()][:: max(people // _JOIN, 1)]:
        accepted = {"token": token, "password": secrets.token_urlsafe(16)}
        session = Client(port, "").json("POST", "/invitations/accept", orjson.dumps(accepted))
        if Client(port, session["access_token"]).json("GET", "/auth/me")["email"] != email:
            raise server.Trouble(f"{email} came in as somebody else")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.invitations", description="Many people invited at once.")
    parser.add_argument("--people", type=int, default=1000, help="at most 1,000")
    parser.add_argument("--most-mb", type=float, default=300.0, help="memory that the server may use")
    given = parser.parse_args()
    print(report.machine())
    server.pin(server.CLIENT_CORE)
    people = [
        {"email": f"p{number}@mail.example", "full_name": f"Person {number}", "role": "agent"}
        for number in range(given.people)
    ]
    with tempfile.TemporaryDirectory(prefix="frontdesk-bench-") as folder, _post_office() as office:
        room = Path(folder)
        url = f"sqlite:///{room}/desk.db"
        shop.make(url)
        port = servers.free_port()
        env = server.frontdesk_env(url, room, port=port)
        env |= {"FRONTDESK_LIMITS__ENABLED": "false", "FRONTDESK_MAIL__URL": office.url}
        ours = server.start(server.frontdesk_command(), port=port, log=room / "log", env=env)
        try:
            ours.wait_ready()
            owner = _owner(port)
            idle_mb = ours.peak_mb()
            sent = owner.json("POST", "/invitations/bulk", orjson.dumps({"invitations": people}))
            many, signed_s, letters_s, waits, states = _watched(owner, sent["id"], office, given.people)
            if many["made"] != given.people or many["problems"]:
                raise server.Trouble(f"not all were invited: {many}")
            peak_mb = ours.peak_mb()
            _join(port, office, given.people)
        except server.Trouble as trouble:
            print(trouble, ours.last_words(), file=sys.stderr)
            return 1
        finally:
            ours.stop()
    head = [f"{given.people:,} invitations", "s", "a second", "states seen", "others' p99 ms", "longest ms", "peak MB"]
    p99, longest = load.percentile(waits, 99) * 1000, max(waits) * 1000
    rows = [
        ["signed", f"{signed_s:.1f}", f"{given.people / signed_s:,.0f}", str(states), "", "", ""],
        ["all letters out", f"{letters_s:.1f}", f"{given.people / letters_s:,.0f}", "", f"{p99:.0f}", f"{longest:.0f}"],
    ]
    rows[-1].append(f"{peak_mb:.0f}")
    print(report.table(head, rows))
    print(f"idle {idle_mb:.0f} MB, at most {peak_mb:.0f} MB (allowed {given.most_mb:.0f})")
    return int(peak_mb > given.most_mb)


if __name__ == "__main__":
    sys.exit(main())
