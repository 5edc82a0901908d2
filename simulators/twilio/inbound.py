"""From a phone to the application: the signed webhook, and doing what the application answers."""

import asyncio
from collections.abc import Mapping, Sequence
from urllib.parse import urljoin

from simulators.twilio import optout, outbound, twiml
from simulators.twilio.checks import Draft, Refusal
from simulators.twilio.model import Exchange, Media, Message, Number, StoredMedia
from simulators.twilio.network import Network
from simulators.twilio.phone import Phone
from simulators.twilio.webhooks import Form, Post

_MOST_REDIRECTS = 10
_LONGEST_TEXT = 1600  # characters; what is longer comes as a file, as it does by some routes


class UnknownNumber(LookupError):  # noqa: N818 - like the LookupError it is
    """Nobody in this network owns that number."""


async def carry(
    network: Network,
    phone: Phone,
    to: str,
    body: str,
    *,
    media: Sequence[Media],
    extra: Mapping[str, str],
    sid: str | None,
) -> Exchange:
    """Take a text to the webhook of the number it was sent to, and act on the answer. See `Phone.text`."""
    number = network.numbers.get(to)
    if number is None:
        raise UnknownNumber(f"nobody owns {to!r}; there are {', '.join(network.numbers) or 'no numbers at all'}")
    network.heard_at[to, phone.number] = network.clock()
    if len(body) > _LONGEST_TEXT and not phone.number.startswith("whatsapp:"):
        body, media = "", (*media, Media(body.encode(), "text/plain"))
    message = _note(network, phone, number, body, media, sid)
    exchange = Exchange(message)
    reaction = _react(network, phone, number, exchange)
    if number.webhook_url:
        form = _form(network, phone, number, message, reaction, extra)
        is_held = await _meander(network, phone)
        await _ask(network, number, form, exchange)
        if not is_held and (overtaken := network.held.pop(phone.number, None)) is not None:
            overtaken.set()
    return exchange


def _note(
    network: Network, phone: Phone, number: Number, body: str, media: Sequence[Media], sid: str | None
) -> Message:
    if sid is not None and sid in network.messages:
        return network.messages[sid]
    now = network.clock()
    sid = sid or ("MM" if media else "SM") + network.new_id()
    stored = [
        StoredMedia(
            sid="ME" + network.new_id(), message_sid=sid, account_sid=number.account_sid, media=item, created_at=now
        )
        for item in media
    ]
    network.media.update((item.sid, item) for item in stored)
    message = Message(
        sid=sid,
        account_sid=number.account_sid,
        sender=phone.number,
        to=number.number,
        body=body,
        direction="inbound",
        status="received",
        created_at=now,
        updated_at=now,
        sent_at=now,
        messaging_service_sid=number.messaging_service_sid,
        media_urls=tuple(
            f"{network.url}/2010-04-01/Accounts/{number.account_sid}/Messages/{sid}/Media/{item.sid}" for item in stored
        ),
    )
    network.messages[sid] = message
    if number.messaging_service_sid:
        network.usual_number[number.messaging_service_sid, phone.number] = number
    return message


def _react(network: Network, phone: Phone, number: Number, exchange: Exchange) -> optout.Reaction:
    """What Twilio does about STOP and the like, before anyone else hears of it."""
    pair = (number.opt_out_scope, phone.number)
    policy = "none" if phone.number.startswith("whatsapp:") else number.opt_out  # On WhatsApp it is the bot's job.
    reaction = optout.react(policy, exchange.message.body, is_blocked=pair in network.opted_out)
    if reaction.is_blocked:
        network.opted_out.add(pair)
    else:
        network.opted_out.discard(pair)
    if reaction.answer:
        draft = Draft(account_sid=number.account_sid, to=phone.number, body=reaction.answer, direction="outbound-reply")
        exchange.replies.append(outbound.put_through(network, draft, number))
    return reaction


def _form(
    network: Network,
    phone: Phone,
    number: Number,
    message: Message,
    reaction: optout.Reaction,
    extra: Mapping[str, str],
) -> Form:
    form = {
        "ToCountry": number.country,
        "SmsMessageSid": message.sid,
        "NumMedia": str(len(message.media_urls)),
        "SmsSid": message.sid,
        "SmsStatus": "received",
        "Body": message.body,
        "To": message.to,
        "NumSegments": str(message.num_segments),
        "MessageSid": message.sid,
        "AccountSid": message.account_sid,
        "From": phone.number,
        "ApiVersion": "2010-04-01",
    }
    if phone.number.startswith("whatsapp:"):
        kind = message.media_urls and network.media[message.media_urls[0].rpartition("/")[2]].media.content_type
        form |= {"ProfileName": phone.name, "MessageType": kind.partition("/")[0] if kind else "text"}
        if phone.number.startswith("whatsapp:+"):
            form["WaId"] = phone.number.removeprefix("whatsapp:+")
        else:
            form["ExternalUserId"] = phone.number.removeprefix("whatsapp:")
        del form["ToCountry"], form["NumSegments"]
    else:
        form |= {"FromCity": phone.city, "FromState": phone.state, "FromZip": phone.zip_code}
        form |= {"FromCountry": phone.country}
        form |= {"ToCity": number.city, "ToState": number.state, "ToZip": number.zip_code}
    if number.messaging_service_sid:
        form["MessagingServiceSid"] = number.messaging_service_sid
    if reaction.opt_out_type:
        form["OptOutType"] = reaction.opt_out_type
    for place, url in enumerate(message.media_urls):
        form[f"MediaUrl{place}"] = url
        form[f"MediaContentType{place}"] = network.media[url.rpartition("/")[2]].media.content_type
    return tuple({**form, **extra}.items())


async def _meander(network: Network, phone: Phone) -> bool:
    """Lose time on the way if the dice say so; True if the text let another one overtake it."""
    faults = network.dice.faults
    is_held = phone.number not in network.held and network.dice.strikes("reorder")
    if is_held:
        overtaken = network.held[phone.number] = asyncio.Event()
        waits = [asyncio.ensure_future(overtaken.wait()), asyncio.ensure_future(network.sleep(faults.reorder_s))]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        if network.held.get(phone.number) is overtaken:
            del network.held[phone.number]
    if network.dice.strikes("delay"):
        await network.sleep(faults.delay_s)
    return is_held


async def _ask(network: Network, number: Number, form: Form, exchange: Exchange) -> None:
    """Call the webhook, and the fallback if that leads nowhere."""
    copies = network.dice.faults.copies if network.dice.strikes("duplicate") else 0
    posts = await asyncio.gather(
        *(network.post(number.account_sid, number.webhook_url, form, number.webhook_method) for _ in range(copies + 1))
    )
    exchange.posts += posts
    # Only one answer is acted on: Twilio sends a copy because it has lost sight of the first.
    error = await _obey(network, number, form, posts[0], exchange)
    if error is not None and number.fallback_url:
        form += (("ErrorCode", str(error)), ("ErrorUrl", exchange.posts[-1].url))
        post = await network.post(number.account_sid, number.fallback_url, form, number.webhook_method)
        exchange.posts.append(post)
        await _obey(network, number, form, post, exchange)


async def _obey(network: Network, number: Number, form: Form, post: Post, exchange: Exchange) -> int | None:
    """Do what the answer says, following its redirects; the error's number, with an alert, if it makes no sense."""
    sid = exchange.message.sid
    for _ in range(_MOST_REDIRECTS):
        if post.error is not None:
            network.alert(post.error, f"no usable answer ({post.status})", url=post.url, message_sid=sid)
            return post.error
        try:
            document = twiml.read(post.content_type, post.answer)
        except twiml.Unreadable as error:
            network.alert(error.code, str(error), url=post.url, message_sid=sid)
            return error.code
        for code, text in document.warnings:
            network.alert(code, text, url=post.url, message_sid=sid)
        for verb in document.messages:
            _reply(network, number, verb, post.url, exchange)
        if document.redirect is None:
            return None
        target = urljoin(post.url, document.redirect.url)
        post = await network.post(number.account_sid, target, form, document.redirect.method)
        exchange.posts.append(post)
    network.alert(11215, f"more than {_MOST_REDIRECTS} redirects", url=post.url, message_sid=sid)
    return 11215


def _reply(network: Network, number: Number, verb: twiml.Message, answered_by: str, exchange: Exchange) -> None:
    draft = Draft(
        account_sid=number.account_sid,
        to=verb.to or exchange.message.sender or "",
        sender=verb.sender or number.number,
        body=verb.body,
        media_urls=verb.media,
        status_callback=urljoin(answered_by, verb.action) if verb.action else "",
        callback_method=verb.method,
        direction="outbound-reply",
    )
    try:
        exchange.replies.append(outbound.send(network, draft))
    except Refusal as refusal:
        network.alert(refusal.code, refusal.text, url=answered_by, message_sid=exchange.message.sid)
