"""What people in the inbox work with: teams, answers at hand, labels, promises of time, who has read what."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint, false, text

from storage.base import BigId, UtcDateTime, id_column, metadata, time_column, type_json, uid_column

teams = Table(
    "teams",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("name", String(200), nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("assignment", String(20), nullable=False, server_default="manual"),  # manual, round_robin, load
    # Whose turn it was last, for round robin.
    Column("last_assigned_user_id", BigId, ForeignKey("users.id")),
    time_column("created_at"),
    UniqueConstraint("tenant_id", "name"),
)

team_members = Table(
    "team_members",
    metadata,
    id_column(),
    Column("team_id", BigId, ForeignKey("teams.id", ondelete="CASCADE"), nullable=False),
    Column("user_id", BigId, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    UniqueConstraint("team_id", "user_id"),
)

canned_replies = Table(
    "canned_replies",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("shortcut", String(40), nullable=False),  # typed after a slash
    Column("title", String(200), nullable=False, server_default=""),
    Column("text", Text, nullable=False),
    Column("language", String(16)),
    Column("created_by", BigId, ForeignKey("users.id")),
    time_column("created_at"),
    time_column("updated_at"),
    UniqueConstraint("tenant_id", "shortcut"),
)

labels = Table(
    "labels",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("name", String(60), nullable=False),
    Column("color", String(7), nullable=False, server_default="#64748B"),
    time_column("created_at"),
    UniqueConstraint("tenant_id", "name"),
)

conversation_labels = Table(
    "conversation_labels",
    metadata,
    Column("conversation_id", BigId, ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True),
    Column("label_id", BigId, ForeignKey("labels.id", ondelete="CASCADE"), primary_key=True, index=True),
)

# Who takes part besides the owner: they are told of what happens.
participants = Table(
    "participants",
    metadata,
    Column("conversation_id", BigId, ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", BigId, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True),
    time_column("since"),
)

# How far each person has read; what came in after it is unread for them.
reads = Table(
    "reads",
    metadata,
    Column("conversation_id", BigId, ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", BigId, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("message_id", BigId, nullable=False),
    time_column("at"),
)

mentions = Table(
    "mentions",
    metadata,
    id_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("conversation_id", BigId, ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("message_id", BigId, ForeignKey("messages.id", ondelete="CASCADE"), nullable=False),
    Column("user_id", BigId, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    time_column("at"),
    Column("seen_at", UtcDateTime),
    UniqueConstraint("message_id", "user_id"),
    Index("ix_mentions_user_id_seen_at", "user_id", "seen_at"),
)

# How soon people answer. The one without a team is the tenant's.
sla_policies = Table(
    "sla_policies",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("team_id", BigId, ForeignKey("teams.id", ondelete="CASCADE")),
    Column("name", String(200), nullable=False),
    Column("first_answer_minutes", Integer),
    Column("next_answer_minutes", Integer),
    Column("resolution_minutes", Integer),
    Column("warn_minutes", Integer, nullable=False, server_default="5"),  # before the breach
    Column("in_business_hours", Boolean, nullable=False, server_default=false()),
    time_column("created_at"),
    Index("uq_sla_policies_team_id", "team_id", unique=True),
    Index(
        "uq_sla_policies_tenant_id",
        "tenant_id",
        unique=True,
        sqlite_where=text("team_id IS NULL"),
        postgresql_where=text("team_id IS NULL"),
    ),
)

# What a tenant keeps about its customers besides the usual.
attribute_definitions = Table(
    "attribute_definitions",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("key", String(60), nullable=False),
    Column("label", String(200), nullable=False),
    Column("kind", String(10), nullable=False),  # text, number, yes_no, date, choice
    Column("choices", type_json, nullable=False),
    time_column("created_at"),
    UniqueConstraint("tenant_id", "key"),
)
