"""`/bots/{id}/scenarios`: what a bot does for one purpose, as a text: drafted, tried, published, taken back."""

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import AfterValidator, ConfigDict, Field

from bots import registry, studio
from bots.registry import ScenarioRefused
from bots.studio import Check, Trial
from desk import scenarios
from flows.problems import Problem as Found
from flows.testing import TurnResult
from gateway.rest import etag
from gateway.rest.call import Call
from gateway.rest.problem import Problem
from gateway.rest.route import Routes
from gateway.rest.schema import Answer, Body, Moment, Page, Query, Search, SkipQuery, Uid
from gateway.voice.prompts import Progress, progress
from gateway.workshop import TooLong

T = TypeVar("T")

routes = Routes("Scenarios")

_LARGEST: Final = 200_000  # bytes of a text


def _fits(source: str) -> str:
    if len(source.encode()) > _LARGEST:
        raise ValueError(f"should have at most {_LARGEST} bytes")
    return source


ScenarioName = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", description="The `id` in the text.", examples=["gift_card"])
]
Source = Annotated[
    str,
    Field(min_length=1, max_length=_LARGEST, description="YAML, as described in docs/scenarios.md."),
    AfterValidator(_fits),
]
Which = Annotated[
    str,
    Field(pattern=r"^(draft|published|[1-9]\d{0,8})$", description="`draft`, `published` or the number of a version."),
]
Number = Annotated[int, Field(ge=1, le=2**31 - 1)]

EXAMPLE: Final = """\
spec: 1
id: gift_card
start: amount
triggers: {keywords: [gift card, voucher]}
slots:
  amount: {type: number, min: 10, max: 500}
states:
  amount: {say: ask_amount, collect: amount, outcomes: {filled: done, exhausted: done}}
  done: {say: done, end: completed}
words:
  en:
    ask_amount: "Lovely idea. For how many dollars?"
    done: "Thanks! Somebody of the team will send you the details."
tests:
  - name: the usual way
    turns: [{user: gift card, state: amount}, {user: "50", state: done}]
"""


class ScenarioSummary(Answer):
    id: Uid
    bot_id: Uid
    name: str
    status: Annotated[
        Literal["draft", "published", "changed"],
        Field(description="`changed`: published, while another text is being worked on."),
    ]
    version: int | None
    published_at: Moment | None
    published_by: Uid | None
    created_at: Moment

    @classmethod
    def of(cls, one: scenarios.Scenario) -> "ScenarioSummary":
        return cls(**_facts(one))


class Scenario(ScenarioSummary):
    """`source` is the draft, or what is published when nothing else is being worked on."""

    source: str
    languages: list[str] = Field(
        description="In which the published text speaks. In any other language of the business it is heard in its first one."
    )

    @classmethod
    def of(cls, one: scenarios.Scenario) -> "Scenario":
        languages = registry.read(one.current.source).languages if one.current is not None else ()
        return cls(source=one.source, languages=list(languages), **_facts(one))


class NewScenario(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "gift_card", "source": EXAMPLE}]})

    name: ScenarioName | None = None
    source: Source | None = None


class Draft(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"source": EXAMPLE}]})

    source: Source


class Tried(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{}]})

    source: Annotated[Source | None, Field(description="Try this text instead of the draft.")] = None


class Finding(Answer):
    line: int
    column: int
    severity: Literal["error", "warning"]
    code: str
    message: str

    @classmethod
    def of(cls, one: Found) -> "Finding":
        at = one.at
        return cls(line=at.line, column=at.column, severity=one.severity, code=one.code, message=one.message)


class Lint(Answer):
    is_sound: bool
    problems: list[Finding]


class Turn(Answer):
    line: int
    state: str
    said: list[str]
    problem: str | None

    @classmethod
    def of(cls, one: TurnResult) -> "Turn":
        return cls(line=one.at.line, state=one.state, said=[said.text for said in one.said], problem=one.problem)


class Test(Answer):
    name: str
    passed: bool
    turns: list[Turn]


class TestRun(Answer):
    passed: bool
    problems: list[Finding]
    tests: list[Test]

    @classmethod
    def of(cls, trial: Trial) -> "TestRun":
        tests = [
            Test(name=one.name, passed=one.passed, turns=[Turn.of(turn) for turn in one.turns])
            for one in trial.verdicts
        ]
        return cls(passed=trial.passed, problems=[Finding.of(one) for one in trial.problems], tests=tests)


class Version(Answer):
    number: int
    digest: str
    published_at: Moment
    published_by: Uid | None
    is_current: bool

    @classmethod
    def of(cls, one: scenarios.Version) -> "Version":
        return cls(**_about(one))


class VersionText(Version):
    source: str

    @classmethod
    def of(cls, one: scenarios.Version) -> "VersionText":
        return cls(source=one.source, **_about(one))


class Rollback(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"version": 1}]})

    version: Number


class Difference(Answer):
    """`old` is null for what is new, `new` for what is gone."""

    path: str
    old: str | None
    new: str | None


class Diff(Answer):
    from_: Annotated[str, Field(alias="from")]
    to: str
    changes: list[Difference]

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Between(Query):
    from_: Annotated[Which, Field(alias="from")] = "published"
    to: Which = "draft"


class OfVersion(Query):
    version: Which | None = None


class OfNumber(Query):
    version: Annotated[Number | None, Field(description="The current one without.")] = None


class Drawing(Answer):
    mermaid: str


class Simulation(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"messages": ["I'd like to book", "1", "/wait 30m"]}]})

    messages: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=1000)]],
        Field(min_length=1, max_length=50, description="What a customer says; `/wait 30m` lets time pass."),
    ]
    source: Annotated[Source | None, Field(description="Play this text instead of the draft.")] = None


class Line(Answer):
    author: Literal["customer", "bot"]
    text: str
    choices: list[str]
    state: str


class Transcript(Answer):
    transcript: list[Line]
    state: str
    slots: dict[str, str]
    ended: str | None


class StateCount(Answer):
    """`drop_off`: the share of those who came here and got no further, other than by completing it."""

    state: str
    came: int
    left: dict[str, int]
    stopped: dict[str, int]
    drop_off: float


class Statistics(Answer):
    """`runs` and `ended` count all that have ended, `states` the latest 10,000 of them."""

    version: int
    runs: int
    ended: dict[str, int]
    states: list[StateCount]


class Prompts(Answer):
    """How many of the sentences that are always the same are sound by now. `off`: there is no speech service, or Twilio
    speaks for us; `making`: the rest follows; `incomplete`: the rest is made when it is wanted.
    """

    status: Literal["off", "making", "ready", "incomplete"]
    sentences: int
    ready: int

    @classmethod
    def of(cls, one: Progress | None) -> "Prompts":
        if one is None:
            return cls(status="off", sentences=0, ready=0)
        left: Literal["making", "incomplete"] = "making" if one.is_due else "incomplete"
        return cls(status="ready" if one.ready == one.sentences else left, sentences=one.sentences, ready=one.ready)


class Filter(SkipQuery):
    search: Search | None = None
    sort: str | None = None


_ONE: Final = "/bots/{bot_id}/scenarios/{scenario_id}"


@routes.get("/bots/{bot_id}/scenarios", scope="bots:read", summary="Scenarios of a bot")
async def index(call: Call, bot_id: Uid, query: Filter) -> Page[ScenarioSummary]:
    window = query.window(query.sort)
    found = await call.read(scenarios.find, bot_id, window, search=query.search)
    return Page[ScenarioSummary].of(found, window, ScenarioSummary.of)


@routes.post("/bots/{bot_id}/scenarios", scope="bots:write", summary="Begin a scenario")
async def create(call: Call, bot_id: Uid, body: NewScenario) -> Scenario:
    """A draft; customers notice nothing until it is published. Its name is the `id` in the text; with a name alone it
    begins as a text that says hello.
    """
    name, source = await _think(call, lambda _check: studio.name_for(body.name, body.source))
    return etag.shown(call, Scenario.of(await call.write(scenarios.add, bot_id, name, source, now=call.now)))


@routes.get(_ONE, scope="bots:read", summary="A scenario")
async def read(call: Call, bot_id: Uid, scenario_id: Uid) -> Scenario:
    return etag.shown(call, Scenario.of(await call.read(scenarios.get, bot_id, scenario_id)))


@routes.put(_ONE, scope="bots:write", summary="Save the draft of a scenario", errors=(412,))
async def replace(call: Call, bot_id: Uid, scenario_id: Uid, body: Draft) -> Scenario:
    """It may be unfinished. With `If-Match` only if nobody else has changed it since it was read."""
    return await _saved(call, bot_id, scenario_id, body.source)


@routes.patch(_ONE, scope="bots:write", summary="Change the draft of a scenario", errors=(412,))
async def change(call: Call, bot_id: Uid, scenario_id: Uid, body: Draft) -> Scenario:
    """The same as PUT."""
    return await _saved(call, bot_id, scenario_id, body.source)


@routes.delete(_ONE, scope="bots:write", summary="Take a scenario away")
async def remove(call: Call, bot_id: Uid, scenario_id: Uid) -> None:
    """It is begun no more; who is in the middle of it comes to the end. Refused while another one hands over to it."""
    await call.write(studio.remove, bot_id, scenario_id, now=call.now)


@routes.post(f"{_ONE}/lint", scope="bots:read", summary="Check a scenario", status=200)
async def lint(call: Call, bot_id: Uid, scenario_id: Uid, body: Tried) -> Lint:
    """What is wrong with the draft, with lines and columns. Errors keep it from being published, warnings do not."""
    on = await call.read(studio.bench, bot_id, scenario_id, source=body.source)
    problems = await _think(call, lambda _check: studio.lint(on))
    is_sound = not any(one.severity == "error" for one in problems)
    return Lint(is_sound=is_sound, problems=[Finding.of(one) for one in problems])


@routes.post(f"{_ONE}/test", scope="bots:read", summary="Play a scenario's own tests", status=200)
async def test(call: Call, bot_id: Uid, scenario_id: Uid, body: Tried) -> TestRun:
    on = await call.read(studio.bench, bot_id, scenario_id, source=body.source)
    return TestRun.of(await _think(call, lambda check: studio.rehearsed(on, check)))


@routes.post(f"{_ONE}/publish", scope="bots:write", summary="Publish a scenario", status=200, errors=(412,))
async def publish(call: Call, bot_id: Uid, scenario_id: Uid) -> Scenario:
    """New conversations begin with the draft; those under way stay with their version. What does not check or fails its
    own tests is refused, with `problems`: line, column, code and a sentence each.
    """
    on = await call.read(studio.bench, bot_id, scenario_id)
    await _think(call, lambda check: studio.prove(on, check))
    done = await etag.write(call, _now_is(bot_id, scenario_id), studio.publish, on, now=call.now)
    return etag.shown(call, Scenario.of(done))


@routes.post(f"{_ONE}/rollback", scope="bots:write", summary="Go back to an earlier version", status=200)
async def rollback(call: Call, bot_id: Uid, scenario_id: Uid, body: Rollback) -> Scenario:
    """New conversations begin with that version again. The draft stays as it is."""
    on = await call.read(studio.bench, bot_id, scenario_id, which=str(body.version))
    await _think(call, lambda check: studio.prove(on, check))
    done = await call.write(scenarios.roll_back, bot_id, scenario_id, body.version, now=call.now)
    return etag.shown(call, Scenario.of(done))


@routes.get(f"{_ONE}/prompts", scope="bots:read", summary="What of a scenario is sound already", errors=(409,))
async def prompts(call: Call, bot_id: Uid, scenario_id: Uid) -> Prompts:
    """What a published scenario always says on the telephone is made into sound beforehand: when it is published or taken
    back, when the bot gets other voices, when it is connected to a number, and when the business's own key changes.
    """
    return Prompts.of(await call.read(progress, bot_id, scenario_id, speech=call.house.speech, now=call.now))


@routes.get(f"{_ONE}/versions", scope="bots:read", summary="Versions of a scenario")
async def versions(call: Call, bot_id: Uid, scenario_id: Uid, query: SkipQuery) -> Page[Version]:
    """The newest first."""
    window = query.window()
    return Page[Version].of(await call.read(scenarios.versions, bot_id, scenario_id, window), window, Version.of)


@routes.get(f"{_ONE}/versions/{{number}}", scope="bots:read", summary="A version of a scenario")
async def version(call: Call, bot_id: Uid, scenario_id: Uid, number: Number) -> VersionText:
    return VersionText.of(await call.read(scenarios.version, bot_id, scenario_id, number))


@routes.get(f"{_ONE}/diff", scope="bots:read", summary="What differs between two texts of a scenario", errors=(409,))
async def diff(call: Call, bot_id: Uid, scenario_id: Uid, query: Between) -> Diff:
    """By path, such as `states.hold.outcomes.taken`; formatting and order do not count."""
    old = await call.read(studio.bench, bot_id, scenario_id, which=query.from_)
    new = await call.read(studio.bench, bot_id, scenario_id, which=query.to)
    changes = await _think(call, lambda _check: studio.changes(old, new))
    found = [Difference(path=one.path, old=one.old, new=one.new) for one in changes]
    return Diff(from_=query.from_, to=query.to, changes=found)


@routes.get(f"{_ONE}/draw", scope="bots:read", summary="A drawing of a scenario", errors=(409,))
async def draw(call: Call, bot_id: Uid, scenario_id: Uid, query: OfVersion) -> Drawing:
    """Mermaid text."""
    on = await call.read(studio.bench, bot_id, scenario_id, which=query.version)
    return Drawing(mermaid=await _think(call, lambda _check: studio.draw(on)))


@routes.post(f"{_ONE}/simulate", scope="bots:read", summary="Play a scenario", status=200)
async def simulate(call: Call, bot_id: Uid, scenario_id: Uid, body: Simulation) -> Transcript:
    """In a made-up shop, where everything goes well: nothing is stored, nothing is sent."""
    on = await call.read(studio.bench, bot_id, scenario_id, source=body.source)
    played = await _think(call, lambda check: studio.play(on, body.messages, check))
    run = played[-1][1].run
    lines: list[Line] = []
    for heard, beat in played:
        lines.append(Line(author="customer", text=heard, choices=[], state=beat.run.node))
        lines += [
            Line(author="bot", text=said.text, choices=[*said.choices], state=beat.run.node) for said in beat.said
        ]
    slots = {name: value.label for name, value in run.slots.items()}
    return Transcript(transcript=lines, state=run.node, slots=slots, ended=run.ended)


@routes.get(f"{_ONE}/statistics", scope="bots:read", summary="How conversations with a scenario went", errors=(409,))
async def statistics(call: Call, bot_id: Uid, scenario_id: Uid, query: OfNumber) -> Statistics:
    found = await call.read(studio.statistics, bot_id, scenario_id, number=query.version)
    states = [
        StateCount(
            state=name,
            came=one.came,
            left=dict(one.left),
            stopped=dict(one.stopped),
            drop_off=round(sum(n for how, n in one.stopped.items() if how != "completed") / one.came, 4),
        )
        for name, one in found.states.items()
    ]
    return Statistics(version=found.version, runs=found.runs, ended=dict(found.ended), states=states)


async def _think(call: Call, fn: Callable[[Check], T]) -> T:
    """What takes its time, beside the event loop.

    Raises: Problem
    """
    try:
        return await call.house.workshop.do(fn)
    except ScenarioRefused as refused:
        problems = [Finding.of(one).model_dump() for one in refused.problems]
        more = len(problems) - 1
        first = f"Line {problems[0]['line']}, column {problems[0]['column']}: {problems[0]['message']}"
        message = f"{first} ({more} more below.)" if more else first
        raise Problem(422, message, code="SCENARIO_REFUSED", extra={"problems": problems}) from None
    except TooLong:
        message = "This took too long. Please try again in a moment, or make the scenario smaller."
        raise Problem(503, message, headers={"Retry-After": "10"}) from None


def _now_is(bot_id: Uid, scenario_id: Uid) -> Callable[..., Scenario]:
    return lambda db, who: Scenario.of(scenarios.get(db, who, bot_id, scenario_id, lock=True))


async def _saved(call: Call, bot_id: Uid, scenario_id: Uid, source: str) -> Scenario:
    saved = await etag.write(
        call, _now_is(bot_id, scenario_id), scenarios.save, bot_id, scenario_id, source, now=call.now
    )
    return etag.shown(call, Scenario.of(saved))


def _facts(one: scenarios.Scenario) -> dict[str, Any]:
    current = one.current
    return {
        "id": one.uid,
        "bot_id": one.bot_uid,
        "name": one.name,
        "status": one.status,
        "version": current.number if current else None,
        "published_at": current.published_at if current else None,
        "published_by": current.published_by if current else None,
        "created_at": one.created_at,
    }


def _about(one: scenarios.Version) -> dict[str, Any]:
    return {
        "number": one.number,
        "digest": one.digest,
        "published_at": one.published_at,
        "published_by": one.published_by,
        "is_current": one.is_current,
    }
