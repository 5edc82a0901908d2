"""Customers."""

from gateway.rest.route import Routes

routes = Routes("Customers")
