"""Conversations as data: `conversations/*.yaml`, read and played.

A turn is one mapping. What happens: `user` (a text), `press` (a button's title, the latest of those; with `older: 1` that
of the question before it), `sends` (image, location and the rest of `_THINGS`), `wait` (`7m`, `20h`, `2d`) or `cue`; `as: b`
lets another customer do it,
`quotes` says which words of ours are quoted. What must come of it: `hears` (all of these
stand in what we say, in this order), `not` (none of these does), `place` (`book.confirm`, empty when nothing is open)
and `owner`. After the last turn `visits` are those of the customer: `scheduled Haircut 2026-03-03 15:00 Anna`.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from channels.messages import Contact, Location, Media, Part, Reaction, Text, Unsupported
from tests.bots.stage import Stage

_THINGS: dict[str, Part] = {
    "image": Media("image"),
    "caption": Media("image", caption="tomorrow"),
    "video": Media("video"),
    "voice": Media("audio", voice=True),
    "document": Media("document"),
    "sticker": Media("sticker"),
    "card": Contact("Bo", phones=("+15125550111",)),
    "unknown": Unsupported("poll"),
    "location": Location(30.26, -97.71),
    "reaction": Reaction("some-message", "\U0001f44d"),
}
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_KEYS = {"user", "press", "sends", "wait", "cue", "as", "hears", "not", "place", "owner", "quotes", "older"}


@dataclass(frozen=True)
class Script:
    """One conversation as written. `at` is on the clock of the business."""

    name: str
    turns: list[dict[str, Any]]
    channel: str = "sms"
    at: str = ""
    visits: list[str] | None = None
    languages: tuple[str, ...] = ()  # of the business, where they are others than usual


def scripts() -> list[Script]:
    """All of them, in the order of the files."""
    folder = Path(__file__).parent / "conversations"
    return [Script(**one) for path in sorted(folder.glob("*.yaml")) for one in yaml.safe_load(path.read_text("utf-8"))]


def play(script: Script, stage: Stage) -> None:
    """Play it to the end; an AssertionError tells the turn that went another way."""
    stage.channel = script.channel
    zone = stage.business.zone
    if script.languages:
        stage.speaks(*script.languages)
    if script.at:
        stage.now = datetime.fromisoformat(script.at).replace(tzinfo=zone).astimezone(stage.now.tzinfo)
    stages = {"": stage}
    for number, turn in enumerate(script.turns, 1):
        assert turn.keys() <= _KEYS, f"turn {number} has {turn.keys() - _KEYS}"
        who = turn.get("as", "")
        if who not in stages:
            stages[who] = stage.other(f"+1512555015{len(stages)}", script.channel)
        one = stages[who]
        one.now = max(each.now for each in stages.values())
        heard = _do(one, turn)
        _judge(f"turn {number}, {turn}: heard {heard!r} in {one.place!r}", one, turn, heard)
    if script.visits is not None:
        assert [_line(visit, zone) for visit in stage.visits()] == script.visits


def _do(stage: Stage, turn: dict[str, Any]) -> str:
    if "user" in turn:
        return stage.sends(Text(str(turn["user"])), quotes=turn.get("quotes", ""))
    if "press" in turn:
        return stage.presses(turn["press"], older=turn.get("older", 0))
    if "sends" in turn:
        return stage.sends(_THINGS[turn["sends"]])
    if "cue" in turn:
        return stage.cue(turn["cue"])
    length = re.fullmatch(r"(\d+)([mhd])", turn["wait"])
    assert length is not None
    return stage.waits(timedelta(**{_UNITS[length[2]]: int(length[1])}))


def _judge(story: str, stage: Stage, turn: dict[str, Any], heard: str) -> None:
    at = 0
    hears = turn.get("hears", [])
    for words in [hears] if isinstance(hears, str) else hears:
        found = heard.find(words, at)
        assert found >= 0, f"{story}; missing {words!r}"
        at = found + len(words)
    if hears == "":
        assert heard == "", story
    for words in turn.get("not", []):
        assert words not in heard, story
    if "place" in turn:
        assert stage.place == turn["place"], story
    if "owner" in turn:
        assert stage.context.owner == turn["owner"], story


def _line(visit: Any, zone: Any) -> str:
    starts = visit.starts_at.astimezone(zone)
    return f"{visit.status} {visit.service_name} {starts:%Y-%m-%d %H:%M} {visit.staff_name}"
