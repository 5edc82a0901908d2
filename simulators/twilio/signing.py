"""How Twilio signs a request: HMAC-SHA1 over the address and the form, in base64.

Written from Twilio's description, apart from the code that checks signatures in the product.
"""

import base64
import hmac
from collections.abc import Iterable
from hashlib import sha1, sha256
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def signature(token: str, url: str, form: Iterable[tuple[str, str]] = ()) -> str:
    """The value of X-Twilio-Signature; leave `form` out for GET, JSON bodies and WebSockets.

    Equal pairs count once, names and then values are sorted, an empty value still adds its name.
    """
    text = url + "".join(name + value for name, value in sorted(set(form)))
    return base64.b64encode(hmac.digest(token.encode(), text.encode(), sha1)).decode()


def json_url(url: str, body: bytes) -> str:
    """The address to which a JSON body is posted: it carries the body's hash, since only the address is signed."""
    return f"{url}{'&' if '?' in url else '?'}bodySHA256={sha256(body).hexdigest()}"


def with_port(url: str) -> str:
    """The same address with its default port written out, as Twilio now and then signs it."""
    parts = urlsplit(url)
    if parts.port is not None or parts.scheme not in _DEFAULT_PORTS:
        return url
    # By hand: putting the parts together again would also normalise what must stay as it is.
    head = f"{parts.scheme}://{parts.netloc}"
    return f"{url[: len(head)]}:{_DEFAULT_PORTS[parts.scheme]}{url[len(head) :]}"
