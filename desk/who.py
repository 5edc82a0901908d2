"""Who acts: every verb of desk is told, stays within that tenant and writes it into the audit."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["bot", "customer", "staff", "app", "system"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody, or something, that acts for one tenant. `user_id` and `role` belong to `staff`, `name` to an `app`."""

    tenant_id: int
    kind: Kind
    user_id: int | None = None
    role: str | None = None
    name: str = ""
