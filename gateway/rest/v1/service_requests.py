"""Service requests."""

from gateway.rest.route import Routes

routes = Routes("Service requests")
