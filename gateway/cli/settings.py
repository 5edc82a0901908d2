"""Where a command's settings come from, and what it says when it cannot go on."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import typer

from gateway import settings as all_settings
from gateway.settings import Settings, SettingsError

TROUBLE = 1
WRONG_SETTINGS = 2


def load(config: Path | None) -> Settings:
    """The settings in force, from `config`, else ./config.yaml, else the page that came with us; ends the command if
    they are wrong.
    """
    try:
        return all_settings.load(config or _usual_page(), os.environ)
    except SettingsError as wrong:
        stop(*wrong.problems, code=WRONG_SETTINGS)


def check(config: Path | None) -> None:
    """Print the settings in force; exit code 1 when they are wrong."""
    try:
        found = all_settings.load(config or _usual_page(), os.environ)
    except SettingsError as wrong:
        stop(*wrong.problems)
    typer.echo(all_settings.describe(found), nl=False)


def stop(*lines: str, code: int = TROUBLE) -> NoReturn:
    """End the command with `lines` on standard error."""
    for line in lines:
        typer.echo(line, err=True)
    raise typer.Exit(code)


@contextmanager
def plain_words(settings: Settings) -> Iterator[None]:
    """Ends the command with a sentence, not a traceback, when what is wrong is outside of us."""
    from sqlalchemy.exc import OperationalError

    from storage.filelock import Held
    from storage.store import StoreUnavailable

    try:
        yield
    except SettingsError as wrong:  # a damaged key file is only met when it is needed
        stop(*wrong.problems, code=WRONG_SETTINGS)
    except Held as held:
        who = f"process {held.pid}" if held.pid else "another process"
        where = f", which answers at {held.note}" if held.note.startswith("http") else ""
        stop(f"The database is in use by {who}{where}. Stop that one first; SQLite is for one process at a time.")
    except (StoreUnavailable, OperationalError) as away:
        reason = str(getattr(away, "orig", None) or away).partition("\n")[0]
        stop(f"The database does not answer: {reason}. Is database.url right? `frontdesk doctor` looks closer.")
    except OSError as refused:
        if refused.errno not in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES) or refused.filename is not None:
            raise
        host, port = settings.server.host, settings.server.port
        if refused.errno == errno.EADDRINUSE:
            stop(f"Port {port} is taken by another program. Choose another one: PORT={port + 10}, or server.port.")
        stop(f"We may not listen on {host}:{port}: {refused.strerror}. Change server.host or server.port.")


def _usual_page() -> Path | None:
    """./config.yaml, else the one that the package (a wheel) or the checkout brings."""
    here = Path(all_settings.__file__).parent
    pages = (Path("config.yaml"), here / "config.yaml", here.parent / "config.yaml")
    return next((page for page in pages if page.is_file()), None)
