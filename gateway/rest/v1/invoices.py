"""Invoices."""

from gateway.rest.route import Routes

routes = Routes("Invoices")
