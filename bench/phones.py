"""The benchmark's customers: six texts that end in a booking, as the requests Twilio would make, signed beforehand.

Nothing of the product is used here, so that a mistake cannot stand on both sides.
"""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Iterator
from datetime import date
from typing import Final, NamedTuple
from urllib.parse import urlencode

from bench import shop
from bench.shop import Visit

PATH: Final = "/api/v1/webhooks/twilio/messages"
PUBLIC_URL: Final = "https://frontdesk.example"  # what the vendor knows and signs
STEPS: Final = 6


class Step(NamedTuple):
    """One text. `answer` are the pieces that a right answer contains, as the bytes of its TwiML."""

    sid: str
    text: str
    request: bytes
    answer: tuple[bytes, ...]


class Dialogue(NamedTuple):
    """One phone, from "hi" to the booked visit."""

    number: int
    phone: str
    visit: Visit
    steps: tuple[Step, ...]


def dialogues(today: date, *, run: int = 0, first: int = 0) -> Iterator[Dialogue]:
    """One phone after the other, each with a free visit of its own, until the shop is full.

    `run` keeps the message ids of two runs on one database apart.
    """
    return (dialogue(number, today, run=run) for number in range(first, shop.CAPACITY))


def dialogue(number: int, today: date, *, run: int = 0, visit: Visit | None = None) -> Dialogue:
    """The phone with that number and all it will say; it wants the visit with its number unless it is given another."""
    visit = visit or shop.visit(number, today)
    phone = f"+1555{number + 2_000_000:07d}"  # an area code that nobody has
    what = f"{visit.service} on {visit.day_words} at {visit.time_words}"
    script = (
        ("hi", [shop.NAME]),
        ("book", ["book?", *shop.SERVICES]),
        (visit.service.lower(), [visit.service, "day"]),
        (f"{visit.day:%B} {visit.day.day} {visit.day.year}", [visit.day_words, "ime"]),
        (visit.time_words.lower(), [what, "$35"]),
        ("yes", [f"Booked: {what}", "reference"]),
    )
    steps = []
    for place, (text, answer) in enumerate(script):
        sid = f"SM{run:08x}{number:016x}{place:08x}"
        pieces = tuple(piece.encode() for piece in ("<Response>", *answer, "</Response>"))
        steps.append(Step(sid, text, request(sid, phone, text), pieces))
    return Dialogue(number, phone, visit, tuple(steps))


def stop(said: Dialogue) -> Step:
    """What that phone may say last: nobody answers it, for the carrier has done so."""
    sid = f"{said.steps[-1].sid[:-8]}{STEPS:08x}"
    return Step(sid, "STOP", request(sid, said.phone, "STOP"), (b"<Response/>",))


def form(sid: str, phone: str, text: str, *, to: str = shop.NUMBER) -> dict[str, str]:
    """What Twilio posts for a text (reference, whatsapp-sms.md A2)."""
    return {
        "ToCountry": "US",
        "ToState": "TX",
        "SmsMessageSid": sid,
        "NumMedia": "0",
        "ToCity": "AUSTIN",
        "FromZip": "78704",
        "SmsSid": sid,
        "FromState": "TX",
        "SmsStatus": "received",
        "FromCity": "AUSTIN",
        "Body": text,
        "FromCountry": "US",
        "To": to,
        "ToZip": "78701",
        "NumSegments": "1",
        "MessageSid": sid,
        "AccountSid": shop.TWILIO_ACCOUNT,
        "From": phone,
        "ApiVersion": "2010-04-01",
    }


def signature(fields: dict[str, str], *, path: str = PATH, token: str = shop.TWILIO_TOKEN) -> str:
    """What Twilio puts into X-Twilio-Signature (reference, twilio-voice.md section 1)."""
    signed = PUBLIC_URL + path + "".join(name + fields[name] for name in sorted(fields))
    return b64encode(hmac.digest(token.encode(), signed.encode(), hashlib.sha1)).decode()


def request(sid: str, phone: str, text: str, *, to: str = shop.NUMBER) -> bytes:
    """A whole HTTP request, ready for the wire."""
    fields = form(sid, phone, text, to=to)
    body = urlencode(fields)
    head = (
        f"POST {PATH} HTTP/1.1\r\n"
        f"Host: {PUBLIC_URL.removeprefix('https://')}\r\n"
        "Content-Type: application/x-www-form-urlencoded; charset=UTF-8\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"X-Twilio-Signature: {signature(fields)}\r\n"
        f"I-Twilio-Idempotency-Token: {sid}\r\n"
        "Accept: */*\r\n"
        "User-Agent: TwilioProxy/1.1\r\n\r\n"
    )
    return (head + body).encode()
