"""Buttons, lists and links as Twilio's Content API wants them: a shape that is made once, and the words that fill it each time.

A message with choices becomes a shape whose every word is a variable, so that an account needs a dozen of them and not
one for each question. A variable of the body may hold no line break, no tab and no long run of blanks (error 21656), so
each line is a variable of its own. All of these may be sent without approval within the window.
Source: twilio.com/docs/content, quick-reply, list-picker, call-to-action, /docs/whatsapp/buttons and error 21656.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import orjson

from channels.clean import clean
from channels.messages import JSON, Link, ListedTemplate, OutboundMessage
from channels.split import shorten

_LANGUAGE: Final = "en"  # counts for approved templates only; what is said within the window has none
_SPACES: Final = re.compile(r"[ \t]*\t[ \t]*| {4,}")
_BLANK: Final = re.compile(r"\{\{\s*([A-Za-z0-9_]{1,60})\s*\}\}")
_OURS: Final = "frontdesk-"
_WORDLESS: Final = "…"  # a body is required
_MENU: Final = "☰"
_SITE: Final = re.compile(r"https?://[^/?#]+/")
_BUTTON_MAX: Final = 25  # of a link


@dataclass(frozen=True, slots=True)
class Shape:
    """A content to be made: `types` as the API wants it, `examples` a word for each variable."""

    types: Mapping[str, JSON]
    examples: Mapping[str, str]

    @property
    def name(self) -> str:
        """The same for the same shape, so that any process finds what another has made."""
        kind = next(iter(self.types)).rpartition("/")[2]
        canonical = orjson.dumps(self.types, option=orjson.OPT_SORT_KEYS)
        return f"{_OURS}{kind}-{hashlib.sha256(canonical).hexdigest()[:16]}"

    def to_json(self) -> dict[str, JSON]:
        return {
            "friendly_name": self.name,
            "language": _LANGUAGE,
            "variables": dict(self.examples),
            "types": dict(self.types),
        }


def of(message: OutboundMessage) -> tuple[Shape, dict[str, str]] | None:
    """The shape of a rendered message with buttons, a list or a link, and the words for it; None for any other."""
    if not message.choices and message.link is None:
        return None
    blanks = _Blanks()
    lines = [blanks.put(line) if (line := plain(raw)) else "" for raw in message.text.strip().split("\n")]
    body: JSON = "\n".join(lines) if any(lines) else _WORDLESS
    if message.link is not None and not message.choices:
        # The button takes no variable, and its address only one at the end: a shape for each button and site of ours.
        action: JSON = {"type": "URL", "title": _title(message.link), "url": _address(message.link.url, blanks)}
        types: dict[str, JSON] = {"twilio/call-to-action": {"body": body, "actions": [action]}}
    elif message.style == "list":
        items: list[JSON] = []
        for option in message.choices:
            item: dict[str, JSON] = {"item": blanks.put(option.title), "id": blanks.put(option.id)}
            if option.description:
                item["description"] = blanks.put(option.description)
            items.append(item)
        picker: JSON = {"body": body, "button": blanks.put(message.menu or _MENU), "items": items}
        types = {"twilio/list-picker": picker}
    else:
        actions: list[JSON] = [
            {"type": "QUICK_REPLY", "title": blanks.put(option.title), "id": blanks.put(option.id)}
            for option in message.choices
        ]
        types = {"twilio/quick-reply": {"body": body, "actions": actions}}
    return Shape(types, dict.fromkeys(blanks.words, "text")), blanks.words


def as_json(words: Mapping[str, str]) -> str:
    """Variables as Twilio wants them; empty ones may not be sent, the template's own example stands there then."""
    return orjson.dumps({name: line for name, text in words.items() if (line := plain(text))}).decode()


def plain(text: str) -> str:
    """Words that a variable may hold: one line, without tabs and long runs of blanks."""
    return _SPACES.sub(" ", clean(" ".join(text.splitlines()))).strip()


def listed(name: object, language: object, types: object, approval: object) -> ListedTemplate | None:
    """A content of the account as a template for people to choose; None for our own shapes, and for what is none."""
    if not isinstance(name, str) or not isinstance(language, str) or name.startswith(_OURS) or not name:
        return None
    kinds = types if isinstance(types, Mapping) else {}
    body = next((one.get("body") for one in kinds.values() if isinstance(one, Mapping)), None)
    request = approval if isinstance(approval, Mapping) else {}
    blanks = dict.fromkeys(_BLANK.findall(json.dumps(kinds)))
    return ListedTemplate(
        name=clean(name),
        language=clean(language),
        status=str(request.get("status") or "unsubmitted").upper(),
        category=str(request.get("category") or ""),
        text=clean(body) if isinstance(body, str) else "",
        variables=tuple(blanks),
        header="file" if "twilio/media" in kinds else "",
    )


def _title(link: Link) -> str:
    return shorten(plain(link.title).replace("{{", "{ {"), _BUTTON_MAX) or shorten(link.url, _BUTTON_MAX)


def _address(url: str, blanks: "_Blanks") -> str:
    site = _SITE.match(url)
    rest = url[site.end() :] if site else ""
    return f"{url[: -len(rest)]}{blanks.put(rest)}" if rest else url


@dataclass(slots=True)
class _Blanks:
    words: dict[str, str] = field(default_factory=dict)

    def put(self, words: str) -> str:
        """The blank in which these words stand; an empty one is not allowed."""
        name = str(len(self.words) + 1)
        self.words[name] = plain(words) or _WORDLESS
        return f"{{{{{name}}}}}"
