"""Connected numbers: where a business can be reached, and with which keys."""

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, String, Table, Text, false, text, true

from storage.base import BigId, UtcDateTime, id_column, metadata, time_column, type_json, uid_column

accounts = Table(
    "accounts",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False, index=True),
    Column("business_id", BigId, ForeignKey("businesses.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("bot_id", BigId, ForeignKey("bots.id")),
    Column("channel", String(20), nullable=False),  # sms, whatsapp, voice, web, sim
    Column("provider", String(20), nullable=False),  # twilio, meta, webchat, simulator
    Column("address", String(80), nullable=False),  # E.164 number, or the site key of a web chat
    Column("display_name", String(200), nullable=False, server_default=""),
    Column("provider_account", String(80)),  # Twilio's AccountSid, Meta's WABA id
    Column("provider_number", String(80)),  # Meta's phone_number_id
    Column("sender_pool", String(80)),  # Twilio's MessagingServiceSid
    Column("shorten_links", Boolean, nullable=False, server_default=false()),  # by the vendor, which counts the clicks
    # Of a web chat: {"title", "greeting", "color", "position", "theme", "allowed_origins"}; null is the usual for all.
    Column("widget", type_json),
    Column("messages_per_s", Float),  # of all that goes out over it; null: by its kind, as the settings say
    # People of the business use the number in WhatsApp's own app as well: we have seen what they wrote there.
    Column("is_on_phone", Boolean, nullable=False, server_default=false()),
    # {"name", "language", "variable"} of a template that says what is due while free text may not be sent.
    Column("window_template", type_json),
    # Sealed JSON: {"auth_tokens": [newest, older …], "app_secret": …, "access_token": …, …}. Null: the keys of the settings.
    Column("credentials", Text),
    Column("is_active", Boolean, nullable=False, server_default=true()),
    # Nobody has switched it off: it goes on as soon as we serve its kind.
    Column("is_waiting", Boolean, nullable=False, server_default=false()),
    Column("failed_told_at", UtcDateTime),  # when subscribers last heard that nothing goes out over it
    Column("log_keeps", String(10), nullable=False, server_default="all"),  # of its traffic: all, failures, off
    # Since when it is no longer ours. The row stays for its conversations; the address may be connected again.
    Column("disconnected_at", UtcDateTime),
    time_column("created_at"),
    Index(
        "uq_accounts_address",
        "provider",
        "channel",
        "address",
        unique=True,
        sqlite_where=text("disconnected_at IS NULL"),
        postgresql_where=text("disconnected_at IS NULL"),
    ),
    # What is said to be for it is for nobody else.
    Index(
        "uq_accounts_provider_number",
        "provider",
        "provider_number",
        unique=True,
        sqlite_where=text("disconnected_at IS NULL AND provider_number IS NOT NULL"),
        postgresql_where=text("disconnected_at IS NULL AND provider_number IS NOT NULL"),
    ),
)
