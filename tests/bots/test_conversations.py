"""Every conversation of `conversations/` goes as written, on both engines."""

import pytest

from tests.bots.played import Script, play, scripts
from tests.bots.stage import Stage


@pytest.mark.parametrize("script", scripts(), ids=lambda script: script.name)
def test_conversation_goes_as_written(stage: Stage, script: Script) -> None:
    play(script, stage)
