"""Work to be done later, in the same database as what caused it."""

from sqlalchemy import Boolean, Column, Float, Index, Integer, String, Table, false, text

from storage.base import BigId, UtcDateTime, id_column, metadata, time_column, type_json

# A finished job is deleted in the transaction of its effect; what stays is waiting, running or dead.
jobs = Table(
    "jobs",
    metadata,
    id_column(),
    Column("tenant_id", BigId),
    Column("kind", String(40), nullable=False),
    Column("payload", type_json, nullable=False),
    Column("lane", String(80), nullable=False, server_default="main"),
    Column("priority", Integer, nullable=False, server_default="0"),  # 0 replies, 1 campaigns; lower goes first
    Column("status", String(10), nullable=False, server_default="ready"),  # ready, running, dead
    time_column("run_at"),
    # At most one waiting job has it; used to move or cancel. Sorted by code point everywhere, so that a prefix is a range.
    Column("dedupe", String(120).with_variant(String(120, collation="C"), "postgresql")),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("lease", String(36)),  # who runs it; an acknowledgement with another lease is refused
    Column("leased_until", UtcDateTime),
    Column("error", String(500)),
    time_column("created_at"),
    Index("ix_jobs_due", "status", "priority", "run_at"),
    Index("ix_jobs_lane", "status", "lane", "priority", "run_at"),
    Index(
        "uq_jobs_dedupe",
        "dedupe",
        unique=True,
        sqlite_where=text("dedupe IS NOT NULL AND status = 'ready'"),
        postgresql_where=text("dedupe IS NOT NULL AND status = 'ready'"),
    ),
)

# Limits of a lane: a token bucket and a pause. A lane without a row has none.
lanes = Table(
    "lanes",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("rate_per_s", Float),
    Column("burst", Integer, nullable=False, server_default="1"),
    Column("tokens", Float, nullable=False, server_default="0"),
    Column("filled_at", UtcDateTime),
    Column("is_paused", Boolean, nullable=False, server_default=false()),
    Column("blocked_until", UtcDateTime),  # the provider said Retry-After
)
