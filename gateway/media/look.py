"""What a file is, told from its bytes and never from what somebody says; and a small picture of it.

Both libraries are loaded when the first file comes: together they would cost a tenth of a second at every start.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.media import exif

_LARGEST_SIDE: Final = 480
_MOST_PIXELS: Final = 50_000_000  # of a picture that is unpacked: a few kilobytes can hold a wall of one colour
_HEAD: Final = 8192
# Only these are unpacked: every further format is one more parser for strangers' bytes.
_PICTURES: Final = ("JPEG", "PNG", "GIF", "WEBP")

# Shown in the browser where it stands. Anything else is handed out as a file to save: what can hold a script (SVG, HTML,
# XML, ...) is not here, and never may be.
SHOWN: Final = frozenset(
    "image/jpeg image/png image/gif image/webp image/avif audio/mpeg audio/mp4 audio/ogg audio/amr audio/aac audio/x-wav "
    "audio/x-flac video/mp4 video/webm video/quicktime video/3gpp application/pdf".split()
)
# Told for what they are, to whoever fetches them, and saved all the same: providers take no file without its type.
SAVED: Final = frozenset(
    {
        *("image/heic", "image/tiff", "image/bmp"),
        *("application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint"),
        *(f"application/vnd.oasis.opendocument.{kind}" for kind in ("text", "spreadsheet", "presentation")),
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        *("application/rtf", "video/x-m4v", "video/x-msvideo", "video/mpeg"),
    }
)
# How a picture is turned upright, by how the camera was held.
_TURNS: Final = {
    2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE", 6: "ROTATE_270", 7: "TRANSVERSE", 8: "ROTATE_90",
}  # fmt: skip
_ON_ITS_SIDE: Final = range(5, 9)
_KINDS: Final[Mapping[str, str]] = {"image": "image", "audio": "audio", "video": "video"}


@dataclass(frozen=True, slots=True)
class Looked:
    """`content_type` is empty when nothing is known. `has_thumbnail`: a small picture was made."""

    content_type: str
    width: int | None = None
    height: int | None = None
    has_thumbnail: bool = False

    @property
    def kind(self) -> str:
        return _KINDS.get(self.content_type.partition("/")[0], "document")


def at(path: Path, thumbnail: Path, check: Callable[[], None]) -> Looked:
    """What the file at `path` is; where it is a picture, a small one is made at `thumbnail`: turned as it was taken, and
    without what the camera wrote into it, such as the place. `check` is called between steps and may raise.
    """
    content_type = type_of(path)
    if content_type.startswith("image/"):
        check()
        return _picture(path, content_type, thumbnail, check)
    return Looked(content_type)


def type_of(path: Path) -> str:
    """The content type that the first bytes prove, or nothing. Text proves nothing: it can be any language."""
    import filetype

    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head[4:10] in (b"ftyp3g", b"ftyp3G"):  # telephones' video, which the library takes for nothing
        return "video/3gpp"
    found = filetype.guess(head)
    return str(found.mime) if found is not None else ""


def _picture(path: Path, content_type: str, thumbnail: Path, check: Callable[[], None]) -> Looked:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path, formats=_PICTURES) as picture:
            width, height = picture.size
            if not 0 < width * height <= _MOST_PIXELS:
                return Looked(content_type, width, height)
            picture.draft("RGB", (2 * _LARGEST_SIDE, 2 * _LARGEST_SIDE))  # JPEG alone: unpacks a smaller one, quickly
            picture.load()
            check()
            held = exif.orientation(picture.info.get("exif", b""))
            small = picture.transpose(Image.Transpose[_TURNS[held]]) if held in _TURNS else picture.copy()
            small.thumbnail((_LARGEST_SIDE, _LARGEST_SIDE))
            clear = small.convert("RGBA" if small.has_transparency_data else "RGB")
            clear.save(thumbnail, "WEBP", quality=80, exif=b"", icc_profile=b"", xmp=b"")
    except (
        UnidentifiedImageError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        MemoryError,
    ):
        # Broken, cut off, or of a kind that we do not unpack: it is kept as it is, without a small picture.
        thumbnail.unlink(missing_ok=True)
        return Looked(content_type)
    return Looked(content_type, *((height, width) if held in _ON_ITS_SIDE else (width, height)), has_thumbnail=True)
