"""Customers, the addresses they are known by, and what they have agreed to."""

from sqlalchemy import Column, ForeignKey, Index, String, Table, Text, UniqueConstraint

from storage.base import BigId, UtcDateTime, id_column, metadata, time_column, type_json, uid_column

customers = Table(
    "customers",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False, index=True),
    Column("name", String(200)),  # null until somebody says it
    Column("profile_name", String(200)),  # what the channel shows; free text that the sender chose
    Column("email", String(320)),
    Column("phone", String(40)),  # E.164 where it can be made so, else as given
    Column("language", String(16)),
    Column("time_zone", String(64)),
    Column("address", String(500)),
    Column("city", String(100)),
    Column("state", String(100)),
    Column("zip", String(20)),
    Column("notes", Text, nullable=False, server_default=""),
    Column("status", String(10), nullable=False, server_default="active"),  # active, inactive, erased
    Column("attributes", type_json, nullable=False),
    Column("tags", type_json, nullable=False),
    Column("merged_into_id", BigId, ForeignKey("customers.id")),
    time_column("created_at"),
    time_column("updated_at"),
)

customer_identities = Table(
    "customer_identities",
    metadata,
    id_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("customer_id", BigId, ForeignKey("customers.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("kind", String(20), nullable=False),  # phone, whatsapp, bsuid, email, web, sim
    Column("value", String(320), nullable=False),
    # Why the provider says that nobody is reached there, and since when (`desk.reachable`).
    Column("unreachable_for", String(20)),
    Column("unreachable_at", UtcDateTime),
    time_column("created_at"),
    UniqueConstraint("tenant_id", "kind", "value"),
)

# Where consent stands now: one row per address, account and purpose. How it came to be so is in `consent_events`. Of whoever
# was erased a refusal stays, with a keyed digest of the address as its `value` (`desk.consent.outlive`).
consents = Table(
    "consents",
    metadata,
    id_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("account_id", BigId, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("value", String(320), nullable=False),
    Column("purpose", String(20), nullable=False),  # all, marketing
    Column("state", String(10), nullable=False),  # in, out
    time_column("since"),
    UniqueConstraint("account_id", "kind", "value", "purpose"),
)

# A ledger: rows are only ever added.
consent_events = Table(
    "consent_events",
    metadata,
    id_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("account_id", BigId, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("customer_id", BigId, ForeignKey("customers.id")),
    Column("kind", String(20), nullable=False),
    Column("value", String(320), nullable=False),
    Column("purpose", String(20), nullable=False),
    Column("state", String(10), nullable=False),
    Column("source", String(40), nullable=False),  # keyword, provider, staff, import
    Column("message_id", BigId),  # the message that proves it
    Column("note", String(500), nullable=False, server_default=""),  # what whoever wrote it down said of it
    time_column("at"),
    Index("ix_consent_events_address", "account_id", "kind", "value"),
)
