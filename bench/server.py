"""A server under test: started on a core of its own, watched from outside, stopped."""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from bench import phones, shop

SERVER_CORE: Final = 0
CLIENT_CORE: Final = 1
_START_TIMEOUT_S: Final = 60.0
_STOP_TIMEOUT_S: Final = 15.0
_LOOK_AGAIN_S: Final = 0.005
# Nobody starts the product with these: a second start finds everything compiled, and log lines are written in one go.
_NOT_INHERITED: Final = frozenset({"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"})


class Trouble(Exception):  # noqa: N818  reads better than TroubleError
    """The server did not do what it should; the message ends with what it said."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running process, a server at `port` or (0) a worker. `log` is what it writes, from `begins` on."""

    process: "subprocess.Popen[bytes]"
    port: int
    log: Path
    begins: int = 0

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def is_ready(self) -> bool:
        """Whether it answers /healthz with 200; a worker, whom nobody can ask, says so."""
        if not self.port:
            with self.log.open("rb") as said:
                said.seek(self.begins)
                return b"Frontdesk does jobs" in said.read()
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            line.request("GET", "/healthz")
            return line.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            line.close()

    def wait_ready(self) -> None:
        """Raises: Trouble when it ended or took too long."""
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not self.is_ready():
            if not self.is_alive or time.monotonic() > deadline:
                raise Trouble(f"the server did not start: {self.last_words()}")
            time.sleep(_LOOK_AGAIN_S)

    def cpu_s(self) -> float:
        """CPU time it has used so far, in user and kernel mode."""
        used = psutil.Process(self.process.pid).cpu_times()
        return float(used.user + used.system)

    def peak_mb(self) -> float:
        """The most memory it has held so far (where the system does not keep that, what it holds now)."""
        status = Path(f"/proc/{self.process.pid}/status")
        if status.exists():
            line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
            return int(line.split()[1]) / 1024
        return float(psutil.Process(self.process.pid).memory_info().rss) / 1024**2

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask it to stop; its exit code. One that does not listen is killed, which gives -9."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL

    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-2000:].strip() or "(it said nothing)"


def start(command: Sequence[str], *, port: int, log: Path, env: Mapping[str, str] | None = None) -> Server:
    """Start `command` on the server's core; it need not be ready yet."""
    surroundings = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    surroundings |= env or {}
    with log.open("ab") as out:
        begins = out.tell()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=surroundings)
    pin(SERVER_CORE, process=process.pid)
    return Server(process, port, log, begins)


def pin(core: int, *, process: int = 0) -> bool:
    """Keep a process (0: this one) on one core; False where that cannot be done (macOS, or only one core).

    A process that has only just begun has one thread, and those that come later follow it.
    """
    if not hasattr(os, "sched_setaffinity") or (os.cpu_count() or 1) < 2:
        return False
    os.sched_setaffinity(process, {core})
    return True


def frontdesk_command(what: str = "run") -> list[str]:
    """Everything in one process, as `make run` starts it; or a part of it, as `frontdesk --help` names them."""
    return [str(Path(sys.executable).with_name("frontdesk")), what]


def frontdesk_env(url: str, folder: Path, *, port: int, api_base: str = "http://127.0.0.1:9") -> dict[str, str]:
    """The settings of the product under test: the shop's keys, no demo, nothing that could reach the world.

    Nobody listens at `api_base` unless the caller says so.
    """
    return {
        "DATABASE_URL": url,
        "PORT": str(port),
        "PUBLIC_URL": phones.PUBLIC_URL,
        "REDIS_URL": "",
        "TWILIO_ACCOUNT_SID": shop.TWILIO_ACCOUNT,
        "TWILIO_AUTH_TOKEN": shop.TWILIO_TOKEN,
        "FRONTDESK_TWILIO__API_BASE": api_base,
        "FRONTDESK_DATA_DIR": str(folder),
        "FRONTDESK_DEMO__ENABLED": "false",
        "FRONTDESK_LOG__FORMAT": "json",
    }
