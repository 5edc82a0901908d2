"""A phone network that stands in for Twilio: texts and calls, signed webhooks, TwiML, sockets, REST, faults on request."""

from simulators.twilio.checks import Refusal
from simulators.twilio.faults import Faults
from simulators.twilio.inbound import UnknownNumber
from simulators.twilio.model import Account, Alert, Choice, Content, Exchange, Media, Message, Number, Received
from simulators.twilio.phone import Phone
from simulators.twilio.simulator import TwilioSimulator, create_app
from simulators.twilio.voice_call import Call
from simulators.twilio.voice_model import Callee, CallOver, Line
from simulators.twilio.webhooks import Post

__all__ = [
    "Account",
    "Alert",
    "Call",
    "CallOver",
    "Callee",
    "Choice",
    "Content",
    "Exchange",
    "Faults",
    "Line",
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
