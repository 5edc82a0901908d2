"""The things in a phone call: who picks up, what was said, recordings, and what a caller does."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

LETTERS_A_SECOND = 15.0

Pickup = Literal["person", "machine", "busy", "refused", "no-answer", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Callee:
    """How a phone behaves when it rings. Put it into `Network.callees`; a phone without one is picked up after 2 s.

    A machine says its greeting and, after the tone, records what it hears (`Call.left`), for `records_s` at most. With
    `detected`, that is what answering-machine detection makes of it, right or wrong; with "-" it never tells.
    """

    how: Pickup = "person"
    after_s: float = 2.0
    greeting: str = "Hello, this is the mailbox. Please leave a message."  # a machine's
    records_s: float = 60.0
    detected: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """Something that was said or keyed in: by the other side ("bot") as far as it was heard, or by the caller."""

    who: Literal["bot", "caller"]
    text: str
    at: datetime
    kind: Literal["speech", "audio", "keys"] = "speech"
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Starts:
    """The caller begins to speak."""

    text: str


@dataclass(frozen=True, slots=True)
class Says:
    """The caller has said it."""

    text: str
    confidence: str | None = "0.9"


@dataclass(frozen=True, slots=True)
class Presses:
    """A key."""

    key: str


Input = Starts | Says | Presses
Listener = Callable[[Input], None]


@dataclass(slots=True, kw_only=True)
class Recording:
    """A recording as the REST API shows it. `audio` is mu-law; `text` what was said in it."""

    sid: str
    account_sid: str
    call_sid: str
    source: str
    created_at: datetime
    audio: bytes = b""
    text: str = ""
    status: str = "processing"
    paused_at: datetime | None = None  # since when there is to be silence in it

    @property
    def duration_s(self) -> int:
        return round(len(self.audio) / 8000)


@dataclass(slots=True)
class Queue:
    """Callers on hold under one name, the longest-waiting first (their calls' ids)."""

    sid: str
    waiting: list[str] = field(default_factory=list)


class CallOver(Exception):  # noqa: N818 - it is, and that is all
    """The call has ended before what was waited for."""
