"""Files in and beside messages: what is known of each. What is in them lies in the blob store (`storage.blobs`)."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, false

from storage.base import BigId, id_column, metadata, time_column, uid_column

files = Table(
    "files",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    # Where it stands; null for one that somebody has sent here and not used yet.
    Column("message_id", BigId, ForeignKey("messages.id", ondelete="CASCADE")),
    Column("place", Integer, nullable=False, server_default="0"),  # among the message's parts (in) or files (out)
    # Over which account it is fetched, or whose web chat's visitor has sent it.
    Column("account_id", BigId, ForeignKey("accounts.id", ondelete="CASCADE"), index=True),
    Column("visitor", String(64)),  # the visitor's session, until it is used in a message
    Column("created_by", BigId, ForeignKey("users.id")),
    Column("status", String(12), nullable=False),  # waiting, ready, unavailable
    Column("reason", String(20)),  # why it is not there: gone, empty, too_large, refused, quota, unreachable, expired
    Column("kind", String(10), nullable=False),  # image, video, audio, document, sticker
    Column("name", String(300), nullable=False, server_default=""),  # the sender's; never a path of ours
    Column("claimed_type", String(200), nullable=False, server_default=""),  # what the sender says
    Column("content_type", String(100), nullable=False, server_default=""),  # what the bytes say; empty: nothing known
    Column("size", BigInteger),
    Column("sha256", String(64)),
    Column("width", Integer),
    Column("height", Integer),
    Column("has_thumbnail", Boolean, nullable=False, server_default=false()),
    Column("is_recording", Boolean, nullable=False, server_default=false()),  # of a call: not everybody may hear it
    time_column("created_at"),
    Index("ix_files_message_id_place", "message_id", "place", unique=True),
    Index("ix_files_tenant_id_sha256", "tenant_id", "sha256"),
    Index("ix_files_created_at", "created_at"),
)
