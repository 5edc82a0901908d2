"""A subscriber to webhooks: keeps what it is sent, checks the signatures itself, and misbehaves on request."""

from simulators.receiver.receiver import Received, Receiver, Trouble
from simulators.receiver.signing import problem_of

__all__ = ["Received", "Receiver", "Trouble", "problem_of"]
