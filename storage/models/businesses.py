"""A business as its customers know it: profile, hours, services, staff, questions it answers."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    true,
)

from storage.base import BigId, UtcDateTime, id_column, metadata, time_column, type_json, uid_column

businesses = Table(
    "businesses",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False, index=True),
    Column("name", String(200), nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("phone", String(40)),
    Column("email", String(320)),
    Column("website", String(500)),
    Column("address", String(500)),
    Column("city", String(100)),
    Column("state", String(100)),
    Column("zip", String(20)),
    Column("time_zone", String(64), nullable=False),  # IANA name
    Column("languages", type_json, nullable=False),  # list of BCP 47 tags, the first is the default
    Column("currency", String(3), nullable=False, server_default="USD"),  # ISO 4217
    # Goes up by one with every change of anything a bot keeps in memory: profile, hours, services, staff, FAQs, bots.
    Column("revision", Integer, nullable=False, server_default="1"),
    time_column("created_at"),
    Column("updated_at", UtcDateTime),  # null: never changed
)

# Minutes since the local midnight; a range that ends after midnight closes at more than 1440.
business_hours = Table(
    "business_hours",
    metadata,
    id_column(),
    Column("business_id", BigId, ForeignKey("businesses.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("weekday", Integer, nullable=False),  # 0 is Monday
    Column("opens_minute", Integer, nullable=False),
    Column("closes_minute", Integer, nullable=False),
    CheckConstraint("weekday BETWEEN 0 AND 6", name="weekday"),
    CheckConstraint("opens_minute >= 0 AND opens_minute < closes_minute AND closes_minute <= 2880", name="range"),
)

# A day that differs from its weekday. Without times it is closed; several rows make several ranges.
holidays = Table(
    "holidays",
    metadata,
    id_column(),
    Column("business_id", BigId, ForeignKey("businesses.id", ondelete="CASCADE"), nullable=False),
    Column("day", Date, nullable=False),
    Column("name", String(200), nullable=False, server_default=""),
    Column("opens_minute", Integer),
    Column("closes_minute", Integer),
    UniqueConstraint("business_id", "day", "opens_minute"),
    CheckConstraint("(opens_minute IS NULL) = (closes_minute IS NULL)", name="both_or_neither"),
)

services = Table(
    "services",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("business_id", BigId, ForeignKey("businesses.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", String(200), nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("keywords", type_json, nullable=False),  # list of other words customers use for it
    Column("skills", type_json, nullable=False),  # list of skills its staff must all have; empty: anyone
    Column("duration_minutes", Integer, nullable=False),
    Column("buffer_before_minutes", Integer, nullable=False, server_default="0"),
    Column("buffer_after_minutes", Integer, nullable=False, server_default="0"),
    Column("lead_minutes", Integer, nullable=False, server_default="0"),  # shortest notice
    Column("horizon_days", Integer, nullable=False, server_default="60"),  # how far ahead
    Column("step_minutes", Integer, nullable=False, server_default="15"),  # starts lie on this grid from opening
    Column("price_cents", Integer),
    Column("position", Integer, nullable=False, server_default="0"),
    Column("is_active", Boolean, nullable=False, server_default=true()),
    time_column("created_at"),
    CheckConstraint("duration_minutes > 0", name="duration"),
)

# People who do the work, or a chair, room or bay that can be booked. A claim on their time is in `claims`.
staff = Table(
    "staff",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("business_id", BigId, ForeignKey("businesses.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("user_id", BigId, ForeignKey("users.id")),
    Column("name", String(200), nullable=False),
    Column("kind", String(20), nullable=False, server_default="person"),  # person, or place (a chair, a room)
    Column("skills", type_json, nullable=False),  # list of words that services ask for
    Column("capacity", Integer, nullable=False, server_default="1"),  # visits at one time
    Column("email", String(320)),
    Column("phone", String(40)),
    Column("takes_calls", Boolean, nullable=False, server_default=false()),  # callers are passed on to that phone
    Column("hourly_rate_cents", Integer),
    Column("position", Integer, nullable=False, server_default="0"),
    Column("is_active", Boolean, nullable=False, server_default=true()),
    time_column("created_at"),
    CheckConstraint("capacity > 0", name="capacity"),
)

# A working plan. Breaks are the gaps between ranges; no rows at all: the hours of the business.
staff_hours = Table(
    "staff_hours",
    metadata,
    id_column(),
    Column("staff_id", BigId, ForeignKey("staff.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("weekday", Integer, nullable=False),
    Column("opens_minute", Integer, nullable=False),
    Column("closes_minute", Integer, nullable=False),
    CheckConstraint("weekday BETWEEN 0 AND 6", name="weekday"),
    CheckConstraint("opens_minute >= 0 AND opens_minute < closes_minute AND closes_minute <= 2880", name="range"),
)

staff_absences = Table(
    "staff_absences",
    metadata,
    id_column(),
    uid_column(),
    Column("staff_id", BigId, ForeignKey("staff.id", ondelete="CASCADE"), nullable=False, index=True),
    time_column("starts_at"),
    time_column("ends_at"),
    Column("reason", String(200), nullable=False, server_default=""),
    CheckConstraint("starts_at < ends_at", name="range"),
)

faqs = Table(
    "faqs",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("business_id", BigId, ForeignKey("businesses.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("question", String(500), nullable=False),
    Column("answer", Text, nullable=False),
    Column("phrasings", type_json, nullable=False),  # list of other ways to ask the same
    Column("language", String(16), nullable=False, server_default="en"),
    Column("position", Integer, nullable=False, server_default="0"),
    Column("is_active", Boolean, nullable=False, server_default=true()),
    time_column("created_at"),
)

# When to remind of a visit: so many minutes before it, or some days before it at a minute of the local day.
reminder_rules = Table(
    "reminder_rules",
    metadata,
    id_column(),
    Column("business_id", BigId, ForeignKey("businesses.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", String(40), nullable=False),
    Column("minutes_before", Integer),
    Column("days_before", Integer),
    Column("at_minute", Integer),
    Column("channel", String(10), nullable=False, server_default="text"),  # or call
    UniqueConstraint("business_id", "name"),
    CheckConstraint(
        "(minutes_before IS NOT NULL) <> (days_before IS NOT NULL AND at_minute IS NOT NULL)", name="one_kind"
    ),
)
