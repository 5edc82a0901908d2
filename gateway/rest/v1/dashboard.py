"""Dashboard."""

from gateway.rest.route import Routes

routes = Routes("Dashboard")
