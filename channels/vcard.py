"""A visiting card as a file, for channels that carry it as one (RFC 2426: telephones read version 3.0 everywhere)."""

from typing import Final

from channels.clean import clean
from channels.messages import Contact

CONTENT_TYPE: Final = "text/vcard"


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


def _line(words: str) -> str:
    return " ".join(clean(words).split())
