"""What the bot is in the middle of, as kept on the conversation: a stack of runs, each pinned to a version, and a memo.

The stack's last run is the one that talks; those below wait until it has ended.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from sqlalchemy import bindparam, func, insert, select

from bots.acting import Reminded
from bots.loaded import LoadedScenario
from flows.definition import Json
from flows.state import Run
from flows.step import Move
from storage.base import Db, JsonValue
from storage.models.conversations import flow_runs
from storage.prepared import Prepared

_LONGEST_TRAIL = 300  # moves kept of one run; one that goes on for ever keeps its beginning


class FlowError(ValueError):
    """A stored flow that does not read back."""


@dataclass(slots=True)
class Level:
    """One run, the version it is pinned to, and the way it has taken: state and outcome, one after the other."""

    scenario: LoadedScenario
    run: Run
    trail: list[list[str]] = field(default_factory=list)

    def moved(self, moves: Sequence[Move]) -> None:
        if len(self.trail) < _LONGEST_TRAIL:
            self.trail += [[move.state, move.outcome] for move in moves]


@dataclass(slots=True)
class Memo:
    """What is remembered between scenarios.

    `echo` is the last message (as a checksum) and how often in a row it came without getting anywhere; `pace` is the
    minute since when messages are counted, and how many there were. `story` says what the customer had wanted when a
    scenario was left. `asked` are the profile slots that we have asked for. `settled`: the last matter came to its own
    end, nothing was left hanging. `call` is the slow work whose outcome is waited for, `kept` what was said (and pressed)
    meanwhile, `late` an outcome that came while a person talked. `reminded` are the visits that we have reminded of, the
    latest last. `thanked` is when (in seconds since 1970) we last thanked for something without words, how often in a row, and
    in which phrases (`things`).
    """

    echo: tuple[int, int] = (0, 0)
    pace: tuple[int, int] = (0, 0)
    story: str = ""
    asked: tuple[str, ...] = ()
    settled: bool = False
    call: str = ""
    kept: tuple[tuple[str, str], ...] = ()
    late: Mapping[str, Json] | None = None
    reminded: tuple[Reminded, ...] = ()
    thanked: tuple[int, int, tuple[str, ...]] = (0, 0, ())


@dataclass(slots=True)
class Flow:
    stack: list[Level] = field(default_factory=list)
    memo: Memo = field(default_factory=Memo)

    @property
    def top(self) -> Level | None:
        return self.stack[-1] if self.stack else None

    @property
    def expires_at(self) -> datetime | None:
        """When the first of the runs has waited long enough."""
        return min((level.run.expires_at for level in self.stack if level.run.expires_at is not None), default=None)

    def to_json(self) -> dict[str, Json]:
        stack: list[Json] = [
            {"version": level.scenario.version_id, "run": level.run.to_json(), "trail": cast(Json, level.trail)}
            for level in self.stack
        ]
        memo: dict[str, Json] = {"echo": list(self.memo.echo), "pace": list(self.memo.pace)}
        if self.memo.story:
            memo["story"] = self.memo.story
        if self.memo.asked:
            memo["asked"] = list(self.memo.asked)
        if self.memo.settled:
            memo["settled"] = True
        if self.memo.call:
            memo["call"] = self.memo.call
        if self.memo.kept:
            memo["kept"] = [list(said) for said in self.memo.kept]
        if self.memo.late is not None:
            memo["late"] = dict(self.memo.late)
        if self.memo.reminded:
            memo["reminded"] = [list(one) for one in self.memo.reminded]
        if self.memo.thanked[1]:
            at, times, phrases = self.memo.thanked
            memo["thanked"] = [at, times, list(phrases)]
        return {"stack": stack, "memo": memo}


def read(stored: Mapping[str, JsonValue] | None, version: Callable[[int], LoadedScenario | None]) -> Flow:
    """The flow that `to_json` wrote; `version` finds the scenario for the id of a version.

    Raises: FlowError
    """
    if stored is None:
        return Flow()
    data = cast(dict[str, Any], stored)
    try:
        stack = [_level(level, version) for level in data["stack"]]
        memo = data["memo"]
        (text, times), (minute, count) = memo["echo"], memo["pace"]
        at, thanks, phrases = memo.get("thanked", (0, 0, ()))
        return Flow(
            stack,
            Memo(
                (text, times),
                (minute, count),
                memo.get("story", ""),
                tuple(memo.get("asked", ())),
                memo.get("settled", False),
                memo.get("call", ""),
                tuple((text, pressed) for text, pressed in memo.get("kept", ())),
                memo.get("late"),
                tuple(Reminded(*one) for one in memo.get("reminded", ())),
                (at, thanks, tuple(phrases)),
            ),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as wrong:
        raise FlowError("a stored flow does not read back") from wrong


def _level(data: dict[str, Any], version: Callable[[int], LoadedScenario | None]) -> Level:
    scenario = version(data["version"])
    if scenario is None:
        raise FlowError(f"there is no scenario version {data['version']!r}")
    run = Run.from_json(data["run"])
    if run.node not in scenario.compiled.nodes:
        raise FlowError(f"version {scenario.version_id} has no state {run.node!r}")
    return Level(scenario, run, data["trail"])


def is_asking(stored: Mapping[str, JsonValue] | None) -> bool:
    """Whether a question of the bot's is open, so that "yes" or "cancel" is likely an answer to it."""
    return bool(stored and stored.get("stack"))


def record(db: Db, level: Level, *, tenant_id: int, conversation_id: int, ended: str, now: datetime) -> None:
    """Keep how a run ended and the way it took, for `statistics`."""
    _RECORD(
        db,
        {
            "tenant_id": tenant_id,
            "conversation_id": conversation_id,
            "scenario_version_id": level.scenario.version_id,
            "ended": ended,
            "trail": [*level.trail, [level.run.node, ended]],
            "ended_at": now,
        },
    )


@dataclass(frozen=True, slots=True)
class StateCount:
    """How many times a state was come to, by which outcomes it was left, and in which way runs stopped there."""

    came: int
    left: Mapping[str, int]
    stopped: Mapping[str, int]


def endings(db: Db, version_id: int) -> dict[str, int]:
    """How many runs of a version have ended in which way."""
    rows = _ENDINGS(db, {"version_id": version_id})
    return {row.ended: row.runs for row in rows}


def statistics(db: Db, version_id: int, *, latest: int = 1_000_000) -> dict[str, StateCount]:
    """Per state of a version what became of the runs that have ended, of the `latest` of them; a run that loops counts
    each time it comes.
    """
    left: dict[str, Counter[str]] = {}
    stopped: dict[str, Counter[str]] = {}
    for trail in _TRAILS(db, {"version_id": version_id, "latest": latest}).scalars():
        for state, outcome in trail[:-1]:
            left.setdefault(state, Counter())[outcome] += 1
        state, ended = trail[-1]
        stopped.setdefault(state, Counter())[ended] += 1
    return {
        state: StateCount(
            came=left.get(state, Counter()).total() + stopped.get(state, Counter()).total(),
            left=left.get(state, Counter()),
            stopped=stopped.get(state, Counter()),
        )
        for state in sorted({*left, *stopped})
    }


_RECORD = Prepared(insert(flow_runs))
_IS_VERSION = flow_runs.c.scenario_version_id == bindparam("version_id")
_TRAILS = Prepared(
    select(flow_runs.c.trail).where(_IS_VERSION).order_by(flow_runs.c.id.desc()).limit(bindparam("latest"))
)
_ENDINGS = Prepared(
    select(flow_runs.c.ended, func.count().label("runs")).where(_IS_VERSION).group_by(flow_runs.c.ended)
)
