"""Channels."""

from gateway.rest.route import Routes

routes = Routes("Channels")
