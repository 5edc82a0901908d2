"""From what a recogniser made of a caller, or from keys, to what they meant by it."""

import re
from typing import Final

from channels.messages import Choice, Part, Text
from channels.voice.listen import AGAIN, PERSON, Listen

# Said while listening, and not an answer to anything. "okay" is one where yes or no was asked.
_BACKCHANNEL: Final = re.compile(
    r"\W*(?:(?:uh[ -]?huh|mm+[ -]?hmm*|mm+|hm+|u[hm]+|er+m?|ah|oh|okay|ok|right|i see|got it|alright|all right)\W*)+"
)
_NOISE: Final = re.compile(r"\W*(?:(?:uh[ -]?huh|mm+[ -]?hmm*|mm+|hm+|u[hm]+|er+m?|ah|oh)\W*)+")
_LISTENING: Final = (
    "uh huh",
    "uh-huh",
    "mm hmm",
    "mhm",
    "um",
    "ah",
    "oh",
    "okay",
    "right",
    "i see",
    "got it",
    "alright",
)
_SMS: Final = re.compile(
    r"\b(?:text|sms|message)\s+(?:it|that|this|me|them)\b|\bsend (?:me )?(?:a|an|it by|that by) (?:text|sms)\b"
)
_VOICEMAIL: Final = re.compile(r"\bvoice ?mail\b|\b(?:leave|record) (?:you |him |her |them )?a message\b")
# What sounds like a number. They stand for it alone, and beside what goes with numbers only.
_SOUNDS: Final = {
    "to": "two",
    "too": "two",
    "for": "four",
    "fore": "four",
    "won": "one",
    "ate": "eight",
    "tree": "three",
}
_ALONE: Final = re.compile(
    r"\W*((?:(?:option|number|choice|the|press|uh|um)\s+)*)(to|too|for|fore|won|ate|tree)((?:\s+please)?)\W*",
    re.IGNORECASE,
)
_BESIDE: Final = re.compile(
    r"\b(to|too|for|fore|won|ate|tree)\b(?=\s+(?:[ap]\.?\s?m\b|o'?clock|thirty|fifteen|forty[ -]five))", re.IGNORECASE
)
_YES_AND_NO: Final = {"one": "yes", "two": "no"}


def is_backchannel(text: str, listen: Listen) -> bool:
    """Whether it is a noise of listening rather than an answer."""
    folded = text.casefold().strip()
    return bool((_NOISE if listen.is_consent else _BACKCHANNEL).fullmatch(folded)) if folded else True


def may_be_backchannel(text: str, listen: Listen) -> bool:
    """Whether what was understood so far may yet become no more than a noise of listening."""
    folded = text.casefold().strip()
    if not folded:
        return False
    is_beginning = any(noise.startswith(folded) and is_backchannel(noise, listen) for noise in _LISTENING)
    return is_beginning or is_backchannel(folded, listen)


def wants_text(text: str) -> bool:
    """Whether the caller would rather read it: "text me that"."""
    return _SMS.search(text.casefold()) is not None


def wants_voicemail(text: str) -> bool:
    """Whether the caller would rather leave a message."""
    return _VOICEMAIL.search(text.casefold()) is not None


def said(text: str, listen: Listen, language: str = "en") -> str:
    """The caller's words with numbers where only numbers make sense: recognisers write "to" for "two" in English."""
    if language[:2].lower() != "en":
        return " ".join(text.split())
    words = _BESIDE.sub(lambda found: _SOUNDS[found[1].casefold()], " ".join(text.split()))
    alone = _ALONE.fullmatch(words)
    if alone is None or listen.kind in ("name", "long", "open"):
        return words
    number = _SOUNDS[alone[2].casefold()]
    return _YES_AND_NO.get(number, number) if listen.is_consent and not listen.options else number


def pressed(digits: str, listen: Listen, *, person: str) -> Part | None:
    """What the keys mean; None for "say it again". `person` are the words that ask for one."""
    if digits == AGAIN:
        return None
    if digits == PERSON and listen.kind != "long":
        return Text(person)
    option = listen.keys.get(digits)
    if option is None:
        return Text(digits.strip("#*"))
    return Choice(option.id, option.title) if option.id else Text(option.title)
