"""Technicians."""

from gateway.rest.route import Routes

routes = Routes("Technicians")
