"""Whether a channel carries a file, and as what: plain facts, told before it is sent and not by the provider afterwards."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from channels.base import Capabilities, FileLimit
from channels.messages import Media

MB: Final = 1024**2


class Unfit(ValueError):  # noqa: N818  fitting.Unfit says it
    """The channel does not carry it; the text is a sentence for a person."""


def fit(file: Media, able: Capabilities, *, as_it_is: bool = False) -> Media:
    """The file as the channel carries it: a picture that is too large or none for the channel goes as a document where that
    can be, unless it has to stay what it is. What nobody has said of it is not held against it.

    Raises: Unfit
    """
    if not able.files:
        return file
    limit = next((one for one in able.files if one.kind == file.kind), None)
    wrong = "This channel takes no files of this kind." if limit is None else _wrong(file, limit)
    if not wrong:
        return file
    document = next((one for one in able.files if one.kind == "document"), None)
    may_be_document = able.documents_any and not as_it_is and file.kind != "document"
    if may_be_document and document is not None and not _wrong(file, document):
        return replace(file, kind="document")
    raise Unfit(wrong)


def fit_together(files: Iterable[Media], able: Capabilities) -> None:
    """Raises: Unfit, when they are too large for one message"""
    if able.files_max_bytes and sum(file.size or 0 for file in files) > able.files_max_bytes:
        raise Unfit(f"Too large: this channel takes {able.files_max_bytes // MB} MB of files in one message.")


def _wrong(file: Media, limit: FileLimit) -> str:
    content_type = file.content_type.partition(";")[0].strip().lower()
    is_known = bool(content_type) or bool(file.file)  # of one of ours an empty type says that its bytes prove nothing
    if limit.types and is_known and content_type not in limit.types:
        return f"This channel does not take {content_type or 'files whose kind nobody can tell'} as {_AS[limit.kind]}."
    if file.size is not None and file.size > limit.max_bytes:
        return f"This file is too large: this channel takes at most {limit.max_bytes // MB} MB as {_AS[limit.kind]}."
    return ""


_AS: Final = {
    "image": "a picture",
    "video": "a film",
    "audio": "sound",
    "document": "a document",
    "sticker": "a sticker",
}
