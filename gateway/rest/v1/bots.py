"""Bots."""

from gateway.rest.route import Routes

routes = Routes("Bots")
