"""Field service and selling: what somebody asked for, what it cost, and what may come of a contact."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from storage.base import BigId, UtcDateTime, id_column, metadata, time_column, type_json, uid_column

# What a customer asked for, before anybody is sent.
service_requests = Table(
    "service_requests",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("business_id", BigId, ForeignKey("businesses.id", ondelete="CASCADE"), nullable=False),
    Column("customer_id", BigId, ForeignKey("customers.id"), nullable=False, index=True),
    Column("service_id", BigId, ForeignKey("services.id")),
    Column("staff_id", BigId, ForeignKey("staff.id")),  # the technician it is meant for
    Column("appointment_id", BigId, ForeignKey("appointments.id", ondelete="SET NULL")),
    Column("conversation_id", BigId, ForeignKey("conversations.id", ondelete="SET NULL")),
    Column("title", String(200), nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("address", String(500), nullable=False, server_default=""),
    Column("equipment", String(200), nullable=False, server_default=""),
    Column("priority", String(10), nullable=False, server_default="normal"),  # low, normal, high, urgent
    # new, scheduled, in_progress, completed, cancelled
    Column("status", String(20), nullable=False, server_default="new"),
    Column("preferred_day", Date),
    Column("completed_at", UtcDateTime),
    time_column("created_at"),
    time_column("updated_at"),
    Index("ix_service_requests_tenant_id_status", "tenant_id", "status"),
)

invoices = Table(
    "invoices",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("business_id", BigId, ForeignKey("businesses.id", ondelete="CASCADE"), nullable=False),
    Column("customer_id", BigId, ForeignKey("customers.id"), nullable=False, index=True),
    Column("service_request_id", BigId, ForeignKey("service_requests.id", ondelete="SET NULL")),
    Column("appointment_id", BigId, ForeignKey("appointments.id", ondelete="SET NULL")),
    Column("number", String(40), nullable=False),  # INV-00001, without gaps within a tenant
    Column("status", String(10), nullable=False),  # draft, sent, paid, cancelled; overdue is told from due_date
    Column("currency", String(3), nullable=False),
    Column("subtotal_cents", BigId, nullable=False),
    Column("tax_cents", BigId, nullable=False),
    Column("total_cents", BigId, nullable=False),
    Column("tax_rate_ppm", Integer),  # millionths; null when the tax was given as an amount
    Column("notes", Text, nullable=False, server_default=""),
    Column("due_date", Date),
    Column("sent_at", UtcDateTime),
    # What the customer was told of it, or why nothing (no_address); both null when it was only marked as sent.
    Column("message_id", BigId, ForeignKey("messages.id", ondelete="SET NULL"), index=True),
    Column("untold_for", String(40)),
    Column("paid_at", UtcDateTime),
    time_column("created_at"),
    time_column("updated_at"),
    UniqueConstraint("tenant_id", "number"),
    CheckConstraint("total_cents = subtotal_cents + tax_cents", name="adds_up"),
)

invoice_lines = Table(
    "invoice_lines",
    metadata,
    id_column(),
    Column("invoice_id", BigId, ForeignKey("invoices.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("description", String(500), nullable=False),
    Column("quantity_milli", BigId, nullable=False),  # thousandths: an hour and a half is 1500
    Column("unit_price_cents", BigId, nullable=False),
    Column("total_cents", BigId, nullable=False),
)

# The last number given out, by tenant and kind; locked while the next one is taken.
counters = Table(
    "counters",
    metadata,
    Column("tenant_id", BigId, ForeignKey("tenants.id"), primary_key=True),
    Column("kind", String(20), primary_key=True),  # invoice
    Column("value", BigId, nullable=False),
)

pipeline_stages = Table(
    "pipeline_stages",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("name", String(80), nullable=False),
    Column("position", Integer, nullable=False),
    Column("outcome", String(10), nullable=False, server_default="open"),  # open, won, lost
    time_column("created_at"),
    UniqueConstraint("tenant_id", "name"),
)

deals = Table(
    "deals",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("customer_id", BigId, ForeignKey("customers.id"), nullable=False, index=True),
    Column("conversation_id", BigId, ForeignKey("conversations.id", ondelete="SET NULL")),
    Column("stage_id", BigId, ForeignKey("pipeline_stages.id"), nullable=False, index=True),
    Column("owner_user_id", BigId, ForeignKey("users.id")),
    Column("title", String(200), nullable=False),
    Column("amount_cents", BigId, nullable=False, server_default="0"),
    Column("currency", String(3), nullable=False),
    Column("notes", Text, nullable=False, server_default=""),
    Column("expected_close", Date),
    Column("position", Integer, nullable=False, server_default="0"),
    Column("closed_at", UtcDateTime),
    time_column("created_at"),
    time_column("updated_at"),
    Index("ix_deals_tenant_id_stage_id", "tenant_id", "stage_id"),
)

broadcasts = Table(
    "broadcasts",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False, index=True),
    Column("account_id", BigId, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(200), nullable=False),
    Column("text", Text, nullable=False),  # {{ customer.name | default: "there" }}
    Column("audience", type_json, nullable=False),  # {"tags": [...], "language": ..., ...}; {} is everybody
    Column("status", String(20), nullable=False),  # draft, scheduled, sending, paused, sent, cancelled
    # Why it was paused by itself, as a code and a sentence; null when somebody has paused it.
    Column("paused_for", String(40)),
    Column("paused_text", String(500)),
    Column("local_at", String(16)),  # wall time at which each recipient gets it where they are; YYYY-MM-DDTHH:MM
    Column(
        "replies", type_json
    ),  # {"to": "inbox"} or {"to": "scenario", "scenario": "rebook"}; null: the bot's own way
    # {"event": "visit", "days_after": 3, "at": "10:00", "service_ids": [uids]} or days_before; null: it goes out once
    Column("relative", type_json),
    # {"name", "language", "variables": {name: text with blanks}} of a provider's template, of which `text` is the wording
    Column("template", type_json),
    Column("scheduled_at", UtcDateTime),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    # Of the customer up to whom messages were written, or of the visit up to which they are planned.
    Column("reached_id", BigId, nullable=False, server_default="0"),
    Column("created_by", BigId, ForeignKey("users.id")),
    time_column("created_at"),
    time_column("updated_at"),
)

# Whom a broadcast was meant for: with a message, or with the reason why there is none. Not unique by customer, since
# two of them can turn out to be one later; but by the visit that it is about, where it is about one.
broadcast_recipients = Table(
    "broadcast_recipients",
    metadata,
    id_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("broadcast_id", BigId, ForeignKey("broadcasts.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("customer_id", BigId, ForeignKey("customers.id"), nullable=False, index=True),
    Column("message_id", BigId, ForeignKey("messages.id", ondelete="SET NULL"), index=True),
    Column("appointment_id", BigId, ForeignKey("appointments.id", ondelete="SET NULL")),
    Column("skipped_for", String(40)),
    Column("missing", type_json),  # with skipped_for missing_value: the names of the blanks without a value
    Column("estimate_millionths", BigInteger),  # by the price list when it was written; null: no price there
    time_column("created_at"),
    Index(
        "uq_broadcast_recipients_visit",
        "appointment_id",
        "broadcast_id",
        unique=True,
        sqlite_where=text("appointment_id IS NOT NULL"),
        postgresql_where=text("appointment_id IS NOT NULL"),
    ),
)

integrations = Table(
    "integrations",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False, index=True),
    Column("business_id", BigId, ForeignKey("businesses.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(20), nullable=False),  # twilio, eleven_labs, n8n, stripe, email, webhook
    Column("name", String(200), nullable=False, server_default=""),
    Column("config", type_json, nullable=False),  # what is no secret
    Column("secrets", Text),  # sealed JSON: {"auth_token": "…"}
    Column("status", String(10), nullable=False, server_default="inactive"),  # active, inactive, error
    time_column("created_at"),
    time_column("updated_at"),
)

# Imports and exports: long work with progress. The file itself lies in the data directory under the uid.
transfers = Table(
    "transfers",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False, index=True),
    Column("created_by", BigId, ForeignKey("users.id")),
    Column("kind", String(20), nullable=False),  # import, export, invitations
    Column("noun", String(20), nullable=False),  # customers, invitations
    Column("status", String(10), nullable=False),  # waiting, running, done, failed
    Column("options", type_json, nullable=False),
    Column("total", Integer),  # rows, once they are counted
    Column("done", Integer, nullable=False, server_default="0"),
    Column("made", Integer, nullable=False, server_default="0"),
    Column("changed", Integer, nullable=False, server_default="0"),
    Column("refused", Integer, nullable=False, server_default="0"),
    Column("problems", type_json, nullable=False),  # the first hundred: [{"row": 17, "field": "email", "problem": "…"}]
    Column("error", String(500)),
    time_column("created_at"),
    Column("finished_at", UtcDateTime),
)
