"""Scenarios."""

from gateway.rest.route import Routes

routes = Routes("Scenarios")
