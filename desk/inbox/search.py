"""Full text of messages, newest first, in a time that hardly grows with how common a word is.

All words must be there; the last one may be the beginning of a word while nothing follows it, and "words in quotes"
must stand side by side. Nothing that is typed is an error, nor syntax.

The tenant is in both indexes, since one tenant's rare word may be another's common one. SQLite answers in order.
PostgreSQL's index has no order: what matches few messages is fetched and sorted, and for what matches many the newest
messages are looked through, of which few are needed then; a phrase of common words is found in the newest only.
Measured by bench/search.py.
"""

import re
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import TextClause, select, text

from desk.text import storable
from desk.who import Actor
from storage.base import Db
from storage.models.conversations import messages

MOST: Final = 5_000  # matches are counted no further than this
REACH: Final = 1_000  # of them can be seen; more words find sooner what is looked for
_WORDS: Final = 10  # of a query; more say nothing new
_BEGINNING: Final = 3  # letters from which a word is taken for the beginning of others as well
_NEWEST: Final = 50_000  # messages looked through for common words
_OF_CONVERSATIONS: Final = 200  # matching messages whose conversations are found
_SOME: Final = 100  # of them are enough, when many are wanted
_CANDIDATES: Final = 2_000  # messages with all words of a phrase in which it is looked for

_QUOTED = re.compile(r'"([^"]*)"?')
# Runs without spaces and ASCII punctuation. What else divides words is left to the engine: a run is a phrase to it.
_RUN = re.compile(r"[^\s!-/:-@\[-`{-~]+")


@dataclass(frozen=True, slots=True)
class Hits:
    """Ids of one page, newest first. `total` is exact below `MOST`."""

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
    page = {"offset": min(offset, REACH), "limit": max(min(limit, REACH - offset), 0)}
    if db.dialect.name == "sqlite":
        return _sqlite(db, who.tenant_id, wanted, page)
    return _postgresql(db, who.tenant_id, wanted, page)


def conversation_ids(db: Db, who: Actor, typed: str) -> list[int]:
    """The conversations of the newest messages that match."""
    ids = find(db, who, typed, limit=_OF_CONVERSATIONS).ids
    if not ids:
        return []
    wanted = select(_m.conversation_id).where(_m.id.in_(ids), _m.tenant_id == who.tenant_id).distinct()
    return [*db.execute(wanted).scalars()]


def _words(typed: str) -> list[str]:
    return [run for run in _RUN.findall(typed) if any(c.isalnum() for c in run)]


def _sqlite(db: Db, tenant_id: int, wanted: list[Term], page: dict[str, int]) -> Hits:
    match = " AND ".join(f'"{" ".join(term.words)}"{"*" if term.goes_on else ""}' for term in wanted)
    values: dict[str, Any] = {"match": f'tenant_id : "{tenant_id}" AND text : ({match})', "most": MOST, **page}
    ids = [*db.execute(_SQLITE_PAGE, values).scalars()]
    total = page["offset"] + len(ids)
    if len(ids) == page["limit"] or not ids:  # else this is the last page
        total = db.execute(_SQLITE_COUNT, values).scalar_one()
    return Hits(ids, total)


def _postgresql(db: Db, tenant_id: int, wanted: list[Term], page: dict[str, int]) -> Hits:
    def term(one: Term) -> str:
        return "(" + " <-> ".join(f"'{word}'" for word in one.words) + (":*" if one.goes_on else "") + ")"

    understood: str = db.execute(_QUERY, {"words": " & ".join(map(term, wanted))}).scalar_one()
    if not understood:  # nothing that it takes for a word
        return Hits([], 0)
    query = f"' {tenant_id}' & ({understood})"
    values: dict[str, Any] = {"query": query, "tenant_id": tenant_id, "most": MOST + 1, **page}
    # The planner knows nothing of the words, and a walk through the table takes seconds.
    db.execute(_NO_WALK)
    # The index does not know what stands beside what: a phrase is read in every message that has its words.
    is_phrase = " <-> " in query
    if is_phrase:
        loose = {"loose": query.replace(" <-> ", " & "), "candidates": _CANDIDATES + 1}
        candidates, total, ids = db.execute(_POSTGRESQL_PHRASE, {**values, **loose}).one()
        if candidates <= _CANDIDATES:
            return Hits(ids, total)
    else:
        total, ids = db.execute(_POSTGRESQL_FEW, values).one()
        if total <= MOST:
            return Hits(ids, total)
    parts = [f"%{word.lower()}%" for one in wanted for word in one.words if word.isascii()]
    ids = [*db.execute(_POSTGRESQL_NEWEST, {**values, "newest": _NEWEST, "parts": parts}).scalars()]
    if is_phrase:
        return Hits(ids, MOST if len(ids) == page["limit"] else page["offset"] + len(ids))
    if page["offset"] == 0 and len(ids) < min(page["limit"], _SOME):  # they are all old
        ids = [*db.execute(_POSTGRESQL_ALL, values).scalars()]
    return Hits(ids, MOST)


_m = messages.c
_SQLITE_PAGE = text(
    "SELECT rowid FROM message_search WHERE message_search MATCH :match ORDER BY rowid DESC LIMIT :limit OFFSET :offset"
)
_SQLITE_COUNT = text(
    "SELECT count(*) FROM (SELECT 1 FROM message_search WHERE message_search MATCH :match LIMIT :most)"
)

# As in the index `ix_messages_search`, letter for letter. Punctuation goes first, or "juniper.example" would be one word
# here and two in SQLite. The tenant is a word with a space before it, which no text can hold.
_VECTOR: Final = (
    """(to_tsvector('simple', translate(left(text, 100000), '!"#$%&''()*+,-./:;<=>?@[\\]^_`{|}~', repeat(' ', 32)))"""
    " || array_to_tsvector(ARRAY[' ' || tenant_id::text]))"
)


def _sql(statement: str) -> TextClause:
    return text(statement.replace("VECTOR", _VECTOR))


_NO_WALK = text("SET LOCAL enable_seqscan = off")
_QUERY = text("SELECT CAST(to_tsquery('simple', :words) AS text)")
_POSTGRESQL_FEW = _sql("""
    WITH hits AS MATERIALIZED (SELECT id FROM messages WHERE VECTOR @@ CAST(:query AS tsquery) LIMIT :most)
    SELECT (SELECT count(*) FROM hits), ARRAY(SELECT id FROM hits ORDER BY id DESC LIMIT :limit OFFSET :offset)
""")
_POSTGRESQL_PHRASE = _sql("""
    WITH candidates AS MATERIALIZED (
        SELECT id, tenant_id, text FROM messages WHERE VECTOR @@ CAST(:loose AS tsquery) LIMIT :candidates
    ), hits AS MATERIALIZED (
        SELECT id FROM candidates
        WHERE (SELECT count(*) FROM candidates) < :candidates AND VECTOR @@ CAST(:query AS tsquery)
    )
    SELECT (SELECT count(*) FROM candidates), (SELECT count(*) FROM hits),
        ARRAY(SELECT id FROM hits ORDER BY id DESC LIMIT :limit OFFSET :offset)
""")
# Looking for the letters first is ten times as quick as telling the words apart.
_POSTGRESQL_NEWEST = _sql("""
    SELECT id FROM (SELECT id, tenant_id, text FROM messages ORDER BY id DESC LIMIT :newest) AS newest
    WHERE tenant_id = :tenant_id AND lower(text) LIKE ALL (CAST(:parts AS text[])) AND VECTOR @@ CAST(:query AS tsquery)
    ORDER BY id DESC LIMIT :limit OFFSET :offset
""")
_POSTGRESQL_ALL = _sql("""
    SELECT id FROM messages WHERE VECTOR @@ CAST(:query AS tsquery) ORDER BY id DESC LIMIT :limit OFFSET :offset
""")
