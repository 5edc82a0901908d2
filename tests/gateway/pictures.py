"""Files to send in tests."""

import io
import struct
import wave
import zipfile

ZERO = b""
TEXT = b"just words"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!DOCTYPE html><html><script>alert(1)</script></html>"
PROGRAM = b"MZ\x90\x00" + bytes(200)
PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n"
GIF = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"
HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(40)
VOICE = b"OggS\x00\x02" + bytes(22) + b"\x01\x13OpusHead\x01" + bytes(40)


def word() -> bytes:
    """A document of an office's."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as folder:
        for name in ("[Content_Types].xml", "_rels/.rels", "word/document.xml"):
            folder.writestr(name, "<x/>")
    return file.getvalue()


def jpeg(width: int = 800, height: int = 600, *, turned: bool = False) -> bytes:
    """A photograph; `turned` says that the camera was held upright and that it knows where it was."""
    from PIL import Image

    image, file = Image.new("RGB", (width, height), "teal"), io.BytesIO()
    exif = image.getexif()
    if turned:
        exif[0x0112] = 6  # orientation
        exif[0x010E] = "taken at 30.2672 N"
    image.save(file, "JPEG", **({"exif": exif} if turned else {}))
    return file.getvalue()


def photograph(written: bytes) -> bytes:
    """One of 800 by 600 with these bytes as what the camera wrote into it (EXIF)."""
    plain = jpeg()
    return plain[:2] + b"\xff\xe1" + struct.pack(">H", len(written) + 8) + b"Exif\x00\x00" + written + plain[2:]


def written(*entries: tuple[int, int, int, bytes]) -> bytes:
    """What a camera writes: tag, type, count and value of each."""
    body = b"".join(struct.pack("<HHL", *entry[:3]) + entry[3].ljust(4, b"\x00") for entry in entries)
    return b"II*\x00\x08\x00\x00\x00" + struct.pack("<H", len(entries)) + body + bytes(4)


def wav() -> bytes:
    """A second of silence."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16_000))
    return file.getvalue()


def png(width: int, height: int) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.new("1", (width, height)).save(file, "PNG")
    return file.getvalue()


PLACE = b"30.2672 N"


def from_a_camera(kind: str) -> bytes:
    """A picture of that kind, held sideways, that says in every way it can where it was taken (`PLACE`)."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    place = PLACE.decode()
    image, file = Image.effect_noise((80, 60), 90).convert("RGB"), io.BytesIO()
    exif = image.getexif()
    exif[0x0112], exif[0x010E] = 6, place
    exif[0x8825] = {1: "N", 2: (30.0, 16.0, 2.0), 27: PLACE}
    told = {"exif": exif, "icc_profile": b"colours"}
    if kind == "JPEG":
        image.save(file, kind, progressive=True, comment=PLACE, xmp=PLACE, **told)
        plain = file.getvalue()
        more = b"".join(
            b"\xff" + bytes([app, 0, 20]) + name.ljust(9) + PLACE for app, name in ((0xED, b"8BIM"), (0xE2, b"MPF"))
        )
        return plain[:2] + more + b"\xff" + plain[2:] + b"\x00\x00\x00\x18ftypmp42" + PLACE  # and a film behind it
    if kind == "PNG":
        words = PngInfo()
        for name in ("Comment", "XML:com.adobe.xmp"):
            words.add_itxt(name, place)
            words.add_text(name, place)
        image.save(file, kind, pnginfo=words, **told)
    else:
        image.save(file, kind, lossless=True, xmp=PLACE, **told)
    return file.getvalue() + PLACE
