"""Meta on your desk: `python -m simulators.meta --webhook http://localhost:8000/… --number +15125550102:1066:2055`."""

import argparse
import asyncio
import os
import signal
from collections.abc import Sequence
from random import Random

from simulators.meta.model import App, Number
from simulators.meta.simulator import MetaSimulator

_GREETING = """Meta's WhatsApp, simulated; the Graph API is {api}. Play a phone:
  curl --json '{{"to": "{number}", "text": "hi"}}' {url}/_sim/phones/+15551230001/messages
  curl --json '{{"choice": "Haircut"}}' {url}/_sim/phones/+15551230001/choices
  curl {url}/_sim/phones/+15551230001
One more number, also of another business, and what comes for several in one request:
  curl --json '{{"number": "+15125550143", "phone_number_id": "109", "waba_id": "209"}}' {url}/_sim/numbers
  curl --json '{{"messages": [{{"from": "+15551230001", "to": "{number}", "text": "hi"}}]}}' {url}/_sim/batches"""


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until Ctrl+C."""
    asyncio.run(_serve(_options(argv)))


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulators.meta", description="Meta's WhatsApp for the demo.")
    parser.add_argument("--host", default="127.0.0.1", help="keep it on this machine: it lets anyone write")
    parser.add_argument("--port", type=int, default=8011)
    parser.add_argument("--webhook", required=True, help="where everything is reported")
    parser.add_argument(
        "--number",
        action="append",
        required=True,
        metavar="NUMBER:PHONE_NUMBER_ID:WABA_ID",
        help="your number; repeat for more",
    )
    parser.add_argument("--app-secret", default=os.environ.get("META_APP_SECRET"))
    parser.add_argument("--access-token", default=os.environ.get("META_ACCESS_TOKEN"))
    parser.add_argument("--verify-token", default=os.environ.get("META_VERIFY_TOKEN", ""))
    parser.add_argument("--reach", metavar="PUBLIC=REAL", help="call REAL where the webhook says PUBLIC")
    parser.add_argument("--pace", type=float, default=0.3, help="seconds between two states of a message")
    parser.add_argument("--seed", type=int, help="repeat the same chances")
    options = parser.parse_args(argv)
    if not options.app_secret or not options.access_token:
        parser.error("give --app-secret and --access-token, or set META_APP_SECRET and META_ACCESS_TOKEN")
    if any(number.count(":") != 2 for number in options.number):
        parser.error("--number needs NUMBER:PHONE_NUMBER_ID:WABA_ID")
    return options


async def _serve(options: argparse.Namespace) -> None:
    public, _, real = (options.reach or "").partition("=")
    numbers = [one.split(":") for one in options.number]
    simulator = MetaSimulator(
        app=App(
            secret=options.app_secret,
            tokens=(options.access_token,),
            webhook_url=options.webhook,
            verify_token=options.verify_token,
        ),
        numbers=[Number(number=number, phone_number_id=one, waba_id=waba) for number, one, waba in numbers],
        reach={public: real} if public else {},
        rng=Random(options.seed),
        pace_s=options.pace,
    )
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    try:
        await simulator.serve(options.host, options.port)
        greeting = _GREETING.format(api=simulator.api_base, url=simulator.url, number=numbers[0][0])
        print(greeting, flush=True)  # noqa: T201 - a command
        await stop.wait()
    finally:
        await simulator.close()


if __name__ == "__main__":
    main()
