"""What there is: an app, the numbers of a business, its templates, files, and the record of what was sent."""

from dataclasses import dataclass, field
from datetime import datetime

Json = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """Whose webhook it is. What is posted there is signed with `secret`; `tokens` open the Graph API."""

    secret: str
    tokens: tuple[str, ...]
    webhook_url: str = ""  # empty: nobody is told anything
    verify_token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A WhatsApp number of a business: what people see, and the ids by which Meta knows it and its account."""

    number: str  # with its plus
    phone_number_id: str
    waba_id: str

    @property
    def digits(self) -> str:
        return self.number.removeprefix("+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """An approved text. `components` are as the Graph API lists them."""

    name: str
    language: str = "en_US"
    status: str = "APPROVED"
    category: str = "UTILITY"
    components: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True)
class File:
    """A file that somebody sends."""

    content: bytes
    content_type: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that Meta keeps, for the account it was sent to or uploaded by."""

    file: File
    at: datetime


@dataclass(slots=True, kw_only=True)
class Message:
    """What the application has sent, and how far it has come."""

    id: str
    sender: Number
    to: str
    kind: str
    body: Json  # of the request
    status: str
    at: datetime
    error: int | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """A message as it stands on somebody's phone. `content` is what stands in the request under the name of its kind."""

    id: str
    sender: Number
    kind: str
    content: Json
    quotes: str
    at: datetime

    @property
    def text(self) -> str:
        """Its words: a text, a caption, or what stands above buttons."""
        for inside, name in ((self.content.get("body"), "text"), (self.content, "body"), (self.content, "caption")):
            if isinstance(inside, dict) and isinstance(found := inside.get(name), str):
                return found
        return ""

    @property
    def options(self) -> list[Json]:
        """The buttons or rows, each with id and title."""
        action = self.content.get("action")
        if not isinstance(action, dict):
            return []
        buttons = [one["reply"] for one in action.get("buttons", ()) if "reply" in one]
        return [*buttons, *(row for section in action.get("sections", ()) for row in section.get("rows", ()))]


@dataclass(slots=True)
class Seen:
    """What the application has shown to customers besides messages: the ids it has read, and for which it wrote."""

    read: list[str] = field(default_factory=list)
    typing: list[str] = field(default_factory=list)
