"""One line for each event, on standard error: for people (console) or for machines (JSON).

Whoever logs writes ids and numbers. Should a secret or a customer's words be handed over all the same, the names below
hide them, and no value can begin a line of its own.
"""

import json
import logging
import re
import sys
from contextlib import suppress
from functools import lru_cache
from typing import Literal, TextIO

import orjson
import structlog
from aiohttp.http_exceptions import HttpProcessingError
from structlog.typing import EventDict, Processor, WrappedLogger

HIDDEN = "(hidden)"
_SECRET = re.compile(r"token|secret|password|authorization|cookie|api_?key|signature", re.IGNORECASE)
_PRIVATE = frozenset({"body", "text", "phone", "email"})

# What ends a line or moves the cursor for some reader of the log, and half characters, which no file can hold.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

# PostgreSQL quotes the row that it refuses, over as many lines as there are in it, and psycopg has no switch for that.
_ROW = re.compile(r"\nDETAIL:.*?(?=\n(?:HINT:|CONTEXT:|\[SQL:|\nThe above exception|\nDuring handling)|\Z)", re.DOTALL)

# Left to themselves these write bodies, or a line for each request.
_TALKATIVE = ("aiohttp.access", "alembic", "asyncio", "httpx", "twilio", "urllib3")


def configure(
    level: Literal["debug", "info", "warning", "error"] = "info",
    style: Literal["console", "json"] = "console",
    out: TextIO | None = None,
) -> None:
    """Set up structlog and, for the packages we use, the standard library's logging; called once, at the start."""
    out = out or sys.stderr
    least = logging.getLevelNamesMapping()[level.upper()]
    first: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _clean,
        structlog.processors.format_exc_info,
        _without_rows,
    ]
    last: list[Processor] = [_json]
    if style == "console":
        last = [_indent_exception, structlog.dev.ConsoleRenderer(colors=out.isatty())]
    structlog.configure(
        processors=[*first, *last],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=lambda *_: _Writer(out),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(out)
    meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=first, processors=[meta, *last]))
    logging.basicConfig(level=least, handlers=[handler], force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(least, logging.WARNING))
    logging.getLogger("aiohttp.server").addFilter(_is_ours)


def _is_ours(record: logging.LogRecord) -> bool:
    """What anybody can cause by sending something that is not HTTP is no error, and must not fill the disk."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


class _Writer:
    """Where lines end up. A full disk or a closed terminal must not fail the request that a line is about."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, line: str) -> None:
        with suppress(OSError, ValueError):
            self._out.write(line + "\n")
            self._out.flush()

    debug = info = warning = error = exception = critical = write


def _clean(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        if _is_hidden(key):
            event[key] = HIDDEN
        elif isinstance(value, str):
            if not value.isprintable():
                event[key] = _UNSAFE.sub(lambda found: repr(found[0])[1:-1], value)
        elif isinstance(value, dict):
            event[key] = _hidden_inside(value)
    return event


def _hidden_inside(value: object) -> object:
    if not isinstance(value, dict):
        return value
    return {key: HIDDEN if _is_hidden(str(key)) else _hidden_inside(inner) for key, inner in value.items()}


@lru_cache(maxsize=4096)
def _is_hidden(key: str) -> bool:
    return key.lower() in _PRIVATE or _SECRET.search(key) is not None


def _without_rows(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """What a database said without what people had written."""
    if isinstance(exception := event.get("exception"), str):
        event["exception"] = _ROW.sub(f"\nDETAIL: {HIDDEN}", exception)
    return event


def _indent_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A line of a traceback may hold anything, so none begins like an event."""
    if isinstance(exception := event.get("exception"), str):
        event["exception"] = "\n".join(f"  | {_UNSAFE.sub('?', line)}" for line in exception.split("\n"))
    return event


def _json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    try:
        return orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
    except orjson.JSONEncodeError:  # A number of more than 64 bits, half a character inside a list.
        return json.dumps({str(key): value for key, value in event.items()}, default=repr)
