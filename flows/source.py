"""YAML or JSON text to values that know their line and column.

The YAML is 1.2 with the scalars of JSON: only `true`, `false`, `null` and plain numbers mean more than their letters,
so `yes`, `on`, `12:30`, `+15125550100` and `01234` stay the text they look like.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn, TypeAlias

import yaml

from flows.definition import Position
from flows.problems import Problem, ScenarioError

Format: TypeAlias = Literal["yaml", "json"]
Scalar: TypeAlias = str | int | float | bool | None

_MAX_DEPTH = 24
_MAX_INTEGER = 2**53
_TAG = "tag:yaml.org,2002:"
_YAML_ONLY = str.maketrans({"\t": " ", "\x85": "\\N", "\u2028": "\\L", "\u2029": "\\P"})
_SURROGATE_PAIR = re.compile(r"(\\\\)|\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")


@dataclass(frozen=True, slots=True)
class Item:
    """A value and where it begins. `raw` is a scalar as it was written, `keys` tells where each key of a mapping is."""

    at: Position
    value: Scalar | list[Item] | dict[str, Item]
    raw: str = ""
    keys: dict[str, Position] = field(default_factory=dict)


def read(text: str | bytes, *, form: Format = "yaml", max_bytes: int) -> Item:
    """The one value that `text` holds.

    Raises:
        ScenarioError: it is too big, not UTF-8, broken, holds a key twice, or uses what we refuse: aliases (they can
            blow up), tags, several documents.
    """
    content = _decoded(text, max_bytes)
    if form == "json":
        content = _as_yaml(content)
    try:
        node = yaml.compose(content, Loader=_Loader)
    except yaml.MarkedYAMLError as broken:
        raise _syntax(form, broken, content.count("\n")) from broken
    except (yaml.YAMLError, RecursionError) as broken:
        raise _refusal(
            Position(1, 1), "syntax", f"This cannot be read as {form.upper()}: {str(broken).splitlines()[0]}."
        ) from broken
    if node is None:
        raise _refusal(Position(1, 1), "empty", "There is nothing here.")
    return _item(node, 0, set())


class _Loader(yaml.CSafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own shape


_NUMBER = r"-?(0|[1-9][0-9]*)"
_Loader.add_implicit_resolver(_TAG + "null", re.compile(r"^(null|Null|NULL|~|)$"), ["n", "N", "~", ""])
_Loader.add_implicit_resolver(_TAG + "bool", re.compile(r"^(true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_Loader.add_implicit_resolver(_TAG + "int", re.compile(rf"^{_NUMBER}$"), list("-0123456789"))
_Loader.add_implicit_resolver(
    _TAG + "float", re.compile(rf"^{_NUMBER}(\.[0-9]+([eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)$"), list("-0123456789")
)


def _decoded(text: str | bytes, max_bytes: int) -> str:
    try:
        data = text if isinstance(text, bytes) else text.encode()
        if len(data) > max_bytes:
            raise _refusal(Position(1, 1), "too_big", f"This has {len(data)} bytes, more than the {max_bytes} allowed.")
        return data.decode("utf-8-sig")
    except UnicodeError:
        raise _refusal(Position(1, 1), "syntax", "This is not UTF-8 text.") from None


def _as_yaml(text: str) -> str:
    """JSON that a YAML parser reads the same.

    It is checked as JSON first. Then tabs, surrogate pairs and the line breaks that only YAML knows are written YAML's
    way.
    """
    try:
        json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as broken:
        raise _refusal(
            Position(broken.lineno, broken.colno), "syntax", f"This is not valid JSON: {broken.msg}."
        ) from broken
    except (ValueError, RecursionError) as broken:
        raise _refusal(Position(1, 1), "syntax", f"This cannot be read as JSON: {broken}.") from broken
    return _SURROGATE_PAIR.sub(_one_character, text.translate(_YAML_ONLY))


def _syntax(form: Format, broken: yaml.MarkedYAMLError, last_line: int) -> ScenarioError:
    mark, begun = broken.problem_mark or broken.context_mark, broken.context_mark
    if mark and begun and mark.line > last_line:
        mark = begun
    where = Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)
    since = f" ({broken.context} begun in line {begun.line + 1})" if begun and broken.context else ""
    return _refusal(where, "syntax", f"This is not valid {form.upper()}: {broken.problem or broken.context}{since}.")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _one_character(found: re.Match[str]) -> str:
    if found[1]:
        return found[0]
    high, low = int(found[2], 16), int(found[3], 16)
    return f"\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08X}"


def _item(node: Any, depth: int, seen: set[int]) -> Item:
    at = Position(node.start_mark.line + 1, node.start_mark.column + 1)
    if id(node) in seen:
        raise _refusal(at, "alias", "Aliases (`*name`) are not allowed; write it out.")
    seen.add(id(node))
    if depth > _MAX_DEPTH:
        raise _refusal(at, "too_deep", f"This is nested more than {_MAX_DEPTH} deep.")
    if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
        return _mapping(node, at, depth, seen)
    if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
        return Item(at, [_item(child, depth + 1, seen) for child in node.value])
    if isinstance(node, yaml.ScalarNode) and node.tag in _SCALARS:
        try:
            return Item(at, _SCALARS[node.tag](node.value), node.value)
        except ValueError:
            raise _refusal(at, "bad_value", f"{node.value[:40]!r} is not a number that can be used here.") from None
    raise _refusal(at, "tag", f"The tag {node.tag[:60]!r} is not allowed.")


def _mapping(node: yaml.MappingNode, at: Position, depth: int, seen: set[int]) -> Item:
    items: dict[str, Item] = {}
    keys: dict[str, Position] = {}
    for key, value in node.value:
        where = Position(key.start_mark.line + 1, key.start_mark.column + 1)
        if not isinstance(key, yaml.ScalarNode) or id(key) in seen:
            raise _refusal(where, "bad_key", "A key must be a plain word.")
        if key.value in items:
            raise _refusal(where, "duplicate_key", f"{key.value[:60]!r} stands here twice.")
        seen.add(id(key))
        items[key.value] = _item(value, depth + 1, seen)
        keys[key.value] = where
    return Item(at, items, keys=keys)


def _integer(text: str) -> int:
    value = int(text)
    if abs(value) > _MAX_INTEGER:
        raise ValueError("more than JSON readers agree on")
    return value


def _fraction(text: str) -> float:
    value = float(text)
    if abs(value) > _MAX_INTEGER:
        raise ValueError("more than JSON readers agree on")
    return value


_SCALARS: dict[str, Callable[[str], Scalar]] = {
    _TAG + "str": str,
    _TAG + "null": lambda _text: None,
    _TAG + "bool": lambda text: text.lower() == "true",
    _TAG + "int": _integer,
    _TAG + "float": _fraction,
}


def _refusal(at: Position, code: str, message: str) -> ScenarioError:
    return ScenarioError([Problem(at, code, message)])
