"""`frontdesk channels`: the page of what each channel does."""

import asyncio

import aiohttp
import typer

from channels import cards
from channels.meta.client import MetaClient
from channels.registry import Network, adapters
from channels.twilio.client import TwilioClient


def show() -> None:
    """Print it."""
    typer.echo(asyncio.run(_page()), nl=False)


async def _page() -> str:
    async with aiohttp.ClientSession() as unused:  # the adapters want one, though nothing is sent
        network = Network(TwilioClient(unused), MetaClient(unused), deliver=lambda _to, _message: None)
        return cards.page(adapters(network).values())
