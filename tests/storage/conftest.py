"""A started store on each engine."""

from collections.abc import AsyncIterator

import pytest

from storage.bus import MemoryBus
from storage.store import Store, open_store


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus()


@pytest.fixture
async def store(database_url: str, bus: MemoryBus) -> AsyncIterator[Store]:
    opened = open_store(database_url, bus)
    await opened.start()
    yield opened
    await opened.stop()
