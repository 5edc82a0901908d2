"""What we say, as sound, and what speech services were asked for."""

from sqlalchemy import Column, Date, Float, ForeignKey, Index, Integer, String, Table, UniqueConstraint

from storage.base import BigId, UtcDateTime, id_column, metadata, time_column

# By a key that is a digest of all that a sound is made of. The row is written before the sound and removed after it, so that
# nothing lies about that no row names.
sounds = Table(
    "sounds",
    metadata,
    id_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("key", String(32), nullable=False),
    Column("size", Integer, nullable=False),  # bytes, 8,000 a second
    Column("until", UtcDateTime, nullable=False),
    time_column("created_at"),
    UniqueConstraint("tenant_id", "key"),
    Index("ix_sounds_until", "until"),
)

# By the day of the business: letters that were spoken, seconds that were listened to.
speech_usage = Table(
    "speech_usage",
    metadata,
    id_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("business_id", BigId, ForeignKey("businesses.id", ondelete="CASCADE"), nullable=False),
    Column("day", Date, nullable=False),
    Column("kind", String(12), nullable=False),  # spoken or heard
    Column("amount", Float, nullable=False),
    UniqueConstraint("tenant_id", "business_id", "day", "kind"),
)
