"""Conversations."""

from gateway.rest.route import Routes

routes = Routes("Conversations")
