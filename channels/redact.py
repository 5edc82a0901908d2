"""What may be seen of a vendor's requests and answers: names, ids and states. Never words, names, numbers or keys.

Only what is known to be harmless is shown, so that a field of tomorrow is hidden until somebody has looked at it. Of
other texts the length is left (`•12`), of addresses the last four digits.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

import orjson

from channels.base import Request
from channels.errors import BadRequest
from channels.messages import JSON

MOST: Final = 4_000  # bytes of one side of a row; what is longer is cut
_DEEPEST: Final = 8
_LONGEST: Final = 60  # items of a list or fields of an object
_SHOWN: Final = re.compile(r"[\w.:/+=, -]{1,120}", re.ASCII)
_PATH: Final = re.compile(r"[\w.:/=-]{0,300}", re.ASCII)  # an address of Twilio's has two or three long ids in it
_NAME: Final = re.compile(r"[\w.:\[\]-]{1,80}", re.ASCII)  # no database chokes on these
_ADDRESSES: Final = frozenset(("from", "to", "waid", "wa_id", "recipient_id", "display_phone_number", "input"))
_FORM: Final = "application/x-www-form-urlencoded"
_KEPT: Final = frozenset(
    (
        # Twilio's webhooks and answers
        "messagesid smssid smsmessagesid accountsid messagingservicesid smsstatus messagestatus nummedia numsegments "
        "apiversion errorcode eventtype fromcountry tocountry optouttype originalrepliedmessagesid messagetype "
        "referralnummedia channelprefix channelinstallsid apiversion rawdlrdonedate statuscallback "
        "sid account_sid messaging_service_sid status error_code num_segments num_media direction date_created "
        "date_sent date_updated api_version price price_unit code more_info contentsid content_sid shortenurls "
        # Meta's
        "object field messaging_product type timestamp phone_number_id category pricing_model billable conversation_id "
        "error_subcode fbtrace_id mime_type message_status recipient_type expiration_timestamp policy success file_size "
        "event message_template_id message_template_name message_template_language previous_category new_category "
        "current_limit decision "
        # ours
        "site content_type method"
    ).split()
)


def received(request: Request, part: Mapping[str, JSON] | None = None) -> dict[str, JSON]:
    """What is seen of a webhook: its method, its path without parameters, and its fields. Of a body that may tell of several
    numbers only `part`, where that is given. `origin` is that of the page, if a browser has asked.
    """
    seen: dict[str, JSON] = {"method": request.method, "path": _shown(request.url.partition("?")[0])}
    if origin := request.headers.get("origin"):
        seen["origin"] = _shown(origin)
    if request.form:
        seen["fields"] = fields(request.form)
    elif part is not None:
        seen["body"] = _cut(_walk("", dict(part), 0))
    elif request.body:
        seen["body"] = body(request.body)
    return seen


def of_account(request: Request, account: str) -> dict[str, JSON] | None:
    """What a body in entries, such as Meta's, has of that account of the vendor's; None for any other body."""
    try:
        told = orjson.loads(request.body)
    except orjson.JSONDecodeError:
        return None
    entries = told.get("entry") if isinstance(told, dict) else None
    if not isinstance(entries, list):
        return None
    return {**told, "entry": [one for one in entries if isinstance(one, dict) and one.get("id") == account]}


def sent(method: str, url: str, content: bytes) -> dict[str, JSON]:
    """What is seen of a request of ours. A query may name people, so of the address only host and path are left."""
    parts = urlsplit(url)
    where = f"{parts.scheme}://{parts.netloc}"
    is_short = _PATH.fullmatch(parts.path) is not None
    seen: dict[str, JSON] = {
        "method": method,
        "url": f"{_shown(where)}{parts.path if is_short else _length(parts.path)}",
    }
    if content:
        seen["body"] = body(content)
    return seen


def fields(pairs: Iterable[tuple[str, str]]) -> JSON:
    """Fields of a form; of a repeated one the last."""
    return _cut({_name(name): _value(name, value) for name, value in list(pairs)[:_LONGEST]})


def body(content: bytes) -> JSON:
    """JSON or a form, as far as it may be seen; of anything else the number of bytes."""
    if content[:1] in (b"{", b"["):
        try:
            return _cut(_walk("", orjson.loads(content), 0))
        except orjson.JSONDecodeError:
            return {"bytes": len(content)}
    try:
        form = Request.read("POST", "", _AS_FORM, content).form if b"=" in content[:200] else ()
    except BadRequest:
        form = ()
    return fields(form) if form else {"bytes": len(content)}


def shown(name: str, value: str) -> str:
    """One text under its name."""
    return _value(name, value)


_AS_FORM: Final[Mapping[str, str]] = {"content-type": _FORM}


def _walk(name: str, value: JSON, depth: int) -> JSON:
    if isinstance(value, dict):
        if depth >= _DEEPEST:
            return "•"
        return {_name(key): _walk(key, each, depth + 1) for key, each in list(value.items())[:_LONGEST]}
    if isinstance(value, list):
        return "•" if depth >= _DEEPEST else [_walk(name, each, depth + 1) for each in value[:_LONGEST]]
    if isinstance(value, str):
        return _value(name, value)
    if value is None or isinstance(value, bool) or name.lower() in _KEPT:
        return value
    return "•"


def _name(name: str) -> str:
    return name if _NAME.fullmatch(name) else _length(name)


def _value(name: str, value: str) -> str:
    low = name.lower()
    if low in _KEPT:
        return _shown(value)
    if low in _ADDRESSES:
        return f"•{value[-4:]}" if len(value) >= 8 and value[-4:].isdecimal() else _length(value)
    return _length(value)


def _shown(value: str) -> str:
    return value if _SHOWN.fullmatch(value) else _length(value)


def _length(value: str) -> str:
    return f"•{len(value)}" if value else ""


def _cut(seen: JSON) -> JSON:
    size = len(orjson.dumps(seen, default=str))
    return seen if size <= MOST else {"bytes": size, "cut": True}
