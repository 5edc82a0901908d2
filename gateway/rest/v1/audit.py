"""Audit."""

from gateway.rest.route import Routes

routes = Routes("Audit")
