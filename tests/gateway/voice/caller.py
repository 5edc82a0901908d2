"""Somebody on the telephone: signed webhooks, one after the other, as the TwiML that comes back says."""

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import urlsplit

from tests.gateway.front import OURS, SID, Answer, Front

VOICE = "/api/v1/webhooks/twilio/voice"
_numbers = count(1)


@dataclass
class Caller:
    """A call by `<Gather>`. `heard` is everything that was said to them, `twiml` the last answer."""

    desk: Front
    number: str = "+15125550177"
    sid: str = field(default_factory=lambda: f"CA{next(_numbers):032x}")
    heard: list[str] = field(default_factory=list)
    twiml: ET.Element = field(default_factory=lambda: ET.Element("Response"))

    def form(self, **more: str) -> dict[str, str]:
        whose = {"CallSid": self.sid, "AccountSid": SID, "From": self.number, "To": OURS}
        return {**whose, "CallStatus": "in-progress", "Direction": "inbound", "ApiVersion": "2010-04-01", **more}

    async def post(self, path: str, **more: str) -> Answer:
        answer = await self.desk.post(self.form(**more), path=path)
        if answer.body.startswith(b"<?xml"):
            self.twiml = ET.fromstring(answer.body)
            self.heard.append(" ".join(one.text or "" for one in self.twiml.iter("Say")))
        return answer

    async def ring(self) -> str:
        await self.post(VOICE)
        return self.heard[-1]

    async def say(self, *lines: str) -> list[str]:
        """Answer one question after the other; what is said to each. Digits are pressed, and "" is silence."""
        begun = len(self.heard)
        for line in lines:
            await self.post(self.action, **fields(line))
        return self.heard[begun:]

    @property
    def action(self) -> str:
        """Where the answer to the open question goes."""
        parts = urlsplit(self.gather["action"])
        return f"{parts.path}?{parts.query}"

    @property
    def gather(self) -> Mapping[str, str]:
        found = self.twiml.find("Gather")
        assert found is not None, self.heard[-1]
        return found.attrib

    @property
    def is_over(self) -> bool:
        return self.twiml.find("Hangup") is not None

    async def hang_up(self, **more: str) -> Answer:
        more = {"CallStatus": "completed", "CallDuration": "65", "SequenceNumber": "3", **more}
        return await self.post(f"{VOICE}/status", **more)


def fields(line: str) -> dict[str, str]:
    if not line:
        return {}
    if line.strip("0123456789*#"):
        return {"SpeechResult": line, "Confidence": "0.0"}
    return {"Digits": line}
