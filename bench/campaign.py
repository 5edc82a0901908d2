"""100,000 people written to over ten numbers, while others talk: `python -m bench.campaign [--people 100000] [--rate 80]`.

One server process and the simulated provider, which reports every state of every message. Ten businesses send one
broadcast each over their number, all at once. On the way they are paused and resumed, and the server is killed with
SIGKILL and started again. Texts come to an eleventh number at a steady rate all the time, before the campaign and
during it. What must hold in the end is a table of claims; it fails when one does not.
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
import uvloop
from sqlalchemy import func, insert, select, update

from bench import load, phones, report, server, shop
from bench.transfers import Client
from gateway.auth.tokens import digest
from simulators.twilio import Account, Number, TwilioSimulator
from storage.base import Db, new_uid
from storage.models.accounts import accounts
from storage.models.conversations import messages
from storage.models.customers import customer_identities, customers
from storage.models.sign_in import api_keys
from storage.models.work import broadcast_recipients
from tests import servers

_NUMBERS: Final = 10
_LIVE: Final = shop.NUMBER
_LIVE_PER_S: Final = 10.0
_WARMS_UP_S: Final = 8.0  # what a new process does for the first time is slower, and is not counted
_ALONE_S: Final = 120.0
_PAUSED_AT, _KILLED_AT = 0.3, 0.6  # of the people
_PAUSE_S: Final = 5.0
_STILL_S: Final = 3.0  # after a pause what is on its way may still arrive
_SETTLES_S: Final = 120.0
_SPAN_S: Final = 5.0
_STUCK_S: Final = 60.0
_ANSWER_WITHIN_S: Final = 15.0
_LEASE_S: Final = 10.0
_SCOPES: Final = ["broadcasts:read", "broadcasts:write"]


class Sender(NamedTuple):
    """One of the ten numbers: the id of its channel, the key of its business to the API, and how many customers that has."""

    number: str
    channel: str
    key: str
    people: int


class Claim(NamedTuple):
    claim: str
    holds: bool
    seen: str


@dataclass(slots=True)
class Live:
    """Texts to the number that has no campaign. A wait counts from when the text was due."""

    port: int
    phase: str = "warm"
    waits_s: dict[str, list[float]] = field(default_factory=dict)
    lost: int = 0  # not answered, because the server was dead
    wrong: str = ""

    async def talk(self, told: Connection) -> None:
        """Until `told` closes it with ""; before that it names the phases as they begin."""
        began_s, number = time.perf_counter(), 0
        async with asyncio.TaskGroup() as texts:
            while True:
                due_s = began_s + number / _LIVE_PER_S
                await asyncio.sleep(max(due_s - time.perf_counter(), 0))
                while told.poll():
                    self.phase = told.recv()
                if not self.phase:
                    return
                texts.create_task(self._text(number, due_s))
                number += 1

    async def _text(self, number: int, due_s: float) -> None:
        phase = self.phase
        status, body = await _ask(self.port, phones.request(f"SM{number:032x}", f"+1555{number:07d}", "hi", to=_LIVE))
        if status == 0:
            self.lost += 1
        elif status != 200 or shop.NAME.encode() not in body:
            self.wrong = f"{status} {body[:300]!r}"
        elif phase == self.phase:
            self.waits_s.setdefault(phase, []).append(time.perf_counter() - due_s)

    def ms(self, phase: str, percent: float) -> float:
        return load.percentile(self.waits_s.get(phase, []), percent) * 1000


class Talk:
    """A process in which live talk goes on, so that its waits are the server's alone and not those of the simulated
    provider, which gives way to it on the core that they share.
    """

    def __init__(self, port: int) -> None:
        others = multiprocessing.get_context("spawn")
        self._told, told = others.Pipe()
        self._process = others.Process(target=_talk, args=(port, told), daemon=True)
        self._process.start()
        told.close()
        os.nice(10)

    def begin(self, phase: str) -> None:
        """What is measured from now on."""
        self._told.send(phase)

    def end(self) -> Live:
        """What was measured."""
        self._told.send("")
        live: Live = self._told.recv()
        self._process.join()
        return live


def _talk(port: int, told: Connection) -> None:
    live = Live(port)
    uvloop.run(live.talk(told))
    told.send(live)


async def _ask(port: int, request: bytes) -> tuple[int, bytes]:
    """The answer's status and body; 0 when there was none."""
    loop = asyncio.get_running_loop()
    try:
        _, line = await loop.create_connection(load.Line, "127.0.0.1", port)
    except OSError:
        return 0, b""
    answered: asyncio.Future[tuple[int, bytes]] = loop.create_future()

    def settle(status: int, body: bytes) -> None:
        if not answered.done():
            answered.set_result((status, body))

    line.ask(request, settle)
    try:
        async with asyncio.timeout(_ANSWER_WITHIN_S):
            return await answered
    except TimeoutError:
        return 0, b""
    finally:
        line.close()


def crowd(people: int, rate: float) -> tuple[Callable[[Db, int], None], list[Sender]]:
    """What puts the ten businesses and their customers into the database, and who they are."""
    share, rest = divmod(people, _NUMBERS)
    senders = [
        Sender(f"+1512555{200 + n:04}", new_uid(), f"fd_{secrets.token_urlsafe(32)}", share + (n < rest))
        for n in range(_NUMBERS)
    ]

    def fill(db: Db, _live: int) -> None:
        now, first = datetime.now(UTC), 0
        for sender in senders:
            account_id = shop.add(db, now, number=sender.number)
            own = {"uid": sender.channel, "messages_per_s": rate}
            changed = update(accounts).where(accounts.c.id == account_id).values(**own).returning(accounts.c.tenant_id)
            ours = {"tenant_id": db.execute(changed).scalar_one(), "created_at": now}
            key = {"name": "Bench", "prefix": sender.key[:8], "digest": digest(sender.key), "scopes": _SCOPES}
            db.execute(insert(api_keys).values(uid=new_uid(), **ours, **key))
            made = [
                {
                    **ours,
                    "uid": new_uid(),
                    "name": f"Customer {number}",
                    "phone": f"+1737{number:07}",
                    "attributes": {},
                    "tags": [],
                    "updated_at": now,
                }
                for number in range(first, first + sender.people)
            ]
            first += sender.people
            db.execute(insert(customers), made)
            whose = select(customers.c.id, customers.c.phone).where(customers.c.tenant_id == ours["tenant_id"])
            known = [{**ours, "customer_id": row.id, "kind": "phone", "value": row.phone} for row in db.execute(whose)]
            db.execute(insert(customer_identities), known)

    return fill, senders


@dataclass(slots=True)
class Campaign:
    """The ten broadcasts, by the API. `ids` are theirs."""

    port: int
    senders: Sequence[Sender]
    ids: list[str] = field(default_factory=list)

    def begin(self) -> None:
        for sender in self.senders:
            text = "Hi {{ customer.name }}, we are open again."
            body = {"name": "Spring", "channel_id": sender.channel, "text": text}
            client = Client(self.port, sender.key)
            self.ids.append(client.json("POST", "/broadcasts", orjson.dumps(body))["id"])
            client.json("POST", f"/broadcasts/{self.ids[-1]}/send")

    def all(self, what: str) -> None:
        """Pause or resume them all."""
        for sender, uid in zip(self.senders, self.ids, strict=True):
            Client(self.port, sender.key).json("POST", f"/broadcasts/{uid}/{what}")

    def states(self) -> list[Any]:
        return [
            Client(self.port, sender.key).json("GET", f"/broadcasts/{uid}")
            for sender, uid in zip(self.senders, self.ids, strict=True)
        ]


def arrived(network: TwilioSimulator) -> list[tuple[str, str, float]]:
    """What the provider was asked to send: over which number, to whom, and when in seconds."""
    return [
        (one.sender or "", one.to, one.created_at.timestamp())
        for one in network.messages.values()
        if one.direction == "outbound-api"
    ]


def busiest(times: Sequence[float], within_s: float) -> int:
    """The most within any span of so many seconds."""
    ordered, first, most = sorted(times), 0, 0
    for last, at in enumerate(ordered):
        while ordered[first] <= at - within_s:
            first += 1
        most = max(most, last - first + 1)
    return most


async def run(room: Path, url: str, *, people: int, rate: float) -> tuple[list[Claim], list[list[str]]]:
    """The claims, and what was measured.

    Raises: server.Trouble when the server did not start, or nothing moves any more
    """
    fill, senders = crowd(people, rate)
    _say(f"making eleven businesses with {people:,} customers")
    shop.make(url, fill=fill)
    port = servers.free_port()
    network = TwilioSimulator(
        accounts=[Account(sid=shop.TWILIO_ACCOUNT, auth_token=shop.TWILIO_TOKEN)],
        numbers=[Number(number=one.number, account_sid=shop.TWILIO_ACCOUNT) for one in senders],
        reach={phones.PUBLIC_URL: f"http://127.0.0.1:{port}"},
    )
    async with network:
        env = server.frontdesk_env(url, room, port=port, api_base=network.url)
        env |= {
            "FRONTDESK_SENDING__QUIET_FOR": "",
            "FRONTDESK_LOG__LEVEL": "warning",
            "FRONTDESK_LIMITS__ENABLED": "false",
        }
        env |= {"FRONTDESK_JOBS__LEASE_S": str(_LEASE_S)}

        def launch() -> server.Server:
            return server.start(server.frontdesk_command(), port=port, log=room / "log", env=env)

        ours, campaign = launch(), Campaign(port, senders)
        try:
            await asyncio.to_thread(ours.wait_ready)
            talk = Talk(port)
            await asyncio.to_thread(Client(port, senders[0].key).json, "GET", "/broadcasts")
            await asyncio.sleep(_WARMS_UP_S)
            talk.begin("alone")
            await asyncio.sleep(_ALONE_S)
            talk.begin("campaign")
            began_s, began_cpu_s = time.perf_counter(), ours.cpu_s()
            await asyncio.to_thread(campaign.begin)
            await _reach(network, int(people * _PAUSED_AT))
            await asyncio.to_thread(campaign.all, "pause")
            await asyncio.sleep(_STILL_S)
            still = len(arrived(network))
            talk.begin("pause")
            await asyncio.sleep(_PAUSE_S)
            moved = len(arrived(network)) - still
            talk.begin("campaign")
            await asyncio.to_thread(campaign.all, "resume")
            await _reach(network, int(people * _KILLED_AT))
            talk.begin("dead")
            peak_mb, cpu_s = ours.peak_mb(), ours.cpu_s() - began_cpu_s
            ours.kill()
            at_kill, ours = len(arrived(network)), launch()
            await asyncio.to_thread(ours.wait_ready)
            await asyncio.sleep(_WARMS_UP_S)
            talk.begin("campaign")
            await _reach(network, people)
            took_s = time.perf_counter() - began_s - _STILL_S - _PAUSE_S
            live = await asyncio.to_thread(talk.end)
            states = await _settled(campaign, network, people)
            peak_mb = max(peak_mb, ours.peak_mb())
            cpu_s += ours.cpu_s()
        finally:
            await asyncio.to_thread(ours.stop)
        sent = arrived(network)
    times: dict[str, list[float]] = {one.number: [] for one in senders}
    for number, _, at in sent:
        times[number].append(at)
    # Its tokens are given by the clock; on the way to the provider a message may be a little slower than the next.
    allowed = rate * _SPAN_S + max(5, round(rate / 10))
    most = max(busiest(one, _SPAN_S) for one in times.values())
    each = Counter(to for _, to, _ in sent)
    counts = Counter[str]()
    for state in states:
        counts.update(state["counts"])
    rows, distinct, known = _recorded(url)
    ratio = live.ms("campaign", 99) / live.ms("alone", 99)
    claims = [
        Claim("nobody was missed", len(each) == people, f"{len(each):,} of {people:,} got it"),
        Claim("nobody got it twice", max(each.values()) == 1, f"{sum(n > 1 for n in each.values())} did"),
        Claim("nobody is recorded twice", rows == distinct == people, f"{rows:,} rows of {distinct:,} customers"),
        # News that came while the server was dead is asked for later (`gateway.jobs.news`), so more is not certain by now.
        Claim("every message is known as sent", known == people, f"{known:,}; {dict(counts)}"),
        Claim("a pause is a pause", moved == 0, f"{moved} went out in {_PAUSE_S:.0f} s"),
        Claim("it was killed in the middle", at_kill < people, f"after {at_kill:,}; {live.lost} live texts unanswered"),
        Claim("no number goes over its rate", most <= allowed, f"{most} within {_SPAN_S:g} s, {allowed:g} allowed"),
        Claim("live replies' p99 less than doubled", ratio < 2, f"{ratio:.2f} times"),
        Claim("every live answer was right", not live.wrong, live.wrong or "yes"),
    ]
    seen = [
        ["messages a second", f"{people / took_s:,.0f}"],
        ["CPU of the server for each, with its callbacks, ms", f"{cpu_s / people * 1000:.1f}"],
        ["the most over one number in a second", str(max(busiest(one, 1.0) for one in times.values()))],
        ["peak memory MB", f"{peak_mb:.0f}"],
        *(
            [f"live replies, {phase}: p50 · p99 ms", f"{live.ms(phase, 50):.1f} · {live.ms(phase, 99):.1f}"]
            for phase in ("alone", "campaign", "pause")
        ),
    ]
    return claims, seen


async def _reach(network: TwilioSimulator, count: int) -> None:
    """Return when so many have arrived.

    Raises: server.Trouble when nothing arrives any more
    """
    before, since_s = -1, time.perf_counter()
    while (now := len(network.messages)) < count:
        if now != before:
            before, since_s = now, time.perf_counter()
        elif time.perf_counter() - since_s > _STUCK_S:
            raise server.Trouble(f"nothing has moved for {_STUCK_S:.0f} s: {now:,} of {count:,}")
        await asyncio.sleep(0.1 + count / 200_000)


async def _settled(campaign: Campaign, network: TwilioSimulator, people: int) -> list[Any]:
    """The broadcasts once every state of every message is known, or as they are after a while."""
    await network.settled()
    deadline_s, before = time.perf_counter() + _SETTLES_S, None
    while True:
        states = await asyncio.to_thread(campaign.states)
        if sum(one["counts"]["delivered"] for one in states) == people or time.perf_counter() > deadline_s:
            return states
        if states == before:
            return states
        before = states
        await asyncio.sleep(_LEASE_S + 5)


def _recorded(url: str) -> tuple[int, int, int]:
    """How many recipients are written down, how many customers these are, and how many messages have the provider's id."""
    engine = shop.engine_of(url, read_only=True)
    whom, written = broadcast_recipients.c.customer_id, broadcast_recipients.join(messages)
    try:
        with engine.connect() as db:
            rows, distinct = db.execute(select(func.count(whom), func.count(whom.distinct()))).one()
            return (
                rows,
                distinct,
                db.execute(select(func.count(messages.c.provider_id)).select_from(written)).scalar_one(),
            )
    finally:
        engine.dispose()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.campaign", description="A campaign beside live talk.")
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=80.0, help="messages a second over each of the ten numbers")
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--quick", action="store_true", help="2,000 people at 5 a second over each number")
    given = parser.parse_args()
    people, rate = (2_000, 5.0) if given.quick else (given.people, given.rate)
    print(f"{report.machine()}, {given.engine}, {people:,} people, {rate:g}/s")
    server.pin(server.CLIENT_CORE)
    with contextlib.ExitStack() as stack:
        room = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="frontdesk-bench-")))
        url = stack.enter_context(servers.postgres()) if given.engine == "postgresql" else f"sqlite:///{room}/desk.db"
        try:
            claims, seen = uvloop.run(run(room, url, people=people, rate=rate))
        except server.Trouble as trouble:
            print(trouble, file=sys.stderr)
            return 1
    print(report.table(["measured", ""], seen))
    print()
    print(
        report.table(
            ["claim", "holds", "seen"], [[one.claim, "yes" if one.holds else "NO", one.seen] for one in claims]
        )
    )
    return int(not all(one.holds for one in claims))


if __name__ == "__main__":
    sys.exit(main())
