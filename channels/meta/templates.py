"""Texts that Meta has approved beforehand: what there is, and how one is filled in. No I/O.

Source: reference, whatsapp-sms.md section B5; developers.facebook.com/docs/whatsapp/business-management-api/message-templates.
"""

import re
from collections.abc import Mapping
from typing import Final

from channels.clean import clean
from channels.errors import SendError
from channels.messages import JSON, ListedTemplate, Location, Media, Template

HEADER: Final = "header."
BUTTON: Final = "button."
_BLANK: Final = re.compile(r"\{\{\s*([A-Za-z0-9_]{1,60})\s*\}\}")
_SPACES: Final = re.compile(r"\s+")
_HEADERS: Final = ("image", "video", "document")


def encode(template: Template, *, header: tuple[Media, ...] = (), location: Location | None = None) -> JSON:
    """The template as it is sent; a file or a place goes into its header.

    Raises: SendError
    """
    if not template.name:
        raise SendError("", "A template needs its name.", kind="bug")
    inside = {name: text for name, text in template.variables.items() if not name.startswith((HEADER, BUTTON))}
    above = _without(template.variables, HEADER)
    components: list[JSON] = []
    if parameters := [*_header(header, location), *_parameters(above)]:
        components.append({"type": "header", "parameters": parameters})
    if inside:
        components.append({"type": "body", "parameters": _parameters(inside)})
    for place, payload in enumerate(template.payloads):
        press: JSON = [{"type": "payload", "payload": payload}]
        components.append({"type": "button", "sub_type": "quick_reply", "index": str(place), "parameters": press})
    for index, text in _without(template.variables, BUTTON).items():
        end: JSON = [{"type": "text", "text": _plain(text)}]
        components.append({"type": "button", "sub_type": "url", "index": index, "parameters": end})
    body: dict[str, JSON] = {"name": template.name, "language": {"code": _code(template.language)}}
    return {**body, "components": components} if components else body


def decode(data: Mapping[str, JSON]) -> ListedTemplate | None:
    """One of the account's templates as Meta lists it; None for what is none."""
    name, language = data.get("name"), data.get("language")
    if not isinstance(name, str) or not name or not isinstance(language, str):
        return None
    text, header, payloads = "", "", 0
    variables: list[str] = []
    given = data.get("components")
    for one in given if isinstance(given, list) else ():
        if not isinstance(one, dict):
            continue
        kind, words = one.get("type"), one.get("text")
        words = clean(words) if isinstance(words, str) else ""
        if kind == "HEADER":
            shape = str(one.get("format", "TEXT")).lower()
            header = shape if shape != "text" else ""
            variables += [HEADER + blank for blank in _blanks(words)]
        elif kind == "BODY":
            text = words
            variables += _blanks(words)
        elif kind == "BUTTONS":
            buttons = one.get("buttons")
            for place, button in enumerate(buttons if isinstance(buttons, list) else ()):
                if isinstance(button, dict):
                    payloads += button.get("type") == "QUICK_REPLY"
                    is_open = button.get("type") == "URL" and _blanks(str(button.get("url", "")))
                    variables += [f"{BUTTON}{place}"] if is_open else []
    status, category = data.get("status"), data.get("category")
    return ListedTemplate(
        name,
        language,
        status if isinstance(status, str) else "",
        category if isinstance(category, str) else "",
        text,
        tuple(variables),
        header,
        payloads,
    )


def _blanks(text: str) -> list[str]:
    return [*dict.fromkeys(_BLANK.findall(text))]


def _without(variables: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {name.removeprefix(prefix): text for name, text in variables.items() if name.startswith(prefix)}


def _parameters(variables: Mapping[str, str]) -> list[JSON]:
    """In their order when they are numbered, by name otherwise."""
    if all(name.isdecimal() for name in variables):
        ordered = sorted(variables.items(), key=lambda pair: int(pair[0]))
        return [{"type": "text", "text": _plain(text)} for _, text in ordered]
    return [{"type": "text", "parameter_name": name, "text": _plain(text)} for name, text in variables.items()]


def _plain(text: str) -> str:
    """Variables may have no line breaks, no tabs and no four spaces in a row (error 132012), and may not be empty."""
    return _SPACES.sub(" ", clean(text)).strip() or "-"


def _header(files: tuple[Media, ...], location: Location | None) -> list[JSON]:
    if location is not None:
        place: dict[str, JSON] = {"latitude": str(location.latitude), "longitude": str(location.longitude)}
        return [{"type": "location", "location": {**place, "name": location.name, "address": location.address}}]
    if not files:
        return []
    file = files[0]
    if file.kind not in _HEADERS or not (file.media_id or file.url):
        raise SendError("", "This file cannot stand above a template.", kind="content")
    content: dict[str, JSON] = {"id": file.media_id} if file.media_id else {"link": file.url}
    if file.kind == "document" and file.name:
        content["filename"] = clean(file.name)
    return [{"type": file.kind, file.kind: content}]


def _code(language: str) -> str:
    """`en-US` as Meta writes it; English when nobody said, the language in which most templates are."""
    return language.replace("-", "_") or "en"
