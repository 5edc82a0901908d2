"""Teams."""

from gateway.rest.route import Routes

routes = Routes("Teams")
