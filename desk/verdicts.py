"""What comes of asking whether a message may be sent: yes, no with a reason, or later."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

# What a message is for. `reply` answers somebody, `service` is about what they have with us, `reminder` about a visit,
# `marketing` is everything that we want of them. `legal` is the answer that the law wants to STOP, START or HELP.
Use = Literal["reply", "service", "reminder", "marketing", "legal"]


@dataclass(frozen=True, slots=True)
class Allowed:
    """Speak."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Be silent. `code` is stable; `reason` is a sentence for the people of the business."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Held:
    """Not now: ask again at `until`."""

    code: str
    reason: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Window:
    """For so many `hours` after the customer's last message the channel carries free text, afterwards templates alone;
    None: always.
    """

    hours: int | None = None
    last_in_at: datetime | None = None

    def is_open(self, now: datetime) -> bool:
        return self.hours is None or (self.closes_at is not None and now < self.closes_at)

    @property
    def closes_at(self) -> datetime | None:
        """None where it never does, and where they have never written."""
        if self.hours is None or self.last_in_at is None:
            return None
        return self.last_in_at + timedelta(hours=self.hours)


Verdict = Allowed | Refusal | Held

ALLOWED = Allowed()
ALWAYS = Window()
WINDOW_CLOSED = "window_closed"


def closed(window: Window) -> Refusal:
    """Why free text may not be sent there now."""
    reason = f"They have not written within {window.hours} hours. Until they do, only templates can be sent here."
    return Refusal(WINDOW_CLOSED, reason)
