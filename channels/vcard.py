"""A visiting card as a file, for channels that carry it as one (RFC 2426: telephones read version 3.0 everywhere)."""

import re
from typing import TYPE_CHECKING, Final

from channels.clean import clean
from channels.messages import Contact

if TYPE_CHECKING:
    from icalendar import Component

CONTENT_TYPE: Final = "text/vcard"
MOST_BYTES: Final = 100_000  # of a file that is read; a card with a photograph is larger, and stays a file
_MOST: Final = 20  # cards in a file, and numbers or addresses on a card
_IS_CARD: Final = re.compile(r"(?i)text/(?:x-)?(?:vcard|directory)\b")
_ESCAPED: Final = re.compile(r"\\([\\,;:nN])")
_DIGITS: Final = re.compile(r"[0-9]{5,15}")


def is_card(content_type: str) -> bool:
    """Whether a file is one, by what its sender says."""
    return _IS_CARD.match(content_type) is not None


def of(contact: Contact) -> bytes:
    """The card: escaped, folded and in UTF-8. Who has no name is called by the first number or address."""
    from icalendar import Component, vN, vText  # a tenth of a second, and most processes never need it

    name = vText(_line(contact.name) or next(iter((*contact.phones, *contact.emails)), ""))
    card = Component()
    card.name = "VCARD"
    card.add("version", vText("3.0"))
    # We know no family names, and a card without N is none.
    card.add("n", vN.from_ical(f";{name.to_ical().decode()};;;"))
    card.add("fn", name)
    for number in contact.phones:
        card.add("tel", vText(_line(number)), parameters={"TYPE": "CELL"})
    for address in contact.emails:
        card.add("email", vText(_line(address)), parameters={"TYPE": "INTERNET"})
    made: bytes = card.to_ical(sorted=False)
    return made


def read(file: bytes) -> tuple[Contact, ...]:
    """The cards in a file that somebody has sent; none when it is not one that can be read."""
    from icalendar import Component

    try:
        found = Component.from_ical(file[:MOST_BYTES], multiple=True)
        cards = tuple(_contact(one) for one in found[:_MOST] if one.name == "VCARD")
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError):
        return ()  # whatever the library makes of bytes that are none
    return tuple(one for one in cards if one.name or one.phones or one.emails)


def _contact(card: "Component") -> Contact:
    said: dict[str, list[str]] = {"FN": [], "TEL": [], "EMAIL": []}
    whatsapp = []
    for name, value in card.property_items(recursive=False):
        plain = name.rpartition(".")[2].upper()  # WhatsApp groups them: item1.TEL
        if plain in said and (words := _line(_ESCAPED.sub(_unescaped, str(value)))[:300]):
            said[plain].append(words.removeprefix("tel:"))
        number = str(getattr(value, "params", {}).get("WAID", ""))
        if _DIGITS.fullmatch(number):
            whatsapp.append(f"+{number}")
    return Contact(
        next(iter(said["FN"]), ""),
        phones=tuple(said["TEL"][:_MOST]),
        whatsapp_ids=tuple(whatsapp[:_MOST]),
        emails=tuple(said["EMAIL"][:_MOST]),
    )


def _unescaped(found: re.Match[str]) -> str:
    return " " if found[1] in "nN" else found[1]


def _line(words: str) -> str:
    return " ".join(clean(words).split())
