"""Who changed what, and answers that must be given again."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from storage.base import BigId, Uid, id_column, metadata, time_column, type_json

audit = Table(
    "audit",
    metadata,
    id_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    time_column("at"),
    Column("actor", String(20), nullable=False),  # bot, customer, staff, app, system
    Column("actor_id", BigId),  # of the user, when a person did it
    Column("actor_name", String(200), nullable=False, server_default=""),  # of the key or app, when a program did it
    Column("action", String(60), nullable=False),  # appointment.booked, conversation.taken_over
    Column("noun", String(40), nullable=False),
    Column("noun_id", BigId, nullable=False),
    Column("noun_uid", Uid),
    Column("before", type_json),
    Column("after", type_json),
    Index("ix_audit_tenant_id_id", "tenant_id", "id"),
)

idempotency = Table(
    "idempotency",
    metadata,
    id_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("route", String(120), nullable=False),
    Column("key", String(255), nullable=False),
    Column("request_digest", String(64), nullable=False),
    Column("status", Integer),  # null while the first request is still being answered
    Column("body", Text),
    time_column("created_at"),
    time_column("expires_at", index=True),
    UniqueConstraint("tenant_id", "route", "key"),
)
