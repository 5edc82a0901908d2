"""Customers' files at Twilio: an address below the account, opened by the account's key, that redirects to storage.

Source: reference, whatsapp-sms.md section A2; the storage's hosts: support.twilio.com, "Protect Media Access with HTTP
Basic Authentication for Programmable Messaging".
"""

import re
from base64 import b64encode
from typing import Final

from channels.base import AccountKeys
from channels.errors import SendError
from channels.files import Located, host_of, is_at
from channels.messages import Media

_API: Final = "api.twilio.com"
_REGIONAL: Final = re.compile(r"api(\.[a-z0-9-]+){1,2}\.twilio\.com")
# With HTTP authentication enforced, and from before it was.
_STORAGE: Final = ("mms.twiliocdn.com", "media.twiliocdn.com", "s3-external-1.amazonaws.com")


def locate(media: Media, keys: AccountKeys, *, api_base: str) -> Located:
    """Where to fetch the file. The key is shown to Twilio's API only, or to what stands in for it at `api_base`.

    Raises: SendError
    """
    ours, host = (_API, host_of(api_base)), host_of(media.url)
    if not (is_at(media.url, ours) or _REGIONAL.fullmatch(host)):
        raise SendError("", "This file is not at Twilio.", kind="content")
    password = keys.password or next(iter(keys.secrets), "")
    if not password:
        raise SendError("", "There is no key to fetch files from Twilio with.", kind="config")
    login = b64encode(f"{keys.user or keys.account_id}:{password}".encode()).decode()
    return Located(media.url, (*ours, host, *_STORAGE), {"Authorization": f"Basic {login}"})
