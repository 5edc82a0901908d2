"""What the law wants said to STOP, START and HELP, of all or of offers alone, in the language in which it was asked."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal

from sqlalchemy import bindparam, select

from storage.base import Db
from storage.models.businesses import businesses
from storage.prepared import Prepared

Word = Literal["stop", "start", "help", "stop_offers", "start_offers"]

# By SMS people read this on a telephone: short, no word that a carrier takes for another one, GSM letters where possible.
_TEXTS: Final[Mapping[str, Mapping[Word, str]]] = MappingProxyType(
    {
        "en": {
            "stop": "{name}: you will get no more messages from this number. Reply START to get them again.",
            "start": "{name}: welcome back, you will get our messages again. Reply STOP to end them, HELP for help.",
            "stop_offers": "{name}: you will get no more offers here. Messages about your visits still come. Reply START OFFERS "
            "to get offers again.",
            "start_offers": "{name}: you will get our offers again. Reply STOP OFFERS to end them, STOP to end all messages.",
            "help": "{name}: this is how we book visits and write about them.{contact} Reply STOP to get no more messages.",
        },
        "es": {
            "stop": "{name}: no recibirá más mensajes de este número. Responda START para recibirlos de nuevo.",
            "start": "{name}: volverá a recibir nuestros mensajes. Responda STOP para terminar, AYUDA para ayuda.",
            "stop_offers": "{name}: aquí no recibirá más ofertas. Los mensajes sobre sus citas siguen llegando. Responda START "
            "OFERTAS para recibirlas de nuevo.",
            "start_offers": "{name}: volverá a recibir nuestras ofertas. Responda STOP OFERTAS para no recibirlas, STOP para no "
            "recibir nada.",
            "help": "{name}: por aquí reservamos citas y escribimos sobre ellas.{contact} Responda STOP para no recibir más "
            "mensajes.",
        },
        "fr": {
            "stop": "{name} : vous ne recevrez plus de messages de ce numéro. Répondez START pour en recevoir à nouveau.",
            "start": "{name} : vous recevrez à nouveau nos messages. Répondez STOP pour arrêter, AIDE pour de l'aide.",
            "stop_offers": "{name} : vous ne recevrez plus d'offres ici. Les messages sur vos rendez-vous continuent. "
            "Répondez START OFFRES pour en recevoir à nouveau.",
            "start_offers": "{name} : vous recevrez à nouveau nos offres. Répondez STOP OFFRES pour les arrêter, STOP pour tout "
            "arrêter.",
            "help": "{name} : ici nous prenons vos rendez-vous et vous écrivons à leur sujet.{contact} Répondez STOP pour ne "
            "plus recevoir de messages.",
        },
        "de": {
            "stop": "{name}: Sie erhalten keine Nachrichten mehr von dieser Nummer. Mit START bekommen Sie sie wieder.",
            "start": "{name}: Sie erhalten unsere Nachrichten wieder. Mit STOP beenden Sie das, mit HILFE gibt es Hilfe.",
            "stop_offers": "{name}: Sie erhalten hier keine Angebote mehr. Nachrichten zu Ihren Terminen kommen "
            "weiterhin. Mit START ANGEBOTE bekommen Sie sie wieder.",
            "start_offers": "{name}: Sie erhalten unsere Angebote wieder. Mit STOP ANGEBOTE beenden Sie das, mit "
            "STOP endet alles.",
            "help": "{name}: hier vereinbaren wir Besuche und schreiben Ihnen dazu.{contact} Mit STOP erhalten Sie keine "
            "Nachrichten mehr.",
        },
        "pt": {
            "stop": "{name}: você não receberá mais mensagens deste número. Responda START para voltar a recebê-las.",
            "start": "{name}: você voltará a receber as nossas mensagens. Responda STOP para parar, AJUDA para ajuda.",
            "stop_offers": "{name}: você não receberá mais ofertas aqui. As mensagens sobre as suas visitas continuam. "
            "Responda START OFERTAS para voltar a recebê-las.",
            "start_offers": "{name}: você voltará a receber as nossas ofertas. Responda STOP OFERTAS para parar com elas, STOP "
            "para parar tudo.",
            "help": "{name}: por aqui marcamos visitas e escrevemos sobre elas.{contact} Responda STOP para não receber mais "
            "mensagens.",
        },
    }
)


def answer(db: Db, business_id: int, word: Word, *, asked_in: Sequence[str], known: Sequence[str]) -> str:
    """The sentence; who we are and how to reach us stand in it.

    `asked_in` are the languages that have the word with which it was asked. Which of them is meant tell the languages that
    are `known` of the customer, the likeliest first, and then those of the business. English words are everybody's, and
    answered in whichever of these we speak.
    """
    row = _BUSINESS(db, {"business_id": business_id}).one()
    reach = [one for one in (row.phone, row.website) if one]
    likely = [*known, *(tag[:2].lower() for tag in row.languages)]
    meant = [one for one in likely if one in (_TEXTS if "en" in asked_in else asked_in)]
    texts = _TEXTS.get((*meant, *asked_in)[0], _TEXTS["en"])
    return texts[word].format(name=row.name, contact=f" {', '.join(reach)}." if reach else "")


_b = businesses.c
_BUSINESS = Prepared(select(_b.name, _b.phone, _b.website, _b.languages).where(_b.id == bindparam("business_id")))
