"""Whether Twilio takes a message, and the error it gives when it does not."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from simulators.twilio.model import Account, Number, Shown

_ADDRESS = re.compile(r"(whatsapp:)?\+[1-9]\d{6,14}|whatsapp:[A-Z]{2}\.[A-Za-z0-9._-]{1,128}")
_SOONEST, _LATEST = timedelta(minutes=5), timedelta(days=35)
_LONGEST_BODY, _MOST_MEDIA = 1600, 10


class Refusal(Exception):  # noqa: N818 - the trade says it so
    """Twilio's answer to a request it does not accept."""

    def __init__(self, code: int, text: str, *, status: int = 400) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A message that the application wants sent."""

    account_sid: str
    to: str
    sender: str = ""
    messaging_service_sid: str = ""
    body: str = ""
    media_urls: tuple[str, ...] = ()
    shown: Shown | None = None  # of a template that was filled in
    place: str = ""
    shorten_urls: bool = False
    status_callback: str = ""
    callback_method: str = "POST"
    schedule_type: str = ""
    send_at: str = ""
    direction: str = "outbound-api"


def is_phone_number(address: str) -> bool:
    """Whether this is a number that Twilio can text, with or without `whatsapp:`, or the id of somebody on WhatsApp who
    shows no number.
    """
    return _ADDRESS.fullmatch(address) is not None


def accept(
    draft: Draft, *, account: Account, sender: Number | None, is_opted_out: bool, is_landline: bool, now: datetime
) -> tuple[Number, datetime | None]:
    """Who sends it, and the time for which it is scheduled, or None for at once.

    `sender` is the account's number that would send it, or None if it has no such number.

    Raises:
        Refusal: the first thing wrong with it, in about the order in which Twilio looks.
    """
    if not draft.to:
        raise Refusal(21604, "A 'To' phone number is required.")
    if not draft.sender and not draft.messaging_service_sid:
        raise Refusal(21603, "A 'From' phone number is required.")
    if not is_phone_number(draft.to):
        raise Refusal(21211, f"Invalid 'To' Phone Number: {draft.to}")
    if draft.to == draft.sender:
        code = 63031 if draft.to.startswith("whatsapp:") else 21266
        raise Refusal(code, "'To' and 'From' number cannot be the same")
    sender = _checked_sender(draft, sender)
    _check_content(draft)
    if draft.status_callback and not _is_web_address(draft.status_callback):
        raise Refusal(21609, f"The 'StatusCallback' URL {draft.status_callback} is not a valid URL.")
    if draft.to.startswith("+") and not draft.to.startswith(account.prefixes):
        raise Refusal(21408, f"Permission to send an SMS has not been enabled for the region of {draft.to}")
    if is_landline:
        raise Refusal(21614, f"'To' number is not a valid mobile number: {draft.to}")
    if is_opted_out:
        raise Refusal(21610, "Attempt to send to unsubscribed recipient")
    return sender, _scheduled_for(draft, now)


def _checked_sender(draft: Draft, sender: Number | None) -> Number:
    if sender is not None:
        if draft.to.startswith("whatsapp:") != sender.number.startswith("whatsapp:"):
            raise Refusal(21606, f"The 'From' number {sender.number} cannot message {draft.to}")
        return sender
    if not draft.sender:
        raise Refusal(21701, f"The Messaging Service {draft.messaging_service_sid} does not exist")
    if not is_phone_number(draft.sender):
        raise Refusal(21212, f"Invalid 'From' Phone Number: {draft.sender}")
    raise Refusal(21606, f"The 'From' phone number {draft.sender} is not yours or cannot send messages")


def _check_content(draft: Draft) -> None:
    if not draft.body and not draft.media_urls:
        raise Refusal(21602, "Message body is required.")
    if len(draft.body) > _LONGEST_BODY:
        raise Refusal(21617, f"The concatenated message body exceeds the {_LONGEST_BODY} character limit")
    most_media = 1 if draft.to.startswith("whatsapp:") else _MOST_MEDIA
    if len(draft.media_urls) > most_media:
        raise Refusal(21623, f"Number of media files exceeds the limit of {most_media}")
    if wrong := [url for url in draft.media_urls if not _is_web_address(url)]:
        raise Refusal(21620, f"Invalid media URL(s): {', '.join(wrong)}")


def _scheduled_for(draft: Draft, now: datetime) -> datetime | None:
    if not draft.schedule_type:
        return None
    if not draft.messaging_service_sid:
        raise Refusal(35118, "MessagingServiceSid is required to schedule a message")
    if not draft.send_at:
        raise Refusal(35111, "SendAt cannot be empty for ScheduleType 'fixed'")
    try:
        at = datetime.fromisoformat(draft.send_at)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or not _SOONEST <= at - now <= _LATEST:
        raise Refusal(35114, "SendAt time must be between 300 seconds and 35 days in the future, inclusive")
    return at


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
