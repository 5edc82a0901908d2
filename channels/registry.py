"""All channels, one line each."""

from collections.abc import Callable
from dataclasses import dataclass

from channels.base import Adapter
from channels.messages import Address, OutboundMessage
from channels.meta.client import MetaClient
from channels.meta.whatsapp import WhatsAppAdapter as MetaWhatsAppAdapter
from channels.simulator.adapter import SimulatorAdapter
from channels.twilio.client import TwilioClient
from channels.twilio.sms import SmsAdapter
from channels.twilio.whatsapp import WhatsAppAdapter
from channels.voice.adapter import VoiceAdapter
from channels.voice.client import CallsClient
from channels.webchat.adapter import WebChatAdapter


@dataclass(frozen=True, slots=True)
class Network:
    """What the channels need of the outside world."""

    twilio: TwilioClient
    meta: MetaClient
    deliver: Callable[[Address, OutboundMessage], None]  # puts a message on the simulator's screen


def adapters(network: Network) -> dict[tuple[str, str], Adapter]:
    """The adapter for each provider and channel that an account can have."""
    texts = SmsAdapter(network.twilio)
    every: tuple[Adapter, ...] = (
        texts,
        VoiceAdapter(texts, CallsClient(network.twilio)),
        WhatsAppAdapter(network.twilio),
        MetaWhatsAppAdapter(network.meta),
        WebChatAdapter(),
        SimulatorAdapter(network.deliver),
    )
    return {(adapter.provider, adapter.channel): adapter for adapter in every}
