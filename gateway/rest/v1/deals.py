"""Deals."""

from gateway.rest.route import Routes

routes = Routes("Deals")
