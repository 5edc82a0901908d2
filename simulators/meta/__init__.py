"""Meta's side of WhatsApp: the Graph API, phones that answer with signed webhooks of every kind, and faults on request."""

from simulators.meta.checks import Refusal
from simulators.meta.faults import Faults
from simulators.meta.model import App, File, Message, Number, Received, Template
from simulators.meta.phone import Phone
from simulators.meta.simulator import MetaSimulator, create_app
from simulators.meta.webhooks import Post

__all__ = [
    "App",
    "Faults",
    "File",
    "Message",
    "MetaSimulator",
    "Number",
    "Phone",
    "Post",
    "Received",
    "Refusal",
    "Template",
    "create_app",
]
