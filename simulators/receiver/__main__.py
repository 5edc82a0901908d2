"""A subscriber on your desk: `python -m simulators.receiver --secret whsec_…`, then subscribe its address.

Frontdesk sends to this machine only with FRONTDESK_WEBHOOKS__ALLOW_PRIVATE=true.
"""

import argparse
import asyncio
import signal
from collections.abc import Sequence

from simulators.receiver.receiver import Receiver

_GREETING = """A receiver of webhooks at {url}/hooks. What it got, and how to make it misbehave:
  curl {url}/_sim/received
  curl -X PUT --json '{{"path": "/hooks", "kind": "status", "status": 410}}' {url}/_sim/trouble"""


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until Ctrl+C."""
    parser = argparse.ArgumentParser(prog="python -m simulators.receiver", description="A subscriber to webhooks.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8020)
    parser.add_argument("--secret", help="the subscription's; without it signatures are not checked")
    asyncio.run(_serve(parser.parse_args(argv)))


async def _serve(options: argparse.Namespace) -> None:
    receiver = Receiver()
    if options.secret:
        receiver.secrets["/hooks"] = options.secret
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    try:
        await receiver.serve(options.host, options.port)
        print(_GREETING.format(url=receiver.url), flush=True)  # noqa: T201 - a command
        await stop.wait()
    finally:
        await receiver.close()


if __name__ == "__main__":
    main()
