"""One inbound event and all that it causes: received, put in order, answered, kept, and sent on."""
