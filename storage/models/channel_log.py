"""What went over the wire, with nothing in it that only customer and business should read."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, text

from storage.base import BigId, id_column, metadata, time_column, type_json

channel_log = Table(
    "channel_log",
    metadata,
    id_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("account_id", BigId, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("message_id", BigId, ForeignKey("messages.id", ondelete="SET NULL"), index=True),
    Column("direction", String(3), nullable=False),  # in: the vendor asked us; out: we asked the vendor
    Column("status", String(10), nullable=False),  # ok, failed, refused: we turned it away
    Column("code", String(40)),  # why it failed: the vendor's code, or ours
    Column("took_ms", Integer),
    Column("request", type_json, nullable=False),
    Column("answer", type_json, nullable=False),
    time_column("created_at"),
    Index("ix_channel_log_account_id", "account_id", "id"),
    Index(
        "ix_channel_log_refused",
        "account_id",
        "id",
        sqlite_where=text("status = 'refused'"),
        postgresql_where=text("status = 'refused'"),
    ),
)
