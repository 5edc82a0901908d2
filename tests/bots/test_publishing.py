"""What it takes to put a scenario into a bot, and what becomes of conversations that are under way."""

import pytest
from sqlalchemy import select

from bots import flow, registry
from bots.registry import Registry, ScenarioRefused, Version
from desk.errors import NotFound
from desk.who import Actor
from storage.base import Db
from storage.models.bots import bots, scenario_versions, scenarios
from storage.models.businesses import businesses
from storage.models.conversations import conversations, messages
from tests.bots.stage import MONDAY_NOON, Stage

HELLO = """
spec: 1
id: welcome
start: menu
triggers: {intents: [greet]}
slots:
  wish: {type: choice, options: {book: w_book, human: w_human}}
states:
  menu: {say: hello, collect: wish, outcomes: {filled: go, exhausted: "scenario:handoff"}}
  go: {branch: [{slot: wish, equals: book, then: "scenario:book"}], else: "scenario:handoff"}
words:
  en: {hello: "Good day!", w_book: "Book", w_human: "Somebody, please"}
tests:
  - name: greeted
    turns: [{user: hi, state: menu, says: [hello]}, {user: book, state: "scenario:book"}]
"""


@pytest.fixture
def stage(db: Db) -> Stage:
    return Stage(db, Registry())


def test_standard_scenarios_are_sound_and_pass_their_own_tests() -> None:
    names = frozenset(registry.standard())
    for name, source in registry.standard().items():
        assert registry.prove(source, scenarios=names).id == name
        assert registry.lint(source, scenarios=names)[1] == []


def test_installing_again_changes_nothing(db: Db) -> None:
    before = db.execute(select(scenario_versions.c.id)).all()
    again = registry.install_standard(db, _who(db), _bot_id(db), now=MONDAY_NOON)
    assert not any(version.is_new for version in again)
    assert db.execute(select(scenario_versions.c.id)).all() == before


def test_a_published_version_is_used_by_the_next_conversation(stage: Stage) -> None:
    assert "What can I do for you?" in stage.says("hi")
    _publish(stage.db, HELLO)
    assert "Good day!" in stage.other("+15125550151").says("hi")


def test_a_conversation_under_way_keeps_its_version(stage: Stage) -> None:
    stage.says("hi")
    version = _publish(stage.db, HELLO)
    assert version.is_new
    assert version.number == 2
    assert "Talk to a person" in stage.says("hm?")
    assert stage.bots is not None
    stage.bots = Registry()  # another process, which has never seen the old version
    assert "What would you like to book?" in stage.says("1")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("", ""), "En qué puedo ayudarle"),
        (("What can I do", "What may I do"), "What may I do"),  # in words of its own, for which we have no others
    ],
    ids=["ours", "their own"],
)
def test_a_scenario_that_was_published_before_a_language_came_speaks_it(
    stage: Stage, change: tuple[str, str], says: str
) -> None:
    before_spanish, _, rest = registry.standard()["welcome"].partition("  es:\n")
    _publish(stage.db, before_spanish.replace(*change) + rest[rest.index("\ntests:") :])
    stage.db.execute(businesses.update().values(languages=["en", "es"], revision=businesses.c.revision + 1))
    assert says in stage.says("Hola, buenos días")


def test_the_same_text_twice_is_one_version(db: Db) -> None:
    first = _publish(db, HELLO)
    second = _publish(db, HELLO)
    assert (second.id, second.number, second.is_new) == (first.id, first.number, False)


@pytest.mark.parametrize(
    ("broken", "where", "word"),
    [
        (HELLO.replace("state: menu, says", "state: go, says"), "test", "Expected the state 'go'"),
        (HELLO.replace("filled: go", "filled: gone"), "state", "gone"),
        (HELLO.replace("scenario:handoff", "scenario:hand_of"), "scenario", "handoff"),
        (HELLO.replace("[greet]", "[greeting]"), "intent", "greet"),
        ("spec: 1\nid: [", "", ""),
    ],
    ids=["its own test fails", "no such state", "no such scenario", "no such intent", "no YAML"],
)
def test_what_is_not_sound_is_refused_and_nothing_changes(db: Db, broken: str, where: str, word: str) -> None:
    before = db.execute(select(scenario_versions.c.id)).all()
    with pytest.raises(ScenarioRefused) as refused:
        _publish(db, broken)
    problem = refused.value.problems[0]
    assert where in problem.code
    assert word in problem.message
    assert problem.at.line > 0
    assert db.execute(select(scenario_versions.c.id)).all() == before


def test_a_bot_of_somebody_else_is_not_found(db: Db) -> None:
    with pytest.raises(NotFound):
        registry.publish(db, Actor(999_999, "app"), _bot_id(db), HELLO, now=MONDAY_NOON)


def test_a_bot_that_is_switched_off_says_nothing_and_the_message_waits_for_a_person(stage: Stage) -> None:
    stage.db.execute(bots.update().values(is_active=False))
    assert not stage.says("hi")
    kept = select(messages.c.text, conversations.c.unread_count).join(conversations)
    assert stage.db.execute(kept).all() == [("hi", 1)]


def test_statistics_count_who_came_left_and_stopped(stage: Stage) -> None:
    stage.says("book", "haircut", "tomorrow", "1", "yes", "Ann")
    other = stage.other("+15125550152")
    other.says("book", "qwertz", "haircut", "never mind")
    version_id = stage.db.execute(
        select(scenarios.c.published_id).where(scenarios.c.name == "book", scenarios.c.bot_id == _bot_id(stage.db))
    ).scalar_one()
    counts = flow.statistics(stage.db, version_id)
    assert counts["service"].left == {"filled": 2, "invalid": 1}
    assert counts["named"].stopped == {"completed": 1}
    assert counts["cancelled"].stopped == {"cancelled": 1}
    assert counts["day"].came == 2


def _publish(db: Db, source: str) -> Version:
    return registry.publish(db, _who(db), _bot_id(db), source, now=MONDAY_NOON)


def _who(db: Db) -> Actor:
    tenant_id: int = db.execute(select(bots.c.tenant_id)).scalar_one()
    return Actor(tenant_id, "app")


def _bot_id(db: Db) -> int:
    bot_id: int = db.execute(select(bots.c.id)).scalar_one()
    return bot_id
