"""Who owns everything, and the people who may sign in."""

from sqlalchemy import Boolean, Column, ForeignKey, String, Table, UniqueConstraint, true

from storage.base import BigId, id_column, metadata, time_column, uid_column

tenants = Table(
    "tenants",
    metadata,
    id_column(),
    uid_column(),
    Column("name", String(200), nullable=False),
    time_column("created_at"),
)

users = Table(
    "users",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False, index=True),
    Column("email", String(320), nullable=False),  # lower case
    Column("full_name", String(200), nullable=False),
    Column("phone", String(40)),
    Column("role", String(20), nullable=False),  # owner, admin, agent, technician, viewer
    Column("password_hash", String(200)),  # argon2; null until an invitation is accepted
    Column("is_active", Boolean, nullable=False, server_default=true()),
    time_column("created_at"),
    UniqueConstraint("email"),
)
