"""Imports and exports."""

from gateway.rest.route import Routes

routes = Routes("Imports and exports")
