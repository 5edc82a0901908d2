"""All channels, one line each."""

from collections.abc import Callable
from dataclasses import dataclass

from channels.base import Adapter
from channels.messages import Address, OutboundMessage
from channels.simulator.adapter import SimulatorAdapter
from channels.twilio.client import TwilioClient
from channels.twilio.sms import SmsAdapter
from channels.webchat.adapter import WebChatAdapter


@dataclass(frozen=True, slots=True)
class Network:
    """What the channels need of the outside world."""

    twilio: TwilioClient
    deliver: Callable[[Address, OutboundMessage], None]  # puts a message on the simulator's screen


def adapters(network: Network) -> dict[str, Adapter]:
    """The adapter of each kind of account."""
    return {
        "sms": SmsAdapter(network.twilio),
        "webchat": WebChatAdapter(),
        "simulator": SimulatorAdapter(network.deliver),
    }
