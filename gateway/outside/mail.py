"""Letters in plain text over SMTP."""

from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import Final
from urllib.parse import unquote, urlsplit

import aiosmtplib

from gateway.settings import Mail as Settings

_TIMEOUT_S: Final = 20.0
_PORTS: Final = {"smtp": 587, "smtps": 465}


@dataclass(frozen=True, slots=True)
class Letter:
    """To one address."""

    to: str
    subject: str
    text: str


class NotSent(Exception):  # noqa: N818  named for what happened
    """`code` is the server's, 0 when there was none; `retryable`: it may work later. Holds nobody's address."""

    def __init__(self, code: int, kind: str, *, retryable: bool) -> None:
        super().__init__(f"{kind} {code}" if code else kind)
        self.code = code
        self.retryable = retryable


async def send(settings: Settings, letter: Letter, *, reference: str, now: datetime) -> None:
    """Hand the letter to the server of the settings. `reference` is the same for each try, so that it can be told apart.

    Raises: NotSent
    """
    url = urlsplit(settings.url)
    try:
        await aiosmtplib.send(
            _message(settings.sender, letter, reference, now),
            hostname=url.hostname or "",
            port=url.port or _PORTS[url.scheme],
            username=unquote(url.username) if url.username else None,
            password=unquote(url.password) if url.password else None,
            use_tls=url.scheme == "smtps",
            timeout=_TIMEOUT_S,
        )
    except aiosmtplib.SMTPAuthenticationError as refused:  # ours to mend: the letters wait
        raise NotSent(refused.code, "SMTPAuthenticationError", retryable=True) from None
    except aiosmtplib.SMTPRecipientsRefused as refused:
        code = max((one.code for one in refused.recipients), default=0)
        raise NotSent(code, "SMTPRecipientsRefused", retryable=code < 500) from None
    except aiosmtplib.SMTPResponseException as refused:
        raise NotSent(refused.code, type(refused).__name__, retryable=refused.code < 500) from None
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as away:
        raise NotSent(0, type(away).__name__, retryable=True) from None


def _message(sender: str, letter: Letter, reference: str, now: datetime) -> EmailMessage:
    domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = letter.to
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{reference}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday note comes back
    message.set_content(letter.text)
    return message
