"""Calls that we make, and each time that a phone was dialled for one."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, UniqueConstraint

from storage.base import BigId, UtcDateTime, id_column, metadata, time_column, uid_column

# What a call of ours is for; what came of it stands at the call itself. `state` is that of the latest attempt, and planned
# before and between them.
outbound_calls = Table(
    "outbound_calls",
    metadata,
    id_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("call_id", BigId, ForeignKey("calls.id", ondelete="CASCADE"), nullable=False, unique=True),
    Column("state", String(10), nullable=False),  # planned, placing, ringing, answered, talking, over
    Column("appointment_id", BigId, ForeignKey("appointments.id", ondelete="SET NULL"), index=True),
    Column("sequence", Integer),  # of the visit, when this was planned
    Column("rule", String(40)),  # the reminder rule
    Column("user_id", BigId, ForeignKey("users.id")),  # who calls back
    Column("request_id", BigId, ForeignKey("service_requests.id", ondelete="SET NULL"), index=True),
    Column("latest_at", UtcDateTime),  # no phone rings from then on
)

# `outcome`: person, machine, no_answer, busy, failed, hung_up; of a phone of the team: taken, declined, no_key, no_answer,
# busy, failed.
outbound_attempts = Table(
    "outbound_attempts",
    metadata,
    id_column(),
    uid_column(),
    Column("tenant_id", BigId, ForeignKey("tenants.id"), nullable=False),
    Column("call_id", BigId, ForeignKey("calls.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("party", String(10), nullable=False),  # customer, staff
    Column("phone", String(320)),  # null: erased with the customer
    Column("state", String(10), nullable=False),  # placing, ringing, answered, talking, over
    Column("outcome", String(10)),
    Column("answered_by", String(20)),
    Column("sid", String(64)),  # the provider's id; null until it is known
    time_column("tried_at"),  # when we first asked the provider for it
    Column("answered_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    UniqueConstraint("call_id", "number"),
    Index("ix_outbound_attempts_sid", "sid"),
)
