"""Inbox."""

from gateway.rest.route import Routes

routes = Routes("Inbox")
