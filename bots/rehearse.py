"""Rehearsals with the real understanding, in a made-up shop: a scenario proves itself wherever it will be used."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

from bots import choose, language
from bots.choose import Begin, Said
from bots.ear import Ear
from bots.effects import declared
from bots.flow import Level
from bots.loaded import Choices, LoadedBot, LoadedScenario, Spoken
from bots.render import Voice
from bots.times import ANYONE, option
from channels import split
from desk.businesses import Business, Faq, Range, Service, Staff
from desk.who import Actor
from flows import events, testing
from flows.effects import Lookup
from flows.machine import Compiled
from flows.state import Option, Run, SlotValue

# A Monday morning; nothing about a rehearsal depends on when it is held.
NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)

_WAIT: Final = re.compile(r"/wait (\d{1,5})([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def run(compiled: Compiled, *, check: Callable[[], None] = lambda: None) -> tuple[testing.Verdict, ...]:
    """The scenario's own tests, played. `check` is called before each turn, and may raise to end it all."""

    def interpret(text: str, compiled: Compiled, at: Run, now: datetime) -> events.Event:
        check()
        return _interpret(text, compiled, at, now)

    def opening(text: str, compiled: Compiled, now: datetime) -> dict[str, SlotValue]:
        check()
        return _opening(text, compiled, now)

    return testing.run_tests(compiled, declared(), NOW, interpret=interpret, opening=opening, offers=_offers)


def rehearsal(compiled: Compiled, *, now: datetime = NOW) -> testing.Rehearsal:
    """A conversation to be played by hand, without side effects."""
    return testing.Rehearsal(compiled, declared(), now, interpret=_interpret, opening=_opening, offers=_offers)


def wait_of(line: str) -> timedelta | None:
    """How long `/wait 30m` lets time pass; None for any other words."""
    found = _WAIT.fullmatch(line)
    return None if found is None else timedelta(**{_UNITS[found[2]]: int(found[1])})


def sms_parts(text: str) -> int:
    """How many SMS a text takes, for the linter."""
    return split.count(split.plain(text)).parts


def _interpret(text: str, compiled: Compiled, at: Run, now: datetime) -> events.Event:
    scenario = LoadedScenario.of(0, compiled)
    bot, asked = _shop(at.lang), choose.asked_slot(Level(scenario, at))
    if asked is not None and asked.type == "file" and text.startswith("[") and text.endswith("]"):
        return events.Answer({asked.name: SlotValue(text[1:-1], text[1:-1])})  # how a test writes one
    reading = choose.at_question(bot, bot.ear(at.lang), Level(scenario, at), Said(text), now)
    if isinstance(reading, choose.Aside | Begin):
        return events.Resume()  # it is talked past; in a rehearsal that is over at once
    return events.Invalid() if isinstance(reading, choose.Unsure) else reading


def _opening(text: str, compiled: Compiled, now: datetime) -> dict[str, SlotValue]:
    lang = compiled.scenario.languages[0] if compiled.scenario.languages else language.DEFAULT
    return choose.opening(_shop(lang).ear(lang), LoadedScenario.of(0, compiled), text, now)


def _offers(effect: Lookup, at: Run) -> events.Found:
    """What the made-up shop offers."""
    offered = _choices(effect.source, _shop(at.lang), at.lang)
    return events.Found(offered, {"day": "the day", "more": ""}, effect.ticket)


def _choices(source: str, shop: LoadedBot, lang: str) -> tuple[Option, ...]:
    choices, voice = shop.choices(lang), shop.voice(lang)
    if source == "services":
        return choices.services
    if source == "staff":
        return choices.staff
    if source == "days":
        days = [NOW.date() + timedelta(days=ahead) for ahead in (1, 2, 3)]
        return tuple(Option(day.isoformat(), voice.day(day), day.isoformat()) for day in days)
    if source == "free_times":
        day = date(2026, 3, 3)
        starts = [datetime.combine(day, time(hour), tzinfo=voice.zone) for hour in (9, 11, 15)]
        return tuple(option(start, 1, voice) for start in starts)
    return tuple(Option(str(number), f"{source} {number}", number) for number in (1, 2))


@cache
def _shop(lang: str) -> LoadedBot:
    words = language.load(lang or language.DEFAULT)
    business = _business(words.code)
    voice = Voice(words, business.zone, business.currency)
    choices = Choices.of(business, voice)
    ear = Ear(business, words, voice, services=choices.services, staff=choices.staff, scenarios=())
    return LoadedBot(
        id=0,
        business=business,
        actor=Actor(0, "bot"),
        scenarios={},
        spoken={words.code: Spoken(voice, ear, choices)},
        asks_name=True,
        records_calls=False,
        closed_calls="bot",
        find_version=lambda _db, _version_id: None,
    )


def _business(lang: str) -> Business:
    week = tuple((Range(9 * 60, 18 * 60),) if day < 6 else () for day in range(7))
    services = ("Haircut", "Beard trim", "Repair visit")
    return Business(
        id=0,
        uid="",
        tenant_id=0,
        name="The Corner Shop",
        description="",
        phone="+15125550100",
        email=None,
        website=None,
        address="1 Main Street",
        region="US",
        zone=ZoneInfo("America/Chicago"),
        languages=(lang,),
        currency="USD",
        revision=0,
        hours=week,
        holidays={},
        services=tuple(_service(number, name) for number, name in enumerate(services, 1)),
        staff=tuple(_member(number, name) for number, name in enumerate(("Anna", "Ben"), ANYONE + 1)),
        faqs=(Faq(1, "Is there parking?", "Yes, behind the house.", ("where can I park",), lang),),
        reminder_rules=(),
        former_services=(),
        former_staff=(),
    )


def _service(number: int, name: str) -> Service:
    return Service(
        id=number,
        uid="",
        name=name,
        description="",
        keywords=(),
        skills=frozenset(),
        duration_minutes=30,
        buffer_before_minutes=0,
        buffer_after_minutes=0,
        lead_minutes=0,
        horizon_days=60,
        step_minutes=30,
        price_cents=3500,
        is_active=True,
    )


def _member(number: int, name: str) -> Staff:
    return Staff(number, "", name, "person", frozenset(), 1, None, (), is_active=True)
