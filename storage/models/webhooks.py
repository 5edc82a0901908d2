"""Subscribers' addresses and everything that was delivered to them, or was not."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, false, true

from storage.base import BigId, UtcDateTime, id_column, metadata, time_column, type_json, uid_column

webhook_subscriptions = Table(
    "webhook_subscriptions",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False, index=True),
    Column("url", String(2000), nullable=False),
    Column("description", String(500), nullable=False, server_default=""),
    Column("event_types", type_json, nullable=False),  # ["invoice.paid", …]; ["*"] is all
    Column("secrets", Text, nullable=False),  # sealed JSON: [{"secret": …, "until": null or a time}], the newest first
    Column("is_active", Boolean, nullable=False, server_default=true()),
    Column("failing_since", UtcDateTime),  # null while the last delivery was taken
    Column("disabled_at", UtcDateTime),
    Column("disabled_for", String(40)),  # by_user, gone, failing
    Column("created_by", BigId, ForeignKey("users.id")),
    time_column("created_at"),
    time_column("updated_at"),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    id_column(),
    uid_column(),  # the `webhook-id`, the same for every try
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("subscription_id", BigId, ForeignKey("webhook_subscriptions.id", ondelete="CASCADE"), nullable=False),
    Column("event", String(60), nullable=False),
    Column("body", type_json, nullable=False),  # {event, timestamp, data}; signed when it is sent
    Column("status", String(10), nullable=False),  # waiting, delivered, failed, blocked
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", UtcDateTime),
    Column("response_status", Integer),
    Column("response_excerpt", String(1000)),
    Column("error", String(500)),
    Column("duration_ms", Integer),
    Column("is_test", Boolean, nullable=False, server_default=false()),
    Column("delivered_at", UtcDateTime),
    time_column("created_at"),
    Index("ix_webhook_deliveries_subscription_id_id", "subscription_id", "id"),
)
