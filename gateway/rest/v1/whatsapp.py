"""WhatsApp numbers."""

from gateway.rest.route import Routes

routes = Routes("WhatsApp numbers")
