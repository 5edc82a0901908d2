"""Commands that prepare the database: its tables, and the demo business."""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

import typer

from gateway import demo
from gateway import demo_business as juniper
from gateway.auth.passwords import Passwords
from gateway.cli.settings import load, plain_words
from gateway.settings import Settings
from storage import migrate as migrations
from storage.bus import MemoryBus
from storage.filelock import FileLock
from storage.store import Store, lock_path, open_store


def migrate(config: Path | None) -> None:
    """`frontdesk migrate`."""
    settings = load(config)
    with plain_words(settings):
        done = bring_up_to_date(settings)
    typer.echo(f"The database is now at {migrations.HEAD}." if done else "The database is up to date.")


def seed(config: Path | None) -> None:
    """`frontdesk seed`."""
    settings = load(config)
    with plain_words(settings):
        bring_up_to_date(settings)
        found = asyncio.run(_seed(settings))
    what = ", ".join(f"{number} {noun}" for noun, number in found.counts.items())
    typer.echo(f"The demo business is {'in' if found.is_new else 'there already, nothing was changed'}: {what}.")


async def _seed(settings: Settings) -> demo.Seeded:
    store = open_store(settings.database.url, MemoryBus(), owner_note="seed")
    await store.start()
    try:
        with waiting("Putting in the demo business"):
            return await _put_in(store, settings)
    finally:
        await store.stop()


def bring_up_to_date(settings: Settings) -> bool:
    """True when the tables had to be changed. Nobody else may work on an SQLite file meanwhile.

    Raises:
        storage.filelock.Held: a server works on it.
    """
    url = settings.database.url
    with _alone(url):
        if migrations.current(url) == migrations.HEAD:
            return False
        with waiting("Preparing the database"):
            return migrations.upgrade(url)


async def put_in_demo(store: Store, settings: Settings) -> bool:
    """True when the database was empty and the demo business is in it now."""
    if settings.demo.enabled is False or not await store.read(demo.is_empty):
        return False
    with waiting("Putting in the demo business"):
        return (await _put_in(store, settings)).is_new


async def _put_in(store: Store, settings: Settings) -> demo.Seeded:
    """With a way in for its owner only where nobody from outside can come: everybody knows the password."""
    password_hash = await Passwords(1).hash(juniper.OWNER_PASSWORD) if settings.is_demo else None
    return await store.write(demo.seed, password_hash=password_hash, now=datetime.now(UTC))


def waiting(what: str) -> AbstractContextManager[object]:
    """Something that moves on a terminal while we are busy; elsewhere a line in the output would only be in the way."""
    from rich.console import Console

    console = Console(stderr=True)
    return console.status(f"{what} …") if console.is_terminal else nullcontext()


@contextmanager
def _alone(url: str) -> Iterator[None]:
    path = lock_path(url)
    if path is None:  # PostgreSQL: the migration itself makes others wait
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, note="migrate")
    lock.acquire()
    try:
        yield
    finally:
        lock.release()
