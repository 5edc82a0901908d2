"""Placeholders in wordings: `{name}` and nothing cleverer, so that no text can reach into objects or format itself."""

from __future__ import annotations

import re
from collections.abc import Mapping

_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")


def placeholders(text: str) -> tuple[str, ...]:
    """The names in `text`, each once, in order; `""` has none and other braces stay braces."""
    return tuple(dict.fromkeys(_PLACEHOLDER.findall(text)))


def fill(text: str, args: Mapping[str, str]) -> str:
    """`text` with its placeholders replaced; a missing one leaves nothing behind."""
    if "{" not in text:
        return text
    return _PLACEHOLDER.sub(lambda found: args.get(found[1], ""), text)
