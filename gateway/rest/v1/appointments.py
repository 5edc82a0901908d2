"""Appointments."""

from gateway.rest.route import Routes

routes = Routes("Appointments")
