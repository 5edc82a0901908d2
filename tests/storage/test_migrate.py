"""Migrations: every database ends at the same tables, on both engines."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import IntegrityError

from storage import migrate
from storage.base import metadata
from storage.migrate import _engine


def test_head_is_the_newest_revision() -> None:
    from alembic.script import ScriptDirectory

    folder = Path(migrate.__file__).parent / "migrations"
    assert ScriptDirectory(str(folder)).get_current_head() == migrate.HEAD


def test_migrated_tables_are_those_of_the_models(database_url: str) -> None:
    assert migrate.current(database_url) == migrate.HEAD
    assert migrate.check(database_url) == []


def test_up_again_does_nothing_and_down_takes_all_away(database_url: str) -> None:
    assert not migrate.upgrade(database_url)
    migrate.downgrade(database_url, "base")
    engine = _engine(database_url)
    assert inspect(engine).get_table_names() == ["alembic_version"]
    engine.dispose()
    assert migrate.upgrade(database_url)
    engine = _engine(database_url)
    there = {name for name in inspect(engine).get_table_names() if not name.startswith("message_search")}
    assert there == {*metadata.tables, "alembic_version"}
    engine.dispose()


OVERLAPS = [
    ("09:00", "10:00", 0, False),  # the very same time
    ("09:30", "09:45", 0, False),  # inside
    ("08:00", "12:00", 0, False),  # around
    ("08:00", "09:00", 0, True),  # back to back before
    ("10:00", "11:00", 0, True),  # back to back after
    ("09:00", "10:00", 1, True),  # another unit of the same staff member
]


@pytest.mark.parametrize(("starts", "ends", "unit", "is_allowed"), OVERLAPS)
def test_the_database_itself_refuses_two_claims_on_one_time(
    database_url: str, starts: str, ends: str, unit: int, is_allowed: bool
) -> None:
    engine = _engine(database_url)
    zone = "+00:00" if engine.dialect.name == "postgresql" else ".000000"
    day = "2026-03-02"

    def claim(number: int, starts: str, ends: str, unit: int) -> None:
        with engine.begin() as db:
            if engine.dialect.name == "sqlite":
                db.execute(text("PRAGMA defer_foreign_keys=ON"))
            db.execute(
                text(
                    "INSERT INTO claims (uid, tenant_id, staff_id, unit, starts_at, ends_at, expires_at, created_at)"
                    f" VALUES (:uid, 1, 1, :unit, :starts, :ends, '{day} 12:00:00{zone}', '{day} 08:00:00{zone}')"
                ),
                {
                    "uid": f"{number:032d}",
                    "unit": unit,
                    "starts": f"{day} {starts}:00{zone}",
                    "ends": f"{day} {ends}:00{zone}",
                },
            )

    with engine.begin() as db:
        at = f"{day} 00:00:00{zone}"
        db.execute(text(f"INSERT INTO tenants (id, uid, name, created_at) VALUES (1, '{1:032d}', 't', '{at}')"))
        db.execute(
            text(
                "INSERT INTO businesses (id, uid, tenant_id, name, time_zone, languages, created_at)"
                f" VALUES (1, '{1:032d}', 1, 'b', 'UTC', '[]', '{at}')"
            )
        )
        db.execute(
            text(
                "INSERT INTO staff (id, uid, tenant_id, business_id, name, skills, created_at)"
                f" VALUES (1, '{1:032d}', 1, 1, 's', '[]', '{at}')"
            )
        )
    claim(1, "09:00", "10:00", 0)
    if is_allowed:
        claim(2, starts, ends, unit)
    else:
        with pytest.raises(IntegrityError):
            claim(2, starts, ends, unit)
    engine.dispose()


LATER = """
import os, sys
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "0002", "0001", None, None


def upgrade():
    op.create_table("later", sa.Column("name", sa.String(200), primary_key=True))
    op.execute("INSERT INTO later SELECT name FROM tenants")
    with op.batch_alter_table("tenants") as tenants:
        tenants.add_column(sa.Column("motto", sa.String(20), nullable=False, server_default="on"))
    op.execute("UPDATE tenants SET name = name || '!'")
    if "half" in sys.argv:
        print("half", flush=True)
        sys.stdin.read()
    op.execute("UPDATE tenants SET motto = 'forward'")
"""


def test_a_migration_that_is_killed_leaves_nothing_and_is_whole_when_it_is_started_again(
    database_url: str, tmp_path: Path
) -> None:
    ours = Path(migrate.__file__).parent
    next_version = tmp_path / "next" / "storage"
    shutil.copytree(ours, next_version, ignore=shutil.ignore_patterns("__pycache__"))
    (next_version / "migrations" / "versions" / "0002_later.py").write_text(LATER)
    head = (next_version / "migrate.py").read_text()
    (next_version / "migrate.py").write_text(head.replace(f'HEAD = "{migrate.HEAD}"', 'HEAD = "0002"'))
    code = "import sys; from storage import migrate; print(*[migrate.upgrade(sys.argv[1]) for _ in range(2)])"
    command = [sys.executable, "-c", code, database_url]
    engine = _engine(database_url)
    at = "2026-03-02 12:00:00" + ("+00:00" if engine.dialect.name == "postgresql" else ".000000")
    with engine.begin() as db:
        for number, name in enumerate(("Ada", "Bo"), 1):
            db.execute(text(f"INSERT INTO tenants (uid, name, created_at) VALUES ('{number:032d}', '{name}', '{at}')"))

    with subprocess.Popen(
        [*command, "half"], cwd=next_version.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"half\n"
        process.kill()
    assert migrate.current(database_url) == migrate.HEAD
    assert "later" not in inspect(engine).get_table_names()
    assert migrate.check(database_url) == []  # so the version before goes on as if nothing had been

    ran = subprocess.run(command, cwd=next_version.parent, capture_output=True, check=True, timeout=60)
    assert ran.stdout == b"True False\n"  # the second time there is nothing to do
    assert migrate.current(database_url) == "0002"
    with engine.begin() as db:
        assert db.execute(text("SELECT name, motto FROM tenants ORDER BY id")).all() == [
            ("Ada!", "forward"),
            ("Bo!", "forward"),
        ]
        assert db.execute(text("SELECT name FROM later ORDER BY name")).scalars().all() == ["Ada", "Bo"]
    engine.dispose()
