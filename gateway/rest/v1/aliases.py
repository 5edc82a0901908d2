"""The unversioned paths of old, `/api/customers` and its like: the same routes as under `/api/v1`, on their way out.

Paths that the dashboard's API defines are not among them.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from functools import cache
from typing import Final

from gateway.rest.route import Deprecated, Route
from gateway.rest.surface import Surface

PREFIX: Final = "/api"
RESOURCES: Final = frozenset(
    {"customers", "service-requests", "technicians", "appointments", "invoices", "users", "dashboard"}
)
_SUNSET: Final = date(2027, 12, 31)


@cache
def of(v1: Surface) -> Surface:
    """`v1` once more, under the unversioned prefix."""
    return replace(v1, name="v1 unversioned", prefix=PREFIX, load=lambda: [*_routes(v1)])


def _routes(v1: Surface) -> Iterator[Route]:
    for route in v1.routes:
        if route.path.split("/")[1] in RESOURCES:
            gone = Deprecated(_SUNSET, v1.prefix + route.path)
            yield replace(route, deprecated=gone)
