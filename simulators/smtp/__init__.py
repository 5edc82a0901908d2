"""A mail server that keeps what it is given: an inbox to read, and faults on request."""

from simulators.smtp.server import Fault, Letter, SmtpSimulator

__all__ = ["Fault", "Letter", "SmtpSimulator"]
