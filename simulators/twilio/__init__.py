"""A phone network that stands in for Twilio messaging: signed webhooks, TwiML, the REST API, and faults on request."""

from simulators.twilio.checks import Refusal
from simulators.twilio.faults import Faults
from simulators.twilio.inbound import UnknownNumber
from simulators.twilio.model import Account, Alert, Choice, Content, Exchange, Media, Message, Number, Received
from simulators.twilio.phone import Phone
from simulators.twilio.simulator import TwilioSimulator, create_app
from simulators.twilio.webhooks import Post

__all__ = [
    "Account",
    "Alert",
    "Choice",
    "Content",
    "Exchange",
    "Faults",
    "Media",
    "Message",
    "Number",
    "Phone",
    "Post",
    "Received",
    "Refusal",
    "TwilioSimulator",
    "UnknownNumber",
    "create_app",
]
