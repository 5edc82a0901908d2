"""The words by which people stop, restart and ask for help, where the provider has not recognised them itself.

Some are also answers: in the middle of a booking "yes" is an answer, "cancel" means the appointment and "info" the
service. So those count only between conversations, except where the carrier has already acted on them: on US and
Canadian numbers CANCEL, END and QUIT block our messages before we see them, and pretending otherwise would leave us
writing into the void. Prompts by SMS must therefore never ask people to reply with one of them.

Offers alone can be stopped as well ("no more offers", "stop promotions"), and asked for again ("start offers"); no carrier
knows of that, and it answers no question of ours.

Only a whole message counts: "please stop by at 3" stops nothing. More languages are more rows.
"""

import unicodedata
from collections.abc import Iterator
from itertools import product
from typing import Final, Literal, NamedTuple

from channels.messages import OptOut


class Word(NamedTuple):
    """`languages` are all that have it. `is_answer`: it also is a natural answer. `is_carriers`: US and Canadian carriers act
    on it and answer it. `purpose`: what it is about, `marketing` for offers alone.
    """

    meaning: OptOut
    languages: tuple[str, ...]
    is_answer: bool
    is_carriers: bool
    purpose: Literal["all", "marketing"] = "all"


# language -> meaning -> words that mean only that, and words that also are natural answers.
WORDS: Final[dict[str, dict[OptOut, tuple[str, str]]]] = {
    "en": {
        "stop": ("stop|stopall|stop all|unsubscribe|revoke|optout|opt out", "cancel|end|quit"),
        "start": ("start|unstop|resubscribe", "yes"),
        "help": ("help", "info"),
    },
    "es": {
        "stop": ("parar|pare|alto|detener|baja|darme de baja|no mas mensajes", "cancelar"),
        "start": ("empezar|iniciar|comenzar|reanudar|alta", ""),
        "help": ("ayuda", ""),
    },
    "fr": {
        "stop": ("arret|arreter|arretez|desabonner|se desabonner|desinscrire|desinscription", "annuler"),
        "start": ("demarrer|commencer|reabonner|reprendre", ""),
        "help": ("aide", ""),
    },
    "de": {
        "stop": ("stopp|stoppen|abmelden|abbestellen|austragen|keine nachrichten mehr", "beenden"),
        "start": ("starten|fortsetzen", "anmelden"),
        "help": ("hilfe", ""),
    },
    "pt": {
        "stop": ("parar|pare|sair|descadastrar|cancelar inscricao|nao enviar", "cancelar"),
        "start": ("comecar|iniciar|retomar|voltar a receber", ""),
        "help": ("ajuda", ""),
    },
}
# The same of offers alone: (how it begins, what it is about, how it ends), each of which goes with each. Without apostrophes, as
# `_plain` leaves them.
OFFERS: Final[dict[str, dict[Literal["stop", "start"], tuple[tuple[str, str, str], ...]]]] = {
    "en": {
        "stop": (
            (
                "stop|stop the|stop all|stop your|stop sending|stop sending me|no|no more|do not send me|don t send me|"
                "dont send me|unsubscribe from",
                "promotions|promotion|promos|promo|offers|offer|ads|advertising|marketing|promotional messages|"
                "marketing messages",
                "|please",
            ),
        ),
        "start": (("start|restart|resume", "offers|promotions|promos", "|again"),),
    },
    "es": {
        "stop": (
            (
                "stop|no|no mas|sin|sin mas|basta de|parar|parar las|detener|no enviar|no enviar mas|no me envie|no me envie mas|"
                "no me envien mas|no me mande mas|no quiero|no quiero mas|no quiero recibir|dejar de recibir",
                "ofertas|promociones|publicidad|anuncios",
                "|por favor",
            ),
        ),
        "start": (("start|recibir|reanudar", "ofertas|promociones", "|de nuevo|otra vez"),),
    },
    "fr": {
        "stop": (
            (
                "stop|stop les|stop aux|arret|arreter les|arretez les|pas de|pas d|ne plus recevoir de|"
                "ne plus recevoir d|ne m envoyez plus de|ne m envoyez plus d|je ne veux plus de|je ne veux plus d",
                "offres|promotions|promos|promo|publicite|publicites|pub|pubs",
                "|svp|s il vous plait",
            ),
            (
                "plus de|plus aucune",
                "publicite|pub",
                "|svp|s il vous plait",
            ),  # "plus d'offres" may be a wish for more of them
        ),
        "start": (("start|recevoir|recevoir les|recevoir des", "offres|promotions|promos", "|a nouveau"),),
    },
    "de": {
        "stop": (
            (
                "keine|keine weitere|keine weiteren|stop|stopp|stoppen sie die|senden sie mir keine|"
                "schicken sie mir keine|ich mochte keine|ich will keine",
                "werbung|angebote|aktionen|werbenachrichten|newsletter",
                "|mehr|bitte|mehr bitte",
            ),
            (
                "",
                "werbung|angebote|aktionen|werbenachrichten|newsletter",
                "stop|stopp|stoppen|abbestellen|abmelden|beenden",
            ),
        ),
        "start": (
            ("start", "angebote|werbung|aktionen", ""),
            ("", "angebote|werbung|aktionen", "starten|erhalten|wieder erhalten"),
        ),
    },
    "pt": {
        "stop": (
            (
                "stop|sem|sem mais|chega de|parar|parar as|parar com|pare com|nao enviar|nao envie|nao envie mais|nao me envie|"
                "nao me envie mais|nao me mande|nao me mande mais|nao quero|nao quero mais|nao quero receber|"
                "nao quero receber mais",
                "ofertas|promocoes|publicidade|propaganda|propagandas|anuncios",
                "|por favor",
            ),
        ),
        "start": (("start|receber|retomar", "ofertas|promocoes", "|de novo|novamente"),),
    },
}
# Twilio's defaults (help.twilio.com, "Twilio support for opt-out keywords").
_CARRIERS: Final = frozenset(
    "stop stopall unsubscribe cancel end quit revoke optout start yes unstop help info".split()
)
_ALL: Final[dict[str, Word]] = {}  # what several languages have means the same in all of them
for _language, _meanings in WORDS.items():
    for _meaning, _lists in _meanings.items():
        for _is_answer, _list in enumerate(_lists):
            for _word in filter(None, _list.split("|")):
                _found = _ALL.get(_word) or Word(_meaning, (), bool(_is_answer), _word in _CARRIERS)
                _ALL[_word] = _found._replace(languages=(*_found.languages, _language))


def _of_offers(language: str, meaning: Literal["stop", "start"]) -> Iterator[str]:
    for lists in OFFERS[language][meaning]:
        for words in product(*(each.split("|") for each in lists)):
            yield " ".join(filter(None, words))


for _language, _about_offers in OFFERS.items():
    for _offer_meaning in _about_offers:
        for _word in _of_offers(_language, _offer_meaning):
            _found = _ALL.get(_word) or Word(
                _offer_meaning, (), is_answer=False, is_carriers=False, purpose="marketing"
            )
            _ALL[_word] = _found._replace(languages=(*_found.languages, _language))
_LONGEST: Final = 4 * max(map(len, _ALL))
_INVISIBLE: Final = ("Mn", "Me", "Cf")  # accents, direction marks, joiners


def find(text: str) -> Word | None:
    """The word that the whole message is; case, accents and punctuation do not count."""
    return None if len(text) > _LONGEST else _ALL.get(_plain(text))


def keywords_of(text: str, *, active: bool, carrier: bool = False) -> OptOut | None:
    """What the message asks for, of all that we write, if it is one of the words and nothing else.

    `active` is whether a conversation is under way and the person has not opted out, so that "yes", "cancel" and "info"
    are answers to it. `carrier` is the channel's `carrier_opt_out`: its stop words count even then.
    """
    word = find(text)
    is_for_all = word is not None and word.purpose == "all"
    return word.meaning if word is not None and is_for_all and counts(word, active=active, carrier=carrier) else None


def counts(word: Word, *, active: bool, carrier: bool) -> bool:
    """Whether the word is more than an answer here (see `keywords_of`)."""
    return not (active and word.is_answer) or (carrier and word.meaning == "stop" and word.is_carriers)


def _plain(text: str) -> str:
    """Letters, digits and single spaces: `  "Arrêt!" ` and `OPT-OUT` become `arret` and `opt out`."""
    folded = unicodedata.normalize("NFKD", text).casefold()
    visible = (char for char in folded if unicodedata.category(char) not in _INVISIBLE)
    return " ".join("".join(char if char.isalnum() else " " for char in visible).split())
