"""Full text of messages, newest first, in a time that hardly grows with how common a word is.

All words must be there; the last one may be the beginning of a word while nothing follows it, and "words in quotes"
must stand side by side. Nothing that is typed is an error, nor syntax.

Accents do not matter (`storage.folding`).

The tenant is in both indexes, since one tenant's rare word may be another's common one. SQLite answers in order.
PostgreSQL's index has no order, and is slow for what stands in every second message; of that the newest messages are
full. So these are looked through first, and the index is asked for what is not common. Measured by bench/search.py.
"""

import re
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import select, text

from desk.text import storable
from desk.who import Actor
from storage.base import Db
from storage.folding import fold
from storage.models.conversations import messages

MOST: Final = 1_000  # matches are counted and seen no further than this; more words find sooner what is looked for
_WORDS: Final = 10  # of a query; more say nothing new
_BEGINNING: Final = 3  # letters from which a word is taken for the beginning of others as well
_NEWEST: Final = 20_000  # messages that PostgreSQL looks through before it asks the index
_OF_CONVERSATIONS: Final = 200  # matching messages whose conversations are found

_QUOTED = re.compile(r'"([^"]*)"?')
# Runs without spaces and ASCII punctuation. What else divides words is left to the engine: a run is a phrase to it.
_RUN = re.compile(r"[^\s!-/:-@\[-`{-~]+")


@dataclass(frozen=True, slots=True)
class Hits:
    """Ids of one page, newest first. `total` counts to `MOST`."""

    ids: list[int]
    total: int


class Term(NamedTuple):
    """Words that stand side by side; when it `goes_on`, the last may be the beginning of one."""

    words: tuple[str, ...]
    goes_on: bool = False


def terms(typed: str) -> list[Term]:
    """What is looked for; empty when nothing that was typed is a word."""
    typed = storable(typed, 400)
    phrases: list[Term] = []

    def take(quoted: re.Match[str]) -> str:
        if words := _words(quoted.group(1)):
            phrases.append(Term(tuple(words)))
        return " "

    rest = _QUOTED.sub(take, typed)
    singles = [Term((word,)) for word in _words(rest)]
    if singles and rest.endswith(singles[-1].words[0]) and len(singles[-1].words[0]) >= _BEGINNING:
        singles[-1] = Term(singles[-1].words, goes_on=True)
    return [*phrases, *singles][:_WORDS]


def find(db: Db, who: Actor, typed: str, *, offset: int = 0, limit: int = 20) -> Hits:
    """The tenant's messages with all of it in them."""
    wanted = terms(typed)
    if not wanted:
        return Hits([], 0)
    offset = min(offset, MOST)
    look = _sqlite if db.dialect.name == "sqlite" else _postgresql
    return look(db, who.tenant_id, wanted, slice(offset, offset + min(limit, MOST - offset)))


def conversation_ids(db: Db, who: Actor, typed: str) -> list[int]:
    """The conversations of the newest messages that match."""
    words = terms(typed)
    if not words:
        return []
    look = _sqlite if db.dialect.name == "sqlite" else _postgresql
    ids = look(db, who.tenant_id, words, slice(0, _OF_CONVERSATIONS), counts=False).ids
    wanted = select(_m.conversation_id).where(_m.id.in_(ids), _m.tenant_id == who.tenant_id).distinct()
    return [*db.execute(wanted).scalars()]


def _words(typed: str) -> list[str]:
    return [run for run in _RUN.findall(typed) if any(c.isalnum() for c in run)]


def _sqlite(db: Db, tenant_id: int, wanted: list[Term], page: slice, *, counts: bool = True) -> Hits:
    """Unless it `counts`, the total may be too small."""
    match = " AND ".join(f'"{" ".join(term.words)}"{"*" if term.goes_on else ""}' for term in wanted)
    values: dict[str, Any] = {"match": f'tenant_id : "{tenant_id}" AND text : ({match})', "most": MOST}
    ids = [*db.execute(_SQLITE_PAGE, {**values, "offset": page.start, "limit": page.stop - page.start}).scalars()]
    total = page.start + len(ids)
    if counts and (total == page.stop or not ids):  # else this is the last page
        total = db.execute(_SQLITE_COUNT, values).scalar_one()
    return Hits(ids, total)


def _postgresql(db: Db, tenant_id: int, wanted: list[Term], page: slice, *, counts: bool = True) -> Hits:
    """Unless it `counts`, the total may be too small."""

    def term(one: Term) -> str:
        return "(" + " <-> ".join(f"'{word}'" for word in one.words) + (":*" if one.goes_on else "") + ")"

    understood: str = db.execute(_QUERY, {"words": fold(" & ".join(map(term, wanted)))}).scalar_one()
    if not understood:  # nothing that it takes for a word
        return Hits([], 0)
    values: dict[str, Any] = {"query": f"' {tenant_id}' & ({understood})", "most": MOST, "newest": _NEWEST}
    newest = [*db.execute(_POSTGRESQL_NEWEST, values).scalars()]
    if len(newest) == MOST or (len(newest) >= page.stop and not counts):
        return Hits(newest[page], len(newest))
    # The planner knows nothing of the words, and a walk through the table takes seconds.
    db.execute(_NO_WALK)
    found = [*db.execute(_POSTGRESQL_SOME, values).scalars()]
    if len(found) < MOST:
        return Hits(found[page], len(found))
    if len(newest) < page.stop:  # most of them are older
        newest = [*db.execute(_POSTGRESQL_ALL, values).scalars()]
    return Hits(newest[page], MOST)


_m = messages.c
_SQLITE_PAGE = text(
    "SELECT rowid FROM message_search WHERE message_search MATCH :match ORDER BY rowid DESC LIMIT :limit OFFSET :offset"
)
_SQLITE_COUNT = text(
    "SELECT count(*) FROM (SELECT 1 FROM message_search WHERE message_search MATCH :match LIMIT :most)"
)
_NO_WALK = text("SET LOCAL enable_seqscan = off")
_QUERY = text("SELECT CAST(to_tsquery('simple', :words) AS text)")
_POSTGRESQL_NEWEST = text("""
    SELECT id FROM (SELECT id, search_words FROM messages ORDER BY id DESC LIMIT :newest) AS newest
    WHERE search_words @@ CAST(:query AS tsquery) ORDER BY id DESC LIMIT :most
""")
# Materialized, or the planner looks for the newest by walking through all messages from the end.
_POSTGRESQL_SOME = text("""
    WITH hits AS MATERIALIZED (SELECT id FROM messages WHERE search_words @@ CAST(:query AS tsquery) LIMIT :most)
    SELECT id FROM hits ORDER BY id DESC
""")
_POSTGRESQL_ALL = text("""
    WITH hits AS MATERIALIZED (SELECT id FROM messages WHERE search_words @@ CAST(:query AS tsquery))
    SELECT id FROM hits ORDER BY id DESC LIMIT :most
""")
