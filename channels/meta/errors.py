"""What Meta's error codes mean: a sentence for a person, and what to do next.

Source: reference, whatsapp-sms.md table B7. The same codes come in answers and in statuses; decided by code alone, since
Meta's own texts may hold a telephone number.
"""

from typing import Final

from channels.errors import FailureKind, SendError

_TOKEN = "WhatsApp does not accept the access token: it has expired or was taken back."
_PERMISSION = "The access token may not do this; give it the permission whatsapp_business_messaging."
_LOCKED = "Meta has restricted or locked the WhatsApp business account."
_BUG = "WhatsApp finds something in the message invalid or missing."

# code -> what to do, a sentence for a person, seconds in which nothing more goes out from this number
_KNOWN: Final[dict[int, tuple[FailureKind, str, float | None]]] = {
    0: ("config", _TOKEN, None),
    1: ("retry", "WhatsApp has an unknown problem.", None),
    2: ("retry", "WhatsApp is not available just now.", None),
    3: ("config", _PERMISSION, None),
    4: ("retry", "Meta asks us to slow down: the app has made too many calls.", 60),
    10: ("config", _PERMISSION, None),
    33: ("config", "WhatsApp does not know the number we send from any more.", None),
    100: ("bug", _BUG, None),
    190: ("config", _TOKEN, None),
    368: ("config", _LOCKED, None),
    80007: ("retry", "Meta asks us to slow down: the account has made too many calls.", 60),
    130429: ("retry", "WhatsApp asks us to slow down: too many messages from this number.", 2),
    130472: ("content", "WhatsApp does not deliver this message: this person is in a test of Meta's.", None),
    130497: ("permanent", "WhatsApp does not let the business write to people in this country.", None),
    131000: ("retry", "WhatsApp has an unknown problem.", None),
    131005: ("config", "WhatsApp denies access; look at the permissions of the access token.", None),
    131008: ("bug", _BUG, None),
    131009: ("bug", _BUG, None),
    131016: ("retry", "WhatsApp is not available just now.", None),
    131021: ("bug", "Sender and recipient are the same.", None),
    131026: ("other_channel", "This person cannot be reached on WhatsApp.", None),
    131030: ("config", "This is a test number of Meta's, and the recipient is not on its list.", None),
    131031: ("config", _LOCKED, None),
    131037: ("config", "Meta has not approved the display name of the number yet.", None),
    131042: ("config", "WhatsApp has a problem with the business's payment method.", None),
    131045: ("config", "The number we send from is not registered properly with WhatsApp.", None),
    131047: ("window", "More than 24 hours since the customer's last message: only a template may be sent.", None),
    131048: ("config", "WhatsApp has stopped messages from this number: too many people found them unwanted.", None),
    131049: ("content", "WhatsApp keeps this offer back, to spare this person too many.", None),
    131050: ("no_marketing", "This person wants no more offers by WhatsApp.", None),
    131051: ("bug", "WhatsApp does not take this kind of message.", None),
    131052: ("retry", "WhatsApp could not fetch a file.", None),
    131053: ("retry", "WhatsApp could not take in a file.", None),
    131056: ("retry", "Too many messages to this person in a short time.", None),  # the others need not wait
    131057: ("retry", "The WhatsApp business account is in maintenance.", 300),
    131062: ("content", "This kind of message cannot be sent to people who hide their number.", None),
    131063: ("config", "Offers by template are switched off for this number.", None),
    131064: ("config", "The number has reached its limit of people it may write to.", None),
    132000: ("config", "The variables do not fit the template.", None),
    132001: ("config", "The template does not exist in this language, or is not approved.", None),
    132005: ("config", "The template becomes too long with these variables.", None),
    132007: ("config", "The template goes against WhatsApp's policy.", None),
    132008: ("config", "A variable does not fit the template.", None),
    132012: ("config", "A variable has not the form that the template wants.", None),
    132015: ("config", "WhatsApp has paused the template, because people found it unwanted.", None),
    132016: ("config", "WhatsApp has switched the template off for good.", None),
    132068: ("config", "WhatsApp has blocked the form of the template.", None),
    132069: ("retry", "WhatsApp holds back messages with the form of the template for a while.", None),
    133010: ("config", "The number we send from is not registered with WhatsApp.", None),
    133016: ("retry", "The number was registered too often; WhatsApp asks us to wait.", 3600),
    135000: ("bug", _BUG, None),
}
_PERMISSIONS: Final = range(200, 300)
# Passing trouble by which a message that Meta had taken is over: held up by a limit, or by a file that it could not fetch,
# before it left. Not 131000 and 131016, which only say that something was wrong, and not how far the message had come.
_LOST: Final = frozenset({130429, 131053, 131056, 131057})
# What is wrong with the number or the account, and so with every message.
_OF_CHANNEL: Final = frozenset(
    {0, 3, 10, 33, 190, *range(200, 300), 368, 131005, 131031, 131037, 131042, 131045, 131048, 131064, 133010}
)


def explain(code: str, *, http_status: int | None = None, retry_after_s: float | None = None) -> SendError:
    """The failure behind a code; an unknown code is judged by the HTTP status of the answer that held it.

    Without either (a status) an unknown code is final: sending again would be a guess.
    """
    number = int(code) if code.isascii() and code.isdigit() and len(code) < 8 else None
    known = _KNOWN.get(number) if number is not None else None
    if known is None and number in _PERMISSIONS:
        known = "config", _PERMISSION, None
    if known:
        kind, text, wait_s = known
        if kind == "retry" and retry_after_s is not None:
            wait_s = retry_after_s
        is_lost, stops_channel = number in _LOST, number in _OF_CHANNEL
        return SendError(code, text, kind=kind, retry_after_s=wait_s, is_lost=is_lost, stops_channel=stops_channel)
    if http_status == 429:
        kind, text = "retry", "Meta asks us to slow down."
    elif http_status in (401, 403, 404) or (http_status is not None and 300 <= http_status < 400):
        kind, text = "config", "Meta does not accept the access token or does not know the number we send from."
    elif http_status == 408 or (http_status is not None and http_status >= 500):
        kind, text = "unclear", "Meta had a problem and did not say whether the message went out."
    else:
        kind, text = "permanent", "WhatsApp refused the message."
    return SendError(code, text, kind=kind, retry_after_s=retry_after_s, stops_channel=kind == "config")
