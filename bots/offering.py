"""Offers of the waiting list: asked about in a conversation one at a time, and answered late by their buttons."""

from bots.choose import Said
from bots.render import read_about, read_choice_id
from bots.turn import Turn
from desk.calendar import waitlist
from desk.calendar.waitlist import Offer
from desk.errors import NotFound
from flows.state import Run, SlotValue

_NAME = "offer"  # the scenario
_TAKE = "take"  # its slot that holds the answer


def ask(turn: Turn, offer: Offer) -> None:
    """Ask about it on top of what is open, for it is held for minutes only. What they were offered before is past."""
    about = _slots(offer.entry.id, offer.entry.offers)
    turn.forget(lambda run: run.scenario == _NAME and run.slots.get("waitlist") == about["waitlist"])
    turn.begin(_NAME, about)


def answer(turn: Turn, said: Said) -> bool:
    """Take a button of an offer that is not the open question: True when it is one. Who has taken the time sees their visits."""
    slot, option_id = read_choice_id(said.pressed)
    entry_id, dot, offers = read_about(said.pressed).partition(".")
    is_offer = slot == _TAKE and option_id in ("yes", "no") and _NAME in turn.bot.scenarios
    if not (is_offer and dot and entry_id.isdecimal() and offers.isdecimal() and len(said.pressed) < 40):
        return False
    about = _slots(int(entry_id), int(offers))
    if turn.flow.top is not None and _is_about(turn.flow.top.run, about):
        return False  # the open question takes it
    try:
        entry = waitlist.get(turn.db, turn.bot.actor, int(entry_id))
    except NotFound:
        return False
    if entry.customer_id != turn.context.customer_id or entry.status == "booked":
        return False
    turn.forget(lambda run: _is_about(run, about))
    turn.begin(_NAME, {**about, _TAKE: SlotValue(option_id == "yes", option_id)})
    return True


def _slots(entry_id: int, offers: int) -> dict[str, SlotValue]:
    return {"waitlist": SlotValue(entry_id, ""), "round": SlotValue(offers, "")}


def _is_about(run: Run, about: dict[str, SlotValue]) -> bool:
    return run.scenario == _NAME and all(run.slots.get(name) == one for name, one in about.items())
