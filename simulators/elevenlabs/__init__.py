"""A stand-in for ElevenLabs: speech over HTTP and WebSocket, live transcription, and faults on request.

Its voice is one tone for each letter (`simulators.tones`), so that lengths are believable and its own transcription, and
the phone network's callers, understand every word of it.
"""

from simulators.elevenlabs.model import Faults, Spoken
from simulators.elevenlabs.simulator import ElevenLabsSimulator, create_app

__all__ = ["ElevenLabsSimulator", "Faults", "Spoken", "create_app"]
