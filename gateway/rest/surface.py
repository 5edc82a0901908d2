"""What one API has that another has not: where it lies, how its errors look, how often one may call."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from gateway.auth.principal import Principal
from gateway.rest.problem import Problem
from gateway.rest.route import Route


@dataclass(frozen=True, slots=True)
class Seen:
    """What an error says about the request it answers."""

    path: str
    request_id: str
    at: datetime


@dataclass(frozen=True, eq=False)
class Surface:
    """An API: `routes` under `prefix`, which `load` finds when they are first asked for. `limits` names the policies that
    count for a caller, each with what it counts by.
    """

    name: str
    prefix: str
    title: str
    version: str
    description: str
    load: Callable[[], Sequence[Route]]
    error: Callable[[Problem, Seen], Mapping[str, Any]]
    error_schema: Mapping[str, Any]
    invalid_status: int  # for what does not fit the schema
    limits: Callable[[Principal | None, str], Sequence[tuple[str, str]]]

    @cached_property
    def routes(self) -> Sequence[Route]:
        return self.load()
