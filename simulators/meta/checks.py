"""Whether the Graph API takes a message, and the error it gives when it does not."""

import re
from collections.abc import Iterable, Mapping, Sequence

from simulators.meta.model import Json, Number, Template

_NUMBER = re.compile(r"\+?[1-9]\d{6,14}")
_USER_ID = re.compile(r"[A-Z]{2}\.[A-Za-z0-9._-]{1,128}")
_BLANK = re.compile(r"\{\{\w+\}\}")
_WEB = re.compile(r"https?://[^\s/]+\S*")
FILES = ("image", "video", "audio", "document", "sticker")
_UNCAPTIONED = ("audio", "sticker")


class Refusal(Exception):  # noqa: N818 - the trade says it so
    """Meta's answer to a request it does not accept."""

    def __init__(self, code: int, text: str, *, status: int = 400, subcode: int | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.status = status
        self.subcode = subcode


def recipient(body: Json, sender: Number) -> str:
    """To whom a message goes: `+15551234567`, or a business-scoped id.

    Raises: Refusal
    """
    to, user_id = body.get("to"), body.get("recipient")
    if isinstance(to, str) and _NUMBER.fullmatch(to):
        number = "+" + to.removeprefix("+")
        if number == sender.number:
            raise Refusal(131021, "Recipient cannot be the sender")
        return number
    if to is None and isinstance(user_id, str) and _USER_ID.fullmatch(user_id):
        return user_id
    raise Refusal(131009 if to or user_id else 131008, "(#131009) Parameter value is not valid: to")


def content(body: Json, *, media_ids: Iterable[str], templates: Sequence[Template]) -> tuple[str, Json]:
    """The kind of a message and what is in it, as far as it is as the documents want it.

    Raises: Refusal
    """
    _want(body.get("messaging_product") == "whatsapp", 100, "messaging_product must be whatsapp")
    kind = body.get("type", "text")
    _want(isinstance(kind, str), 100, "type must be a string")
    assert isinstance(kind, str)  # noqa: S101  looked at just now
    inside = body.get(kind)
    if kind == "contacts":
        _want(isinstance(inside, list) and bool(inside), 131008, "contacts is required")
        cards = [one for one in inside if isinstance(one, dict)] if isinstance(inside, list) else []
        named = all(isinstance(card.get("name"), dict) and card["name"].get("formatted_name") for card in cards)
        _want(bool(cards) and named, 131008, "a contact needs its formatted_name")
        return kind, {"cards": cards}
    _want(isinstance(inside, dict), 131008, f"{kind} is required")
    assert isinstance(inside, dict)  # noqa: S101  looked at just now
    if kind in FILES:
        _file(kind, inside, media_ids)
    elif kind == "template":
        _template(inside, templates)
    elif kind in _CHECKS:
        _CHECKS[kind](inside)
    else:
        raise Refusal(131051, "Unsupported message type")
    callback = body.get("biz_opaque_callback_data", "")
    _want(isinstance(callback, str) and len(callback) <= 512, 131009, "biz_opaque_callback_data is too long")
    return kind, inside


def _want(is_so: bool, code: int, text: str) -> None:
    if not is_so:
        raise Refusal(code, f"(#{code}) {text}")


def _words(inside: Mapping[str, object], name: str, longest: int, code: int = 131009) -> str:
    found = inside.get(name)
    _want(isinstance(found, str) and bool(found.strip()), 131008, f"{name} is required")
    _want(isinstance(found, str) and len(found) <= longest, code, f"{name} is longer than {longest}")
    return str(found)


def _text(inside: Json) -> None:
    _words(inside, "body", 4096, 100)


def _reaction(inside: Json) -> None:
    _words(inside, "message_id", 500)
    _want(isinstance(inside.get("emoji"), str), 131008, "emoji is required")


def _location(inside: Json) -> None:
    for name, limit in (("latitude", 90), ("longitude", 180)):
        value = inside.get(name)
        _want(isinstance(value, int | float) and -limit <= value <= limit, 131009, f"{name} is not valid")


def _file(kind: str, inside: Json, media_ids: Iterable[str]) -> None:
    link, media_id = inside.get("link"), inside.get("id")
    _want((link is None) != (media_id is None), 131008, "give an id or a link")
    _want(link is None or bool(_WEB.fullmatch(str(link))), 131009, "link is not a valid URI")
    _want(media_id is None or media_id in set(media_ids), 100, "media id not found")
    caption = inside.get("caption", "")
    _want(not caption or kind not in _UNCAPTIONED, 100, f"{kind} has no caption")
    _want(isinstance(caption, str) and len(caption) <= 1024, 131009, "caption is too long")


def _interactive(inside: Json) -> None:
    body, action = inside.get("body"), inside.get("action")
    _want(isinstance(body, dict) and isinstance(action, dict), 131008, "body and action are required")
    assert isinstance(body, dict)  # noqa: S101  looked at just now
    assert isinstance(action, dict)  # noqa: S101
    _words(body, "text", 1024)
    kind = inside.get("type")
    if kind == "button":
        buttons = [one.get("reply") for one in action.get("buttons", ()) if isinstance(one, dict)]
        _choices(buttons, most=3, title_max=20, id_max=256, are_distinct=True)
    elif kind == "list":
        _words(action, "button", 20)
        sections = [one for one in action.get("sections", ()) if isinstance(one, dict)]
        _want(0 < len(sections) <= 10, 131009, "1 to 10 sections")
        _want(len(sections) == 1 or all(one.get("title") for one in sections), 131009, "each section needs its title")
        rows = [row for section in sections for row in section.get("rows", ())]
        _choices(rows, most=10, title_max=24, id_max=200, are_distinct=False)
        _want(all(len(row.get("description", "")) <= 72 for row in rows), 131009, "description is too long")
    elif kind == "cta_url":
        parameters = action.get("parameters")
        _want(action.get("name") == "cta_url" and isinstance(parameters, dict), 131008, "parameters are required")
        assert isinstance(parameters, dict)  # noqa: S101  looked at just now
        _words(parameters, "display_text", 20)
        _want(bool(_WEB.fullmatch(_words(parameters, "url", 2000))), 131009, "url is not valid")
    elif kind == "location_request_message":
        _want(action.get("name") == "send_location", 131009, "name must be send_location")
    else:
        raise Refusal(131009, "interactive type is not valid")


def _choices(found: Sequence[object], *, most: int, title_max: int, id_max: int, are_distinct: bool) -> None:
    _want(0 < len(found) <= most, 131009, f"1 to {most} choices")
    for one in found:
        _want(isinstance(one, dict), 131008, "a choice is an object")
        assert isinstance(one, dict)  # noqa: S101  looked at just now
        _words(one, "title", title_max)
        _words(one, "id", id_max)
    choices = [one for one in found if isinstance(one, dict)]
    _want(len({one["id"] for one in choices}) == len(choices), 131009, "ids must differ")
    _want(not are_distinct or len({one["title"] for one in choices}) == len(choices), 131009, "titles must differ")


def _template(inside: Json, templates: Sequence[Template]) -> None:
    language = inside.get("language")
    code = language.get("code") if isinstance(language, dict) else None
    found = next((one for one in templates if one.name == inside.get("name") and one.language == code), None)
    if found is None or found.status not in ("APPROVED", "PAUSED", "DISABLED"):
        raise Refusal(132001, "Template name does not exist in the translation", status=404)
    _want(found.status != "PAUSED", 132015, "Template is paused")
    _want(found.status != "DISABLED", 132016, "Template is disabled")
    given = inside.get("components", [])
    components = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    for part in found.components:
        place = str(part.get("type", "")).lower()
        if place not in ("header", "body"):
            continue
        filled = [one for one in components if one.get("type") == place]
        parameters = [each for one in filled for each in one.get("parameters", ())]
        wanted = len(set(_BLANK.findall(str(part.get("text", "")))))
        wanted += str(part.get("format", "TEXT")) != "TEXT"
        _want(len(parameters) == wanted, 132000, f"{place}: expected {wanted} parameters, not {len(parameters)}")
        texts = [str(one.get("text", "")) for one in parameters if isinstance(one, dict) and one.get("type") == "text"]
        _want(all(text and not re.search(r"[\n\t]| {4}", text) for text in texts), 132012, "parameter format")


_CHECKS = {"text": _text, "reaction": _reaction, "location": _location, "interactive": _interactive}
