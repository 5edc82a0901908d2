"""API keys."""

from gateway.rest.route import Routes

routes = Routes("API keys")
