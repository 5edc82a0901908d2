"""Twilio's forms to our messages, our messages to TwiML and to REST parameters. No I/O.

One form serves SMS, MMS and WhatsApp; what a form lacks stays empty. Source: reference, whatsapp-sms.md part A.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Final
from urllib.parse import quote

import orjson

from channels import written
from channels.base import AccountKeys, Request
from channels.clean import clean, clean_json
from channels.errors import BadRequest
from channels.messages import (
    Address,
    Charge,
    Choice,
    Event,
    Form,
    InboundMessage,
    Location,
    Media,
    MediaKind,
    Notice,
    OptOut,
    OutboundMessage,
    Part,
    Referral,
    Status,
    StatusUpdate,
    Text,
    Unsupported,
)
from channels.twilio import content

Fields = Mapping[str, str]
Parameters = dict[str, str | bool | list[str]]  # of the SDK's `messages.create`

REFERENCE: Final = "ref"  # our own parameter in status URLs
_NAME_MAX: Final = 200
_MEDIA_MAX: Final = 20
_STATUSES: Final[dict[str, Status]] = {
    "accepted": "queued",
    "scheduled": "queued",
    "queued": "queued",
    "sending": "sending",
    "sent": "sent",
    "partially_delivered": "sent",  # of several recipients some have it: more would be a promise
    "delivered": "delivered",
    "read": "read",
    "undelivered": "undelivered",
    "failed": "failed",
    "canceled": "canceled",
}
_KINDS: Final[dict[str, MediaKind]] = {
    "image": "image",
    "video": "video",
    "audio": "audio",
    "document": "document",
    "sticker": "sticker",
}
_OPT_OUTS: Final[dict[str, OptOut]] = {"STOP": "stop", "START": "start", "HELP": "help"}

# Two capitals and then letters of one case: a signature does not say where a name ends and its value begins, so whoever
# replays a request may shift the next parameter's name, which has both, into the id and make the message look new.
_SID: Final = re.compile(r"[A-Z]{2}(?:[0-9a-z_-]{1,62}|[0-9A-Z_-]{1,62})")
_FULL_NUMBER: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_BARE_NUMBER: Final = re.compile(r"[1-9][0-9]{8,14}")
_SHORT_CODE: Final = re.compile(r"[0-9]{3,8}")
_SENDER_NAME: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 &+_.-]{1,11}")
_BSUID: Final = re.compile(r"[A-Z]{2}\.[A-Za-z0-9._-]{1,128}")
_SEPARATORS: Final = re.compile(r"[\s().\-/]")


# -- What comes in -----------------------------------------------------------------------------------------------------


def has_plausible_names(request: Request) -> bool:
    """Whether all form parameters are named as Twilio names them: a capital and another letter first.

    `Body=bC1` and `Body=b&C=1` have the same signature, since it runs names and values together; the second is refused.
    """
    if request.method == "GET":
        return True  # the URL is signed as it stands, our own parameters included
    return all(_is_plausible(name) for name, _ in request.form)


@lru_cache(512)
def _is_plausible(name: str) -> bool:
    return name[:1].isupper() and name[1:2].isalpha() and name.isascii()


def is_whatsapp(request: Request) -> bool:
    """Whether the form is about WhatsApp; both come to the same address."""
    return any(name in ("From", "To") and value[:9].lower() == "whatsapp:" for name, value in request.form)


def decode(request: Request) -> tuple[Event, ...]:
    """The message or the status that the form holds; a status that we have no word for is just news.

    Raises:
        BadRequest: naming the parameter that is missing or wrong.
    """
    fields = dict(request.form)
    if not ("".join(fields).isprintable() and "".join(fields.values()).isprintable()):
        fields = {clean(name): clean(value) for name, value in fields.items()}
    status = fields.get("MessageStatus") or fields.get("SmsStatus") or "received"
    if status in ("received", "receiving"):
        return (_message(fields),)
    sender = _address(fields, "From") if fields.get("From") else None
    account, service = fields.get("AccountSid", ""), fields.get("MessagingServiceSid", "")
    known = status_of(status)
    if known is None:  # of a number alone: an account of Twilio's may be that of several tenants
        return (Notice(sender, account, service, raw=dict(fields)),) if sender or service else ()
    return (
        StatusUpdate(
            _sid(fields),
            known,
            error_code=fields.get("ErrorCode", ""),
            error_text=fields.get("ErrorMessage", ""),
            reference=clean(request.query.get(REFERENCE, "")) if "?" in request.url else "",
            sender=sender,
            provider_account=account,
            provider_service=service,
            raw=dict(fields),
        ),
    )


def charge_of(sid: str, price: object, unit: object) -> Charge | None:
    """What a message has cost: Twilio takes it off the balance, so its price is negative. None while it has none yet."""
    try:
        millionths = round(-Decimal(str(price)) * 1_000_000)
    except (InvalidOperation, ValueError, OverflowError):  # no number, or none that counts
        return None
    currency = str(unit or "").upper()
    if not (0 <= millionths < 10**12 and len(currency) == 3 and currency.isascii() and currency.isalpha()):
        return None
    return Charge(sid, millionths, currency)


def status_of(twilio_status: str) -> Status | None:
    """Our word for Twilio's; None when it has none."""
    return _STATUSES.get(twilio_status)


def _message(fields: Fields) -> InboundMessage:
    sender = _address(fields, "From")
    opt_out = fields.get("OptOutType", "")
    return InboundMessage(
        _sid(fields),
        sender,
        _address(fields, "To"),
        _parts(fields),
        profile_name=fields.get("ProfileName", "")[:_NAME_MAX],
        other_identities=_other_identities(fields, sender),
        reply_to=fields.get("OriginalRepliedMessageSid") or None,
        opt_out=_OPT_OUTS.get(opt_out.upper()),
        answered_by_provider=opt_out != "",
        forwarded=fields.get("Forwarded") == "true" or fields.get("FrequentlyForwarded") == "true",
        frequently_forwarded=fields.get("FrequentlyForwarded") == "true",
        referral=_referral(fields) if "ReferralSourceId" in fields or "ReferralSourceUrl" in fields else None,
        provider_account=fields.get("AccountSid", ""),
        provider_service=fields.get("MessagingServiceSid", ""),
        raw=dict(fields),
    )


def _parts(fields: Fields) -> tuple[Part, ...]:
    body = fields.get("Body", "")
    parts: list[Part] = []
    if fields.get("ButtonPayload") or fields.get("ButtonText"):
        is_template = fields.get("MessageType") == "button"  # else one of ours within the window
        title = fields.get("ButtonText") or body
        parts.append(Choice(fields.get("ButtonPayload", ""), title, source="template" if is_template else "button"))
    elif fields.get("ListId") or fields.get("ListTitle"):
        parts.append(Choice(fields.get("ListId", ""), fields.get("ListTitle") or body, source="list"))
    elif form := fields.get("FlowData") or fields.get("InteractiveData"):
        parts.append(_form(form, body))
    elif "Latitude" in fields or "Longitude" in fields:
        place = _location(fields)
        is_said = body in ("", fields.get("Label", ""), fields.get("Address", ""))
        parts += [place] if is_said else [Text(body), place]
    elif body:
        parts.append(Text(body))
    if fields.get("NumMedia", "0") != "0":
        files = [_media(fields, index) for index in range(_number_of_media(fields))]
        parts += [replace(files[0], written=True)] if _is_long_text(fields, parts, files) else files
    if not parts:
        kind = fields.get("MessageType", "text")
        parts.append(Text("") if kind == "text" else Unsupported(kind))
    return tuple(parts)


def _is_long_text(fields: Fields, parts: Sequence[Part], files: Sequence[Media]) -> bool:
    """Whether the one file is what they wrote. On WhatsApp nobody has to: a text file there is a document that was sent."""
    is_text = len(files) == 1 and written.is_plain(files[0].content_type) and bool(files[0].url)
    return is_text and all(isinstance(part, Text) for part in parts) and fields["From"][:9].lower() != "whatsapp:"


def _form(data: str, body: str) -> Form:
    try:
        answers = clean_json(orjson.loads(data))
    except ValueError:
        return Form(text=body or data)
    return Form(text=body, data=answers if isinstance(answers, dict) else {"value": answers})


def _location(fields: Fields) -> Location | Unsupported:
    """Where it is nowhere on earth, the rest of the message is kept, and the payload."""
    latitude, longitude = _degrees(fields, "Latitude", 90), _degrees(fields, "Longitude", 180)
    if latitude is None or longitude is None:
        return Unsupported("location")
    return Location(latitude, longitude, fields.get("Label", ""), fields.get("Address", ""))


def _degrees(fields: Fields, name: str, limit: int) -> float | None:
    try:
        degrees = float(fields[name])
    except (KeyError, ValueError):
        return None
    return degrees if -limit <= degrees <= limit else None


def _number_of_media(fields: Fields) -> int:
    number = fields["NumMedia"]
    if not (number.isascii() and number.isdigit() and len(number) < 4 and int(number) <= _MEDIA_MAX):
        raise BadRequest("NumMedia", f"not a number from 0 to {_MEDIA_MAX}")
    return int(number)


def _media(fields: Fields, index: int) -> Media:
    content_type = fields.get(f"MediaContentType{index}", "")
    family = content_type.partition("/")[0].strip().lower()
    # WhatsApp says how it was sent, a sticker or an image as a document; else the content type tells.
    kind = _KINDS.get(fields.get("MessageType", "")) or _KINDS.get(family, "document")
    is_voice = content_type.lower().startswith(("audio/ogg", "audio/amr"))  # what phones record; songs come as mpeg
    return Media(kind, url=fields.get(f"MediaUrl{index}", ""), content_type=content_type, voice=is_voice)


def _referral(fields: Fields) -> Referral:
    return Referral(
        source_url=fields.get("ReferralSourceUrl", ""),
        source_type=fields.get("ReferralSourceType", ""),
        source_id=fields.get("ReferralSourceId", ""),
        headline=fields.get("ReferralHeadline", ""),
        body=fields.get("ReferralBody", ""),
        media_url=fields.get("ReferralMediaUrl", ""),
        media_type=fields.get("ReferralMediaContentType", ""),
        click_id=fields.get("ReferralCtwaClid", ""),
    )


def _sid(fields: Fields) -> str:
    sid = fields.get("MessageSid") or fields.get("SmsSid") or ""
    if not _SID.fullmatch(sid):
        raise BadRequest("MessageSid", "missing" if not sid else "not a message id")
    return sid


def _address(fields: Fields, name: str) -> Address:
    value = fields.get(name, "")
    if _FULL_NUMBER.fullmatch(value):
        return Address("phone", value)
    if address := address_from(value):
        return address
    raise BadRequest(name, "neither a number, a short code nor a sender name" if value else "missing")


def address_from(value: str) -> Address | None:
    """The one canonical form of an address as Twilio or a person writes it; None when it is none.

    Digits of any script, direction marks and separators are put right. A full number without its plus gets one.
    """
    plain = "".join(map(_ascii_digit, unicodedata.normalize("NFKC", value))).strip()
    prefix, colon, rest = plain.rpartition(":")
    if colon and prefix.lower() != "whatsapp":
        return None
    number = _SEPARATORS.sub("", rest)
    if _BARE_NUMBER.fullmatch(number):
        number = "+" + number
    if _FULL_NUMBER.fullmatch(number):
        return Address("whatsapp" if colon else "phone", number)
    if colon:
        return Address("bsuid", rest) if _BSUID.fullmatch(rest) else None
    if _SHORT_CODE.fullmatch(number):
        return Address("phone", number)
    return Address("phone", rest) if _SENDER_NAME.fullmatch(rest) else None


def _ascii_digit(char: str) -> str:
    if char.isascii():
        return char
    if char.isdecimal():
        return str(unicodedata.decimal(char))
    return "" if unicodedata.category(char) == "Cf" else char


def _other_identities(fields: Fields, sender: Address) -> tuple[Address, ...]:
    """The sender's WhatsApp number, which may differ from the one written in From, and the business-scoped id."""
    found = []
    if (wa_id := fields.get("WaId", "")) and _BARE_NUMBER.fullmatch(wa_id):
        found.append(Address("whatsapp", "+" + wa_id))
    if (user_id := fields.get("ExternalUserId", "")) and _BSUID.fullmatch(user_id):
        found.append(Address("bsuid", user_id))
    return tuple(address for address in found if address != sender)


# -- What goes out -----------------------------------------------------------------------------------------------------


def twiml(messages: Iterable[OutboundMessage], *, status_url: str = "") -> bytes:
    """The TwiML that sends the messages as an answer to a webhook; `<Response/>` when there are none.

    TwiML knows texts and files; the rest of a message must be rendered into these before.
    """
    verbs = "".join([_verb(message, status_url) for message in messages])
    root = f"<Response>{verbs}</Response>" if verbs else "<Response/>"
    return f'<?xml version="1.0" encoding="UTF-8"?>{root}'.encode()


def _verb(message: OutboundMessage, status_url: str) -> str:
    body = f"<Body>{_escaped(message.text)}</Body>" if message.text.strip() else ""
    files = "".join([f"<Media>{_escaped(file.url)}</Media>" for file in message.media if file.url])
    if not body and not files:
        return ""
    action = f' action="{_escaped(with_reference(status_url, message.reference))}"' if status_url else ""
    return f"<Message{action}>{body}{files}</Message>"


def rest_parameters(
    message: OutboundMessage, *, to: Address, sender: Address, keys: AccountKeys, status_url: str = ""
) -> Parameters:
    """The keyword arguments of the SDK's `messages.create`; with a `service_id` Twilio picks a sender from its pool, unless
    the keys hold it to ours: From may stand beside the service (twilio.com/docs/errors/21603).

    Links can be shortened for senders of such a pool alone (twilio.com/docs/messaging/features/link-shortening).
    """
    parameters: Parameters = {"to": address_to(to)}
    if keys.service_id:
        parameters["messaging_service_sid"] = keys.service_id
        if keys.shortens_links:
            parameters["shorten_urls"] = True
    if not keys.service_id or keys.keeps_sender:
        parameters["from_"] = address_to(sender)
    if template := message.template:
        parameters["content_sid"] = template.name
        if template.variables:
            parameters["content_variables"] = content.as_json(template.variables)
    else:
        if message.text:
            parameters["body"] = clean(message.text)
        # A card goes as a file of the type text/vcard (twilio.com/docs/whatsapp/guidance-whatsapp-media-messages).
        card = message.contact.url if message.contact else ""
        if urls := [*filter(None, (*(file.url for file in message.media), card))]:
            parameters["media_url"] = urls
        if place := message.location:
            name = clean(place.name or place.address)
            parameters["persistent_action"] = [f"geo:{place.latitude},{place.longitude}|{clean(place.address) or name}"]
            parameters.setdefault(
                "body", name or f"{place.latitude}, {place.longitude}"
            )  # required, and shown above it
    if status_url:
        parameters["status_callback"] = with_reference(status_url, message.reference)
    return parameters


def address_to(address: Address) -> str:
    """The address as Twilio writes it."""
    return f"whatsapp:{address.value}" if address.kind in ("whatsapp", "bsuid") else address.value


def with_reference(status_url: str, reference: str) -> str:
    """The status URL for one message. Twilio signs the whole URL, so the reference comes back unchanged."""
    if not reference:
        return status_url
    return f"{status_url}{'&' if '?' in status_url else '?'}{REFERENCE}={quote(reference, safe='')}"


def _escaped(text: str) -> str:
    text = clean(text)
    if "&" in text or "<" in text or ">" in text or '"' in text:
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return text
