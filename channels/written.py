"""A text message that is handed over as a file, because it is too long for a text message: its words, and where they belong.

Some routes turn a long SMS into an MMS with one `text/plain` file, whose first words may stand in the body as well.
Source: reference, whatsapp-sms.md section A2.
"""

import re
from collections.abc import Sequence
from typing import Final

from channels.clean import clean
from channels.messages import Media, Part, Text

MOST_BYTES: Final = 65_536  # of a file that is read as a message, as Meta allows; a longer one stays a file
_IS_PLAIN: Final = re.compile(r"(?i)text/plain\s*(?:;|$)")
_ENDS_OPEN: Final = re.compile(r"[\s.…]+$")


def is_plain(content_type: str) -> bool:
    """Whether a file is text without any form, by what its sender says."""
    return _IS_PLAIN.match(content_type) is not None


def place_in(parts: Sequence[Part]) -> int | None:
    """Which of a message's parts is the file that its words are in; None when it has said all it has to say."""
    return next((place for place, part in enumerate(parts) if isinstance(part, Media) and part.written), None)


def read(file: bytes) -> str:
    """The words in such a file; none when it is something else, or holds nothing but spaces.

    In UTF-8, with the mark of UTF-16 in that, and else as telephones and gateways wrote before it.
    """
    if file.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = file.decode("utf-16", "replace")
    else:
        try:
            text = file.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = file.decode("cp1252", "replace")
    if "\0" in text:
        return ""
    return clean(text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def with_words(parts: Sequence[Part], words: str) -> tuple[Part, ...]:
    """The message as it was written. Every part keeps its place; what the body has of the words is not said twice.

    A body that is something else is the message, and the file is just a file.
    """
    for place, part in enumerate(parts):
        if isinstance(part, Text):
            if not _begins(words, part.text):
                return tuple(parts)
            return (*parts[:place], Text(words), *parts[place + 1 :])
    return (*parts, Text(words))


def _begins(words: str, body: str) -> bool:
    beginning = _ENDS_OPEN.sub("", " ".join(body.split()))
    return " ".join(words.split()).startswith(beginning)
