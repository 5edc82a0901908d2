"""Callers who wait for a person or talk with one, and the phones that ring for it."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, UniqueConstraint, text

from storage.base import BigId, UtcDateTime, id_column, metadata, time_column, type_json, uid_column

# One row for each time that a call is passed on. `ending`: hung_up, call_back (a person or the queue calls back),
# message (they leave one), nobody (was free), returned (by a person, to the bot), done (they have talked), failed.
call_waits = Table(
    "call_waits",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("business_id", BigId, ForeignKey("businesses.id", ondelete="CASCADE"), nullable=False),
    Column("account_id", BigId, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("conversation_id", BigId, ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    Column("call_id", BigId, ForeignKey("calls.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", String(10), nullable=False),  # waiting, talking, over
    Column("ending", String(10)),
    Column("language", String(16), nullable=False),
    Column("user_id", BigId, ForeignKey("users.id")),  # who took it, or calls back
    Column("only_user_id", BigId, ForeignKey("users.id")),  # who took them from the bot; nobody else is rung
    Column("words", String(500)),  # what the caller is told at the end, when a person said so
    Column("flow", type_json),  # what the bot was asking when they wanted a person
    Column("back_turn", Integer),  # the turn in which the bot spoke again
    time_column("since"),
    Column("held_at", UtcDateTime),  # when they first heard the music
    Column("talking_since", UtcDateTime),
    Column("ended_at", UtcDateTime),
    UniqueConstraint("call_id", "number"),
    Index("ix_call_waits_conversation_id", "conversation_id"),
    Index(
        "ix_call_waits_open",
        "business_id",
        sqlite_where=text("state <> 'over'"),
        postgresql_where=text("state <> 'over'"),
    ),
)

# The calls to people's phones. `outcome`: taken, declined, no_key (picked up by nobody who pressed one, so perhaps a
# machine), no_answer, busy, failed, cancelled, late (somebody else had it).
call_legs = Table(
    "call_legs",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("wait_id", BigId, ForeignKey("call_waits.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("user_id", BigId, ForeignKey("users.id"), nullable=False),
    Column("phone", String(40), nullable=False),
    Column("state", String(10), nullable=False),  # planned, placing, ringing, answered, talking, over
    Column("outcome", String(10)),
    Column("sid", String(64)),  # the provider's id; null until it is known
    time_column("created_at"),
    Column("tried_at", UtcDateTime),  # when we first asked the provider for it
    Column("answered_at", UtcDateTime),
    Column("taken_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
)
