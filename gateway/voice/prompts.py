"""What a bot always says on the telephone, sentence by sentence: made into sound before anybody calls.

A sentence with a value in it is left out, unless the value is the name of the business: it is spoken when it is known.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from bots import language as languages
from channels.voice.listen import Listen
from channels.voice.speech.cache import fixed, key_of
from channels.voice.words import spoken
from desk import bots, businesses, prompts, scenarios
from desk.businesses import Business
from desk.errors import WrongState
from desk.refs import Ref
from desk.who import Actor
from flows.definition import Scenario
from flows.load import load
from gateway.voice.services import SpeechServices, Whose
from gateway.voice.speech import choices
from storage.base import Db

_OURS: Final = "voice_"  # so begin the names of our own phrases on the telephone


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
    """What it says in the languages of the business, each sentence once."""
    texts = (
        (code, wording.pick("voice", short=is_short))
        for code in business.languages
        for wording in scenario.words.get(code, {}).values()
        for is_short in (False, True)
    )
    return _sentences(texts, business)


def of_ours(business: Business) -> list[Wanted]:
    """Our own phrases in these languages."""
    phrases = (
        (code, text)
        for code in business.languages
        for key, text in languages.load(code).phrases.items()
        if key.startswith(_OURS)
    )
    yes_or_no = (
        (code, choices(code, key, Listen("yes_no")))
        for code in business.languages
        for key in ("voice_choices", "voice_keys")
    )
    return _sentences((*phrases, *yes_or_no), business)


def of_bot(db: Db, bot: Whose) -> list[Wanted]:
    """All that it has published, with our own phrases."""
    if bot.bot_id is None:
        return []
    business = businesses.load(db, bot.business_id)
    found = dict.fromkeys(of_ours(business))
    for source in scenarios.texts(db, bot.bot_id).values():
        found |= dict.fromkeys(of_scenario(load(source), business))
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
    wanted = of_scenario(load(found.current.source), business)
    keys = {key_of(speech.provider, voices, one.text, one.language) for one in wanted}
    ready = prompts.ready(db, who.tenant_id, keys, now=now)
    return Progress(len(keys), ready, ready < len(keys) and prompts.is_due(db, found.bot_id))


def _sentences(texts: Iterable[tuple[str, str]], business: Business) -> list[Wanted]:
    """Those without a value. What does not end as a sentence does is a part of one, such as the label of a choice."""
    found: dict[Wanted, None] = {}
    for code, text in texts:
        for one in fixed(text.replace("{business}", business.name)):
            if one[-1] in ".?!" and (said := spoken(one, code)):
                found[Wanted(code, said)] = None
    return list(found)
