"""The words by which people stop, restart and ask for help, where the provider has not recognised them itself.

Some are also answers: in the middle of a booking "yes" is an answer, "cancel" means the appointment and "info" the
service. So those count only between conversations, except where the carrier has already acted on them: on US and
Canadian numbers CANCEL, END and QUIT block our messages before we see them, and pretending otherwise would leave us
writing into the void. Prompts by SMS must therefore never ask people to reply with one of them.

Only a whole message counts: "please stop by at 3" stops nothing. More languages are more rows.
"""

import unicodedata
from typing import Final

from channels.messages import OptOut

# word -> (meaning, whether it also is a natural answer), by language.
WORDS: Final[dict[str, dict[str, tuple[OptOut, bool]]]] = {
    "en": {
        **dict.fromkeys(("stop", "stopall", "stop all", "unsubscribe", "revoke", "optout", "opt out"), ("stop", False)),
        **dict.fromkeys(("cancel", "end", "quit"), ("stop", True)),
        **dict.fromkeys(("start", "unstop"), ("start", False)),
        "yes": ("start", True),
        "help": ("help", False),
        "info": ("help", True),
    },
    "es": {"parar": ("stop", False), "alto": ("stop", False), "ayuda": ("help", False)},
    "fr": {"arret": ("stop", False), "arreter": ("stop", False), "aide": ("help", False)},
    "de": {"stopp": ("stop", False), "abmelden": ("stop", False), "hilfe": ("help", False)},
}
_ALL: Final = {word: meaning for words in WORDS.values() for word, meaning in words.items()}
_LONGEST: Final = 4 * max(map(len, _ALL))
_INVISIBLE: Final = ("Mn", "Me", "Cf")  # accents, direction marks, joiners


def keywords_of(text: str, *, active: bool, carrier: bool = False) -> OptOut | None:
    """What the message asks for if it is one of the words and nothing else; case, accents and punctuation do not count.

    `active` is whether a conversation is under way and the person has not opted out, so that "yes", "cancel" and "info"
    are answers to it. `carrier` is the channel's `carrier_opt_out`: its stop words count even then.
    """
    if len(text) > _LONGEST:
        return None
    meaning, is_answer_too = _ALL.get(_plain(text), (None, False))
    is_answer = active and is_answer_too and not (carrier and meaning == "stop")
    return None if is_answer else meaning


def _plain(text: str) -> str:
    """Letters, digits and single spaces: `  "Arrêt!" ` and `OPT-OUT` become `arret` and `opt out`."""
    folded = unicodedata.normalize("NFKD", text).casefold()
    visible = (char for char in folded if unicodedata.category(char) not in _INVISIBLE)
    return " ".join("".join(char if char.isalnum() else " " for char in visible).split())
