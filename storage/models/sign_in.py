"""How people and programs prove who they are. Secrets themselves are nowhere: only what they can be checked by."""

from sqlalchemy import Boolean, Column, ForeignKey, Integer, String, Table, true

from storage.base import BigId, UtcDateTime, id_column, metadata, time_column, type_json, uid_column

# One row for each device somebody signed in with. A refresh token names its session and generation; one of an older
# generation has been used before, so the session ends.
sessions = Table(
    "sessions",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("user_id", BigId, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("kind", String(10), nullable=False),  # token, cookie
    Column("digest", String(64), unique=True),  # cookie: SHA-256 of its value
    Column("generation", Integer, nullable=False, server_default="0"),
    Column("device", String(200), nullable=False, server_default=""),  # User-Agent
    Column("address", String(64), nullable=False, server_default=""),  # IP
    time_column("created_at"),
    time_column("last_used_at"),
    time_column("expires_at", index=True),
    Column("revoked_at", UtcDateTime),
    Column("revoked_for", String(40)),  # logout, reuse, password, deactivated, by_user
)

api_keys = Table(
    "api_keys",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False, index=True),
    Column("created_by", BigId, ForeignKey("users.id")),
    Column("name", String(200), nullable=False),
    Column("prefix", String(20), nullable=False),  # what people see of it later
    Column("digest", String(64), nullable=False, unique=True),  # SHA-256: the key is 256 random bits
    Column("scopes", type_json, nullable=False),
    Column("last_used_at", UtcDateTime),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    time_column("created_at"),
)

oauth_apps = Table(
    "oauth_apps",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False, index=True),
    Column("created_by", BigId, ForeignKey("users.id")),
    Column("name", String(200), nullable=False),
    Column("client_id", String(64), nullable=False, unique=True),
    Column("digest", String(64), nullable=False),  # SHA-256 of the secret, which is 256 random bits
    Column("scopes", type_json, nullable=False),
    Column("rate_per_minute", Integer, nullable=False, server_default="1000"),
    Column("is_active", Boolean, nullable=False, server_default=true()),
    Column("last_used_at", UtcDateTime),
    time_column("created_at"),
)

invitations = Table(
    "invitations",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False, index=True),
    Column("invited_by", BigId, ForeignKey("users.id")),
    Column("email", String(320), nullable=False),
    Column("role", String(20), nullable=False),
    Column("full_name", String(200), nullable=False, server_default=""),
    Column("digest", String(64), nullable=False, unique=True),
    Column("user_id", BigId, ForeignKey("users.id")),  # whoever accepted it
    time_column("created_at"),
    time_column("expires_at"),
    Column("accepted_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
)

password_resets = Table(
    "password_resets",
    metadata,
    id_column(),
    Column("user_id", BigId, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("digest", String(64), nullable=False, unique=True),
    time_column("created_at"),
    time_column("expires_at"),
    Column("used_at", UtcDateTime),
)
