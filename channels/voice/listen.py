"""What we listen for after we have spoken: the kind of answer, the choices with their keys, and how long a pause may be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from channels.messages import JSON, Option

Kind = Literal["yes_no", "menu", "time", "name", "long", "open"]

# Of the silence after which the caller has finished, by what was asked: nobody pauses within "yes", everybody within a
# telephone number.
PAUSE_MS: Final[Mapping[Kind, int]] = MappingProxyType(
    {"yes_no": 400, "menu": 500, "time": 700, "name": 900, "long": 1500, "open": 900}
)
PERSON: Final = "0"
AGAIN: Final = "*"
_MOST_KEYS: Final = 9
_MOST_HINTS: Final = 100
# Types of slots as scenarios name them.
_KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "yes_no": "yes_no",
        "choice": "menu",
        "number": "menu",
        "date": "time",
        "time": "time",
        "slot_time": "time",
        "name": "name",
        "phone": "long",
        "email": "long",
        "place": "long",
    }
)
_COMMON_HINTS: Final[Mapping[str, Mapping[Kind, tuple[str, ...]]]] = MappingProxyType(
    {
        "en": {
            "yes_no": ("yes", "no", "that's right", "book it"),
            "time": ("today", "tomorrow", "morning", "afternoon", "o'clock", "a m", "p m"),
        },
        "es": {
            "yes_no": ("sí", "no", "correcto", "de acuerdo"),
            "time": ("hoy", "mañana", "pasado mañana", "por la tarde", "y media"),
        },
        "de": {
            "yes_no": ("ja", "nein", "genau", "in Ordnung"),
            "time": ("heute", "morgen", "übermorgen", "nachmittags", "Uhr", "halb"),
        },
        "fr": {
            "yes_no": ("oui", "non", "c'est ça", "d'accord"),
            "time": ("aujourd'hui", "demain", "après-demain", "l'après-midi", "heures", "et demie"),
        },
        "pt": {
            "yes_no": ("sim", "não", "isso mesmo", "pode marcar"),
            "time": ("hoje", "amanhã", "depois de amanhã", "à tarde", "e meia"),
        },
    }
)


@dataclass(frozen=True, slots=True)
class Listen:
    """`options` are the choices in the order of their keys, by the ids that buttons would carry."""

    kind: Kind = "open"
    options: tuple[Option, ...] = ()

    @classmethod
    def to(cls, slot_type: str, options: Sequence[Option] = ()) -> "Listen":
        """What a question about a slot of that type listens for; an empty type is no question in particular."""
        return cls(_KINDS.get(slot_type, "open"), tuple(options))

    @property
    def pause_ms(self) -> int:
        return PAUSE_MS[self.kind]

    @property
    def is_consent(self) -> bool:
        """Whether a yes does something that was read out before: it counts only if that was heard to its end."""
        return self.kind == "yes_no"

    @property
    def keys(self) -> Mapping[str, Option]:
        """What each key means, but for those that always mean the same (`PERSON`, `AGAIN`)."""
        if self.kind == "yes_no" and not self.options:
            return {"1": Option("", "yes"), "2": Option("", "no")}
        return {str(number): option for number, option in enumerate(self.options[:_MOST_KEYS], 1)}

    @property
    def digits(self) -> int:
        """How many keys an answer has at most; 0: as many as they like, ended by #."""
        return 1 if self.keys else 0

    def hints(self, language: str = "en") -> tuple[str, ...]:
        """Words that are likely to come."""
        named = [option.title.replace(",", "") for option in self.options]
        common = _COMMON_HINTS.get(language[:2].lower(), {})
        return tuple(dict.fromkeys((*named, *common.get(self.kind, ()))))[:_MOST_HINTS]

    def hints_of_call(self, names: Sequence[str], language: str) -> tuple[str, ...]:
        """The same where they stay for all questions of a call: with what the business offers, and who works there."""
        named = [name.replace(",", "") for name in names]
        common = [word for words in _COMMON_HINTS.get(language[:2].lower(), {}).values() for word in words]
        return tuple(dict.fromkeys((*self.hints(language), *named, *common)))[:_MOST_HINTS]

    def to_json(self) -> dict[str, JSON]:
        return {"kind": self.kind, "options": [{"id": one.id, "title": one.title} for one in self.options]}

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> "Listen":
        kind, options = data.get("kind"), data.get("options")
        each = options if isinstance(options, list) else []
        found = [Option(str(one["id"]), str(one["title"])) for one in each if isinstance(one, dict)]
        return cls(next((one for one in PAUSE_MS if one == kind), "open"), tuple(found))
