"""How a camera was held, out of what it wrote into a photograph: the one thing there that a picture cannot be shown without.

Read by hand: the image library takes all of it apart, and raises whatever comes of a broken tag beside the one wanted.
"""

import struct
from typing import Final

UPRIGHT: Final = 1
_ORIENTATION: Final = 0x0112
_SHORT: Final = 3
MARK: Final = b"Exif\x00\x00"  # before it in a JPEG


def orientation(data: bytes) -> int:
    """1 (upright) to 8 of `data`, the picture's EXIF; 1 also when that is cut off, broken, or says anything else.

    Source: EXIF 2.32, 4.6.2 and 4.6.4; TIFF 6.0, section 2.
    """
    data = data.removeprefix(MARK)
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(data[:4])
    if order is None:
        return UPRIGHT
    try:
        (at,) = struct.unpack_from(f"{order}L", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, at)
        for place in range(count):
            tag, kind, values, value = struct.unpack_from(f"{order}HHLH", data, at + 2 + 12 * place)
            if tag == _ORIENTATION:
                return value if (kind, values) == (_SHORT, 1) and UPRIGHT <= value <= 8 else UPRIGHT
    except struct.error:
        pass  # it ends before that
    return UPRIGHT


def that_says(held: int) -> bytes:
    """An EXIF that says how the camera was held, and nothing else."""
    return b"II*\x00" + struct.pack("<LHHHLLL", 8, 1, _ORIENTATION, _SHORT, 1, held, 0)
