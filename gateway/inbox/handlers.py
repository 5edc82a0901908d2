"""What a client may say. Each event has its model, the permission it needs and a function; each is answered."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import structlog
from pydantic import ValidationError

from desk import refs
from desk.errors import DeskError, NotFound
from desk.inbox import people
from desk.who import Actor
from gateway.inbox import rooms
from gateway.inbox.events import (
    JoinRoom,
    LeaveRoom,
    Said,
    SaidPresence,
    SaidTyping,
    SendMessage,
    Somebody,
    refusal,
)
from gateway.inbox.presence import Typist
from gateway.media.links import Show
from gateway.pipeline import staff
from gateway.rest.problem import of_desk, of_validation
from gateway.rest.v1.messages import Message
from storage.base import Db
from storage.models.conversations import conversations
from storage.models.inbox import team_members, teams
from storage.store import StoreUnavailable

if TYPE_CHECKING:
    from gateway.inbox.server import Connection, Inbox

log = structlog.get_logger()

_ROOMS = 200  # that one connection may have joined

Answered = dict[str, Any]
Handler = Callable[["Inbox", "Connection", Any], Awaitable[Answered]]


class Refusal(Exception):  # noqa: N818  it is an answer
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Entry:
    model: type[Said]
    handle: Handler
    scope: str | None


async def answer(inbox: "Inbox", connection: "Connection", event: str, args: tuple[Any, ...]) -> Answered:
    """The acknowledgement: `{ok: true, …}`, or `{ok: false, error: {code, message}}`."""
    entry = EVENTS.get(event)
    if entry is None:
        return refusal("unknown_event", f"There is no such event; there are {', '.join(EVENTS)}.")
    if entry.scope is not None and not connection.principal.may(entry.scope):
        return refusal("forbidden", f"You may not do this: it needs the permission {entry.scope}.")
    try:
        if len(args) > 1 or (args and not isinstance(args[0], dict)):
            raise Refusal("invalid", "Send one object with the event.")
        said = entry.model.model_validate(args[0] if args else {})
        return {"ok": True, **await entry.handle(inbox, connection, said)}
    except Refusal as refused:
        return refusal(refused.code, refused.message)
    except ValidationError as bad:
        problem = of_validation(bad, event)
        fields = [{"field": ".".join(map(str, flaw.where[1:])), "message": flaw.what} for flaw in problem.flaws]
        return refusal("invalid", problem.message, fields=fields)
    except DeskError as outcome:
        return refusal(outcome.code, outcome.message, **of_desk(outcome).extra)
    except StoreUnavailable:
        return refusal("unavailable", "This is not possible for a moment; please try again.")
    except Exception:
        log.exception("a live event failed", event_name=event, tenant=connection.tenant_id)
        return refusal("internal_error", "Something went wrong on our side.")


async def _join_room(inbox: "Inbox", connection: "Connection", said: JoinRoom) -> Answered:
    kind, _, given = said.room.partition("_")
    uid = given.lower()
    room = f"{kind}_{uid}"
    if kind == "user":
        if uid != connection.principal.user_uid:
            raise NotFound("room", said.room)
        return {"room": room}  # everybody is in their own
    if kind == "team":
        team_id = await inbox.house.store.read(_team, connection.actor, uid)
        _make_sure_there_is_space(connection)
        connection.teams[uid] = team_id
        await inbox.sockets.enter_room(connection.sid, rooms.team(connection.tenant_id, team_id))
        return {"room": room}
    if not connection.principal.may("conversations:read"):
        raise Refusal("forbidden", "You may not do this: it needs the permission conversations:read.")
    conversation_id = await inbox.house.store.read(_conversation, connection.actor, uid)
    if uid not in connection.conversations:
        _make_sure_there_is_space(connection)
        await inbox.join_conversation(connection, uid, conversation_id)
    found = await inbox.roster.viewers(connection.tenant_id, conversation_id)
    return {
        "room": room,
        "viewers": [one.model_dump() for one in found],
        "typing": [_shown(one) for one in _others_typing(inbox, connection, conversation_id)],
    }


async def _leave_room(inbox: "Inbox", connection: "Connection", said: LeaveRoom) -> Answered:
    kind, _, given = said.room.partition("_")
    uid = given.lower()
    if kind == "conversation":
        inbox.leave_conversation(connection, uid)
    elif kind == "team" and (team_id := connection.teams.pop(uid, None)) is not None:
        await inbox.sockets.leave_room(connection.sid, rooms.team(connection.tenant_id, team_id))
    return {"room": f"{kind}_{uid}"}


async def _send_message(inbox: "Inbox", connection: "Connection", said: SendMessage) -> Answered:
    """The very verb behind `POST /conversations/{id}/messages`; nobody needs to have joined the room."""
    uid = said.room.partition("_")[2].lower()
    wanted = staff.Wanted(
        text=said.message,
        private=said.private,
        mentions=tuple(said.mentions),
        client_id=said.client_id,
        force=said.force,
    )
    house = inbox.house
    line = await house.store.write(staff.send, connection.actor, house.adapters, uid, wanted, now=house.clock.now())
    if uid in connection.conversations:
        inbox.type_in(connection, line.conversation_id, is_typing=False)
    answered: Answered = {
        "message": Message.of(line, Show(house.links, house.clock.now())).model_dump(mode="json", by_alias=True)
    }
    if said.client_id is not None:
        answered["client_id"] = said.client_id
    if others := [one for one in _others_typing(inbox, connection, line.conversation_id) if not one.is_private]:
        # Not refused: they may be about to throw it away. But whoever sent this should know.
        answered["collision"] = {"typing": [_shown(one) for one in others]}
    return answered


async def _typing(inbox: "Inbox", connection: "Connection", said: SaidTyping) -> Answered:
    uid = said.room.partition("_")[2].lower()
    conversation_id = connection.conversations.get(uid)
    if conversation_id is None:
        raise Refusal("not_joined", "Join the conversation's room first.")
    inbox.type_in(connection, conversation_id, is_typing=said.typing, is_private=said.private)
    return {"room": rooms.told(uid), "typing": said.typing}


async def _presence(inbox: "Inbox", connection: "Connection", said: SaidPresence) -> Answered:
    status: str | None = None
    if said.status is not None:
        now = inbox.house.clock.now()
        me = await inbox.house.store.write(people.set_availability, connection.actor, said.status, now=now)
        status = me.availability
    elif connection.principal.user_id is not None:
        status = (await inbox.house.store.read(people.oneself, connection.actor)).availability
    there = await inbox.roster.people(connection.tenant_id)
    return {"status": status, "people": [one.model_dump() for one in there]}


def _make_sure_there_is_space(connection: "Connection") -> None:
    if len(connection.conversations) + len(connection.teams) >= _ROOMS:
        raise Refusal("too_many_rooms", f"{_ROOMS} rooms at most; leave some first.")


def _others_typing(inbox: "Inbox", connection: "Connection", conversation_id: int) -> list[Typist]:
    return [one for one in inbox.typing.of(conversation_id) if one.user_id != connection.principal.user_id]


def _shown(who: Typist) -> Answered:
    return Somebody(id=who.uid, name=who.name).model_dump()


def _conversation(db: Db, who: Actor, uid: str) -> int:
    return refs.id_of(db, conversations, who, uid, "conversation")


def _team(db: Db, who: Actor, uid: str) -> int:
    """Raises: NotFound, also when whoever asks is no member"""
    team_id = refs.id_of(db, teams, who, uid, "team")
    m = team_members.c
    is_member = m.team_id == team_id, m.user_id == who.user_id
    if who.user_id is None or db.execute(team_members.select().where(*is_member)).first() is None:
        raise NotFound("team", uid)
    return team_id


EVENTS: Mapping[str, Entry] = MappingProxyType(
    {
        "join_room": Entry(JoinRoom, _join_room, None),
        "leave_room": Entry(LeaveRoom, _leave_room, None),
        "send_message": Entry(SendMessage, _send_message, "conversations:write"),
        "typing": Entry(SaidTyping, _typing, "conversations:write"),
        "presence": Entry(SaidPresence, _presence, None),
    }
)
