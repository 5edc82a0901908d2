"""Users."""

from gateway.rest.route import Routes

routes = Routes("Users")
