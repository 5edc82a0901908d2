"""What a bot always says on the telephone, sentence by sentence: made into sound before anybody calls.

A sentence with a value in it is left out, unless the value is the name of the business: it is spoken when it is known. So
are choices that follow from the data, such as services and times.
"""

import hashlib
from datetime import datetime
from typing import Final, NamedTuple

import orjson

from bots import language as languages
from bots import registry
from channels import messages
from channels.voice.listen import Listen
from channels.voice.speech.cache import fixed, key_of
from channels.voice.words import spoken
from desk import bots, businesses, prompts, scenarios
from desk.businesses import Business
from desk.errors import WrongState
from desk.refs import Ref
from desk.who import Actor
from flows.definition import Scenario
from flows.machine import fixed_options
from gateway.voice.services import SpeechServices, Whose
from gateway.voice.speech import choices, in_line
from storage.base import Db

_OURS: Final = "voice_"  # so begin the names of our own phrases on the telephone
_PLACES: Final = range(2, 6)  # of those in line; who is further behind hears it made for them
# What a bot says between any questions, on the telephone too.
_BETWEEN: Final = frozenset(("sorry", "moment", "stale", "nod", "unknown", "upset", "back", "broken"))


class Wanted(NamedTuple):
    """A sentence, in which language."""

    language: str
    text: str


class Progress(NamedTuple):
    """`is_due`: the rest is being made, or will be."""

    sentences: int
    ready: int
    is_due: bool


def of_scenario(scenario: Scenario, business: Business) -> list[Wanted]:
    """What it says in the languages of the business, each sentence once, and the choices of its questions with their keys."""
    found: dict[Wanted, None] = {}
    said = _said(scenario)
    for code in _codes(business):
        spoken_in = code if code in scenario.words else scenario.languages[0]  # as the engine chooses
        for key, wording in scenario.words[spoken_in].items():
            for is_short in (False, True) if key in said else ():
                found |= _sentences(code, spoken(_of(business, wording.pick("voice", short=is_short)), code))
        for slot, options in fixed_options(scenario, spoken_in).items():
            listen = Listen.to(scenario.slots[slot].type, [messages.Option(one.id, one.label) for one in options])
            found |= _choices(code, listen)
    return list(found)


def of_ours(business: Business) -> list[Wanted]:
    """Our own phrases in these languages."""
    found: dict[Wanted, None] = {}
    for code in _codes(business):
        for key, text in languages.load(code).phrases.items():
            if (key.startswith(_OURS) or key in _BETWEEN) and text[-1] in ".?!":  # else it is a part of another one
                found |= _sentences(code, spoken(_of(business, text), code))
        for place in _PLACES:
            found |= _sentences(code, in_line(code, place))
        found |= _choices(code, Listen("yes_no"))
    return list(found)


def made_of(speech: SpeechServices) -> str:
    """A digest of what decides about all prompts without being in the database: the settings, and our own phrases. Empty
    when nothing is made by these settings.
    """
    usual = speech.usual_prompts()
    phrases = [dict(languages.load(code).phrases) for code in languages.known()]
    return "" if usual is None else hashlib.sha256(orjson.dumps([usual, phrases])).hexdigest()[:32]


def of_bot(db: Db, bot: Whose) -> list[Wanted]:
    """All that it has published, with our own phrases."""
    if bot.bot_id is None:
        return []
    business = businesses.load(db, bot.business_id)
    found = dict.fromkeys(of_ours(business))
    for source in scenarios.texts(db, bot.bot_id).values():
        found |= dict.fromkeys(of_scenario(registry.read(source), business))
    return list(found)


def progress(db: Db, who: Actor, bot: Ref, ref: Ref, *, speech: SpeechServices, now: datetime) -> Progress | None:
    """How far it is with the published text of a scenario, without our own phrases; None when nothing is made, since no
    service speaks or Twilio speaks for us.

    Raises: NotFound; WrongState, when nothing is published
    """
    found = scenarios.get(db, who, bot, ref)
    if found.current is None:
        raise WrongState("scenario", found.id, "draft", "Nothing of this scenario is published.")
    business = businesses.load(db, bots.row(db, who, bot).business_id)
    voices = speech.prompt_voices(db, Whose(who.tenant_id, business.id, found.bot_id))
    if voices is None:
        return None
    wanted = of_scenario(registry.read(found.current.source), business)
    keys = {key_of(speech.provider, voices, one.text, one.language) for one in wanted}
    ready = prompts.ready(db, who.tenant_id, keys, now=now)
    return Progress(len(keys), ready, ready < len(keys) and prompts.is_due(db, found.bot_id))


def _said(scenario: Scenario) -> frozenset[str]:
    """The keys of the words that are said by themselves: labels of choices are not, unless they are said as well."""
    labels = {choice.word for slot in scenario.slots.values() for choice in slot.choices}
    said = {state.say for state in scenario.states.values() if state.say is not None}
    return frozenset(key for words in scenario.words.values() for key in words if key in said or key not in labels)


def _codes(business: Business) -> list[str]:
    """The languages in which the bot speaks for that business."""
    return list(dict.fromkeys(languages.load(code).code for code in business.languages))


def _of(business: Business, text: str) -> str:
    return text.replace("{business}", business.name)


def _choices(code: str, listen: Listen) -> dict[Wanted, None]:
    """How they are told behind a question, and to whoever is silent."""
    told, offered = choices(code, "voice_choices", listen), choices(code, "voice_keys", listen)
    return _sentences(code, told) | _sentences(code, offered)


def _sentences(code: str, said: str) -> dict[Wanted, None]:
    """Those without a value."""
    return {Wanted(code, one): None for one in fixed(said)}
