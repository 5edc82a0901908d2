"""What docs/realtime.md shows is what is said and heard."""

import re
from pathlib import Path

import orjson
from pydantic import BaseModel

from gateway.inbox import events
from gateway.inbox.handlers import EVENTS
from gateway.rest.v1.messages import Message

PAGE = Path(__file__).parents[3] / "docs" / "realtime.md"
HEARD: dict[str, tuple[type[BaseModel], ...]] = {
    "new_message": (Message,),
    "message_updated": (Message,),
    "message_status": (events.MessageStatus,),
    "conversation_updated": (),
    "conversation_assigned": (events.ConversationAssigned,),
    "call_state": (events.CallState,),
    "typing": (events.TypingNow,),
    "customer_typing": (events.CustomerTyping,),
    "presence": (events.PresenceNow, events.Viewers),
    "notification": (events.Notification,),
    "signed_out": (events.SignedOut,),
}


def _examples(part: str) -> dict[str, list[str]]:
    sections = re.split(r"^### (\w+)$", part, flags=re.MULTILINE)[1:]
    return {
        name: re.findall(r"^```json\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
        for name, text in zip(sections[::2], sections[1::2], strict=True)
    }


def test_every_event_is_described_and_every_example_fits() -> None:
    said, heard = PAGE.read_text().split("## Hear something")
    examples = _examples(said)
    assert examples.keys() == EVENTS.keys()
    for name, found in examples.items():
        assert found, name
        for example in found:
            EVENTS[name].model.model_validate(orjson.loads(example))
    examples = _examples(heard)
    assert examples.keys() == HEARD.keys()
    for name, found in examples.items():
        assert len(found) == len(HEARD[name]), name
        for example, model in zip(found, HEARD[name], strict=True):
            shown = model.model_validate_json(example)
            assert orjson.loads(shown.model_dump_json(by_alias=True)) == orjson.loads(example), name
