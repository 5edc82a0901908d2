"""Where the server's time goes while many phones talk at once: samples of its stack, by function.

Needs py-spy beside the other tools (`pip install py-spy`), and the right to look at another process.
"""

import asyncio
import shutil
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Final

from bench import load, phones, report, server, shop

_AT_ONCE: Final = 64
_SECONDS: Final = 12.0
_ROWS: Final = 40
_IDLE: Final = ("select (selectors.py", "_wait", "wait (threading.py", "_worker (concurrent", "run (asyncio/runners")


async def take(room: Path) -> str:
    """A table of the functions that were running most, by themselves and with all they call.

    Raises: server.Trouble
    """
    from bench import dialogue  # it imports us

    spy = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if spy is None:
        raise server.Trouble("py-spy is not installed: pip install py-spy")
    shop.make(f"sqlite:///{room / 'frontdesk.db'}")
    raw = room / "samples"
    with dialogue.running("frontdesk", room) as (tested, _):
        ready = list(_some(20_000))
        spying = await asyncio.create_subprocess_exec(
            spy, "record", "--pid", str(tested.process.pid), "--duration", str(int(_SECONDS)), "--rate", "300",
            "--format", "raw", "--output", str(raw), stdout=-3, stderr=-3,
        )  # fmt: skip
        measured = await load.closed(
            tested.port, iter(ready), at_once=_AT_ONCE, warm_s=1.0, seconds=_SECONDS, cpu_s=tested.cpu_s
        )
        await spying.wait()
        if measured.wrong:
            raise server.Trouble("\n".join(measured.wrong))
    return table(raw.read_text()) + f"\n\n{measured.rate:,.0f} messages/s while being watched"


def table(samples: str) -> str:
    """`samples` are py-spy's raw lines: a stack, outermost first, and how often it was seen."""
    alone: Counter[str] = Counter()
    below: Counter[str] = Counter()
    total = 0
    for line in samples.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = [frame.rsplit(":", 1)[0] + ")" if ":" in frame else frame for frame in stack.split(";")]
        if any(idle in frames[-1] for idle in _IDLE):
            continue
        seen = int(count)
        total += seen
        alone[frames[-1]] += seen
        for frame in set(frames):
            below[frame] += seen
    rows = [
        [f"{100 * count / total:.1f} %", f"{100 * alone[frame] / total:.1f} %", frame]
        for frame, count in below.most_common(_ROWS * 2)
    ]
    own = [[f"{100 * count / total:.1f} %", frame] for frame, count in alone.most_common(_ROWS)]
    return "\n\n".join(
        [report.table(["with callees", "alone", "function"], rows), report.table(["alone", "function"], own)]
    )


def _some(number: int) -> "list[phones.Dialogue]":
    found: list[phones.Dialogue] = []
    for one in phones.dialogues(datetime.now(shop.ZONE).date()):
        found.append(one)
        if len(found) == number // phones.STEPS:
            break
    return found
