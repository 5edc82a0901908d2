"""A running front desk on each engine."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.clock import FakeClock
from tests.gateway import front


@pytest.fixture
async def desk(database_url: str, tmp_path: Path, clock: FakeClock) -> AsyncIterator[front.Front]:
    """A front desk with the demo business, on a Monday at noon."""
    clock.set(front.NOON)
    async with front.opened(database_url, tmp_path, clock) as opened:
        yield opened
