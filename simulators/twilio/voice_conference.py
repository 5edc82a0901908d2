"""<Conference>: several people in one room, music until it starts, and reports to whoever the first of them names."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import format_datetime
from urllib.parse import urljoin

from simulators.twilio.voice_call import Call, Stopped
from simulators.twilio.voice_model import Input, Presses, Says
from simulators.twilio.voice_twiml import Document, Verb

Play = Callable[[Call, Document], Awaitable[bool]]


@dataclass(slots=True)
class Room:
    """A conference while it lasts. Callbacks go where the first participant said, whatever the later ones say."""

    sid: str
    name: str
    url: str
    method: str
    events: tuple[str, ...]
    members: list[Call] = field(default_factory=list)
    has_starter: bool = False
    started: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    number: int = 0


async def join(call: Call, noun: Verb, dial: Verb, document: Document, wait: Play) -> None:
    """Stay in the room until one leaves or it ends.

    Raises:
        Stopped: the call was ended or moved meanwhile.
    """
    room = _room(call, noun, document)
    room.members.append(call)
    room.has_starter = room.has_starter or noun.is_on("startConferenceOnEnter", default=True)
    _tell(call, room, "join", "participant-join", noun)
    if room.has_starter and len(room.members) > 1 and not room.started.is_set():
        room.started.set()
        _tell(call, room, "start", "conference-start", noun)
    star = asyncio.Event()
    try:
        if not room.started.is_set():
            await _hold(call, noun, document, wait, room)
        if not room.ended.is_set():
            call.bridged = True
            call.listener = _listener(call, noun, dial, room, star)
            call.network.time.touch()
            await call.event(room.ended, star)
    finally:
        call.listener = None
        _leave(call, noun, room)


def _room(call: Call, noun: Verb, document: Document) -> Room:
    network = call.network
    key = f"{call.account_sid} {noun.text}"
    if key not in network.conferences:
        network.conferences[key] = Room(
            sid="CF" + network.new_id(),
            name=noun.text,
            url=urljoin(document.url, noun.get("statusCallback")) if noun.get("statusCallback") else "",
            method=noun.get("statusCallbackMethod", "POST"),
            events=tuple(noun.get("statusCallbackEvent", "start end").split()),
        )
    return network.conferences[key]


def _listener(call: Call, noun: Verb, dial: Verb, room: Room, star: asyncio.Event) -> Callable[[Input], None]:
    def listener(what: Input) -> None:
        if isinstance(what, Says) and what.text and not noun.is_on("muted"):
            for other in room.members:
                if other is not call and other.listener is not None:
                    other.hear(what.text, other.begin_line())
        elif isinstance(what, Presses) and what.key == "*" and dial.is_on("hangupOnStar"):
            star.set()

    return listener


def _leave(call: Call, noun: Verb, room: Room) -> None:
    """One less; the last one, or one who may, ends it."""
    room.members.remove(call)
    _tell(call, room, "leave", "participant-leave", noun, ParticipantCallStatus=call.status)
    is_host = noun.is_on("endConferenceOnExit")
    if room.ended.is_set() or (room.members and not is_host):
        return
    room.ended.set()
    room.started.set()
    call.network.conferences.pop(f"{call.account_sid} {room.name}", None)
    reason = "participant-with-end-conference-on-exit-left" if is_host else "last-participant-left"
    _tell(call, room, "end", "conference-end", noun, ReasonConferenceEnded=reason, CallSidEndingConference=call.sid)


async def _hold(call: Call, noun: Verb, document: Document, wait: Play, room: Room) -> None:
    """Music until it starts, or is over before it has started."""
    music = asyncio.create_task(_music(call, noun, document, wait))
    started = asyncio.create_task(room.started.wait())
    try:
        await asyncio.wait([music, started], return_when=asyncio.FIRST_COMPLETED)
        if music.done():
            music.result()  # hung up, or moved
            raise Stopped
    finally:
        music.cancel()
        started.cancel()
        await asyncio.gather(music, started, return_exceptions=True)


async def _music(call: Call, noun: Verb, document: Document, wait: Play) -> None:
    while True:
        before = call.network.clock()
        if noun.get("waitUrl"):
            url = urljoin(document.url, noun.get("waitUrl"))
            await wait(call, await call.ask(url, noun.get("waitMethod", "POST")))
        if call.network.clock() == before:
            await call.lasts(10)


def _tell(call: Call, room: Room, event: str, name: str, noun: Verb, **extra: str) -> None:
    number, room.number = room.number, room.number + 1
    if not room.url or event not in room.events:
        return
    network = call.network
    form = {
        "ConferenceSid": room.sid,
        "FriendlyName": room.name,
        "AccountSid": call.account_sid,
        "SequenceNumber": str(number),
        "Timestamp": format_datetime(network.clock()),
        "StatusCallbackEvent": name,
        **extra,
    }
    if event in ("join", "leave"):
        form |= {
            "CallSid": call.sid,
            "ParticipantLabel": noun.get("participantLabel"),
            "Muted": str(noun.is_on("muted")).lower(),
            "Hold": "false",
            "Coaching": "false",
            "EndConferenceOnExit": str(noun.is_on("endConferenceOnExit")).lower(),
            "StartConferenceOnEnter": str(noun.is_on("startConferenceOnEnter", default=True)).lower(),
        }

    async def work() -> None:
        await network.post(call.account_sid, room.url, tuple(form.items()), room.method)

    network.start(work(), sid=call.sid)
