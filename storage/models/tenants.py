"""Who owns everything, and the people who may sign in."""

from sqlalchemy import Boolean, Column, ForeignKey, Integer, String, Table, UniqueConstraint, true

from storage.base import BigId, UtcDateTime, id_column, metadata, time_column, type_json, uid_column

tenants = Table(
    "tenants",
    metadata,
    id_column(),
    uid_column(),
    Column("name", String(200), nullable=False),
    Column("settings", type_json, nullable=False, server_default="{}"),  # how its inbox works: desk/inbox/rules.py
    time_column("created_at"),
)

users = Table(
    "users",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False, index=True),
    Column("email", String(320), nullable=False),  # lower case
    Column("username", String(80)),  # lower case; only those who registered on the dashboard have one
    Column("full_name", String(200), nullable=False),
    Column("phone", String(40)),
    Column("role", String(20), nullable=False),  # owner, admin, agent, technician, viewer
    Column("password_hash", String(200)),  # argon2; null until an invitation is accepted
    Column("is_active", Boolean, nullable=False, server_default=true()),
    # In the inbox: online, away, or away_and_reassigning, which passes on what comes back meanwhile.
    Column("availability", String(20), nullable=False, server_default="online"),
    Column("seen_at", UtcDateTime),  # last connected to the live inbox, give or take a few seconds
    Column("max_conversations", Integer),  # open ones at a time, for assignment; null: no limit
    Column("tokens_valid_from", UtcDateTime),  # older access tokens are void: a new password, a deactivation
    Column("last_login_at", UtcDateTime),
    time_column("created_at"),
    UniqueConstraint("email"),
    UniqueConstraint("username"),
)
