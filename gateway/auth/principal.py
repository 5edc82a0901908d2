"""Who calls, and what they may do. Every way to sign in ends here."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from desk.who import Actor

Role = Literal["owner", "admin", "agent", "technician", "viewer"]
ROLES: Final[tuple[Role, ...]] = ("owner", "admin", "agent", "technician", "viewer")

# What a scope opens, one noun each; every noun has `:read` and `:write`.
NOUNS: Mapping[str, str] = MappingProxyType(
    {
        "businesses": "businesses with their hours, services, staff and questions",
        "channels": "connected numbers",
        "bots": "bots and scenarios",
        "customers": "customers, their attributes, tags, imports and exports",
        "conversations": "conversations and messages",
        "recordings": "recordings of calls: to hear them, and to pause them",
        "canned_replies": "canned replies",
        "teams": "teams, labels and promises of time",
        "deals": "deals and pipeline stages",
        "broadcasts": "broadcasts",
        "webhooks": "webhook subscriptions",
        "service_requests": "service requests",
        "technicians": "technicians",
        "appointments": "appointments",
        "invoices": "invoices and payments",
        "integrations": "integrations",
        "users": "users and invitations",
        "api_keys": "API keys and OAuth apps",
        "audit": "the audit log",
        "dashboard": "figures",
    }
)
SCOPES: Final = tuple(f"{noun}:{verb}" for noun in NOUNS for verb in ("read", "write"))

_EVERYTHING = frozenset(SCOPES)
_DAILY = (
    "businesses channels bots customers conversations canned_replies teams deals broadcasts service_requests technicians "
    "appointments invoices dashboard"
).split()
_READS = frozenset(f"{noun}:read" for noun in _DAILY)
_AGENT_WRITES = "customers conversations recordings canned_replies deals service_requests appointments".split()

OF_ROLE: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "owner": _EVERYTHING,
        "admin": _EVERYTHING,
        "agent": _READS | {"users:read", "recordings:read"} | {f"{noun}:write" for noun in _AGENT_WRITES},
        "technician": frozenset(
            "businesses:read customers:read technicians:read appointments:read appointments:write "
            "service_requests:read service_requests:write".split()
        ),
        "viewer": _READS,
    }
)


def key_scopes(scopes: Collection[str], role: str | None) -> frozenset[str]:
    """What an API key may do: no more than whoever made it may by now; `role` is None for a key that is nobody's."""
    given = frozenset(scopes)
    return given if role is None else given & OF_ROLE.get(role, frozenset())


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller who has proved who they are. `session` is the UUID of the device's session; `rate_per_minute` an app's own."""

    tenant_id: int
    kind: Literal["user", "api_key", "oauth_app"]
    scopes: frozenset[str]
    user_id: int | None = None
    user_uid: str | None = None
    role: str | None = None
    session: str | None = None
    app_uid: str | None = None
    name: str = ""
    rate_per_minute: int | None = None
    maker_id: int | None = None  # whose key it is

    def may(self, scope: str) -> bool:
        return scope in self.scopes

    @property
    def gives(self) -> frozenset[str]:
        """The roles that the caller may give to people and take from them: none above their own.

        A program has no role; it stands as high as what it may do.
        """
        if self.role in ROLES:
            return frozenset(ROLES[ROLES.index(self.role) :])
        return frozenset(role for role in ROLES[1:] if OF_ROLE[role] <= self.scopes)

    @property
    def person_id(self) -> int | None:
        """The person who calls, or whose key does; None for programs that are nobody's."""
        return self.user_id if self.user_id is not None else self.maker_id

    @property
    def key(self) -> str:
        """What limits count by: the device or program that calls."""
        return self.session or self.app_uid or self.user_uid or ""

    @property
    def actor(self) -> Actor:
        if self.kind == "user":
            return Actor(self.tenant_id, "staff", self.user_id, self.role)
        return Actor(self.tenant_id, "app", name=self.name)
