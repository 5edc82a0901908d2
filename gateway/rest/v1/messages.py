"""Messages."""

from gateway.rest.route import Routes

routes = Routes("Messages")
