"""Conversations, who talks in them, and every message."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from storage.base import BigId, UtcDateTime, id_column, metadata, time_column, type_json, uid_column

conversations = Table(
    "conversations",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("business_id", BigId, ForeignKey("businesses.id", ondelete="CASCADE"), nullable=False),
    Column("account_id", BigId, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("customer_id", BigId, ForeignKey("customers.id"), nullable=False, index=True),
    Column("bot_id", BigId, ForeignKey("bots.id")),
    Column("channel", String(20), nullable=False),
    Column("peer_kind", String(20), nullable=False),
    Column("peer", String(320), nullable=False),
    Column("our_number", String(80)),  # of a pool of numbers, the one that they last wrote to; else the account's
    Column("status", String(10), nullable=False, server_default="open"),  # open, snoozed, closed
    Column("language", String(16)),
    # Who talks: bot, queue (waiting for a person) or staff (owner_user_id). `owner_version` goes up with every change.
    Column("owner", String(10), nullable=False, server_default="bot"),
    Column("owner_user_id", BigId, ForeignKey("users.id")),
    Column("owner_version", Integer, nullable=False, server_default="1"),
    time_column("owner_since"),
    # What the bot is in the middle of, or null. Its due times stand beside it to be found by an index.
    Column("flow", type_json),
    Column("silence_due_at", UtcDateTime),
    Column("flow_expires_at", UtcDateTime),
    # The broadcast whose message was the last to reach them and waits for its reply to be routed; null: none, or done.
    Column("broadcast_id", BigId),
    Column("broadcast_at", UtcDateTime),  # when that message left
    Column("unread_count", Integer, nullable=False, server_default="0"),
    Column("team_id", BigId, ForeignKey("teams.id", ondelete="SET NULL")),
    Column("priority", String(10)),  # low, normal, high, urgent; null: nobody said
    Column("snoozed_until", UtcDateTime),
    # The promise of time that is running: which one (first, next, resolution), until when, and what became of it.
    Column("sla_kind", String(10)),
    Column("sla_due_at", UtcDateTime),
    Column("sla_warned_at", UtcDateTime),
    Column("sla_breached_at", UtcDateTime),
    Column("sla_next_at", UtcDateTime),  # when the sweeper has something to tell of it: the warning, then the breach
    Column("waiting_since", UtcDateTime),  # the oldest message of theirs that no person has answered
    Column("first_answered_at", UtcDateTime),  # by a person, since it was opened
    Column("last_in_at", UtcDateTime),
    Column("last_out_at", UtcDateTime),
    Column("closed_at", UtcDateTime),
    time_column("created_at"),
    UniqueConstraint("account_id", "peer_kind", "peer"),
    Index(
        "ix_conversations_silence",
        "silence_due_at",
        sqlite_where=text("silence_due_at IS NOT NULL"),
        postgresql_where=text("silence_due_at IS NOT NULL"),
    ),
    Index(
        "ix_conversations_expiry",
        "flow_expires_at",
        sqlite_where=text("flow_expires_at IS NOT NULL"),
        postgresql_where=text("flow_expires_at IS NOT NULL"),
    ),
    Index(
        "ix_conversations_queue",
        "owner_since",
        sqlite_where=text("owner = 'queue'"),
        postgresql_where=text("owner = 'queue'"),
    ),
    Index(
        "ix_conversations_snoozed",
        "snoozed_until",
        sqlite_where=text("snoozed_until IS NOT NULL"),
        postgresql_where=text("snoozed_until IS NOT NULL"),
    ),
    Index(
        "ix_conversations_sla",
        "sla_next_at",
        sqlite_where=text("sla_next_at IS NOT NULL"),
        postgresql_where=text("sla_next_at IS NOT NULL"),
    ),
    Index(
        "ix_conversations_held",
        "owner_user_id",
        sqlite_where=text("owner = 'staff'"),
        postgresql_where=text("owner = 'staff'"),
    ),
    Index("ix_conversations_tenant_id", "tenant_id", "id"),
    # Not over last_in_at: it changes with every message, and the open ones are few enough to look through.
    Index(
        "ix_conversations_open",
        "id",
        sqlite_where=text("status = 'open'"),
        postgresql_where=text("status = 'open'"),
    ),
)

# The history of the who-talks token.
owner_changes = Table(
    "owner_changes",
    metadata,
    id_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("conversation_id", BigId, ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("owner", String(10), nullable=False),
    Column("owner_user_id", BigId, ForeignKey("users.id")),
    Column("reason", String(40), nullable=False),
    Column("note", Text, nullable=False, server_default=""),  # the bot's summary for the person who takes over
    time_column("at"),
    Index("ix_owner_changes_tenant_id_at", "tenant_id", "at"),
)

messages = Table(
    "messages",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("conversation_id", BigId, ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    Column("account_id", BigId, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("direction", String(3), nullable=False),  # in, out
    Column("author", String(10), nullable=False),  # customer, bot, staff, system
    Column("user_id", BigId, ForeignKey("users.id")),
    Column("is_private", Boolean, nullable=False, server_default=false()),
    Column("text", Text, nullable=False, server_default=""),
    Column("content", type_json),  # null when `text` says it all, else the neutral message as JSON
    Column("raw", type_json),  # what the provider sent, when it was more than text
    Column("provider_id", String(200)),
    # In: received. Out: accepted (went out in the webhook's answer) or queued (in the outbox), then as the provider
    # tells; held until we may send it, refused when we may not.
    Column("status", String(20), nullable=False),
    Column("error_code", String(40)),
    Column("error_text", String(500)),
    Column("turn_id", BigId),  # out: the inbound message that this answers
    Column("dedupe", String(120)),  # out: what must not be said twice, such as a reminder
    Column("sent_at", UtcDateTime),  # in: by the provider's clock, where it tells
    Column("scheduled_for", UtcDateTime),  # out: to be sent then
    Column("use", String(10)),  # out: reminder, marketing or legal; null is talk (desk/verdicts.py)
    # Out: the visit that a reminder is of, and which state of it, so that it is not sent once that has changed.
    Column("appointment_id", BigId),
    Column("appointment_sequence", Integer),
    # Out, as the provider says: what it has cost (millionths of a unit of the currency), or whether it counts as paid.
    Column("price_millionths", BigInteger),
    Column("price_currency", String(3)),
    Column("is_billable", Boolean),
    Column("billed_as", String(40)),
    time_column("created_at"),
    Index("ix_messages_conversation_id_id", "conversation_id", "id"),
    Index(
        "ix_messages_parked",
        "conversation_id",
        "id",
        sqlite_where=text("status = 'parked'"),
        postgresql_where=text("status = 'parked'"),
    ),
    Index(
        "ix_messages_use",
        "conversation_id",
        "use",
        sqlite_where=text("use IS NOT NULL"),
        postgresql_where=text("use IS NOT NULL"),
    ),
    Index(
        "uq_messages_account_id_provider_id",
        "account_id",
        "provider_id",
        unique=True,
        sqlite_where=text("provider_id IS NOT NULL"),
        postgresql_where=text("provider_id IS NOT NULL"),
    ),
    Index(
        "uq_messages_dedupe",
        "dedupe",
        unique=True,
        sqlite_where=text("dedupe IS NOT NULL"),
        postgresql_where=text("dedupe IS NOT NULL"),
    ),
)

# One row for each message that is sent by a request of ours. `sending` with a time is the intent, written before the
# request: after a crash the message is looked up at the provider instead of being sent blindly again.
outbox = Table(
    "outbox",
    metadata,
    Column("message_id", BigId, ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True),
    Column("account_id", BigId, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    # ready, sending, sent, failed, refused; parked: the message waits for the customer, and subscribers were told of it
    Column("state", String(10), nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("attempted_at", UtcDateTime),
    Column("begun_at", UtcDateTime),  # the last time that we began to send it
    Column("part_ids", type_json),  # provider ids under which it went out and did not arrive, so that it goes once more
    Column("ask_at", UtcDateTime),  # when to ask the provider what became of it; null: it said so, or never will
    time_column("created_at"),
    Index(
        "ix_outbox_ask_at",
        "ask_at",
        sqlite_where=text("ask_at IS NOT NULL"),
        postgresql_where=text("ask_at IS NOT NULL"),
    ),
)

# How many messages went to numbers that had never written to us, by the hour and by the range of numbers; "" is all.
send_counts = Table(
    "send_counts",
    metadata,
    Column("tenant_id", BigId, ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True),
    Column("prefix", String(10), primary_key=True),
    Column("hour", UtcDateTime, primary_key=True),
    Column("sent", Integer, nullable=False, server_default="0"),
    Column("is_told", Boolean, nullable=False, server_default=false()),  # that it was too much
)

# Statuses of messages that we do not know (yet): the callback can overtake the answer to our own request.
early_statuses = Table(
    "early_statuses",
    metadata,
    id_column(),
    Column("account_id", BigId, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("provider_id", String(200), nullable=False),
    Column("status", String(20), nullable=False),
    Column("error_code", String(40)),
    time_column("created_at"),
    Index("ix_early_statuses_provider_id", "account_id", "provider_id"),
)

# Scenarios that have ended, with the way they took: [[state, outcome], …]. Running ones are in `conversations.flow`.
flow_runs = Table(
    "flow_runs",
    metadata,
    id_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("conversation_id", BigId, ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("scenario_version_id", BigId, ForeignKey("scenario_versions.id"), nullable=False, index=True),
    Column("ended", String(20), nullable=False),  # completed, cancelled, handed_off, expired, failed, replaced
    Column("trail", type_json, nullable=False),
    time_column("ended_at"),
)

ratings = Table(
    "ratings",
    metadata,
    id_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("conversation_id", BigId, ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("customer_id", BigId, ForeignKey("customers.id"), nullable=False),
    Column("score", Integer, nullable=False),  # 1 to 5
    Column("comment", Text, nullable=False, server_default=""),
    time_column("at"),
)
