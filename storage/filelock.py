"""A lock on a file that ends with its process, and says who holds it."""

import fcntl
import os
from pathlib import Path

import orjson


class Held(Exception):  # noqa: N818  filelock.Held says it
    """Another process holds the lock."""

    def __init__(self, path: Path, pid: int | None, note: str) -> None:
        super().__init__(f"{path} is in use by process {pid or 'unknown'}{f' ({note})' if note else ''}; stop it first")
        self.pid = pid
        self.note = note


class FileLock:
    """An advisory lock (flock), so that a second process on the same data refuses to start."""

    def __init__(self, path: Path, *, note: str = "") -> None:
        self._path = path
        self._note = note
        self._fd: int | None = None

    def acquire(self) -> None:
        """Raises: Held when another process has it."""
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pid, note = _holder(os.read(fd, 4096))
            os.close(fd)
            raise Held(self._path, pid, note) from None
        os.ftruncate(fd, 0)
        os.write(fd, orjson.dumps({"pid": os.getpid(), "note": self._note}))
        self._fd = fd

    def release(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def holder(path: Path) -> tuple[int | None, str] | None:
    """(pid, note) of the process that holds the lock at `path`, or None when it is free."""
    try:
        fd = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return None
    except OSError:
        return _holder(os.read(fd, 4096))
    finally:
        os.close(fd)


def _holder(content: bytes) -> tuple[int | None, str]:
    try:
        found = orjson.loads(content)
        return int(found["pid"]), str(found["note"])
    except (ValueError, KeyError, TypeError):
        return None, ""
