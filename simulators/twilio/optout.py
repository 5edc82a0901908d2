"""What Twilio itself does about STOP, START and HELP before the application hears of it."""

from dataclasses import dataclass
from typing import Literal

Policy = Literal["default", "advanced", "none"]
Kind = Literal["STOP", "START", "HELP"]

_WORDS: dict[str, Kind] = {
    **dict.fromkeys(("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"), "STOP"),
    **dict.fromkeys(("START", "YES", "UNSTOP"), "START"),
    **dict.fromkeys(("HELP", "INFO"), "HELP"),
}
_ANSWERS: dict[Kind, str] = {
    "STOP": "You are unsubscribed and will get no more messages from this number. Reply START to subscribe again.",
    "START": "You are subscribed again. Reply HELP for help, STOP to unsubscribe.",
    "HELP": "Reply STOP to unsubscribe. Message and data rates may apply.",
}


@dataclass(frozen=True, slots=True)
class Reaction:
    """`answer` is what Twilio texts back by itself; `opt_out_type` is what it tells the webhook."""

    is_blocked: bool
    answer: str | None = None
    opt_out_type: Kind | None = None


def react(policy: Policy, body: str, *, is_blocked: bool) -> Reaction:
    """How a number under `policy` reacts to a text from someone who is blocked or not.

    Only a message that is nothing but the word counts. Who is not blocked can say YES as often as they like:
    by default nothing happens (the word is far too common in conversations). A second STOP stays unanswered.
    """
    kind = _WORDS.get(body.strip().upper()) if policy != "none" else None
    if kind is None:
        return Reaction(is_blocked)
    opt_out_type = kind if policy == "advanced" else None
    blocked_after = {"STOP": True, "START": False, "HELP": is_blocked}[kind]
    is_news = kind == "HELP" or blocked_after != is_blocked
    if not is_news and kind == "START":
        return Reaction(is_blocked)
    return Reaction(blocked_after, _ANSWERS[kind] if is_news else None, opt_out_type)
