"""Bots, their scenarios and every version of them that was ever published."""

from sqlalchemy import Boolean, Column, ForeignKey, Integer, String, Table, Text, UniqueConstraint, true

from storage.base import BigId, UtcDateTime, id_column, metadata, time_column, type_json, uid_column

bots = Table(
    "bots",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False, index=True),
    Column("business_id", BigId, ForeignKey("businesses.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", String(200), nullable=False),
    Column("settings", type_json, nullable=False),
    Column("is_active", Boolean, nullable=False, server_default=true()),
    Column("prompts_of", String(32)),  # digest of the settings and phrases with which its prompts were last made
    Column("removed_at", UtcDateTime),  # one that has spoken with customers stays for its conversations, unseen
    time_column("created_at"),
)

scenarios = Table(
    "scenarios",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("bot_id", BigId, ForeignKey("bots.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(80), nullable=False),  # the `id` inside the file
    Column("draft", Text),  # YAML that is being worked on
    Column("published_id", BigId),  # of scenario_versions; no foreign key, which would be a circle
    time_column("created_at"),
    UniqueConstraint("bot_id", "name"),
)

# Never changed once written: conversations are pinned to the version they began with.
scenario_versions = Table(
    "scenario_versions",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("scenario_id", BigId, ForeignKey("scenarios.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("source", Text, nullable=False),
    Column("digest", String(64), nullable=False),  # SHA-256 of the source
    Column("published_by", BigId, ForeignKey("users.id")),
    Column("published_at", UtcDateTime, nullable=False),
    UniqueConstraint("scenario_id", "number"),
)
