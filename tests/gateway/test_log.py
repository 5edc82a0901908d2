"""Logging: one line an event, nothing private in it, and never the reason that something fails."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from aiohttp.http_exceptions import BadHttpMessage
from sqlalchemy import insert, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from gateway import log
from storage.models.tenants import tenants
from storage.store import postgres_engine, sqlite_engine


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    before = structlog.get_config()
    yield
    root.handlers[:], root.level = handlers, level
    structlog.configure(**before)


@pytest.mark.parametrize(
    ("fields", "written"),
    [
        ({"conversation": 7, "ms": 1.5}, {"conversation": 7, "ms": 1.5}),
        ({"text": "my back hurts", "body": "x"}, {"text": "(hidden)", "body": "(hidden)"}),
        ({"auth_token": "t", "webhookSecret": "s"}, {"auth_token": "(hidden)", "webhookSecret": "(hidden)"}),
        ({"headers": {"Authorization": "x", "Host": "h"}}, {"headers": {"Authorization": "(hidden)", "Host": "h"}}),
        ({"sid": "SM1\r\nlevel=error\u2028\x1b[2J"}, {"sid": r"SM1\r\nlevel=error\u2028\x1b[2J"}),
        ({"count": 2**80, "odd": ["\ud800"], "day": {1: 2}}, {"count": 2**80, "odd": ["\ud800"], "day": {"1": 2}}),
        ({"who": "Zoë 🌸"}, {"who": "Zoë 🌸"}),
    ],
)  # fmt: skip
def test_json_says_what_it_was_told_but_for_secrets(fields: dict[str, object], written: dict[str, object]) -> None:
    out = io.StringIO()
    log.configure("info", "json", out)
    structlog.get_logger().info("turn done", **fields)
    [line] = out.getvalue().splitlines()
    said = json.loads(line)
    assert {key: said[key] for key in written} == written
    assert (said["event"], said["level"]) == ("turn done", "info")


@pytest.mark.parametrize("style", ["console", "json"])
def test_no_value_and_no_error_can_forge_a_line(style: str) -> None:
    out = io.StringIO()
    log.configure("info", "json" if style == "json" else "console", out)
    logger = structlog.get_logger()
    logger.info("a\nforged", sid="b\r\nforged", parts=["c\nforged"])
    logging.getLogger("somebody").warning("d\nforged %s", "e\nforged")
    try:
        raise ValueError("f\nforged")
    except ValueError:
        logger.exception("turn failed", conversation=1)
    assert not [line for line in out.getvalue().splitlines() if line.startswith("forged")]
    assert "forged" in out.getvalue()


def test_what_a_database_refuses_is_told_without_what_was_in_it(database_url: str) -> None:
    out, url = io.StringIO(), make_url(database_url)
    log.configure("info", "json", out)
    engine = postgres_engine(url, pool_size=1) if url.host else sqlite_engine(url.database or "")
    row = {"uid": "019a0000-0000-7000-8000-000000000000", "name": None, "settings": {"a": "my back\n\nhurts"}}
    for statement, values in (
        (insert(tenants), row),
        (text("INSERT INTO nowhere VALUES (:word)"), {"word": "my back hurts"}),
    ):
        with engine.connect() as db, pytest.raises(DBAPIError) as refused:
            db.execute(statement, values)
        structlog.get_logger().error("request failed", exc_info=refused.value)
    engine.dispose()
    said = out.getvalue()
    assert len(said.splitlines()) == 2
    assert "tenants" in said
    assert "nowhere" in said
    assert "hurts" not in said
    assert "back" not in said.replace("Background", "").replace("Traceback", "").replace("traceback", "")


def test_context_goes_along_and_the_level_is_kept() -> None:
    out = io.StringIO()
    log.configure("warning", "json", out)
    with structlog.contextvars.bound_contextvars(request="r1"):
        structlog.get_logger().info("quiet")
        structlog.get_logger().error("loud")
    logging.getLogger("twilio.http_client").info("a whole body")
    malformed = BadHttpMessage("what somebody sent")
    logging.getLogger("aiohttp.server").error("Error handling request", exc_info=malformed)
    assert [(line["event"], line["request"]) for line in map(json.loads, out.getvalue().splitlines())] == [
        ("loud", "r1")
    ]


def test_a_log_that_cannot_be_written_fails_nobody() -> None:
    out = io.StringIO()
    log.configure("info", "json", out)
    out.close()
    structlog.get_logger().info("turn done")
