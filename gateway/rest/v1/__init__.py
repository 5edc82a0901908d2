"""The canonical surface, `/api/v1`. A resource is a module here with `routes`, and a name in `_RESOURCES`."""

from collections.abc import Sequence
from importlib import import_module

from gateway.rest.route import Routes

# In the order of the document.
_RESOURCES = (
    "auth",
    "users",
    "invitations",
    "api_keys",
    "oauth_apps",
    "audit",
    "businesses",
    "hours",
    "services",
    "staff",
    "faqs",
    "channels",
    "whatsapp",
    "bots",
    "scenarios",
    "customers",
    "attributes",
    "transfers",
    "conversations",
    "messages",
    "calls",
    "speech_usage",
    "media",
    "canned_replies",
    "teams",
    "labels",
    "sla_policies",
    "inbox",
    "deals",
    "broadcasts",
    "sending",
    "webhooks",
    "service_requests",
    "technicians",
    "appointments",
    "invoices",
    "integrations",
    "dashboard",
)


def all_routes() -> Sequence[Routes]:
    """Every resource's routes."""
    return [import_module(f"gateway.rest.v1.{name}").routes for name in _RESOURCES]
