"""Every benchmark, briefly: `python -m bench`. Each alone, at length: see README.md.

One after the other, each in a process of its own, so that none warms or slows another.
"""

import importlib.util
import subprocess
import sys
from typing import Final, NamedTuple


class Bench(NamedTuple):
    title: str
    module: str
    words: tuple[str, ...] = ()


BENCHES: Final = (
    Bench("Text dialogue, beside its floors", "bench.dialogue", ("--quick",)),
    Bench("Understanding", "bench.understanding"),
    Bench("Small statements", "bench.statements"),
    Bench("Customers in and out", "bench.transfers", ("--rows", "2000")),
    Bench("A thousand people invited", "bench.invitations"),
    Bench("Full text of messages", "bench.search", ("--messages", "50000", "--asks", "20")),
    Bench("A thousand people look at one conversation", "bench.fanout", ("--rounds", "20")),
    Bench("REST, beside bare aiohttp", "bench.rest", ("--seconds", "1")),
    Bench("A campaign beside live talk", "bench.campaign", ("--quick",)),
    Bench("Calls, beside bare aiohttp", "bench.voice", ("--quick",)),
    Bench("Killed at random, SQLite", "bench.chaos", ("--messages", "400", "--kills", "4")),
    Bench(
        "Killed at random, PostgreSQL", "bench.chaos", ("--messages", "400", "--kills", "4", "--engine", "postgresql")
    ),
)


def main() -> int:
    """0 when all of them ran and nothing was disproved."""
    failed = []
    for bench in BENCHES:
        if importlib.util.find_spec(bench.module) is None:
            continue
        print(f"\n## {bench.title}\n", flush=True)
        if subprocess.run([sys.executable, "-m", bench.module, *bench.words], check=False).returncode != 0:
            failed.append(bench.title)
    if failed:
        print(f"\nFailed: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
