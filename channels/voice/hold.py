"""TwiML for a caller who is passed on to a person, and for the person. No I/O.

The caller is put into a queue of their own, so whoever takes them takes nobody else; where they stand in line is for us
to know. Source: reference, twilio-voice.md sections 5, 6 and 9.
"""

from typing import Final
from xml.sax.saxutils import escape, quoteattr

from channels.base import Answer
from channels.voice.codec import say, twiml

_KEY_S: Final = 10  # in which whoever was called presses a key
_JOIN_S: Final = 10  # in which the caller is there to be joined with: some words may still be said to them


def enqueue(text: str, name: str, *, wait: str, action: str, language: str, file: str = "") -> Answer:
    """Say it and let them wait. `wait` is asked again and again for what they hear; `action` once they wait no more."""
    attributes = f'waitUrl={quoteattr(wait)} waitUrlMethod="POST" action={quoteattr(action)} method="POST"'
    return twiml(f"{say(text, language, file)}<Enqueue {attributes}>{escape(name)}</Enqueue>")


def music(text: str, sound: str, *, key: str, again: str, language: str, file: str = "") -> Answer:
    """Words, if any, and a while of music, through which a key can be pressed; nothing that is said is listened to."""
    gather = f'<Gather input="dtmf" numDigits="1" timeout="1" action={quoteattr(key)} method="POST">'
    inside = f"{say(text, language, file)}<Play>{escape(sound)}</Play>"
    return twiml(f'{gather}{inside}</Gather><Redirect method="POST">{escape(again)}</Redirect>')


def leave() -> Answer:
    """Out of the line; what follows is asked of its action."""
    return twiml("<Leave/>")


def whisper(text: str, *, action: str, language: str) -> Answer:
    """Tell who calls and wait for a key. Whatever happens, even nothing, goes to `action`."""
    attributes = f'input="dtmf" numDigits="1" timeout="{_KEY_S}" actionOnEmptyResult="true"'
    gather = f'<Gather {attributes} action={quoteattr(action)} method="POST">'
    return twiml(f"{gather}{say(text, language)}</Gather><Hangup/>")


def join(text: str, name: str, *, action: str, language: str) -> Answer:
    """Say it and speak with who waits in that queue, until one of them hangs up or we are let go with the star key. When
    nobody is there (they may just have hung up), `action` follows soon.
    """
    dial = f'<Dial timeout="{_JOIN_S}" action={quoteattr(action)} method="POST" hangupOnStar="true">'
    return twiml(f"{say(text, language)}{dial}<Queue>{escape(name)}</Queue></Dial>")


def dial(
    text: str,
    to: str,
    *,
    sender: str,
    ring_s: int,
    action: str,
    report: str,
    first: str,
    detected: str,
    language: str,
) -> Answer:
    """Say it and call that number, as ours; at `action` it goes on once they have spoken or nobody picked up, and `report` is
    told how that phone does. Whoever picks up hears what `first` says, and the two speak once that has run out. `detected` is
    told who that is: a person at once, a machine when it records.
    """
    number = (
        f'<Number url={quoteattr(first)} method="POST" statusCallback={quoteattr(report)}'
        ' statusCallbackEvent="initiated ringing answered completed"'
        f' machineDetection="DetectMessageEnd" amdStatusCallback={quoteattr(detected)}>{escape(to)}</Number>'
    )
    attributes = f'callerId={quoteattr(sender)} timeout="{ring_s}" action={quoteattr(action)} method="POST"'
    return twiml(f"{say(text, language)}<Dial {attributes}>{number}</Dial>")


def go_on(text: str, url: str, *, language: str) -> Answer:
    """Say it and go on there."""
    return twiml(f'{say(text, language)}<Redirect method="POST">{escape(url)}</Redirect>')
