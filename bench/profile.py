"""Where the server's time goes while many phones talk at once: samples of the stack that holds the interpreter.

Needs py-spy beside the other tools (`pip install py-spy`), and the right to look at another process. Waiting for the
disk or for the other thread does not show, only work.
"""

import asyncio
import itertools
import shutil
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Self

from bench import load, phones, report, server, shop

_AT_ONCE: Final = 64
_WARM_S: Final = 2.0
_SECONDS: Final = 12.0
_RATE: Final = 250  # samples a second
_ROWS: Final = 40
_TEXTS: Final = 24_000  # more than can be answered meanwhile
_ROOMS: Final = ("gateway/", "bots/", "desk/", "channels/", "flows/", "storage/")
_OUTERMOST: Final = ("gateway/cli/",)


@dataclass(slots=True)
class Shares:
    """Samples by function (`name (file)`) and, for our own code, by line; `lines` include the libraries called there."""

    total: int = 0
    below: Counter[str] = field(default_factory=Counter)  # our functions, with everything that they call
    lines: Counter[str] = field(default_factory=Counter)
    alone: Counter[str] = field(default_factory=Counter)  # any function by itself

    @classmethod
    def of(cls, samples: str) -> Self:
        """`samples` are py-spy's raw lines: a stack, outermost first, and how often it was seen."""
        shares = cls()
        for line in samples.splitlines():
            stack, _, count = line.rpartition(" ")
            frames, seen = stack.split(";"), int(count)
            ours = [frame for frame in frames if _file(frame).startswith(_ROOMS)]
            shares.total += seen
            shares.alone[_function(frames[-1])] += seen
            for function in {_function(frame) for frame in ours}:
                shares.below[function] += seen
            if ours:
                shares.lines[ours[-1]] += seen
        return shares

    def tables(self) -> str:
        """What cost most, in three views."""
        inner = Counter({name: seen for name, seen in self.below.items() if not _file(name).startswith(_OUTERMOST)})
        return "\n\n".join(
            self._table(title, shares)
            for title, shares in (
                ("our functions, with all they call", inner),
                ("our lines, with the libraries called there", self.lines),
                ("any function, by itself", self.alone),
            )
        )

    def _table(self, title: str, shares: Counter[str]) -> str:
        rows = [[name, f"{100 * seen / self.total:.1f} %"] for name, seen in shares.most_common(_ROWS)]
        return report.table([title, "share"], rows)


def _file(frame: str) -> str:
    return frame.rpartition("(")[2]


def _function(frame: str) -> str:
    """`name (file)` without the line."""
    name, colon, _ = frame.rpartition(":")
    return f"{name})" if colon else frame


async def take(room: Path) -> str:
    """The tables for a server that books for 64 phones at once.

    Raises: server.Trouble
    """
    from bench import dialogue  # it imports us

    spy = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if spy is None:
        raise server.Trouble("py-spy is not installed: pip install py-spy")
    shop.make(f"sqlite:///{room / 'frontdesk.db'}")
    today = datetime.now(shop.ZONE).date()
    ready = list(itertools.islice(phones.dialogues(today), _TEXTS // phones.STEPS))
    samples = room / "samples"
    with dialogue.running("frontdesk", room) as (tested, _):
        how = f"--gil --duration {_SECONDS:.0f} --rate {_RATE} --format raw".split()
        spying = await asyncio.create_subprocess_exec(
            spy, "record", "--pid", str(tested.process.pid), *how, "--output", str(samples),
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        measured = await load.closed(
            tested.port, iter(ready), at_once=_AT_ONCE, warm_s=_WARM_S, seconds=_SECONDS, cpu_s=tested.cpu_s
        )
        if await spying.wait() != 0:
            raise server.Trouble("py-spy could not look at the server; it needs the right to (run it as root)")
        if measured.wrong:
            raise server.Trouble("\n".join(measured.wrong))
    rate = f"{measured.rate:,.0f} messages/s while watched, {measured.cpu_us:,.0f} µs of CPU each"
    return f"{Shares.of(samples.read_text()).tables()}\n\n{rate}"
