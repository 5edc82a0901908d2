"""From the application to a phone: taking a message, delivering it, and telling the application how it went."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from simulators.twilio import checks, contents
from simulators.twilio.checks import Draft, Refusal
from simulators.twilio.contents import Filled
from simulators.twilio.model import Message, Number, Received, Shown
from simulators.twilio.network import Network
from simulators.twilio.phone import Phone
from simulators.twilio.webhooks import Form

_NEVER_SENT = (30001, 30002)  # These end in `failed`; with every other error a message comes back `undelivered`.
_REASONS = {
    30001: "Queue overflow",
    30002: "Account suspended",
    30003: "Unreachable destination handset",
    30004: "Message blocked",
    30005: "Unknown destination handset",
    30006: "Landline or unreachable carrier",
    30007: "Message filtered",
    30008: "Unknown error",
    63015: "Channel Sandbox can only send messages to phone numbers that have joined the Sandbox",
    63016: "Failed to send freeform message because you are outside the allowed window",
    63021: "Channel invalid content error",
}
_WINDOW = timedelta(hours=24)
_LINK = re.compile(r"https?://\S+")
# Some of what Smart Encoding writes otherwise, which is on in a service unless somebody switches it off.
_CHEAPER = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": "-", "\u2026": "..."}
)


def send(network: Network, draft: Draft) -> Message:
    """Take a message from the application; its delivery goes on by itself.

    Raises:
        Refusal: Twilio does not take it.
    """
    candidate = _sender(network, draft)
    sender, at = checks.accept(
        draft,
        account=network.accounts[draft.account_sid],
        sender=candidate,
        is_opted_out=candidate is not None and (candidate.opt_out_scope, draft.to) in network.opted_out,
        is_landline=checks.is_phone_number(draft.to) and network.phone(draft.to).is_landline,
        now=network.clock(),
    )
    if not draft.status_callback and sender.status_callback_url:
        draft = replace(draft, status_callback=sender.status_callback_url)
    if draft.messaging_service_sid and not draft.to.startswith("whatsapp:"):
        draft = replace(draft, body=draft.body.translate(_CHEAPER))
    if draft.shorten_urls and draft.messaging_service_sid:
        draft = replace(draft, body=_LINK.sub(lambda _: f"https://twl.ink/{network.new_id()[:6]}", draft.body))
    return put_through(network, draft, sender, at=at)


def put_through(network: Network, draft: Draft, sender: Number, *, at: datetime | None = None) -> Message:
    """Send without any check, at once or at the given time."""
    now = network.clock()
    is_pooled = bool(draft.messaging_service_sid)
    message = Message(
        sid=("MM" if draft.media_urls else "SM") + network.new_id(),
        account_sid=draft.account_sid,
        sender=None if is_pooled else sender.number,
        to=draft.to,
        body=draft.body,
        direction=draft.direction,
        status="scheduled" if at else "accepted" if is_pooled else "queued",
        created_at=now,
        updated_at=now,
        messaging_service_sid=draft.messaging_service_sid or sender.messaging_service_sid,
        media_urls=draft.media_urls,
        status_callback=draft.status_callback or None,
        callback_method=draft.callback_method,
        shown=draft.shown or Shown(place=draft.place),
    )
    network.messages[message.sid] = message
    if message.messaging_service_sid:
        network.usual_number[message.messaging_service_sid, draft.to] = sender
    if at is None:
        _dispatch(network, message, sender)
    else:
        network.start(_dispatch_at(network, at, message, sender), sid=message.sid, is_scheduled=True)
    return message


def cancel(network: Network, message: Message) -> None:
    """Call off a scheduled message.

    Raises:
        Refusal: it no longer waits.
    """
    if message.status != "scheduled":
        raise Refusal(30409, "This message cannot be canceled: it is not scheduled")
    _move(network, message, "canceled", None)
    network.start(_report(network, message, _status_form(message, network.clock())), sid=message.sid)


def _sender(network: Network, draft: Draft) -> Number | None:
    """The account's number that will send it: the one asked for, or the service's that this phone is used to."""
    if draft.sender:
        number = network.numbers.get(draft.sender)
        is_fit = number is not None and number.account_sid == draft.account_sid
        if draft.messaging_service_sid:
            is_fit = is_fit and number is not None and number.messaging_service_sid == draft.messaging_service_sid
        return number if is_fit else None
    pool = [
        number
        for number in network.numbers.values()
        if number.messaging_service_sid == draft.messaging_service_sid and number.account_sid == draft.account_sid
    ]
    usual = network.usual_number.get((draft.messaging_service_sid, draft.to))
    return usual if usual in pool else next(iter(pool), None)


async def _dispatch_at(network: Network, at: datetime, message: Message, sender: Number) -> None:
    await network.sleep((at - network.clock()).total_seconds())
    if message.status == "scheduled":
        _dispatch(network, message, sender)


def _dispatch(network: Network, message: Message, sender: Number) -> None:
    """Put a message on the phone straight away, unless something is in the way; its states follow by themselves."""
    message.sender = sender.number
    phone = network.phone(message.to)
    error = network.dice.faults.undelivered_code if network.dice.strikes("undelivered") else phone.fails_with
    if error is None and message.to.startswith("whatsapp:"):
        error = _kept_off_whatsapp(network, message, sender)
    body, media_urls = message.body, message.media_urls  # As sent: by the time of a late delivery it may be redacted.

    def deliver() -> None:
        if error is None:
            phone.receive(Received(message.sid, sender.number, body, media_urls, network.clock(), message.shown))

    is_late = network.dice.strikes("delay")
    if not is_late:
        deliver()
    network.start(_travel(network, message, error, deliver if is_late else None), sid=message.sid)


def _kept_off_whatsapp(network: Network, message: Message, sender: Number) -> int | None:
    """The error with which WhatsApp turns it away. Twilio takes such a message all the same and reports it later."""
    if sender.is_sandbox and message.to not in network.joined:
        return 63015
    heard_at = network.heard_at.get((sender.number, message.to))
    if not message.shown.is_approved and (heard_at is None or network.clock() - heard_at >= _WINDOW):
        return 63016
    return None if contents.is_within_limits(Filled(message.body, shown=message.shown)) else 63021


async def read(network: Network, phone: Phone) -> None:
    """Report everything that has arrived on the phone as read."""
    for text in phone.inbox:
        message = network.messages.get(text.sid)
        if message is not None and message.status == "delivered":
            _move(network, message, "read", None)
            await _report(network, message, _status_form(message, network.clock()))


async def _travel(network: Network, message: Message, error: int | None, deliver: Callable[[], None] | None) -> None:
    dice = network.dice
    is_silent, is_twice = dice.strikes("never_status"), dice.strikes("status_duplicate")
    is_backwards = dice.strikes("status_out_of_order")
    if deliver is not None:
        await network.sleep(dice.faults.delay_s)
        deliver()
    outcome = "delivered" if error is None else "undelivered"
    states = ["queued", "failed"] if error in _NEVER_SENT else ["queued", "sent", outcome]
    kept_back: list[Form] = []
    for state in states:
        await network.sleep(network.pace_s)
        _move(network, message, state, error if state in ("failed", "undelivered") else None)
        reports = [] if is_silent else [_status_form(message, network.clock())] * (2 if is_twice else 1)
        if is_backwards:
            kept_back = reports + kept_back
        else:
            for form in reports:
                await _report(network, message, form)
    for form in kept_back:
        await _report(network, message, form)


def _move(network: Network, message: Message, status: str, error: int | None) -> None:
    message.status = status
    message.error_code = error
    message.updated_at = network.clock()
    if status == "sent":
        message.sent_at = message.updated_at


def _status_form(message: Message, now: datetime) -> Form:
    form = {
        "SmsSid": message.sid,
        "SmsStatus": message.status,
        "MessageStatus": message.status,
        "To": message.to,
        "MessageSid": message.sid,
        "AccountSid": message.account_sid,
        "ApiVersion": "2010-04-01",
    }
    if message.sender:
        form["From"] = message.sender
    if message.messaging_service_sid:
        form["MessagingServiceSid"] = message.messaging_service_sid
    if message.error_code:
        form |= {"ErrorCode": str(message.error_code), "ErrorMessage": reason(message.error_code)}
    if message.to.startswith("whatsapp:"):
        form |= {"ChannelPrefix": "whatsapp", "ChannelToAddress": message.to, "ChannelInstallSid": "XE" + "0" * 32}
        if message.status in ("delivered", "read"):
            form["EventType"] = message.status.upper()
    elif message.status == "delivered":
        form["RawDlrDoneDate"] = f"{now:%y%m%d%H%M}"
    return tuple(form.items())


def reason(error_code: int) -> str:
    """An error code in words."""
    return _REASONS.get(error_code, "Delivery failed")


async def _report(network: Network, message: Message, form: Form) -> None:
    if not message.status_callback:
        return
    post = await network.post(message.account_sid, message.status_callback, form, message.callback_method)
    if post.error is not None:
        text = f"the status callback was not accepted ({post.status})"
        network.alert(post.error, text, url=post.url, message_sid=message.sid)
