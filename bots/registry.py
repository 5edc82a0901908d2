"""Bots in memory, and what it takes to put a scenario into one: lint, rehearse, write an immutable version."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, lru_cache
from importlib.resources import files
from threading import Lock

from sqlalchemy import bindparam, func, insert, or_, select, update

from bots import effects, language, rehearse
from bots.ear import Ear, known_intents
from bots.loaded import CalendarLink, Choices, LoadedBot, LoadedScenario, Spoken, no_calendar_link
from bots.render import Voice
from desk import audit, businesses, prompts
from desk.businesses import Business
from desk.errors import DeskError, NotFound
from desk.who import Actor
from flows.check import check
from flows.definition import Scenario, Wording
from flows.load import load
from flows.machine import Compiled
from flows.machine import compile as compile_scenario
from flows.problems import Problem, ScenarioError
from storage.base import Db, JsonValue
from storage.models.bots import bots, scenario_versions, scenarios
from storage.prepared import Prepared

__all__ = [
    "LoadedBot",
    "Registry",
    "ScenarioRefused",
    "Version",
    "install_standard",
    "lint",
    "names",
    "publish",
    "read",
    "write",
]

_MOST_BOTS = 256
_MOST_VERSIONS = 2048


class Registry:
    """Bots by id, loaded again when their business's revision has changed. Compiled versions are kept by id for good
    reason: they never change, and conversations stay pinned to old ones.

    Called from several threads on PostgreSQL: two may load the same at once, which costs time and nothing else.
    """

    def __init__(self, calendar_link: CalendarLink = no_calendar_link) -> None:
        self._calendar_link = calendar_link
        self._bots: OrderedDict[int, tuple[int, LoadedBot]] = OrderedDict()
        self._versions: OrderedDict[int, LoadedScenario] = OrderedDict()
        self._lock = Lock()

    def get(self, db: Db, bot_id: int, *, business_id: int, revision: int) -> LoadedBot:
        """The bot as of `revision` of its business.

        Raises: NotFound
        """
        kept = self._bots.get(bot_id)
        if kept is not None and kept[0] == revision and kept[1].business.id == business_id:
            return kept[1]
        loaded = self._load(db, bot_id, business_id)
        with self._lock:
            self._bots[bot_id] = (loaded.business.revision, loaded)
            self._bots.move_to_end(bot_id)
            if len(self._bots) > _MOST_BOTS:
                self._bots.popitem(last=False)
        return loaded

    def _load(self, db: Db, bot_id: int, business_id: int) -> LoadedBot:
        row = _BOT(db, {"bot_id": bot_id, "business_id": business_id}).one_or_none()
        if row is None:
            raise NotFound("bot", bot_id)
        business = businesses.load(db, business_id)
        published: dict[str, LoadedScenario] = {}
        for name, version_id in _PUBLISHED(db, {"bot_id": bot_id}):
            scenario = self._version(db, version_id, bot_id)
            if scenario is not None:
                published[name] = scenario
        loaded = prepare(
            bot_id, business, published, row.settings, lambda db, version_id: self._version(db, version_id, bot_id)
        )
        return replace(loaded, calendar_link=self._calendar_link)

    def _version(self, db: Db, version_id: int, bot_id: int) -> LoadedScenario | None:
        kept = self._versions.get(version_id)
        if kept is not None:
            return kept
        source = _SOURCE(db, {"version_id": version_id, "bot_id": bot_id}).scalar_one_or_none()
        if source is None:
            return None
        loaded = LoadedScenario.of(version_id, compile_scenario(read(source)))
        with self._lock:
            self._versions[version_id] = loaded
            if len(self._versions) > _MOST_VERSIONS:
                self._versions.popitem(last=False)
        return loaded


def prepare(
    bot_id: int,
    business: Business,
    published: Mapping[str, LoadedScenario],
    settings: Mapping[str, object],
    find_version: Callable[[Db, int], LoadedScenario | None],
) -> LoadedBot:
    """A bot with everything that no message should have to wait for."""
    spoken: dict[str, Spoken] = {}
    for code in business.languages:
        words = language.load(code)
        voice = Voice(words, business.zone, business.currency)
        choices = Choices.of(business, voice)
        ear = Ear(
            business,
            words,
            voice,
            services=choices.services,
            staff=choices.staff,
            scenarios=[one.compiled.scenario for one in published.values()],
        )
        spoken.setdefault(language.short(code), Spoken(voice, ear, choices))
    return LoadedBot(
        id=bot_id,
        business=business,
        actor=Actor(business.tenant_id, "bot"),
        scenarios=published,
        spoken=spoken,
        asks_name=settings.get("asks_name") is not False,
        records_calls=settings.get("records_calls") is True,
        closed_calls="voicemail" if settings.get("closed_calls") == "voicemail" else "bot",
        find_version=find_version,
    )


# Publishing ----------------------------------------------------------------------------------------------------------


class ScenarioRefused(DeskError):  # noqa: N818  an outcome, as its neighbours in desk.errors
    """It is not sound, or one of its own tests fails; `problems` say what to mend, in the order of the text."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("scenario_refused", "\n".join(map(str, problems)), problems=len(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Version:
    """A published version. `is_new` is False when the very same text was published already."""

    id: int
    scenario: str
    number: int
    is_new: bool


def lint(source: str, *, scenarios: frozenset[str] | None = None) -> tuple[Scenario | None, list[Problem]]:
    """The scenario in `source` (None when it cannot be read) and everything that is wrong with it.

    `scenarios` are those it may hand over to; None leaves that unchecked.
    """
    try:
        scenario = load(source)
    except ScenarioError as wrong:
        return None, list(wrong.problems)
    known = {known for lang in scenario.languages for known in known_intents(language.load(lang))}
    rules = effects.declared(scenarios=scenarios, intents=frozenset(known) or None, sms_parts=rehearse.sms_parts)
    return scenario, check(scenario, rules)


def sound(source: str, *, scenarios: frozenset[str] | None = None) -> Compiled:
    """The scenario ready to run, if the linter finds no error.

    Raises: ScenarioRefused
    """
    scenario, problems = lint(source, scenarios=scenarios)
    errors = [each for each in problems if each.severity == "error"]
    if scenario is None or errors:
        raise ScenarioRefused(errors or problems)
    return compile_scenario(scenario)


def prove(
    source: str, *, scenarios: frozenset[str] | None = None, check: Callable[[], None] = lambda: None
) -> Scenario:
    """The scenario, if it is sound and passes its own tests. `check` is called before each turn of them.

    Raises: ScenarioRefused
    """
    compiled = sound(source, scenarios=scenarios)
    failed = [
        Problem(turn.at, "test", f"{verdict.name}: {turn.problem}")
        for verdict in rehearse.run(compiled, check=check)
        for turn in verdict.turns
        if turn.problem is not None
    ]
    if failed:
        raise ScenarioRefused(failed)
    return compiled.scenario


def publish(db: Db, who: Actor, bot_id: int, source: str, *, now: datetime) -> Version:
    """A new immutable version of the scenario that `source` describes. Conversations keep the version they began with.

    Raises: ScenarioRefused, NotFound
    """
    known = {*names(db, bot_id), *standard()}
    scenario = prove(source, scenarios=frozenset((*known, id_in(source))))
    return write(db, who, bot_id, scenario.id, source, now=now)


def names(db: Db, bot_id: int) -> frozenset[str]:
    """The scenarios that the bot has, drafts too."""
    return frozenset(_NAMES(db, {"bot_id": bot_id}).scalars())


def install_standard(db: Db, who: Actor, bot_id: int, *, now: datetime) -> list[Version]:
    """The scenarios that every bot comes with; those that are there already in the same wording stay as they are.

    They are proved by our own tests, so they are not played again here.
    """
    return [write(db, who, bot_id, name, source, now=now) for name, source in standard().items()]


@cache
def standard() -> Mapping[str, str]:
    """The text of each scenario that every bot comes with, by its id."""
    folder = files("bots") / "scenarios"
    found = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".yaml")), key=lambda entry: entry.name)
    return {entry.name.removesuffix(".yaml"): entry.read_text("utf-8") for entry in found}


@lru_cache(maxsize=64)  # it takes up to 50 ms, and bots share the texts that every bot comes with
def read(source: str) -> Scenario:
    """The scenario in a text that was published. One that every bot comes with, as long as its words are ours, also speaks
    the languages that we have added since: nobody has to publish it again for that.

    Raises: ScenarioError
    """
    scenario = load(source)
    if not scenario.words or scenario.words.keys() >= set(language.known()):
        return scenario
    shipped, first = _shipped(scenario.id), scenario.languages[0]
    said = scenario.words[first]
    if shipped is None or any(_forms(shipped.words.get(first, {}).get(key)) != _forms(said[key]) for key in said):
        return scenario
    more = {
        lang: words
        for lang, words in shipped.words.items()
        if lang not in scenario.words and words.keys() >= said.keys()
    }
    return replace(scenario, words={**scenario.words, **more})


@cache
def _shipped(scenario_id: str) -> Scenario | None:
    source = standard().get(scenario_id)
    return None if source is None else load(source)


def _forms(wording: Wording | None) -> tuple[str, ...] | None:
    """How it is said; by which other words a choice may be made is no matter of the business."""
    return None if wording is None else (wording.text, wording.short, wording.voice, wording.sms)


def id_in(source: str) -> str:
    """The name that the text gives itself; empty when it cannot be read."""
    try:
        return load(source).id
    except ScenarioError:
        return ""


def write(db: Db, who: Actor, bot_id: int, name: str, source: str, *, now: datetime) -> Version:
    """A new immutable version out of a text that was proved before.

    Raises: NotFound
    """
    bot = _OWNED(db, {"bot_id": bot_id, "tenant_id": who.tenant_id}).one_or_none()
    if bot is None:
        raise NotFound("bot", bot_id)
    digest = hashlib.sha256(source.encode()).hexdigest()
    row = _SCENARIO(db, {"bot_id": bot_id, "name": name}).one_or_none()
    if row is None:
        added = {"tenant_id": who.tenant_id, "bot_id": bot_id, "name": name, "draft": None, "created_at": now}
        scenario_id, uid = db.execute(insert(scenarios).returning(scenarios.c.id, scenarios.c.uid), added).one()
    else:
        scenario_id, uid = row.id, row.uid
        if row.published_id is not None:
            current = _VERSION(db, {"version_id": row.published_id}).one()
            if current.digest == digest:
                return Version(row.published_id, name, current.number, is_new=False)
    number: int = _LAST_NUMBER(db, {"scenario_id": scenario_id}).scalar_one() + 1
    version_id: int = db.execute(
        insert(scenario_versions).returning(scenario_versions.c.id),
        {
            "tenant_id": who.tenant_id,
            "scenario_id": scenario_id,
            "number": number,
            "source": source,
            "digest": digest,
            "published_by": who.user_id,
            "published_at": now,
        },
    ).scalar_one()
    db.execute(update(scenarios).where(scenarios.c.id == scenario_id).values(published_id=version_id))
    businesses.touch(db, bot.business_id)
    prompts.ask(db, who.tenant_id, bot_id, now=now)
    facts: dict[str, JsonValue] = {"name": name, "version": number, "digest": digest}
    audit.record(db, who, "scenario.published", "scenario", scenario_id, None, facts, now, uid=uid)
    return Version(version_id, name, number, is_new=True)


_BOT = Prepared(
    select(bots.c.settings).where(
        bots.c.id == bindparam("bot_id"), bots.c.business_id == bindparam("business_id"), bots.c.is_active.is_(True)
    )
)
_OWNED = Prepared(
    select(bots.c.business_id).where(bots.c.id == bindparam("bot_id"), bots.c.tenant_id == bindparam("tenant_id"))
)
_NAMES = Prepared(
    select(scenarios.c.name).where(
        scenarios.c.bot_id == bindparam("bot_id"),
        or_(scenarios.c.draft.is_not(None), scenarios.c.published_id.is_not(None)),
    )
)
_PUBLISHED = Prepared(
    select(scenarios.c.name, scenarios.c.published_id).where(
        scenarios.c.bot_id == bindparam("bot_id"), scenarios.c.published_id.is_not(None)
    )
)
_SOURCE = Prepared(
    select(scenario_versions.c.source)
    .join(scenarios, scenarios.c.id == scenario_versions.c.scenario_id)
    .where(scenario_versions.c.id == bindparam("version_id"), scenarios.c.bot_id == bindparam("bot_id"))
)
_SCENARIO = Prepared(
    select(scenarios.c.id, scenarios.c.uid, scenarios.c.published_id)
    .where(scenarios.c.bot_id == bindparam("bot_id"), scenarios.c.name == bindparam("name"))
    .with_for_update()
)
_VERSION = Prepared(
    select(scenario_versions.c.digest, scenario_versions.c.number).where(
        scenario_versions.c.id == bindparam("version_id")
    )
)
_LAST_NUMBER = Prepared(
    select(func.coalesce(func.max(scenario_versions.c.number), 0)).where(
        scenario_versions.c.scenario_id == bindparam("scenario_id")
    )
)
