"""The Content API: templates with buttons and lists, filled in for each message, and within WhatsApp's limits or not."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from simulators.twilio.checks import Refusal
from simulators.twilio.model import PLAIN, Choice, Content, Shown

_BLANK = re.compile(r"{{(\w+)}}")
_BAD_IN_BODY = re.compile(r"[\n\r\t]| {5,}")
_KINDS = ("twilio/text", "twilio/quick-reply", "twilio/list-picker", "twilio/media", "twilio/call-to-action")
_NEVER_APPROVED = ("twilio/list-picker", "twilio/location")
_BODY_MAX, _BUTTONS_IN_SESSION, _BUTTONS_MAX, _BUTTON_MAX, _ROWS_MAX, _ROW_MAX, _DETAIL_MAX = (
    1024,
    3,
    10,
    20,
    10,
    24,
    72,
)
_LINK_BODY_MAX, _LINKS_MAX, _LINK_MAX = 640, 2, 25
_WEB = re.compile(r"https?://[^\s{}]+")
_BLANK_AT_END = re.compile(r"[^{}]*({{\w+}})?")


@dataclass(frozen=True, slots=True)
class Filled:
    """A template with its variables filled in."""

    body: str
    media_urls: tuple[str, ...] = ()
    shown: Shown = PLAIN


def check(data: object) -> tuple[str, str, Mapping[str, str], Mapping[str, object]]:
    """Name, language, examples and types of a template that is to be made.

    Raises:
        Refusal: it is none.
    """
    if isinstance(data, dict):
        language, types = data.get("language"), data.get("types")
        name, variables = data.get("friendly_name") or "", data.get("variables") or {}
        if (
            isinstance(language, str)
            and isinstance(types, dict)
            and types
            and all(kind in _KINDS and isinstance(what, dict) for kind, what in types.items())
            and isinstance(variables, dict)
            and all(isinstance(value, str) and value for value in variables.values())
            and _has_good_links(types.get("twilio/call-to-action"))
        ):
            return str(name), language, variables, types
    raise Refusal(20001, "The content is none: language and types are required, and every variable needs a sample")


def _has_good_links(what: object) -> bool:
    """Whether the buttons hold no variable, and their addresses at most one, at the end. True when there are none."""
    if not isinstance(what, dict):
        return True
    actions = [one for one in what.get("actions", ()) if isinstance(one, dict)]
    return bool(actions) and all(
        "{{" not in str(one.get("title", "{{")) and _BLANK_AT_END.fullmatch(str(one.get("url", "{"))) for one in actions
    )


def may_be_approved(content: Content) -> bool:
    """Whether WhatsApp would ever approve it."""
    return not any(kind in _NEVER_APPROVED for kind in content.types)


def read_variables(variables: str) -> dict[str, str]:
    """The variables of a message, which come as a JSON object in a string.

    Raises:
        Refusal: they do not, or one of them is empty.
    """
    try:
        given = json.loads(variables) if variables else {}
    except ValueError:
        given = None
    if not isinstance(given, dict) or not all(isinstance(value, str) and value for value in given.values()):
        raise Refusal(21656, "The ContentVariables parameter is invalid")
    return given


def fill(content: Content, variables: Mapping[str, str]) -> Filled:
    """The template with the variables of a message; what is left out is as in the example.

    Raises:
        Refusal: a variable is not what Twilio takes there.
    """
    words = {**content.variables, **variables}
    (kind, what), *_ = content.types.items()
    if not isinstance(what, dict):
        raise Refusal(21655, f"The ContentSid {content.sid} is invalid")
    raw = str(what.get("body", ""))
    if any(_BAD_IN_BODY.search(words.get(name, "")) for name in _BLANK.findall(raw)):
        raise Refusal(21656, "The ContentVariables parameter is invalid: a body takes no line breaks or tabs")

    def put(text: object) -> str:
        return _BLANK.sub(lambda blank: words.get(blank.group(1), blank.group()), str(text or ""))

    shown = Shown(is_approved=content.is_approved)
    if kind == "twilio/quick-reply":
        actions = [(put(one.get("id")), put(one.get("title"))) for one in what["actions"]]
        shown = Shown(buttons=tuple(Choice(*one) for one in actions), is_approved=content.is_approved)
    elif kind == "twilio/list-picker":
        rows = [(put(one.get("id")), put(one.get("item")), put(one.get("description"))) for one in what["items"]]
        shown = Shown(rows=tuple(Choice(*one) for one in rows), menu=put(what.get("button")))
    elif kind == "twilio/call-to-action":
        links = [(str(one.get("title")), put(one.get("url"))) for one in what["actions"]]
        shown = Shown(links=tuple(links), is_approved=content.is_approved)
    media = what.get("media")
    return Filled(put(raw), tuple(put(url) for url in media) if isinstance(media, list) else (), shown)


def is_within_limits(filled: Filled) -> bool:
    """Whether WhatsApp shows it. What is not comes back as 63021."""
    shown = filled.shown
    if shown.links:
        fits = (0 < len(title) <= _LINK_MAX and _WEB.fullmatch(url) for title, url in shown.links)
        return 0 < len(filled.body) <= _LINK_BODY_MAX and len(shown.links) <= _LINKS_MAX and all(fits)
    if not (shown.buttons or shown.rows):
        return True
    titles = [choice.title for choice in shown.buttons or shown.rows]
    most = _ROWS_MAX if shown.rows else _BUTTONS_MAX if shown.is_approved else _BUTTONS_IN_SESSION
    longest = _ROW_MAX if shown.rows else _BUTTON_MAX
    return (
        0 < len(filled.body) <= _BODY_MAX
        and len(titles) <= most
        and len(set(titles)) == len(titles)
        and all(0 < len(title) <= longest for title in titles)
        and all(len(row.description) <= _DETAIL_MAX for row in shown.rows)
        and (not shown.rows or 0 < len(shown.menu) <= _BUTTON_MAX)
    )
