"""The web chat's JSON: what the page posts and what it gets back.

In: `{"session": "…", "id": "…", "text": "hi"}`, or `"choice": {"id": "…", "title": "…"}` instead of the text; `site`
and `name` may be added, and `"media": ["…"]` with the ids of files that were sent here before, also without a text.
`"reply_to": "…"` says which message it answers; `"reaction": {"to": "…", "emoji": "👍"}` stands alone.
Out: `{"messages": [{"id": "…", "text": "…", "choices": [{"id": "…", "title": "…"}]}]}`.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

import orjson

from channels.base import Request
from channels.clean import clean
from channels.errors import BadRequest
from channels.messages import JSON, Address, Choice, InboundMessage, Media, OutboundMessage, Part, Reaction, Text

TEXT_MAX: Final = 4000
SESSION_HEADER: Final = "x-webchat-session"
MEDIA_MAX: Final = 10
_EMOJI_MAX: Final = 40
# Whoever knows a session reads its conversation, so it has to be long enough to be random.
_SESSION: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")
_UID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


def decode(request: Request, kind: Literal["web", "sim"] = "web") -> InboundMessage:
    """The message that the page posted. Its provider id holds whose page it is, since pages count for themselves.

    Of a visitor of the web chat (`web`) the session goes no further than this; the simulator's is just a name.

    Raises:
        BadRequest: naming the field that is missing or wrong.
    """
    data = _object(request.body)
    session, own_id = _matching(data, "session", _SESSION), _matching(data, "id", _ID)
    site = _string(data, "site", 64)
    peer = visitor(session) if kind == "web" else session
    return InboundMessage(
        f"{peer}.{own_id}",
        Address(kind, peer),
        Address(kind, site),
        _parts(data),
        reply_to=message_id(data.get("reply_to", ""), "reply_to") or None,
        profile_name=_string(data, "name", 200),
        provider_account=site,
        raw={name: _clean(data[name]) for name in ("id", "site", "name", "text", "choice") if name in data},
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """Which visitor's messages a page wants, and after which one; `after` is empty for all of them. `is_whole`: the
    visitor's own as well, and without `after` the last ones instead of the first, or the last before `before`.
    """

    site: str
    visitor: str
    after: str
    is_whole: bool = False
    before: str = ""


def asked(request: Request) -> Asked:
    """What the page asks for in its query: `site`, `session`, and maybe `after`, the id of the last message it has, or
    `whole=1` and `before`, that of the first. The session may stand in a header instead, since addresses end up in the
    logs of proxies.

    Raises:
        BadRequest: naming the field that is missing or wrong.
    """
    data: dict[str, JSON] = dict(request.query)
    if (session := request.headers.get(SESSION_HEADER)) is not None:
        data["session"] = session
    after, before = span(data)
    is_whole = _string(data, "whole", 1) == "1"
    if before and not is_whole:
        raise BadRequest("before", "only together with whole=1")
    return Asked(_string(data, "site", 64), visitor(_matching(data, "session", _SESSION)), after, is_whole, before)


def span(data: dict[str, JSON]) -> tuple[str, str]:
    """The messages `after` and `before` which the wanted ones lie; one of them is empty, or both.

    Raises: BadRequest
    """
    after, before = (message_id(data.get(name, ""), name) for name in ("after", "before"))
    if after and before:
        raise BadRequest("before", "not together with after")
    return after, before


def seen(request: Request) -> Asked:
    """What the visitor has seen, out of `{site, session, seen}` in the body: everything up to the message `after`.

    Raises:
        BadRequest: naming the field that is missing or wrong.
    """
    data = _object(request.body)
    if not (last := message_id(data.get("seen", ""), "seen")):
        raise BadRequest("seen", "missing")
    return Asked(_string(data, "site", 64), visitor(_matching(data, "session", _SESSION)), last)


def message_id(given: JSON, field: str) -> str:
    """The id of a message of ours, or empty.

    Raises: BadRequest
    """
    uid = _string({field: given}, field, 64)
    if uid and not _UID.fullmatch(uid):
        raise BadRequest(field, "not the id of a message")
    return uid


def encode(messages: Iterable[OutboundMessage]) -> bytes:
    """What the page shows, oldest first; empty fields are left out."""
    return orjson.dumps({"messages": [shown(message) for message in messages]})


def shown(message: OutboundMessage) -> dict[str, JSON]:
    """One message as the page shows it."""
    fields: dict[str, JSON] = {
        "id": message.reference,
        "text": message.text,
        "style": message.style if message.choices else "",
        "choices": [_filled(id=o.id, title=o.title, description=o.description) for o in message.choices],
        "media": [file(one) for one in message.media],
        "link": _filled(title=message.link.title, url=message.link.url) if message.link else None,
        "reply_to": message.reply_to,
        "reaction": reacted(message.reaction) if message.reaction else None,
    }
    return {name: value for name, value in fields.items() if value}


def file(one: Media) -> JSON:
    """A file as the page shows it."""
    return _filled(kind=one.kind, url=one.url, name=one.name, content_type=one.content_type)


def reacted(reaction: Reaction) -> JSON:
    """A reaction as the page shows it; without an emoji there is none any more."""
    return {"to": reaction.target, "emoji": reaction.emoji}


def claimed_site(request: Request) -> str:
    """The site the page says it belongs to; empty when it does not say or the body is no JSON object."""
    try:
        return _string(_object(request.body), "site", 64)
    except BadRequest:
        return ""


def claimed_visitor(request: Request) -> str:
    """The same for the visitor; empty also when the session is none."""
    try:
        return visitor(_matching(_object(request.body), "session", _SESSION))
    except BadRequest:
        return ""


def is_session(given: object) -> bool:
    """Whether it can be the session of a visitor."""
    return isinstance(given, str) and _SESSION.fullmatch(given) is not None


def visitor(session: str) -> str:
    """What a visitor is called everywhere but on their own page. Whoever has the session reads the conversation, so it is
    neither kept nor shown, and nothing leads back to it.
    """
    return f"visitor-{hashlib.sha256(session.encode()).hexdigest()[:24]}"


def counted_as(provider_id: str) -> str:
    """The id that the page itself gave to a message."""
    return provider_id.partition(".")[2]


def _parts(data: dict[str, JSON]) -> tuple[Part, ...]:
    if (reaction := data.get("reaction")) is not None:
        return (_reaction(reaction),)
    media = data.get("media")
    if media is None:
        return (_part(data),)
    if not isinstance(media, list) or not 0 < len(media) <= MEDIA_MAX:
        raise BadRequest("media", f"not a list of 1 to {MEDIA_MAX} ids of files")
    if not all(isinstance(one, str) and _UID.fullmatch(one) for one in media):
        raise BadRequest("media", "not the ids of files that were sent here")
    files = tuple(Media("document", file=str(one)) for one in dict.fromkeys(map(str, media)))
    return (_part(data), *files) if data.get("text") or data.get("choice") else files


def _part(data: dict[str, JSON]) -> Part:
    choice = data.get("choice")
    if choice is None:
        text = _string(data, "text", TEXT_MAX)
        if not text.strip():
            raise BadRequest("text", "missing")
        return Text(text)
    if not isinstance(choice, dict):
        raise BadRequest("choice", "not an object with an id")
    if not (chosen := _string(choice, "id", 256)):
        raise BadRequest("choice.id", "missing")
    return Choice(chosen, _string(choice, "title", 256))


def _reaction(given: JSON) -> Reaction:
    if not isinstance(given, dict):
        raise BadRequest("reaction", "not an object with the id of a message")
    if not (target := message_id(given.get("to", ""), "reaction.to")):
        raise BadRequest("reaction.to", "missing")
    emoji = _string({"reaction.emoji": given.get("emoji", "")}, "reaction.emoji", _EMOJI_MAX)
    if emoji and emoji.isascii():
        raise BadRequest("reaction.emoji", "not an emoji")
    return Reaction(target, emoji)


def _object(body: bytes) -> dict[str, JSON]:
    try:
        data = orjson.loads(body)
    except ValueError:
        raise BadRequest("body", "not JSON") from None
    if not isinstance(data, dict):
        raise BadRequest("body", "not an object")
    return data


def _string(data: dict[str, JSON], name: str, longest: int) -> str:
    value = data.get(name, "")
    if not isinstance(value, str):
        raise BadRequest(name, "not a text")
    if len(value) > longest:
        raise BadRequest(name, f"longer than {longest:,} characters")
    return clean(value)


def _matching(data: dict[str, JSON], name: str, pattern: re.Pattern[str]) -> str:
    value = _string(data, name, 64)
    if not pattern.fullmatch(value):
        raise BadRequest(name, f"has to match {pattern.pattern}" if value else "missing")
    return value


def _clean(value: JSON) -> JSON:
    if isinstance(value, dict):
        return {name: clean(text) for name in ("id", "title") if isinstance(text := value.get(name), str)}
    return clean(value) if isinstance(value, str) else None


def _filled(**fields: str) -> JSON:
    return {name: value for name, value in fields.items() if value}
