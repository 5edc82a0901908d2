"""The dashboard's surface, `/api`: camel case, integers as ids, a session cookie."""

from collections.abc import Sequence
from importlib import import_module

from gateway.rest.route import Routes

# In the order of the document.
_RESOURCES = ("auth", "calls")


def all_routes() -> Sequence[Routes]:
    """Every resource's routes."""
    return [import_module(f"gateway.rest.app.{name}").routes for name in _RESOURCES]
