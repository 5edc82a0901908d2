"""Telephone calls, and what was said in each of them turn by turn."""

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from storage.base import BigId, UtcDateTime, id_column, metadata, time_column, type_json, uid_column

calls = Table(
    "calls",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("business_id", BigId, ForeignKey("businesses.id", ondelete="CASCADE"), nullable=False),
    Column("account_id", BigId, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("customer_id", BigId, ForeignKey("customers.id"), nullable=False, index=True),
    Column("conversation_id", BigId, ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("sid", String(64)),  # the provider's id of the call, of ours of the latest attempt; null: never dialled
    Column("direction", String(10), nullable=False, server_default="inbound"),
    Column("kind", String(10), nullable=False, server_default="inbound"),  # voicemail; of ours reminder, call_back
    Column("answered_by", String(20)),  # of ours, as the provider says: human, machine_end_beep, …, unknown
    Column("attempts", Integer, nullable=False, server_default="0"),  # of ours: how often it was dialled
    Column("phone", String(320)),  # null: withheld
    Column("mode", String(10), nullable=False),  # relay or gather: how the caller is listened to
    Column("status", String(12), nullable=False),  # in-progress, then transferred, completed or missed
    Column("outcome", String(20)),  # `desk.calls.Call`; null while it goes on
    Column("turn", Integer, nullable=False, server_default="0"),  # the question that is open
    Column("silences", Integer, nullable=False, server_default="0"),  # in all
    Column("quiet", Integer, nullable=False, server_default="0"),  # in a row: the step of the ladder
    Column("interruptions", Integer, nullable=False, server_default="0"),
    Column(
        "failures", Integer, nullable=False, server_default="0"
    ),  # of the mode; too many and a simpler one takes over
    Column("sequence", Integer, nullable=False, server_default="-1"),  # the last status callback that was taken
    Column("recording", String(10)),  # null: it is not recorded; on, pausing, paused, resuming, absent
    Column("duration_s", Integer),
    Column("price_millionths", BigInteger),  # as the provider says, of a unit of the currency
    Column("price_currency", String(3)),
    Column("spoken_letters", Float, nullable=False, server_default="0"),  # what speech services were asked for
    Column("heard_s", Float, nullable=False, server_default="0"),
    time_column("started_at"),
    Column("ended_at", UtcDateTime),
    UniqueConstraint("account_id", "sid"),
    Index("ix_calls_tenant_id", "tenant_id", "id"),
)

# `answer` is what we said and what we listened for; the same input once more is answered by the same row. `heard` is how
# much of it reached the caller: unknown, whole or cut.
call_turns = Table(
    "call_turns",
    metadata,
    id_column(),
    Column("call_id", BigId, ForeignKey("calls.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("input", String(10), nullable=False),  # start, speech, digits, silence, returned, learnt, taken, written
    Column("message_id", BigId, ForeignKey("messages.id", ondelete="SET NULL")),  # what the caller said
    Column("reply_id", BigId, ForeignKey("messages.id", ondelete="SET NULL")),  # what we said
    Column("answer", type_json, nullable=False),
    Column("heard", String(10), nullable=False, server_default="unknown"),
    # The stages of what the caller waited for, in their order; null: nobody can know. `took_ms` is from the input to its
    # answer; `sound_source`: kept or made.
    Column("pause_ms", Integer),
    Column("recognition_ms", Integer),
    Column("took_ms", Integer, nullable=False, server_default="0"),
    Column("sound_ms", Integer),
    Column("sound_source", String(10)),
    Column("way_ms", Integer),
    time_column("created_at"),
    UniqueConstraint("call_id", "number"),
    Index("ix_call_turns_message_id", "message_id"),
    Index("ix_call_turns_reply_id", "reply_id"),
)

# What the provider has recorded of a call: a message that was left, or the call itself. What it sounds like is a file of
# the message that tells of it.
recordings = Table(
    "recordings",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("account_id", BigId, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("call_id", BigId, ForeignKey("calls.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("message_id", BigId, ForeignKey("messages.id", ondelete="SET NULL"), index=True),
    Column("sid", String(64), nullable=False),  # the provider's id
    Column("kind", String(10), nullable=False),  # voicemail, call
    Column("status", String(10), nullable=False),  # running, done, deleted (also at the provider)
    Column("duration_s", Integer),
    Column("transcript", Text),  # null: none yet, or none at all
    time_column("created_at"),
    UniqueConstraint("account_id", "sid"),
    Index("ix_recordings_status_created_at", "status", "created_at"),
)
