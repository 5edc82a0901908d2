"""The disk is full while a message comes in."""

import contextlib
import resource
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.clock import FakeClock
from tests.conftest import ENGINES
from tests.gateway import front
from tests.gateway.front import Front, form

PHONE = "+15125550177"
_TABLES = ("conversations", "messages", "customers", "jobs", "outbox", "audit")

# PostgreSQL says so with the commit, as it does when its journal cannot grow.
_FULL = """
CREATE FUNCTION is_full() RETURNS trigger AS $$
BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END
$$ LANGUAGE plpgsql;
CREATE CONSTRAINT TRIGGER full_disk AFTER INSERT ON messages DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION is_full();
"""


@contextlib.asynccontextmanager
async def full_disk(desk: Front) -> AsyncIterator[None]:
    """While the block runs nothing more can be written."""
    if desk.house.store.dialect == "postgresql":
        await desk.change(_FULL)
        yield
        await desk.change("DROP TRIGGER full_disk ON messages; DROP FUNCTION is_full")
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # No file grows beyond its first page, so what SQLite appends to its journal fails in the middle.
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"demo_{request.param}_url"))


@pytest.mark.parametrize("spool", ["true", "false"])
async def test_the_provider_hears_503_nothing_is_left_half_and_it_goes_on_when_there_is_room(
    database_url: str, tmp_path: Path, clock: FakeClock, spool: str
) -> None:
    clock.set(front.NOON)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "spool").write_text("")  # no folder: messages cannot be kept beside the database either
    env = {"FRONTDESK_SERVER__SPOOL": spool}
    async with front.opened(database_url, tmp_path / "data", clock, env, seeded=False) as desk:
        await desk.text(PHONE, "hi")

        async def rows() -> dict[str, int]:
            return {table: await desk.one(f"SELECT count(*) FROM {table}") for table in _TABLES}

        before = await rows()
        texts = [form(PHONE, "book"), form("+15125550178", "hi"), form(PHONE, "STOP")]
        async with full_disk(desk):
            for text in texts:
                answer = await desk.post(text)
                assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
                async with desk.http.get(f"{desk.url}/healthz") as health:
                    assert health.status == 200
            assert await rows() == before
        answers = [await desk.post(text) for text in texts]  # as the provider repeats them
        assert [answer.status for answer in answers] == [200] * 3
        assert "book" in answers[0].text
        assert (await rows())["messages"] == before["messages"] + 3 + sum(len(answer.texts) for answer in answers)
