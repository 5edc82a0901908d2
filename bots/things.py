"""What customers send besides words: pictures, recordings, places, cards. Where a question asks for just that it is the answer,
anywhere else it is thanked for by what it is, and never taken for an answer that makes no sense.
"""

from collections.abc import Sequence

from bots.turn import Turn
from channels.messages import Contact, Form, InboundMessage, Location, Media, Unsupported
from desk import files
from flows.definition import Slot
from flows.state import SlotValue

Thing = Media | Location | Contact | Form | Unsupported

_BURST_S = 60  # an album comes as so many messages within seconds, and is thanked for once
_MOST_DOUBLED = 10


def of(message: InboundMessage) -> tuple[Thing, ...]:
    """The parts of a message that are no words."""
    return tuple(part for part in message.parts if isinstance(part, Thing))


def typed(slot: Slot | None, things: Sequence[Thing]) -> str:
    """What a visiting card says of what is asked for, a number or an e-mail address, to be read as if it had been typed;
    empty when it is not asked for.
    """
    cards = [one for one in things if isinstance(one, Contact)]
    if slot is None or slot.type not in ("phone", "email"):
        return ""
    found = [
        one for card in cards for one in ((*card.phones, *card.whatsapp_ids) if slot.type == "phone" else card.emails)
    ]
    return found[0] if found else ""


def answer(turn: Turn, slot: Slot | None, message: InboundMessage, message_id: int) -> SlotValue | None:
    """A place where a place is asked for (or any text, and there is none), a file where a file is; None for anything else.

    The value of a place is its name, address and a link to the map, that of a file its id.
    """
    if slot is not None and (slot.type == "place" or (slot.type == "text" and not message.text.strip())):
        return next((_place(part) for part in message.parts if isinstance(part, Location)), None)
    if slot is None or slot.type != "file":
        return None
    kept = files.of_messages(turn.db, [message_id]).get(message_id, ())
    there = {one.place: one for one in kept if one.status != "unavailable"}
    for place, part in enumerate(message.parts):
        if isinstance(part, Media) and part.kind != "sticker" and place in there:
            kind = "file" if part.kind == "document" else part.kind
            return SlotValue(there[place].uid, part.name or turn.voice.phrase(f"sent_{kind}"))
    return None


def thank(turn: Turn, things: Sequence[Thing]) -> None:
    """Say what has come, and ask again what is open. Not for each of a burst, whose answer would be the same; and later the
    more rarely the more there were in a row, or two machines would go on thanking each other for stickers.
    """
    phrase = _phrase(things)
    at, bursts, thanked = turn.flow.memo.thanked
    now = int(turn.said_at.timestamp())
    is_same = bool(bursts) and now - at < _BURST_S << min(bursts - 1, _MOST_DOUBLED)
    if is_same and phrase in thanked:
        return
    turn.flow.memo.thanked = (at, bursts, (*thanked, phrase)) if is_same else (now, bursts + 1, (phrase,))
    turn.say(phrase)
    turn.ask_again()


def answered(turn: Turn, things: Sequence[Thing]) -> None:
    """These had words beside them, or were the answer: what comes with them in the same burst needs no thanks of its own."""
    turn.flow.memo.thanked = (int(turn.said_at.timestamp()), 1, (_phrase(things),)) if things else (0, 0, ())


def _place(place: Location) -> SlotValue:
    where = ", ".join(dict.fromkeys(filter(None, (place.name.strip(), place.address.strip()))))
    return SlotValue(", ".join(filter(None, (where, place.map_url))), where or place.map_url)


def _phrase(things: Sequence[Thing]) -> str:
    first = things[0] if things else None
    match first:
        case Media(kind="image" | "video" | "sticker"):
            return f"got_{first.kind}"
        case Media():
            return "got_voice" if first.voice else "got_file"
        case Location():
            return "got_place"
        case Contact():
            return "got_card"
        case Unsupported():
            return "unreadable"
    return "only_text"
