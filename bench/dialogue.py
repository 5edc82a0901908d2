"""The text dialogue benchmark: how many messages a second, beside two floors in the same run.

    python -m bench.dialogue [--quick] [--json FILE] [--profile]

Six signed texts from "hi" to "yes", every answer checked for what it must say, every booking counted in the database at
the end. The server has one core, the phones another. README.md tells what the numbers mean.
"""

import argparse
import gc
import itertools
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from pathlib import Path
from statistics import median
from typing import Final, Literal, Self

import uvloop
from sqlalchemy import select

from bench import floors, load, phones, profile, report, server, shop
from bench.load import Measured
from bench.phones import Dialogue
from storage.models.businesses import services
from storage.models.calendar import appointments
from tests.servers import free_port

Target = Literal["bare", "durable", "frontdesk"]
TARGETS: Final[tuple[Target, ...]] = ("bare", "durable", "frontdesk")
NAMES: Final = {"bare": "aiohttp, constant answer", "durable": "smallest durable flow", "frontdesk": "Frontdesk"}
AT_ONCE: Final = (1, 16, 64)
SHARES: Final = (0.3, 0.6, 0.8)  # of what the closed loop reached
_MOST_PER_S: Final[dict[Target, int]] = {"bare": 0, "durable": 20_000, "frontdesk": 6_000}  # texts to sign beforehand


@dataclass(frozen=True, slots=True)
class Plan:
    repeats: int
    warm_s: float
    seconds: float


FULL: Final = Plan(3, 1.0, 4.0)
QUICK: Final = Plan(1, 0.5, 1.5)


@dataclass(frozen=True, slots=True)
class Loop:
    """One loop in numbers."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    core_share: float

    @classmethod
    def of(cls, measured: Measured) -> Self:
        return cls(measured.rate, measured.wait_ms(50), measured.wait_ms(99), measured.cpu_us, measured.core_share)

    @classmethod
    def median(cls, loops: list[Self]) -> Self:
        """Each number's own median."""
        return cls(*(median(numbers) for numbers in zip(*(asdict(loop).values() for loop in loops), strict=True)))


@dataclass(slots=True)
class Results:
    """All repeats: loops by target and phones at once (closed), and of Frontdesk by share of its own maximum (open)."""

    closed: dict[Target, dict[int, list[Loop]]] = field(
        default_factory=lambda: {target: {at_once: [] for at_once in AT_ONCE} for target in TARGETS}
    )
    opened: dict[float, list[Loop]] = field(default_factory=lambda: {share: [] for share in SHARES})
    peak_mb: dict[Target, list[float]] = field(default_factory=lambda: {target: [] for target in TARGETS})
    start_s: dict[Target, list[float]] = field(default_factory=lambda: {target: [] for target in TARGETS})
    bookings: int = 0


class Stock:
    """Dialogues signed beforehand: an iterator that ends when the stock is used up, until it is filled again."""

    def __init__(self, source: Iterator[Dialogue]) -> None:
        self._source = source
        self._ready: deque[Dialogue] = deque()

    def fill(self, texts: float) -> None:
        missing = int(texts / phones.STEPS) + 2 * AT_ONCE[-1] - len(self._ready)
        self._ready.extend(itertools.islice(self._source, max(missing, 0)))

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Dialogue:
        if not self._ready:
            raise StopIteration
        return self._ready.popleft()


async def measure(plan: Plan, room: Path) -> Results:
    """Every repeat of every target.

    Raises: server.Trouble when a server failed, said something wrong or did not keep what it had said
    """
    results = Results()
    today = datetime.now(shop.ZONE).date()
    template = room / "template.db"
    _say("making the shop")
    shop.make(f"sqlite:///{template}")
    for repeat in range(plan.repeats):
        for target in TARGETS:
            folder = room / f"{target}-{repeat}"
            folder.mkdir()
            shutil.copyfile(template, folder / "frontdesk.db")
            with running(target, folder) as (tested, start_s):
                results.start_s[target].append(start_s)
                stock = Stock(_dialogues(target, today))
                finished = []
                for at_once in AT_ONCE:
                    _say(f"{NAMES[target]}, {at_once} at once ({repeat + 1} of {plan.repeats})")
                    measured = await _closed(tested, target, stock, at_once, plan)
                    finished += measured.finished
                    results.closed[target][at_once].append(Loop.of(measured))
                if target == "frontdesk":
                    most = results.closed[target][AT_ONCE[-1]][-1].rate
                    for share in SHARES:
                        _say(f"{NAMES[target]}, {share:.0%} of that rate ({repeat + 1} of {plan.repeats})")
                        measured = await _opened(tested, stock, most * share, plan)
                        finished += measured.finished
                        results.opened[share].append(Loop.of(measured))
                results.peak_mb[target].append(tested.peak_mb())
            if target == "frontdesk":
                _check_bookings(folder / "frontdesk.db", finished, today)
                results.bookings += len(finished)
    return results


@contextmanager
def running(target: Target, folder: Path) -> Iterator[tuple[server.Server, float]]:
    """A server of that kind on its own core, and the seconds until it answered; stopped when the block ends."""
    port = free_port()
    began_at = time.perf_counter()
    if target == "frontdesk":
        url = f"sqlite:///{folder / 'frontdesk.db'}"
        command, env = server.frontdesk_command(), server.frontdesk_env(url, folder, port=port)
    else:
        command, env = [sys.executable, "-m", "bench.floors", target, "--port", str(port)], {}
    tested = server.start(command, port=port, log=folder / "log", env=env)
    try:
        tested.wait_ready()
        yield tested, time.perf_counter() - began_at
    finally:
        tested.stop()


async def _closed(tested: server.Server, target: Target, stock: Stock, at_once: int, plan: Plan) -> Measured:
    dialogues: Iterator[Dialogue] = stock
    stock.fill(_MOST_PER_S[target] * (plan.warm_s + plan.seconds))
    if target == "bare":  # it keeps nothing, so the same ones will do
        dialogues = itertools.cycle([*stock])
    with _quiet():
        measured = await load.closed(
            tested.port, dialogues, at_once=at_once, warm_s=plan.warm_s, seconds=plan.seconds, cpu_s=tested.cpu_s
        )
    _check_answers(measured, tested)
    return measured


async def _opened(tested: server.Server, stock: Stock, rate: float, plan: Plan) -> Measured:
    stock.fill(rate * (plan.warm_s + plan.seconds) + 6 * 256)
    with _quiet():
        measured = await load.opened(
            tested.port,
            stock,
            rate=rate,
            warm_s=plan.warm_s,
            seconds=plan.seconds,
            cpu_s=tested.cpu_s,
            chance=random.Random(1),
        )
    _check_answers(measured, tested)
    return measured


@contextmanager
def _quiet() -> Iterator[None]:
    """Without our own garbage collector, whose pauses would look like the server's."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def _dialogues(target: Target, today: date) -> Iterator[Dialogue]:
    for one in phones.dialogues(today):
        if target == "bare":
            yield one._replace(steps=tuple(step._replace(answer=(floors.CONSTANT,)) for step in one.steps))
        elif target == "durable":
            steps = zip(one.steps, floors.STATES[1:], strict=True)
            yield one._replace(
                steps=tuple(step._replace(answer=(f"{step.text}. Now: {state}.".encode(),)) for step, state in steps)
            )
        else:
            yield one


def _check_answers(measured: Measured, tested: server.Server) -> None:
    if measured.wrong:
        raise server.Trouble(
            "\n".join(["answers were wrong:", *measured.wrong, "the server said:", tested.last_words()])
        )
    if not measured.waits_s:
        raise server.Trouble("nothing was answered in the time that was measured")


def _check_bookings(path: Path, finished: list[int], today: date) -> None:
    """Every dialogue that ended booked is one appointment, and there is no other."""
    expected = Counter((one.service, one.starts_at) for one in (shop.visit(number, today) for number in finished))
    wanted = select(services.c.name, appointments.c.starts_at).join(
        appointments, appointments.c.service_id == services.c.id
    )
    engine = shop.engine_of(f"sqlite:///{path}", read_only=True)
    with closing(engine.connect()) as db:
        found = Counter((name, starts_at) for name, starts_at in db.execute(wanted))
    engine.dispose()
    if found != expected:
        raise server.Trouble(
            f"{expected.total()} dialogues ended booked, but the database has {found.total()} appointments; "
            f"missing {list((expected - found).elements())[:3]}, too many {list((found - expected).elements())[:3]}"
        )


def summary(results: Results) -> str:
    """The tables."""
    closed = {
        target: {at_once: Loop.median(loops) for at_once, loops in by_phones.items()}
        for target, by_phones in results.closed.items()
    }
    most = AT_ONCE[-1]
    rows = []
    for target in TARGETS:
        busy = closed[target][most]
        rows.append(
            [
                NAMES[target],
                *(f"{closed[target][at_once].rate:,.0f}" for at_once in AT_ONCE),
                *(f"{busy.rate / closed[floor][most].rate:.3f}" for floor in ("bare", "durable")),
                f"{busy.cpu_us:,.0f}",
                *(f"{busy.cpu_us / closed[floor][most].cpu_us:.1f}" for floor in ("bare", "durable")),
                f"{busy.core_share:.0%}",
                f"{busy.p50_ms:.1f}",
                f"{busy.p99_ms:.1f}",
                f"{max(results.peak_mb[target]):,.0f}",
                f"{median(results.start_s[target]):.2f}",
            ]
        )
    head = [
        "messages/s with … phones at once",
        *map(str, AT_ONCE),
        *(f"of {floor}" for floor in ("bare", "durable")),
        "CPU µs each",
        *(f"× {floor}" for floor in ("bare", "durable")),
        "core",
        "p50 ms",
        "p99 ms",
        "peak MB",
        "start s",
    ]
    opened = {share: Loop.median(loops) for share, loops in results.opened.items()}
    steady = [
        [f"{share:.0%}", f"{loop.rate:,.0f}", f"{loop.p50_ms:.1f}", f"{loop.p99_ms:.1f}", f"{loop.core_share:.0%}"]
        for share, loop in opened.items()
    ]
    ours = closed["frontdesk"][most]
    goals = [
        ("of the bare floor, everything durable", ours.rate / closed["bare"][most].rate, 0.1, "{:.3f}", False),
        ("CPU of a message, in bare answers", ours.cpu_us / closed["bare"][most].cpu_us, 10, "{:.1f}", True),
        ("CPU µs for a message", ours.cpu_us, 330, "{:.0f}", True),
        (f"p99 ms with {most} phones", ours.p99_ms, 50, "{:.1f}", True),
        ("peak memory MB", max(results.peak_mb["frontdesk"]), 120, "{:.0f}", True),
        ("cold start s", median(results.start_s["frontdesk"]), 1.5, "{:.2f}", True),
    ]
    aims = [
        [what, shape.format(value), f"{'under' if is_most else 'at least'} {aim:g}", _verdict(value, aim, is_most)]
        for what, value, aim, shape, is_most in goals
    ]
    return "\n\n".join(
        [
            report.table(head, rows),
            report.table(["open loop, at a rate of", "messages/s", "p50 ms", "p99 ms", "core"], steady),
            report.table(["aim", "measured", "wanted", "met"], aims),
            f"{results.bookings:,} dialogues ended booked, and that many appointments are in the databases.",
        ]
    )


def _verdict(value: float, aim: float, is_most: bool) -> str:
    return "yes" if (value <= aim if is_most else value >= aim) else "NO"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.dialogue", description="The text dialogue benchmark.")
    parser.add_argument("--quick", action="store_true", help="one short repeat, to see that it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every repeat's numbers to FILE")
    parser.add_argument("--profile", action="store_true", help="instead, show where the server's time goes (py-spy)")
    given = parser.parse_args()
    print(report.machine())
    if not server.pin(server.CLIENT_CORE):
        print("Server and phones share their cores: this machine cannot keep them apart.")
    with tempfile.TemporaryDirectory(prefix="frontdesk-bench-") as folder:
        room = Path(folder)
        try:
            if given.profile:
                print(uvloop.run(profile.take(room)))
                return 0
            results = uvloop.run(measure(QUICK if given.quick else FULL, room))
        except (TimeoutError, server.Trouble) as trouble:
            print(trouble, file=sys.stderr)
            return 1
    print(summary(results))
    if given.json:
        given.json.write_text(json.dumps(asdict(results), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
