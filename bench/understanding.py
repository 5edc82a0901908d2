"""How well texts are understood, and how fast: `python -m bench.understanding [--data DIR] [--misses FILE]`.

With `--data`, a directory of labelled sets (dates_*.jsonl, acts.jsonl, spans_*.jsonl, faq_*.jsonl, language_id.jsonl), a
table of scores comes first. The sets are public dialogues and shop bots; none of them is part of this repository. The
times are taken over the short messages of those sets, or over a few of our own where there are none.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from statistics import quantiles
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict

from bench import report
from bots.understand import answers, dates, faq, language, names, party, slots
from bots.understand.acts import acts
from bots.understand.answers import Choice
from bots.understand.dates import When
from bots.understand.intents import Intent, Matcher
from bots.understand.slots import Ctx, Want

SHORT: Final = 60  # characters; most texts to a business are shorter
PHRASINGS: Final = (1, 5, 10)
NOW: Final = datetime.fromisoformat("2019-03-01T09:00:00+00:00")


class Row(BaseModel):
    """One line of any of the sets; what a set has not is empty."""

    model_config = ConfigDict(extra="ignore")

    text: str
    lang: str = "en"
    src: str = ""
    now: datetime = NOW
    asked: list[str] = []
    prev: str | None = None
    date: str | None = None
    time: str | None = None
    end_date: str | None = None
    end_time: str | None = None
    alt_date: list[str] = []
    alt_time: list[str] = []
    alt_end_time: list[str] = []
    labels: list[str] = []
    slots: dict[str, str] = {}
    kind: str = ""
    intent: str = ""
    k: int = 0
    oos: str = ""


class Miss(NamedTuple):
    where: str
    text: str
    wanted: str
    got: str


class Scores(NamedTuple):
    """A table, and the rows that went wrong."""

    title: str
    head: tuple[str, ...]
    lines: Sequence[tuple[str, ...]]
    misses: Sequence[Miss]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.understanding", description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="directory of the labelled sets")
    parser.add_argument("--misses", type=Path, help="write what went wrong to this file, one a line")
    options = parser.parse_args(argv)
    print(report.machine(), end="\n\n")
    short = [text for text in OWN if len(text) <= SHORT]
    if options.data is not None:
        sets = {path.stem: _read(path) for path in sorted(options.data.glob("*.jsonl")) if _is_known(path.stem)}
        tables = list(_score(sets))
        for table in tables:
            print(f"{table.title}\n\n{report.table(table.head, table.lines)}\n")
        if options.misses is not None:
            lines = ("\t".join(miss) + "\n" for table in tables for miss in table.misses)
            options.misses.write_text("".join(lines), encoding="utf-8")
        short = [row.text for name in sets if name.startswith(("dates_sgd", "acts", "spans")) for row in sets[name]]
        short = [text for text in dict.fromkeys(short) if len(text) <= SHORT]
    print(f"Microseconds a message, {len(short)} messages of up to {SHORT} characters\n")
    print(report.table(("", "median", "p99", "worst of 10,000 chars, ms"), list(_speeds(short))))
    return 0


def _is_known(name: str) -> bool:
    return name.startswith(("dates_", "spans_", "faq_")) or name in ("acts", "language_id", "voice_dob")


def _read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8") as lines:
        return [Row.model_validate_json(line) for line in lines]


def _score(sets: Mapping[str, list[Row]]) -> Iterator[Scores]:
    dated = {name: rows for name, rows in sets.items() if name.startswith(("dates_", "voice_dob"))}
    if dated:
        yield score_dates(dated)
    if "acts" in sets:
        yield score_acts(sets["acts"])
    for name, rows in sets.items():
        if name.startswith("spans_"):
            yield score_spans(rows)
    questions = {name: rows for name, rows in sets.items() if name.startswith("faq_")}
    if questions:
        yield score_faq(questions)
    if "language_id" in sets:
        yield score_language(sets["language_id"])


# --- dates ------------------------------------------------------------------------------------------------------------


def score_dates(sets: Mapping[str, list[Row]]) -> Scores:
    """English rows only. A right row has day and time as labelled; an empty one must give nothing at all."""
    lines, misses = [], []
    for name, rows in sets.items():
        tally: Counter[str] = Counter()
        for row in (row for row in rows if row.lang == "en"):
            when = _parse(row, is_birth=name == "voice_dob")
            wanted = bool(row.date or row.time)
            right = (when is not None and _is_right(row, when)) if wanted else when is None
            tally["wanted" if wanted else "empty"] += 1
            tally["right" if wanted else "quiet"] += right
            if wanted and (row.end_date or row.end_time):
                tally["ranges"] += 1
                tally["right ranges"] += right and when is not None and _ends_right(row, when)
            if not right:
                misses.append(
                    Miss(name, row.text, f"{row.date} {row.time} asked={'/'.join(row.asked)}", _written(when))
                )
        total = tally["wanted"] + tally["empty"]
        lines.append(
            (
                name,
                str(total),
                _percent(tally["right"] + tally["quiet"], total),
                _percent(tally["right"], tally["wanted"]),
                _percent(tally["empty"] - tally["quiet"], tally["empty"]),
                _percent(tally["right ranges"], tally["ranges"]),
            )
        )
    head = ("", "rows", "right", "right where there is one", "invented where there is none", "ranges")
    return Scores("Days and times", head, lines, misses)


def _parse(row: Row, *, is_birth: bool) -> When | None:
    about = {what for what in row.asked if what in ("date", "time")}
    asked: dates.Asked = "when" if len(about) == 2 else "date" if "date" in about else "time" if about else None
    if is_birth:
        return dates.parse(row.text, now=row.now, asked="date", dayfirst=True, prefer="past")
    return dates.parse(row.text, now=row.now, asked=asked)


def _is_right(row: Row, when: When) -> bool:
    day = when.day.isoformat() if when.day else None
    clock = when.time.strftime("%H:%M") if when.time else None
    return (day == row.date or day in row.alt_date) and (clock == row.time or clock in row.alt_time)


def _ends_right(row: Row, when: When) -> bool:
    day = when.end_day.isoformat() if when.end_day else None
    clock = when.end_time.strftime("%H:%M") if when.end_time else None
    return (row.end_date is None or day == row.end_date) and (
        row.end_time is None or clock == row.end_time or clock in row.alt_end_time
    )


def _written(when: When | None) -> str:
    return "nothing" if when is None else f"{when.day} {when.time} [{when.span}]"


# --- acts -------------------------------------------------------------------------------------------------------------

# What each source labels at all; elsewhere the absence of a label says nothing.
LABELLED: Final[Mapping[str, frozenset[str]]] = {
    "sgd": frozenset("yes no change alternatives thanks bye question".split()),
    "nlupp": frozenset("yes no human bye thanks greet repeat dont_know acknowledge cancel change".split()),
}


def score_acts(rows: Sequence[Row]) -> Scores:
    """Precision and recall of each act, over the sources that label it; one-label sources count for recall only."""
    right: Counter[str] = Counter()
    labelled: Counter[str] = Counter()
    claimed: Counter[str] = Counter()
    claimed_right: Counter[str] = Counter()
    misses = []
    for row in rows:
        got = acts(row.text, row.prev)
        scope = LABELLED.get(row.src, frozenset())
        for label in set(row.labels) & got:
            right[label] += 1
        for label in set(row.labels) - {"inform"}:
            labelled[label] += 1
        for act in got & scope:
            claimed[act] += 1
            claimed_right[act] += act in row.labels
        wrong = (set(row.labels) - {"inform"} - got) | ((got & scope) - set(row.labels))
        for act in sorted(wrong):
            got_text = f"{act} {'not heard' if act in row.labels else 'heard wrongly'}, after: {row.prev or '-'}"
            misses.append(Miss(f"acts {row.src}", row.text, " ".join(row.labels), got_text))
    lines = []
    for act in sorted(labelled, key=lambda act: -labelled[act]):
        recall = right[act] / labelled[act]
        precision = claimed_right[act] / claimed[act] if claimed[act] else None
        f1 = 2 * precision * recall / (precision + recall) if precision and recall else None
        lines.append((act, str(labelled[act]), _part(precision), _part(recall), _part(f1)))
    return Scores("Acts", ("", "rows", "precision", "recall", "F1"), lines, misses)


# --- spans ------------------------------------------------------------------------------------------------------------

SPANS: Final = ("date", "time", "people", "first_name", "last_name")


def score_spans(rows: Sequence[Row]) -> Scores:
    """F1 of the exact words, and of words that overlap the labelled ones."""
    wanted: Counter[str] = Counter()
    got: Counter[str] = Counter()
    exact: Counter[str] = Counter()
    near: Counter[str] = Counter()
    misses = []
    for row in rows:
        found = _spans(row)
        for slot in SPANS:
            label, said = row.slots.get(slot), found.get(slot)
            wanted[slot] += label is not None
            got[slot] += said is not None
            if label is not None and said is not None:
                exact[slot] += _bare(label) == _bare(said)
                near[slot] += bool(set(_bare(label).split()) & set(_bare(said).split()))
            if (label is None) != (said is None) or (label and said and _bare(label) != _bare(said)):
                misses.append(Miss(f"spans {slot}", row.text, f"{label} asked={'/'.join(row.asked)}", str(said)))
    lines = [
        (slot, str(wanted[slot]), _f1(exact[slot], wanted[slot], got[slot]), _f1(near[slot], wanted[slot], got[slot]))
        for slot in SPANS
    ]
    total = [sum(each[slot] for slot in SPANS) for each in (exact, near, wanted, got)]
    lines.append(("all", str(total[2]), _f1(total[0], total[2], total[3]), _f1(total[1], total[2], total[3])))
    return Scores("Words for a slot", ("", "labelled", "F1, exact", "F1, overlapping"), lines, misses)


def _spans(row: Row) -> dict[str, str]:
    asked = set(row.asked)
    kind: dates.Asked = (
        "when" if asked >= {"date", "time"} else "date" if "date" in asked else "time" if "time" in asked else None
    )
    when = dates.parse(row.text, now=row.now, asked=kind)
    places = {"date": when.day_at, "time": when.time_at} if when is not None else {}
    taken = {slot: place for slot, place in places.items() if place is not None}
    found = {slot: row.text[slice(*place)] for slot, place in taken.items()}
    size = party.find(row.text, asked="people" in asked, taken=tuple(taken.values()))
    if size is not None:
        found["people"] = row.text[slice(*size.at)]
    wants_name = bool(asked & {"first_name", "last_name"})
    name = names.find(row.text, asked=wants_name, last_only="first_name" not in asked and wants_name)
    if name is not None:
        found |= {slot: part for slot, part in (("first_name", name.first), ("last_name", name.last)) if part}
    return found


def _bare(words: str) -> str:
    return " ".join(words.casefold().split()).strip(" .,!?")


# --- questions --------------------------------------------------------------------------------------------------------


def score_faq(sets: Mapping[str, list[Row]]) -> Scores:
    """How many questions get their answer with so many phrasings an entry, and how many without one get silence."""
    lines, misses = [], []
    for name, rows in sets.items():
        most = max(row.k for row in rows)
        for k in dict.fromkeys(min(k, most) for k in PHRASINGS):
            index = _index(row for row in rows if row.kind == "index" and row.k <= k)
            tally: Counter[str] = Counter()
            for row in rows:
                if row.kind not in ("query", "oos"):
                    continue
                hit = index.best(row.text)
                kind = row.kind if row.kind == "query" else row.oos
                outcome = "silent" if hit is None else "right" if hit.id == row.intent else "wrong"
                tally[f"{kind} {outcome}"] += 1
                tally[kind] += 1
                first = index.best(row.text, threshold=-1.0)
                tally["query first"] += kind == "query" and first is not None and first.id == row.intent
                if k == most and outcome == ("wrong" if kind == "query" else "right"):
                    misses.append(Miss(name, row.text, row.intent, hit.id if hit else ""))
            far = ", ".join(_percent(tally[f"{o} silent"], tally[o]) for o in ("id", "ood", "live") if tally[o])
            lines.append(
                (
                    name,
                    str(k),
                    _percent(tally["query first"], tally["query"]),
                    _percent(tally["query right"], tally["query"]),
                    _percent(tally["query wrong"], tally["query"]),
                    far or "-",
                )
            )
    head = ("", "phrasings", "best is right", "answered right", "answered wrong", "silent out of scope")
    return Scores("Questions", head, lines, misses)


def _index(rows: Iterable[Row]) -> faq.Index:
    entries: dict[str, list[str]] = {}
    for row in rows:
        entries.setdefault(row.intent, []).append(row.text)
    return faq.Index([faq.Faq(entry, texts[0], "", tuple(texts[1:])) for entry, texts in entries.items()])


# --- language ---------------------------------------------------------------------------------------------------------


def score_language(rows: Sequence[Row]) -> Scores:
    lines, misses = [], []
    others: Counter[bool] = Counter()
    for lang in language.LANGUAGES:
        got = Counter(language.detect(row.text) for row in rows if row.lang == lang)
        total = got.total()
        lines.append((lang, str(total), _percent(got[lang], total), _percent(total - got[lang] - got[None], total)))
    for row in rows:
        found = language.detect(row.text)
        if row.lang not in language.LANGUAGES:
            others[found is None] += 1
        if found not in (row.lang, None):
            misses.append(Miss("language", row.text, row.lang, str(found)))
    lines.append(("others", str(others.total()), _percent(others[True], others.total()) + " silent",
                  _percent(others[False], others.total())))  # fmt: skip
    return Scores("Languages", ("", "rows", "right", "taken for another"), lines, misses)


# --- speed ------------------------------------------------------------------------------------------------------------

# A small salon: what a message is compared with in a turn.
CHOICES: Final = tuple(
    Choice(str(n), label)
    for n, label in enumerate(("Haircut", "Beard trim", "Haircut and beard", "Colour", "Blow-dry", "Kids' haircut"))
)
STAFF: Final = tuple(Choice(name, name) for name in ("Anna", "Ben", "Maria Lopez", "Will"))
WANTS: Final = (
    Want("service", "choice", CHOICES), Want("staff", "choice", STAFF), Want("when", "slot_time"), Want("name", "name"),
)  # fmt: skip
INTENTS: Final = Matcher(
    (
        Intent("book", ("book", "appointment", "reserve"), ("I need a haircut", "can you fit me in tomorrow?")),
        Intent("reschedule", ("reschedule", "move my appointment"), ("can I come another day?",)),
        Intent("cancel", ("cancel",), ("I can't make it on Friday",)),
        Intent("hours", ("opening hours", "open", "closed"), ("when do you open?", "are you open on Sunday?")),
        Intent("prices", ("price", "cost", "how much"), ("what does a haircut cost?",)),
    )
)
FAQS: Final = faq.Index(
    [
        faq.Faq(str(n), question, "")
        for n, question in enumerate(
            (
                "Where can I park?", "Do you take cards?", "What is your cancellation policy?", "Do you cut children's hair?",
                "Can I bring my dog?", "Do I need to wash my hair first?", "Do you sell gift cards?", "Is there wifi?",
                "What if I am late?", "Do you have wheelchair access?",
            )
        )
    ]
)  # fmt: skip
OWN: Final = (
    "hi", "yes", "no thanks", "book", "I'd like a haircut", "haircut with Anna on Tuesday at 3", "tmrw at 3 pls",
    "next friday in the morning", "half past nine", "2", "the second one", "it's Maria Lopez", "no, make it four",
    "do you have anything later?", "can I talk to a real person", "how much is a beard trim?", "are you open on sunday?",
    "where can i park", "cancel my appointment", "5th of march works", "whoever is free", "thanks, that's all",
)  # fmt: skip
LONG: Final = (
    "a" * 10_000, "1" * 10_000, " " * 10_000, "1 " * 5_000, "at 5 or " * 1_250, "next " * 2_000, "1/2/" * 2_500,
    "no, " * 2_500, "\u0301" * 10_000, "👍🏽" * 5_000, "my name is " * 900, "(" * 10_000, "and me " * 1_400,
    "a@" * 5_000, "twenty one hundred " * 520, "the the the " * 830, "'" * 10_000, "haircut or " * 900, "\u202e1" * 5_000,
)  # fmt: skip


def _speeds(texts: Sequence[str]) -> Iterator[tuple[str, ...]]:
    ctx = Ctx(NOW, asked="when")
    doors: Mapping[str, Callable[[str], object]] = {
        "dates.parse": lambda text: dates.parse(text, now=NOW, asked="when"),
        "acts": acts,
        "answers.choose": lambda text: answers.choose(text, CHOICES),
        "names.find": lambda text: names.find(text, asked=True),
        "party.find": lambda text: party.find(text, asked=True),
        "intents.match": INTENTS.match,
        "faq.best": FAQS.best,
        "language.detect": language.detect,
        "slots.extract, four slots": lambda text: slots.extract(text, WANTS, ctx),
    }
    for name, door in doors.items():
        taken = sorted(_time_us(door, text) for text in texts for _ in range(max(1, 2000 // len(texts))))
        cuts = quantiles(taken, n=100)
        worst = max(_time_us(door, text) for text in LONG) / 1000
        yield name, f"{cuts[49]:.0f}", f"{cuts[98]:.0f}", f"{worst:.1f}"


def _time_us(door: Callable[[str], object], text: str) -> float:
    began = time.perf_counter_ns()
    door(text)
    return (time.perf_counter_ns() - began) / 1000


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _part(share: float | None) -> str:
    return "-" if share is None else f"{share:.2f}"


def _f1(right: int, wanted: int, got: int) -> str:
    return f"{2 * right / (wanted + got):.3f}" if wanted + got else "-"


if __name__ == "__main__":
    sys.exit(main())
