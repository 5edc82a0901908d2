"""Secrets that are planted in every front desk of the tests: no answer, no event and no line of the log may hold one (T9)."""

from typing import Final

TWILIO_TOKEN: Final = "the-token-of-the-tests-0123456789"  # in the settings, and sealed with a channel's own keys
PASSWORD_HASH: Final = "$argon2"  # how every stored password begins
MASTER_KEY: Final = "the-master-key-of-the-tests-0123456789"  # with which everything else is sealed and signed

VISITOR: Final = "the-key-of-a-visitor-0123456789"  # their session, which opens their conversation


SAID: Final = (
    "Quimbleworth"  # a caller's name, said by telephone and by text: in answers and messages, in no line of the log
)


def unlogged(event: str) -> None:
    """Raises: AssertionError, when a secret or what somebody said is in a line of the log"""
    absent(event)
    assert SAID not in event, "somebody's words came into the log"


def absent(said: bytes | str) -> None:
    """Raises: AssertionError, when one of them is in what was said"""
    text = said if isinstance(said, str) else said.decode(errors="replace")
    for secret in (TWILIO_TOKEN, PASSWORD_HASH, MASTER_KEY, VISITOR):
        assert secret not in text, "a secret came out"
