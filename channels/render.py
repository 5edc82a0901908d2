"""From what we want to say to messages that one channel can carry."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final, Literal

from channels.base import Capabilities
from channels.messages import Media, Option, OutboundMessage, Template
from channels.split import shorten, size, split

Shape = Literal["none", "buttons", "list", "numbers"]

_NOTHING: Final = OutboundMessage()
_LINE_MAX: Final = 900  # in a template of 1,024 characters with some words of its own


def render(message: OutboundMessage, able: Capabilities) -> tuple[OutboundMessage, ...]:
    """The messages to send, in order, each within the channel's limits; none when there is nothing it can show.

    What the channel has no form for is said in words: choices become numbered lines, a place becomes a map link. Too
    many buttons become a list, too many list rows numbered lines. Choices come with the last piece of a long text,
    captions are text, and all pieces carry the same reference. Rendering twice changes nothing.
    """
    if message.is_plain and size(message.text) <= able.text_max:
        return (message,) if message.text.strip() else ()  # nearly every message, in a tenth of the time
    if message.template and able.templates:
        return (message,)
    pieces = [*_pieces(message, able)]
    if message.reference:
        pieces = [replace(piece, reference=message.reference) for piece in pieces]
    if pieces and able.quotes:
        pieces[0] = replace(pieces[0], reply_to=message.reply_to)
    return tuple(pieces)


def in_template(message: OutboundMessage, able: Capabilities, template: Template) -> OutboundMessage:
    """The same said by an approved template: its variables that are empty take all the words, as one line."""
    in_words = replace(
        able, buttons_max=0, list_max=0, media_max=0, location=False, contact=False, link_button=False, templates=False
    )
    text = "\n".join(piece.text for piece in render(replace(message, template=None), in_words))
    line = shorten(" ".join(text.split()), _LINE_MAX)
    variables = {name: value or line for name, value in template.variables.items()}
    return OutboundMessage(text, template=replace(template, variables=variables), reference=message.reference)


def is_text_and_files(message: OutboundMessage) -> bool:
    """Whether there is nothing but text and files."""
    return message.is_plain or replace(message, media=()).is_plain


def render_all(messages: Iterable[OutboundMessage], able: Capabilities) -> list[OutboundMessage]:
    """The pieces of several messages, in order."""
    return [piece for message in messages for piece in render(message, able)]


def _pieces(message: OutboundMessage, able: Capabilities) -> Iterator[OutboundMessage]:
    shape = _shape(message, able)
    is_interactive = shape in ("buttons", "list")
    asks_location = message.asks_location and able.asks_location and not is_interactive
    text_max = able.text_max
    if is_interactive or asks_location:
        text_max = min(text_max, able.choice_text_max)
    elif able.link_text_max and _has_link_button(message, able, shape):
        text_max = min(text_max, able.link_text_max)
    texts = list(split(_in_words(message, able, shape), text_max))
    if message.reaction and able.reactions:
        yield OutboundMessage(reaction=message.reaction)
    for start in range(0, len(message.media) if able.media_max else 0, able.media_max or 1):
        files = tuple(replace(file, caption="") for file in message.media[start : start + able.media_max])
        has_room = texts and not start and (not is_interactive or len(texts) > 1) and _takes_text(files, texts[0], able)
        yield OutboundMessage(texts.pop(0) if has_room else "", media=files)
    if message.location and able.location:
        yield OutboundMessage(location=message.location)
    if message.contact and able.contact:
        yield OutboundMessage(contact=message.contact)
    last = OutboundMessage(
        texts.pop() if texts else "",
        choices=_options(message.choices, shape, able),
        style="buttons" if shape == "buttons" else "list" if shape == "list" else "auto",
        menu=shorten(message.menu, able.menu_max) if shape == "list" else "",
        link=message.link if _has_link_button(message, able, shape) else None,
        asks_location=asks_location,
    )
    yield from map(OutboundMessage, texts)
    if last != _NOTHING:
        yield last


def _takes_text(files: tuple[Media, ...], text: str, able: Capabilities) -> bool:
    if not able.media_takes_text or (able.caption_max and size(text) > able.caption_max):
        return False
    return not any(file.kind in able.uncaptioned for file in files)


def _has_link_button(message: OutboundMessage, able: Capabilities, shape: Shape) -> bool:
    """Whether the link is a button; otherwise it is said in words."""
    is_alone = shape not in ("buttons", "list") and not (message.asks_location and able.asks_location)
    return message.link is not None and able.link_button and (is_alone or able.link_beside_choices)


def _shape(message: OutboundMessage, able: Capabilities) -> Shape:
    """How the choices are shown. Titles that would look alike once shortened are numbered, to be told apart."""
    options = message.choices
    if not options:
        return "none"
    fits_buttons = len(options) <= able.buttons_max and _are_distinct(options, able.button_title_max)
    fits_list = len(options) <= able.list_max and _are_distinct(options, able.list_title_max)
    loses_words = any(
        option.description or shorten(option.title, able.button_title_max) != option.title for option in options
    )
    wants_list = message.style == "list" or (message.style == "auto" and loses_words)
    if fits_buttons and not (fits_list and wants_list):
        return "buttons"
    return "list" if fits_list else "numbers"


def _are_distinct(options: tuple[Option, ...], title_max: int) -> bool:
    return len({shorten(option.title, title_max) for option in options}) == len(options)


def _options(options: tuple[Option, ...], shape: Shape, able: Capabilities) -> tuple[Option, ...]:
    if shape == "buttons":
        return tuple(Option(option.id, shorten(option.title, able.button_title_max)) for option in options)
    if shape == "list":
        return tuple(_row(option, able) for option in options)
    return ()


def _row(option: Option, able: Capabilities) -> Option:
    title = shorten(option.title, able.list_title_max)
    description = option.description or (option.title if title != option.title else "")
    return Option(option.id, title, shorten(description, able.list_description_max))


def _in_words(message: OutboundMessage, able: Capabilities, shape: Shape) -> str:
    """All that is said in words: the text, the captions, and whatever the channel cannot show in another way."""
    lines = [message.text]
    for file in message.media:
        lines += [file.caption, file.url if not able.media_max else ""]
    if (place := message.location) and not able.location:
        lines += [place.name, place.address, place.map_url]
    if (contact := message.contact) and not able.contact:
        lines += [contact.name, *contact.phones, *contact.emails]
    if (link := message.link) and not _has_link_button(message, able, shape):
        lines.append(f"{link.title}: {link.url}" if link.title else link.url)
    if shape == "numbers":
        lines += [_line(number, option) for number, option in enumerate(message.choices, 1)]
    return "\n".join(filter(None, lines)).strip()


def _line(number: int, option: Option) -> str:
    line = f"{option.letter or number}. {option.title}"
    return f"{line} ({option.description})" if option.description else line
