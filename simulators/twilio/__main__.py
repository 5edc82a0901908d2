"""Twilio on your desk: `python -m simulators.twilio --webhook http://localhost:8000/… --number +15125550100`."""

import argparse
import asyncio
import os
import signal
from collections.abc import Sequence
from random import Random

from simulators.twilio.model import Account, Number
from simulators.twilio.simulator import TwilioSimulator

_GREETING = """Twilio, simulated, at {url}. Play a phone:
  curl --json '{{"to": "{number}", "body": "hi"}}' {url}/_sim/phones/+15551230001/messages
  curl {url}/_sim/phones/+15551230001"""


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until Ctrl+C."""
    asyncio.run(_serve(_options(argv)))


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulators.twilio", description="A phone network for the demo.")
    parser.add_argument("--host", default="127.0.0.1", help="keep it on this machine: it lets anyone send texts")
    parser.add_argument("--port", type=int, default=8010)
    parser.add_argument("--webhook", required=True, help="where texts are reported; may end in #rc=2&rt=500")
    parser.add_argument("--number", action="append", required=True, help="your number; repeat for more")
    parser.add_argument("--account-sid", default=os.environ.get("TWILIO_ACCOUNT_SID"))
    parser.add_argument("--auth-token", default=os.environ.get("TWILIO_AUTH_TOKEN"))
    parser.add_argument("--fallback", help="asked when the webhook fails")
    parser.add_argument("--status-callback", help="told how messages fare")
    parser.add_argument("--messaging-service", help="MG…, if the numbers belong to one")
    parser.add_argument("--opt-out", choices=("default", "advanced", "none"), default="default")
    parser.add_argument(
        "--reach",
        metavar="PUBLIC=REAL",
        help="sign for one address, call another: https://you.example=http://localhost:8000",
    )
    parser.add_argument("--pace", type=float, default=0.3, help="seconds between two delivery states")
    parser.add_argument("--seed", type=int, help="repeat the same chances")
    options = parser.parse_args(argv)
    if not options.account_sid or not options.auth_token:
        parser.error("give --account-sid and --auth-token, or set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN")
    if options.reach and "=" not in options.reach:
        parser.error("--reach needs PUBLIC=REAL")
    return options


async def _serve(options: argparse.Namespace) -> None:
    public, _, real = (options.reach or "").partition("=")
    simulator = TwilioSimulator(
        accounts=[Account(sid=options.account_sid, auth_token=options.auth_token)],
        numbers=[
            Number(
                number=number,
                account_sid=options.account_sid,
                webhook_url=options.webhook,
                fallback_url=options.fallback,
                status_callback_url=options.status_callback,
                messaging_service_sid=options.messaging_service,
                opt_out=options.opt_out,
            )
            for number in options.number
        ],
        reach={public: real} if public else {},
        rng=Random(options.seed),
        pace_s=options.pace,
    )
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    try:
        await simulator.serve(options.host, options.port)
        print(_GREETING.format(url=simulator.url, number=options.number[0]), flush=True)  # noqa: T201 - a command
        await stop.wait()
    finally:
        await simulator.close()


if __name__ == "__main__":
    main()
