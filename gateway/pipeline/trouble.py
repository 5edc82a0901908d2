"""What a provider says is wrong with a whole channel."""

from datetime import datetime

from channels.errors import SendError
from desk import alarms, broadcasts
from desk.verdicts import Refusal
from storage.base import Db


def alarm(db: Db, account_id: int, error: SendError, *, now: datetime) -> None:
    """When it is not one message alone that fails, people hear of it, and what is being sent to many waits."""
    if error.stops_channel:
        alarms.channel_failed(db, account_id, _why(error), now=now)


def holds(db: Db, message_id: int, error: SendError, *, now: datetime) -> bool:
    """Whether the message that met it waits with the broadcast that it is of, until somebody resumes that."""
    return error.stops_channel and broadcasts.halt_with(db, message_id, _why(error), now=now)


def _why(error: SendError) -> Refusal:
    return Refusal(error.code or "channel_failed", error.text)
