"""Bots in memory, and what it takes to put a scenario into one: lint, rehearse, write an immutable version."""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from threading import Lock

from sqlalchemy import bindparam, func, insert, select, update

from bots import effects, language, rehearse
from bots.ear import Ear
from bots.loaded import Choices, LoadedBot, LoadedScenario, Spoken
from bots.render import Voice
from channels import split
from desk import audit, businesses
from desk.businesses import Business
from desk.errors import DeskError, NotFound
from desk.who import Actor
from flows.check import check
from flows.definition import Position, Scenario
from flows.load import load
from flows.machine import Compiled
from flows.machine import compile as compile_scenario
from flows.problems import Problem, ScenarioError
from storage.base import Db
from storage.models.bots import bots, scenario_versions, scenarios

__all__ = ["LoadedBot", "Registry", "ScenarioRefused", "Version", "install_standard", "lint", "publish"]

_MOST_BOTS = 256
_MOST_VERSIONS = 2048


class Registry:
    """Bots by id, loaded again when their business's revision has changed. Compiled versions are kept by id for good
    reason: they never change, and conversations stay pinned to old ones.

    Called from several threads on PostgreSQL: two may load the same at once, which costs time and nothing else.
    """

    def __init__(self) -> None:
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
        row = db.execute(_BOT, {"bot_id": bot_id, "business_id": business_id}).one_or_none()
        if row is None:
            raise NotFound("bot", bot_id)
        business = businesses.load(db, business_id)
        published: dict[str, LoadedScenario] = {}
        for name, version_id in db.execute(_PUBLISHED, {"bot_id": bot_id}):
            scenario = self._version(db, version_id, bot_id)
            if scenario is not None:
                published[name] = scenario
        return prepare(
            bot_id, business, published, row.settings, lambda db, version_id: self._version(db, version_id, bot_id)
        )

    def _version(self, db: Db, version_id: int, bot_id: int) -> LoadedScenario | None:
        kept = self._versions.get(version_id)
        if kept is not None:
            return kept
        source = db.execute(_SOURCE, {"version_id": version_id, "bot_id": bot_id}).scalar_one_or_none()
        if source is None:
            return None
        loaded = LoadedScenario.of(version_id, compile_scenario(load(source)))
        with self._lock:
            self._versions[version_id] = loaded
            if len(self._versions) > _MOST_VERSIONS:
                self._versions.popitem(last=False)
        return loaded
