"""Sign-in."""

from gateway.rest.route import Routes

routes = Routes("Sign-in")
