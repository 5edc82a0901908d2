"""Text that every database, XML and JSON takes."""

import re
from typing import Final

from channels.messages import JSON

# NUL breaks PostgreSQL, lone surrogates break UTF-8, the other control characters break XML 1.0.
_REFUSED: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def clean(text: str) -> str:
    """The text with "�" (U+FFFD) in place of every character that some store or vendor refuses."""
    return text if text.isprintable() else _REFUSED.sub("\ufffd", text)


def clean_json(value: JSON, *, depth: int = 32) -> JSON:
    """The same value with every text in it clean.

    Raises:
        ValueError: it is nested deeper than `depth`.
    """
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict | list) and depth < 1:
        raise ValueError("nested too deep")
    if isinstance(value, dict):
        return {clean(name): clean_json(item, depth=depth - 1) for name, item in value.items()}
    if isinstance(value, list):
        return [clean_json(item, depth=depth - 1) for item in value]
    return value
