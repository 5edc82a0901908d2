"""Businesses."""

from gateway.rest.route import Routes

routes = Routes("Businesses")
