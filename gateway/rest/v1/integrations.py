"""Integrations."""

from gateway.rest.route import Routes

routes = Routes("Integrations")
