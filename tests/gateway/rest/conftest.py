"""An admin of the demo business, on each engine."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.clock import FakeClock
from tests.conftest import ENGINES
from tests.gateway import front
from tests.gateway.rest import api as clients


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of a database of the test's own that holds the demo business."""
    return str(request.getfixturevalue(f"demo_{request.param}_url"))


@pytest.fixture
async def desk(database_url: str, tmp_path: Path, clock: FakeClock) -> AsyncIterator[front.Front]:
    """A front desk without limits on how often one may call."""
    clock.set(front.NOON)
    env = {"FRONTDESK_LIMITS__ENABLED": "false"}
    async with front.opened(database_url, tmp_path, clock, env=env, seeded=False) as opened:
        yield opened


@pytest.fixture
async def api(desk: front.Front) -> clients.Client:
    return await clients.person(desk, "admin")
