"""Appointments, the claims on people's time behind them, and who waits for a free slot."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    text,
)

from storage.base import BigId, UtcDateTime, id_column, metadata, time_column, type_json, uid_column

appointments = Table(
    "appointments",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("business_id", BigId, ForeignKey("businesses.id", ondelete="CASCADE"), nullable=False),
    Column("customer_id", BigId, ForeignKey("customers.id"), nullable=False, index=True),
    Column("service_id", BigId, ForeignKey("services.id"), nullable=False),
    Column("staff_id", BigId, ForeignKey("staff.id"), nullable=False),
    Column("conversation_id", BigId, ForeignKey("conversations.id", ondelete="SET NULL")),
    Column("status", String(20), nullable=False),  # scheduled, confirmed, completed, cancelled, no_show
    time_column("starts_at"),
    time_column("ends_at"),
    # Wall time of the business when booked, so that a later change of the zone's rules can be told from a move.
    Column("local_start", String(16), nullable=False),  # YYYY-MM-DDTHH:MM
    Column("sequence", Integer, nullable=False, server_default="0"),  # RFC 5545, goes up with every move
    Column("source", String(20), nullable=False),  # bot, staff, api, import
    Column("notes", Text, nullable=False, server_default=""),
    Column("cancel_reason", String(200)),
    Column("cancelled_at", UtcDateTime),
    time_column("created_at"),
    time_column("updated_at"),
    Index("ix_appointments_business_id_starts_at", "business_id", "starts_at"),
    CheckConstraint("starts_at < ends_at", name="range"),
)

# A claim is a piece of a staff member's time, buffers included: held for somebody who is deciding, or taken by an
# appointment. Two claims on one unit of one staff member never overlap: the database refuses the second (0001:
# an exclusion constraint on PostgreSQL, triggers on SQLite).
claims = Table(
    "claims",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("staff_id", BigId, ForeignKey("staff.id", ondelete="CASCADE"), nullable=False),
    Column("unit", Integer, nullable=False, server_default="0"),  # below the staff member's capacity
    time_column("starts_at"),
    time_column("ends_at"),
    Column("appointment_id", BigId, ForeignKey("appointments.id", ondelete="CASCADE"), unique=True),
    # The rest is for holds: what is held for whom, and until when.
    Column("service_id", BigId, ForeignKey("services.id", ondelete="CASCADE")),
    Column("conversation_id", BigId, ForeignKey("conversations.id", ondelete="CASCADE"), index=True),
    Column("waitlist_id", BigId, ForeignKey("waitlist.id", ondelete="CASCADE")),
    Column("visit_starts_at", UtcDateTime),  # without the buffer
    Column("expires_at", UtcDateTime),
    time_column("created_at"),
    # By end, not by start: what is over is the many, and no question about free time looks at it.
    Index("ix_claims_staff_id_ends_at", "staff_id", "ends_at", "starts_at"),
    Index(
        "ix_claims_expires_at",
        "expires_at",
        sqlite_where=text("expires_at IS NOT NULL"),
        postgresql_where=text("expires_at IS NOT NULL"),
    ),
    CheckConstraint("starts_at < ends_at", name="range"),
    CheckConstraint("(appointment_id IS NULL) = (expires_at IS NOT NULL)", name="hold_or_appointment"),
    # Claims are deleted, and who held one still knows its id: SQLite must not give that id to somebody else.
    sqlite_autoincrement=True,
)

waitlist = Table(
    "waitlist",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("business_id", BigId, ForeignKey("businesses.id", ondelete="CASCADE"), nullable=False),
    Column("service_id", BigId, ForeignKey("services.id", ondelete="CASCADE"), nullable=False),
    Column("staff_id", BigId, ForeignKey("staff.id", ondelete="CASCADE")),  # null: anyone
    Column("customer_id", BigId, ForeignKey("customers.id"), nullable=False),
    Column("conversation_id", BigId, ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("from_day", Date, nullable=False),  # local to the business, both ends included
    Column("to_day", Date, nullable=False),
    Column("status", String(10), nullable=False),  # waiting, offered, booked, left
    Column("offers", Integer, nullable=False, server_default="0"),
    Column("offer_expires_at", UtcDateTime),
    Column("passed", type_json),  # times that they were offered and did not take (`Freed.payload`)
    time_column("created_at"),
    Index("ix_waitlist_business_id_status", "business_id", "status"),
)
