"""Webhooks."""

from gateway.rest.route import Routes

routes = Routes("Webhooks")
