"""Broadcasts."""

from gateway.rest.route import Routes

routes = Routes("Broadcasts")
