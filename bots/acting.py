"""What an action or a source is given, and how it is declared to the linter."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from bots.render import Voice
from desk.businesses import Business, Service
from desk.calendar.appointments import Appointment
from desk.conversations import Context
from desk.who import Actor
from flows import registry
from flows.definition import Json
from flows.events import Found, Outcome
from flows.state import Run, SlotValue
from storage.base import Db

if TYPE_CHECKING:
    from bots.loaded import LoadedBot


class Reminded(NamedTuple):
    """A visit that we have reminded of: as it was then (`sequence`), and the minute of its start since 1970."""

    visit_id: int
    sequence: int
    minute: int


@dataclass(frozen=True, slots=True)
class Acting:
    """One action at work: within the turn's transaction, for the run as it stands.

    `below` is the run that this one broke into. `heard` is what the customer said last, at `said_at`; `story` what they had
    wanted before this scenario, in words for a person. `reminded` are the visits that a reminder was sent of, the latest last.
    """

    db: Db
    bot: "LoadedBot"
    context: Context
    run: Run
    below: Run | None
    voice: Voice
    now: datetime
    said_at: datetime
    params: Mapping[str, Json]
    heard: str
    story: str
    reminded: tuple[Reminded, ...] = ()

    @property
    def who(self) -> Actor:
        return self.bot.actor

    @property
    def business(self) -> Business:
        return self.bot.business

    def number(self, slot: str) -> int | None:
        """The id that a slot holds; None when it holds something else, as in a scenario with choices of its own."""
        held = self.run.slots.get(slot)
        if held is None or isinstance(held.value, bool) or not isinstance(held.value, int):
            return None
        return held.value

    def text(self, slot: str) -> str:
        held = self.run.slots.get(slot)
        return held.value if held is not None and isinstance(held.value, str) else ""

    def service_in_hand(self) -> Service | None:
        """The service that is being talked about, here or in what this scenario broke into."""
        for run in (self.run, self.below):
            held = run.slots.get("service") if run is not None else None
            found = [one for one in self.business.services if held is not None and one.id == held.value]
            if found:
                return found[0]
        return None

    def visit_label(self, service: str, starts_at: datetime, staff_id: int, staff: str) -> str:
        """`Haircut on Tuesday, March 3 at 3:00 PM with Anna`; a chair or a room is nobody to be with."""
        member = next((one for one in self.business.staff if one.id == staff_id), None)
        key = "visit_place" if member is not None and member.kind == "place" else "visit"
        day, time = self.voice.day_of(starts_at), self.voice.time_of(starts_at)
        return self.voice.phrase(key, service=service, day=day, time=time, staff=staff)

    def label_of(self, visit: Appointment) -> str:
        return self.visit_label(visit.service_name, visit.starts_at, visit.staff_id, visit.staff_name)


def reference(uid: str) -> str:
    """What a customer may call an appointment by: the last letters of its id, which are random."""
    return uid[-6:].upper()


class Later(NamedTuple):
    """The outcome comes in a later turn, and names this call."""

    call: str


class Action(NamedTuple):
    """An action: what it does, and what the linter is told."""

    run: Callable[[Acting], Outcome | Later]
    declared: registry.Action


class Source(NamedTuple):
    """A source of choices, and what the linter is told."""

    run: Callable[[Acting], Found | Outcome]
    declared: registry.Source


Changes = dict[str, SlotValue | None]
