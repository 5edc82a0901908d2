"""A front desk whose live inbox is quick to notice, on each engine."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.clock import FakeClock
from tests.conftest import ENGINES
from tests.gateway import front
from tests.gateway.inbox import live


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of a database of the test's own that holds the demo business."""
    return str(request.getfixturevalue(f"demo_{request.param}_url"))


@pytest.fixture
async def desk(database_url: str, tmp_path: Path, clock: FakeClock) -> AsyncIterator[live.Desk]:
    clock.set(front.NOON)
    async with live.opened(database_url, tmp_path, clock) as opened:
        yield opened
