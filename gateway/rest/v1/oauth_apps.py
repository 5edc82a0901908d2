"""OAuth apps."""

from gateway.rest.route import Routes

routes = Routes("OAuth apps")
