"""Kill the server at random moments while people book, and prove that nothing is lost or doubled.

    python -m bench.chaos [--messages 2000] [--kills 16] [--seed N] [--engine sqlite|postgresql] [--processes 2]

With several processes there are so many servers and as many workers on one PostgreSQL, as behind a load balancer: a text that
one has not answered goes to any of them, and any of them is killed.

The phones behave as Twilio does: a text that got no answer is delivered again under the same id. Some texts are
delivered twice at the same moment, some visits are wanted by more phones than there are chairs, some phones say STOP at
the end, and the shop sends letters of its own over a phone network that now and then cuts the line after it has taken
one. `proof` says what must hold in the end.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, Literal

import uvloop
from sqlalchemy import func, insert, or_, select

from bench import load, phones, proof, report, server, shop
from bench.phones import Dialogue, Step
from bench.proof import Ledger, Said
from desk import accounts as desk_accounts
from desk import conversations, messages
from gateway.pipeline import outbox as letters
from simulators.twilio import Account, Number, TwilioSimulator
from simulators.twilio.faults import Faults
from storage import queue
from storage.base import Db
from storage.models.accounts import accounts
from storage.models.conversations import outbox
from storage.models.jobs import jobs
from tests import servers

Engine = Literal["sqlite", "postgresql"]

_AT_ONCE: Final = 16
_DELIVER_AFTER_S: Final = (0.0, 0.2, 0.4, *(0.8,) * 24)  # waits before each try; the last is final
_ANSWER_WITHIN_S: Final = 15.0  # as Twilio waits
_TWICE: Final = 0.05  # texts that are delivered twice at the same moment
_STOPS: Final = 0.1  # phones that say STOP at the end
_RIVALS: Final = 6  # phones that want one visit, of which there are as many as staff
_RIVALS_EVERY: Final = 20  # phones
_RIVALS_FROM: Final = 20_000  # the number of the first visit that rivals want; no single phone gets there
_KILLED_AT_START: Final = 0.2  # kills that are followed by another while the server starts again
_LETTER: Final = "We have moved to the other side of the road. Number"
_LETTERS: Final = 200
_LETTERS_OVER_S: Final = 40.0
_LEASE_S: Final = 4.0
_DRAIN_S: Final = 100.0  # what was being sent by a process that was killed waits 45 s for its lease
_SOON: Final = timedelta(seconds=12)  # by then the evidence is read


@dataclass(slots=True)
class Victim:
    """A process that is killed and started again, a server always at the same port."""

    launch: Callable[[], server.Server]
    now: server.Server
    kills: int = 0

    async def start(self) -> None:
        """Raises: server.Trouble when it does not come up."""
        self.now = self.launch()
        await self.ready()

    async def ready(self) -> None:
        await asyncio.to_thread(self.now.wait_ready)

    def kill(self) -> None:
        """Raises: server.Trouble when it is dead already, which was none of our doing."""
        if not self.now.is_alive:
            raise server.Trouble(f"a process died by itself: {self.now.last_words()}")
        self.now.kill()
        self.kills += 1


@dataclass(slots=True)
class Crowd:
    """The phones. `ledger` is what they said and heard."""

    ports: tuple[int, ...]  # of the servers
    wanted: int  # messages
    chance: random.Random
    dialogues: Iterator[tuple[Dialogue, bool]]  # and whether others want the same visit
    ledger: Ledger = field(default_factory=Ledger)
    answered: int = 0
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    async def reach(self, place: int) -> None:
        """Return when so many texts are through."""
        while self.answered < place:
            self.moved.clear()
            await self.moved.wait()

    async def talk(self) -> None:
        """All phones, so many at once, until enough has been said."""
        await asyncio.gather(*(self._seat() for _ in range(_AT_ONCE)))

    async def _seat(self) -> None:
        while len(self.ledger.said) < self.wanted:
            dialogue, is_rival = next(self.dialogues)
            await self._one(dialogue, is_rival=is_rival)

    async def _one(self, dialogue: Dialogue, *, is_rival: bool) -> None:
        for step in dialogue.steps:
            said = await self._say(dialogue, step)
            if not said.answers:
                return
            if not all(piece in body for body in said.answers for piece in step.answer):
                said.is_wrong = not is_rival  # a rival may be too late
                return
        self.ledger.booked[dialogue.phone] = dialogue.visit
        if self.chance.random() < _STOPS:
            await self._say(dialogue, phones.stop(dialogue))

    async def _say(self, dialogue: Dialogue, step: Step) -> Said:
        said = Said(step.sid, dialogue.phone, step.text, wants_reply=step.text != "STOP")
        self.ledger.said.append(said)
        copies = 2 if self.chance.random() < _TWICE else 1
        await asyncio.gather(*(self._deliver(said, step.request) for _ in range(copies)))
        self.answered += 1
        self.moved.set()
        return said

    async def _deliver(self, said: Said, request: bytes) -> None:
        for wait_s in _DELIVER_AFTER_S:
            await asyncio.sleep(wait_s)
            status, body = await _ask(self.chance.choice(self.ports), request)
            if 200 <= status < 300:
                said.answers.append(body)
                return
            self.ledger.refused[status] += 1


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


def crowd_of(today: date) -> Iterator[tuple[Dialogue, bool]]:
    """Phones in the order they come, and whether others want the same visit at the same time."""
    number = 0
    for group in range(shop.CAPACITY - _RIVALS_FROM):
        for _ in range(_RIVALS_EVERY):
            yield phones.dialogue(number, today), False
            number += 1
        wanted = shop.visit(_RIVALS_FROM + group, today)
        for _ in range(_RIVALS):
            yield phones.dialogue(number, today, visit=wanted), True
            number += 1


async def _kill(victims: Sequence[Victim], crowd: Crowd, *, kills: int, chance: random.Random) -> None:
    """Any of them, at so many random places in the traffic; some in the middle of the start that follows."""
    first, last = min(20, crowd.wanted // 4), crowd.wanted - min(40, crowd.wanted // 4)
    for place in sorted(chance.sample(range(first, last), kills)):
        await crowd.reach(place)
        victim = chance.choice(victims)
        await asyncio.sleep(chance.uniform(0, 0.03))
        victim.kill()
        if chance.random() < _KILLED_AT_START:
            victim.now = victim.launch()
            await asyncio.sleep(chance.uniform(0.1, 1.5))
            victim.kill()
        await victim.start()


def _write_letters(db: Db, account_id: int, *, now: datetime) -> None:
    """What the shop has to tell people who never wrote: due one after the other while the server is being killed."""
    tenant_id: int = db.execute(select(accounts.c.tenant_id).where(accounts.c.id == account_id)).scalar_one()
    for number in range(_LETTERS):
        peer = f"+1555{1_000_000 + number}"
        context = conversations.begin(db, account_id, peer_kind="phone", peer=peer, now=now)
        message_id = messages.add_out(
            db,
            tenant_id=tenant_id,
            conversation_id=context.id,
            account_id=account_id,
            author="system",
            text=f"{_LETTER} {number}.",
            status="queued",
            now=now,
        )
        assert message_id is not None
        db.execute(insert(outbox).values(message_id=message_id, account_id=account_id, state="ready", created_at=now))
        queue.enqueue(
            db,
            letters.KIND,
            {"message_id": message_id},
            now=now,
            run_at=now + timedelta(seconds=1 + _LETTERS_OVER_S * number / _LETTERS),
            tenant_id=tenant_id,
            lane=desk_accounts.lane(account_id),
            dedupe=f"send:{message_id}",
        )


def _phone_network(port: int, chance: random.Random) -> TwilioSimulator:
    return TwilioSimulator(
        accounts=[Account(sid=shop.TWILIO_ACCOUNT, auth_token=shop.TWILIO_TOKEN)],
        numbers=[Number(number=shop.NUMBER, account_sid=shop.TWILIO_ACCOUNT)],
        faults=Faults(accept_but_reset=0.1, rest_500=0.05),
        reach={phones.PUBLIC_URL: f"http://127.0.0.1:{port}"},
        rng=chance,
    )


async def run(room: Path, url: str, *, wanted: int, kills: int, seed: int, processes: int = 1) -> list[proof.Verdict]:
    """Everything from the empty database at `url` to the verdicts.

    Raises: server.Trouble when the server did not start or died by itself
    """
    chance = random.Random(seed)
    ports = tuple(servers.free_port() for _ in range(processes))
    _say("making the shop")
    shop.make(url, fill=lambda db, account_id: _write_letters(db, account_id, now=datetime.now(UTC)))
    began_at = time.monotonic()
    async with _phone_network(ports[0], random.Random(seed)) as network:
        more = {
            "FRONTDESK_JOBS__LEASE_S": str(_LEASE_S),
            "FRONTDESK_JOBS__POLL_S": "0.5",
            "FRONTDESK_SENDING__RATES": "",
            "FRONTDESK_SENDING__STRANGERS_PER_HOUR": "0",  # the letters go to people who never wrote
            "FRONTDESK_SENDING__STRANGERS_PER_PREFIX_AND_HOUR": "0",
        }

        def launch(number: int, what: str, port: int) -> server.Server:
            env = server.frontdesk_env(url, room, port=port or ports[0], api_base=network.url) | more
            return server.start(server.frontdesk_command(what), port=port, log=room / f"log{number}", env=env)

        wishes = [("run", ports[0])] if processes == 1 else [*(("serve", port) for port in ports)]
        wishes += [("worker", 0)] * (processes if processes > 1 else 0)
        launches = [partial(launch, number, *one) for number, one in enumerate(wishes)]
        victims = [Victim(one, one()) for one in launches]
        try:
            await _all_ready(victims)
            crowd = Crowd(ports, wanted, chance, crowd_of(datetime.now(shop.ZONE).date()))
            _say(f"{wanted} messages, {kills} kills")
            await _until_said(crowd, _kill(victims, crowd, kills=kills, chance=random.Random(seed + 1)))
            await _all_ready(victims)
            _say("letting it finish its jobs")
            await asyncio.to_thread(_wait_for_jobs, url)
            await network.settled()
            ledger = crowd.ledger
            ledger.kills = sum(victim.kills for victim in victims)
            codes = [await asyncio.to_thread(victim.now.stop) for victim in victims]
            ledger.exit_code = next(filter(None, codes), 0)
        finally:
            for victim in victims:
                if victim.now.is_alive:
                    victim.now.kill()
        ledger.letters = Counter(
            message.body for message in network.messages.values() if message.direction == "outbound-api"
        )
    refused = ", ".join(f"{number} × {status or 'no answer'}" for status, number in sorted(ledger.refused.items()))
    _say(f"{len(ledger.said)} messages in {time.monotonic() - began_at:.0f} s; delivered again after {refused}")
    engine = shop.engine_of(url, read_only=True)
    try:
        with engine.connect() as db:
            evidence = proof.read(db, letters_of=_LETTER, now=datetime.now(UTC))
    finally:
        engine.dispose()
    return proof.judge(ledger, evidence, kills_wanted=kills)


async def _all_ready(victims: Sequence[Victim]) -> None:
    for victim in victims:
        await victim.ready()


async def _until_said(crowd: Crowd, killing: Coroutine[None, None, None]) -> None:
    """Let the crowd talk while the killer kills; if he fails, so does this."""
    talk, killer = asyncio.create_task(crowd.talk()), asyncio.create_task(killing)
    try:
        await asyncio.wait({talk, killer}, return_when=asyncio.FIRST_COMPLETED)
        if killer.done():
            await killer
        await talk
        await killer
    finally:
        talk.cancel()
        killer.cancel()


def _wait_for_jobs(url: str) -> None:
    """Until nothing is running, due or about to be; at most so long, and then the judge sees what is left."""
    open_jobs = select(func.count()).select_from(jobs)
    engine = shop.engine_of(url, read_only=True)
    deadline = time.monotonic() + _DRAIN_S
    try:
        while time.monotonic() < deadline:
            soon = datetime.now(UTC) + _SOON
            is_open = or_(jobs.c.status == "running", jobs.c.run_at <= soon)
            with engine.connect() as db:
                if db.execute(open_jobs.where(is_open)).scalar_one() == 0:
                    return
            time.sleep(0.2)
    finally:
        engine.dispose()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description="Kill the server and look what is left.")
    parser.add_argument("--messages", type=int, default=2000, help="texts that people write (2000)")
    parser.add_argument("--kills", type=int, default=16, help="how often the server is killed, at least (16)")
    parser.add_argument("--seed", type=int, help="repeat the places of an earlier run")
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--processes", type=int, default=1, help="servers, and as many workers (1: all in one process)")
    given = parser.parse_args()
    if given.processes > 1 and given.engine == "sqlite":
        parser.error("SQLite has one process: add --engine postgresql")
    if given.messages < 4 * given.kills:
        parser.error("too few messages for so many kills")
    seed = random.randrange(1 << 32) if given.seed is None else given.seed
    print(f"{report.machine()}, {given.engine}, --processes {given.processes}, --seed {seed}")
    server.pin(server.CLIENT_CORE)
    with ExitStack() as stack:
        room = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="frontdesk-chaos-")))
        url = stack.enter_context(servers.postgres()) if given.engine == "postgresql" else f"sqlite:///{room}/desk.db"
        try:
            verdicts = uvloop.run(
                run(room, url, wanted=given.messages, kills=given.kills, seed=seed, processes=given.processes)
            )
        except server.Trouble as trouble:
            print(trouble, file=sys.stderr)
            return 1
    rows = [[one.claim, "PASS" if one.holds else "FAIL", one.seen] for one in verdicts]
    print(report.table(["claim", "holds", "seen"], rows))
    return int(proof.failed(verdicts))


if __name__ == "__main__":
    sys.exit(main())
