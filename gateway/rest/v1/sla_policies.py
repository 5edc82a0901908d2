"""Promises of time."""

from gateway.rest.route import Routes

routes = Routes("Promises of time")
