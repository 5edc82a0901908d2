"""What may come of a verb besides success. Each has a stable `code`; every API makes its own shape of it."""

# ruff: noqa: N818  Outcomes are named for what happened; most of them are no errors.

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from desk.calendar.slots import Slot

Fact = str | int | bool | None


class DeskError(Exception):
    """An outcome of business, not a fault. `message` is for people; `facts` hold ids, never anyone's words."""

    def __init__(self, code: str, message: str, **facts: Fact) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.facts = facts


class NotFound(DeskError):
    """No such thing, or it is another tenant's: the two look the same from outside."""

    def __init__(self, noun: str, noun_id: int | str | None) -> None:
        super().__init__("not_found", f"There is no such {noun}.", noun=noun, id=noun_id)


class Invalid(DeskError):
    """A value that cannot be used; `field` names it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__("invalid", message, field=field)
        self.field = field


class NotAllowed(DeskError):
    """Whoever acts may not do this."""

    def __init__(self, message: str, **facts: Fact) -> None:
        super().__init__("not_allowed", message, **facts)


class WrongState(DeskError):
    """It is too late or too early for this: the thing is in another state."""

    def __init__(self, noun: str, noun_id: int, state: str, message: str) -> None:
        super().__init__("wrong_state", message, noun=noun, id=noun_id, state=state)
        self.state = state


class Stale(DeskError):
    """Somebody else changed it in the meantime."""

    def __init__(self, noun: str, noun_id: int, version: int) -> None:
        super().__init__(
            "stale", f"Somebody else changed this {noun} in the meantime.", noun=noun, id=noun_id, version=version
        )
        self.version = version


class Collision(DeskError):
    """Somebody else has this conversation (`uid`, `name`, since `since`); saying it again with force takes it over."""

    def __init__(self, conversation_id: int, *, uid: str, name: str, since: datetime, version: int) -> None:
        super().__init__("collision", "Somebody else is answering here.", id=conversation_id, version=version)
        self.uid = uid
        self.name = name
        self.since = since
        self.version = version


class SlotTaken(DeskError):
    """The time is not free (any more); `alternatives` are the nearest that are, earliest first. `uids` has the public
    id of each staff member in them.
    """

    def __init__(self, alternatives: "tuple[Slot, ...]" = (), uids: Mapping[int, str] = MappingProxyType({})) -> None:
        super().__init__("slot_taken", "That time is not free any more.", alternatives=len(alternatives))
        self.alternatives = alternatives
        self.uids = uids


class HoldExpired(DeskError):
    """The hold ran out and nothing remains of it; choose a time again."""

    def __init__(self, hold_id: int) -> None:
        super().__init__("hold_expired", "The time is no longer held for you.", hold_id=hold_id)


class IdentityTaken(DeskError):
    """The address already belongs to another customer (`customer_id`, outside `uid`): merge the two, or leave it."""

    def __init__(self, customer_id: int, uid: str) -> None:
        super().__init__("identity_taken", "Another customer already has this address.", customer_id=customer_id)
        self.customer_id = customer_id
        self.uid = uid


class AlreadyThere(DeskError):
    """There is one already with this value, which only one may have; `field` names it."""

    def __init__(self, noun: str, field: str) -> None:
        super().__init__("already_there", f"There is already a {noun} with this {field}.", noun=noun, field=field)
        self.field = field


class InUse(DeskError):
    """It cannot be removed while something else needs it."""

    def __init__(self, noun: str, message: str) -> None:
        super().__init__("in_use", message, noun=noun)
