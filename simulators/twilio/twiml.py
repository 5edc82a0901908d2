"""Reads what a messaging webhook answered: TwiML, plain text or nothing."""

from dataclasses import dataclass
from xml.etree import ElementTree as ET

_TYPES_OF_XML = ("text/xml", "application/xml", "text/html", "application/xhtml+xml")


@dataclass(frozen=True, slots=True)
class Message:
    """Text somebody. `to` and `sender` are empty when the answer goes back the way it came."""

    body: str
    media: tuple[str, ...] = ()
    to: str = ""
    sender: str = ""
    action: str = ""
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Redirect:
    """Ask this address what to do instead (relative to the one that answered; empty is the same again)."""

    url: str
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Document:
    """What to send, where to ask after that, and Twilio's codes for what was passed over."""

    messages: tuple[Message, ...] = ()
    redirect: Redirect | None = None
    warnings: tuple[tuple[int, str], ...] = ()


class Unreadable(Exception):  # noqa: N818 - twiml.Unreadable says it
    """The answer is none that Twilio can act on; `code` is its number for why."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def read(content_type: str, answer: bytes) -> Document:
    """The instructions in a successful answer.

    Raises:
        Unreadable: not XML (12100), no <Response> (12102), a type that is neither XML nor text (12300).
    """
    if not answer.strip():
        return Document()
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "text/plain":
        return Document((Message(answer.decode("utf-8", "replace").strip()),))
    if kind not in _TYPES_OF_XML:
        raise Unreadable(12300, f"cannot act on an answer of type {kind or 'unknown'}")
    try:
        root = ET.fromstring(answer)  # noqa: S314 - the answer of the application under test
    except (ET.ParseError, ValueError, LookupError) as error:  # LookupError: it names no real encoding.
        raise Unreadable(12100, f"the document is not XML: {error}") from error
    if root.tag != "Response":
        raise Unreadable(12102, f"the root element is <{root.tag}>, not <Response>")
    messages: list[Message] = []
    redirect: Redirect | None = None
    warnings: list[tuple[int, str]] = []
    for element in root:
        if element.tag == "Redirect":
            redirect = Redirect((element.text or "").strip(), _method(element))
            break  # Nothing after it is ever reached.
        if element.tag not in ("Message", "Sms"):
            warnings.append((12200, f"<{element.tag}> is no messaging verb"))
        elif (message := _message(element)).body or message.media:
            messages.append(message)
        else:
            warnings.append((14103, "<Message> has neither text nor media"))
    return Document(tuple(messages), redirect, tuple(warnings))


def _message(element: ET.Element) -> Message:
    bodies = ["".join(body.itertext()) for body in element.iter("Body")]
    loose = [element.text or "", *(child.tail or "" for child in element)]
    return Message(
        body="".join(bodies or loose).strip(),
        media=tuple(url for media in element.iter("Media") if (url := (media.text or "").strip())),
        to=element.get("to", ""),
        sender=element.get("from", ""),
        action=element.get("action", ""),
        method=_method(element),
    )


def _method(element: ET.Element) -> str:
    return "GET" if element.get("method", "").upper() == "GET" else "POST"
