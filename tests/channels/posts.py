"""Requests as the vendors would send them, and the recorded payloads."""

import json
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode

from channels.base import AccountKeys, Request
from channels.meta.signing import signature as hub_signature
from channels.signing import sign

PAYLOADS = Path(__file__).parent / "payloads"
PUBLIC_URL = "https://desk.example.com"
KEYS = AccountKeys("AC00000000000000000000000000000001", ("token-new", "token-old"), PUBLIC_URL)


def recorded(vendor: str, name: str) -> dict[str, str]:
    """The fields of one recorded payload."""
    fields: dict[str, str] = json.loads((PAYLOADS / vendor / f"{name}.json").read_text("utf-8"))
    return fields


def form_post(form: Mapping[str, str], url: str = "/webhooks/twilio/messages", *, secret: str = "token-new") -> Request:
    """A form post with Twilio's signature."""
    body = urlencode(form, errors="surrogatepass").encode()
    unsigned = Request.read("POST", url, {"Content-Type": "application/x-www-form-urlencoded"}, body)
    return signed(unsigned, sign(secret, PUBLIC_URL + url, unsigned.form))


def signed(request: Request, signature: str) -> Request:
    """The same request with another signature."""
    headers = {**request.headers, "x-twilio-signature": signature}
    return Request(request.method, request.url, headers, request.body, request.form)


def hub_post(data: object, url: str = "/webhooks/whatsapp", *, secret: str = "token-new") -> Request:
    """A JSON post with Meta's signature; bytes go as they are."""
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    headers = {"Content-Type": "application/json", "X-Hub-Signature-256": hub_signature(secret, body)}
    return Request.read("POST", url, headers, body)


def json_post(data: object, url: str = "/webchat") -> Request:
    """A JSON post; bytes go as they are."""
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    return Request.read("POST", url, {"Content-Type": "application/json"}, body)
