"""Labels."""

from gateway.rest.route import Routes

routes = Routes("Labels")
