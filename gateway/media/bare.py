"""Pictures without what a camera or a program wrote into them: the place, the time, the device, the words, what was cut off.

Pieces of the file are left out and the rest stays as it is, byte for byte, so the pixels are those that were sent. Kept is
what a picture cannot be shown without: its colours, and how the camera was held. Whatever else a file holds, now or in some
format to come, goes; so do second pictures and films behind the end, as telephones put them there with a place of their own.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from gateway.media import exif

# From one marker to the next; in the picture itself 0xFF is followed by zero or by a restart (ITU-T T.81, B.1.1.2, B.1.1.5).
_MARKER: Final = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
_EOI, _SOS, _APP1 = 0xD9, 0xDA, 0xE1
_OF_PROGRAMS: Final = frozenset([*range(0xE0, 0xF0), 0xFE])  # APP0 to APP15, and comments
_KEPT_OF_THEM: Final = {0xE0: b"JFIF\x00", 0xE2: b"ICC_PROFILE\x00", 0xEE: b"Adobe"}
# Those without which it would not look the same (PNG, third edition, 11.3); of the rest whatever is not critical goes.
_KEPT_CHUNKS: Final = frozenset(
    b"tRNS gAMA cHRM sRGB iCCP cICP mDCV cLLI sBIT bKGD hIST pHYs sPLT acTL fcTL fdAT".split()
)
_KEPT_RIFF: Final = frozenset([b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"ICCP"])
_HAS_EXIF, _HAS_XMP = 0x08, 0x04  # flags of VP8X (RFC 9649, 2.7)


def is_for(content_type: str) -> bool:
    """Whether `of` knows pictures of that type."""
    return content_type in _BY_TYPE


def of(data: bytes, content_type: str) -> bytes:
    """The picture without it; the same bytes when there was nothing to leave out. One that is cut off stays cut off."""
    return b"".join(_BY_TYPE[content_type](data))


def _jpeg(data: bytes) -> Iterator[bytes]:
    yield data[:2]
    at, is_turned, is_begun = 2, False, False
    while found := _MARKER.search(data, at):
        if is_begun:
            yield data[at : found.start()]  # the picture itself
        at = found.end()
        kind = data[at - 1]
        if kind == _EOI:
            yield b"\xff\xd9"
            return
        length = int.from_bytes(data[at : at + 2], "big")
        inside, at = data[at + 2 : at + length], at + max(length, 2)
        if kind == _APP1 and not is_turned and (turn := _turn(inside)):
            is_turned = True
            yield _segment(_APP1, exif.MARK + turn)
        elif kind not in _OF_PROGRAMS or (kind in _KEPT_OF_THEM and inside.startswith(_KEPT_OF_THEM[kind])):
            yield _segment(kind, inside)
        is_begun |= kind == _SOS
    if is_begun:
        yield data[at:]


def _segment(kind: int, inside: bytes) -> bytes:
    return bytes((0xFF, kind)) + struct.pack(">H", len(inside) + 2) + inside


def _png(data: bytes) -> Iterator[bytes]:
    yield data[:8]
    at = 8
    while at < len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        chunk, at = data[at : at + length + 12], at + length + 12
        if kind[:1].isupper() or kind in _KEPT_CHUNKS:
            yield chunk
        elif kind == b"eXIf" and (turn := _turn(chunk[8:-4])):
            yield struct.pack(">L", len(turn)) + kind + turn + struct.pack(">L", zlib.crc32(kind + turn))
        if kind == b"IEND":
            return


def _webp(data: bytes) -> Iterator[bytes]:
    chunks = [*_riff(data)]
    turn = next((turn for kind, inside in chunks if kind == b"EXIF" and (turn := _turn(inside))), b"")
    kept = [(kind, inside) for kind, inside in chunks if kind in _KEPT_RIFF]
    body = bytearray()
    for kind, inside in [*kept, (b"EXIF", turn)] if turn else kept:
        if kind == b"VP8X" and inside:
            inside = bytes((inside[0] & ~(_HAS_EXIF | _HAS_XMP) | (_HAS_EXIF if turn else 0),)) + inside[1:]
        body += kind + struct.pack("<L", len(inside)) + inside + bytes(len(inside) % 2)
    yield b"RIFF" + struct.pack("<L", len(body) + 4) + b"WEBP" + body


def _riff(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at, end = 12, min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    while at + 8 <= end:
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + 4], data[at + 8 : min(end, at + 8 + length)]
        at += 8 + length + length % 2


def _turn(written: bytes) -> bytes:
    """An EXIF that says how the camera was held and nothing else; empty when it was held upright."""
    held = exif.orientation(written)
    return exif.that_says(held) if held != exif.UPRIGHT else b""


_BY_TYPE: Final[Mapping[str, Callable[[bytes], Iterator[bytes]]]] = {
    "image/jpeg": _jpeg,
    "image/png": _png,
    "image/webp": _webp,
}
