"""What Twilio's error codes mean: a sentence for a person, and what to do next.

Source: reference, whatsapp-sms.md table A8, and twilio.com/docs/api/errors. Decided by code alone; Twilio's own texts may
hold a phone number.
"""

from typing import Final

from channels.errors import FailureKind, SendError

_HOUR: Final = 3600.0
_TOMORROW: Final = 24 * _HOUR

# code -> what to do, a sentence for a person, seconds to wait
_KNOWN: Final[dict[int, tuple[FailureKind, str, float | None]]] = {
    20003: ("config", "Twilio does not accept the account's credentials.", None),
    20005: ("config", "The Twilio account is not active.", None),
    20008: ("config", "These are test credentials of Twilio's, with which nothing is sent.", None),
    20404: ("config", "Twilio does not know this account or resource.", None),
    20429: ("retry", "Twilio asks us to slow down.", None),
    21211: ("nobody", "This is not a number that can be written to.", None),
    21212: ("config", "The number we send from is not valid.", None),
    21265: ("permanent", "A short code takes no messages from us.", None),
    21266: ("bug", "Sender and recipient are the same.", None),
    21267: ("config", "A trial account cannot send under a name.", None),
    21268: ("permanent", "This is a number with a special rate, which takes no messages from us.", None),
    21408: ("config", "Sending to this country is not switched on in Twilio.", None),
    21602: ("bug", "There is nothing in the message.", None),
    21603: ("bug", "The message has no sender.", None),
    21604: ("bug", "The message has no recipient.", None),
    21606: ("config", "The number we send from cannot reach this destination.", None),
    21607: ("config", "The number we send from is not one that Twilio sends text messages from.", None),
    21608: ("config", "A trial account can only write to numbers that are verified in Twilio.", None),
    21609: ("config", "The public address in our settings is not one at which Twilio can tell us things.", None),
    21610: ("opted_out", "This person has replied STOP.", None),
    21611: ("retry", "Too many messages are waiting for the number we send from.", 60),
    21612: ("permanent", "This number cannot be reached by text message from the one we send from.", None),
    21614: ("voice", "This is not a mobile number.", None),
    21616: ("config", "There are several numbers in Twilio like the one we send from.", None),
    21617: ("bug", "The message is longer than 1,600 characters.", None),
    21618: ("content", "The network does not take this text.", None),
    21619: ("bug", "There is nothing in the message.", None),
    21620: ("content", "The address of a file is not one that Twilio can open.", None),
    21621: ("content", "The number we send from takes no pictures or files.", None),
    21622: ("config", "Pictures and files (MMS) are not switched on for the Twilio account.", None),
    21623: ("bug", "There are too many files in the message.", None),
    21635: ("voice", "This is a landline.", None),
    21654: ("bug", "The message names no template.", None),
    21655: ("config", "Twilio does not know this template.", None),
    21656: ("config", "The variables do not fit the template.", None),
    21657: ("config", "The name we send under is not one that Twilio takes for this country.", None),
    21658: ("bug", "Something in the message is too long for Twilio.", None),
    21659: ("config", "The number we send from is not one of Twilio's, or a short code of another country.", None),
    21660: ("config", "The number we send from belongs to another Twilio account.", None),
    21661: ("config", "The number we send from is not one for text messages.", None),
    21701: ("config", "Twilio does not know the messaging service to send from.", None),
    21702: ("config", "The messaging service to send from cannot send just now.", None),
    21703: ("config", "The messaging service has no number to send from.", None),
    21704: ("config", "The messaging service has no number to send from.", None),
    21705: ("config", "Twilio does not know the messaging service to send from.", None),
    21709: ("config", "The name we send under is not among those of the messaging service.", None),
    21711: ("config", "The number we send from is not among those of the messaging service.", None),
    21712: ("config", "The number we send from belongs to another messaging service.", None),
    21910: ("config", "The number we send from and the recipient are on different channels.", None),
    30001: ("retry", "Twilio's queue for this number is full.", 60),
    30002: ("config", "The Twilio account is suspended.", None),
    30003: ("retry", "The phone is switched off or out of reach.", _HOUR),
    30004: ("permanent", "The message was blocked by the phone or its network.", None),
    30005: ("nobody", "The number is unknown or no longer in use.", None),
    30006: ("voice", "This is a landline or a network that takes no text messages.", None),
    30007: ("content", "The network filtered this text as unwanted.", None),
    30008: ("retry_once", "The network refused the message without a reason.", 60),
    30009: ("none", "A part of a message from the customer did not arrive.", None),
    30010: ("config", "The message costs more than the limit that is set.", None),
    30011: ("content", "This network takes no pictures or files.", None),
    30014: ("permanent", "This is not a number that can be written to.", None),
    30016: ("config", "The number we send from and the recipient are on different channels.", None),
    30017: ("retry", "The network is overloaded.", 300),
    30018: ("config", "The sender name has to be registered for this country.", None),
    30019: ("content", "The message is too large for this network.", None),
    30020: ("retry", "Twilio has an internal problem.", 60),
    30021: ("retry", "Twilio has an internal problem.", 60),
    30022: ("retry", "Our registered US campaign (A2P 10DLC) sends too fast.", 60),
    30023: ("retry", "The daily limit of our registered US campaign (A2P 10DLC) is reached.", _TOMORROW),
    30024: ("config", "The number we send from is not set up for this network.", None),
    30027: ("retry", "The daily limit of T-Mobile for our registered US brand is reached.", _TOMORROW),
    30032: (
        "config",
        "The toll-free number we send from is not verified yet; Twilio's console has the form for it.",
        None,
    ),
    30033: ("config", "The US carriers have suspended the campaign under which our number is registered.", None),
    30034: (
        "config",
        "The US number we send from is not registered (A2P 10DLC), so carriers block its messages.",
        None,
    ),
    30035: ("config", "The US number we send from is still being registered.", None),
    30036: ("retry_once", "The message waited too long at Twilio and was dropped.", 60),
    30101: ("config", "Links are to be shortened, but their domain is not verified in Twilio.", None),
    30102: ("config", "Links are to be shortened, but the certificate of their domain has expired.", None),
    30103: ("retry", "Twilio could not shorten the links in the message.", 60),
    30106: ("config", "Links are to be shortened, but no domain is set up for that in Twilio.", None),
    30107: ("config", "Links are to be shortened, but their domain has no certificate in Twilio.", None),
    30110: ("config", "Links are to be shortened, but Twilio has blocked their domain.", None),
    30111: ("content", "Twilio has blocked an address in the message.", None),
    30410: ("retry", "The network did not answer in time.", 300),
    30450: ("retry", "Twilio holds messages to this number back for a while: it suspects fraud.", 1800),
    30453: ("retry", "Twilio holds messages to this number back for some hours: it suspects fraud.", 3 * _HOUR),
    63001: ("config", "The channel does not accept the account's credentials.", None),
    63002: ("config", "The channel does not know the number we send from.", None),
    63003: ("other_channel", "This person is not on the channel.", None),
    63005: ("bug", "The channel does not take this content.", None),
    63006: ("bug", "The channel has no form for this content.", None),
    63007: ("config", "The number we send from is not connected to the channel.", None),
    63008: ("config", "The channel is not set up properly in Twilio.", None),
    63009: ("retry", "The channel has an internal problem.", 60),
    63010: ("retry", "Twilio has an internal problem.", 60),
    63011: ("bug", "Twilio finds something in the message invalid.", None),
    63012: ("retry", "The channel has an internal problem.", 60),
    63013: ("permanent", "The message goes against the channel's policy.", None),
    63014: ("permanent", "This person does not let the business write to them.", None),
    63015: ("config", "This person has not joined the WhatsApp sandbox.", None),
    63016: ("window", "More than 24 hours since the customer's last message: only a template may be sent.", None),
    63017: ("retry", "The channel asks us to slow down.", 60),
    63018: ("retry", "The channel asks us to slow down.", 60),
    63019: ("retry_once", "The file could not be fetched from where it is kept.", 60),
    63020: ("config", "The WhatsApp business account has an open invitation or problem.", None),
    63021: ("bug", "The channel finds the content invalid.", None),
    63022: ("config", "WhatsApp does not accept the certificate of the number we send from.", None),
    63023: ("retry_once", "The channel refused the message without a reason.", 60),
    63024: ("permanent", "The channel finds the recipient invalid.", None),
    63025: ("none", "The file is there already.", None),
    63026: ("content", "The channel finds this content unwanted.", None),
    63027: ("config", "The template does not exist in this language.", None),
    63028: ("config", "The template wants another number of variables.", None),
    63029: ("content", "This person's phone could not show the template.", None),
    63030: ("bug", "The channel does not know a setting of the message.", None),
    63031: ("bug", "Sender and recipient are the same.", None),
    63032: ("content", "WhatsApp does not deliver this message to this person.", None),
    63033: ("permanent", "This person has blocked the business.", None),
    63034: ("content", "A file is too large for the channel.", None),
    63036: ("other_channel", "This phone cannot be reached by RCS.", None),
    63037: ("retry_once", "The channel could not take in a file.", 60),
    63038: ("retry", "The account's daily limit of messages is reached.", _TOMORROW),
    63040: ("config", "WhatsApp has rejected the template.", None),
    63041: ("config", "WhatsApp has paused the template, because people found it unwanted.", None),
    63042: ("config", "WhatsApp has switched the template off for good.", None),
    63049: ("content", "WhatsApp did not deliver this offer, so that people do not get too many.", None),
    63051: ("config", "Meta has locked the WhatsApp business account.", None),
}
# Passing trouble by which a message that Twilio had taken is over: refused before it left (queues, limits, files that
# could not be fetched, suspicion of fraud) or given back by the network (30003, which Twilio says to send again:
# twilio.com/docs/api/errors/30003). Not among them is what may still arrive, and would then arrive twice: 30008, which is
# any receipt of a carrier's without a reason; 30410, where the network only did not answer; 63012, which says nothing.
_LOST: Final = frozenset({30001, 30003, 30017, 30022, 30023, 30027, 30036, 30103, 30450, 30453, 63018, 63019, 63038})
# What is wrong with the number or the account, and so with every message. Not 21657 and 21659, which may come of the country
# of one recipient alone (twilio.com/docs/api/errors/21657, 21659).
_OF_CHANNEL: Final = frozenset(
    (
        *(20003, 20005, 20008, 21212, 21607, 21609, 21660, 21661),
        *(21701, 21702, 21703, 21704, 21705, 21709, 30002, 30032, 30033, 30034, 30035),
        *(63001, 63002, 63007, 63008, 63020, 63022, 63051),
    )
)


def explain(code: str, *, http_status: int | None = None, retry_after_s: float | None = None) -> SendError:
    """The failure behind a code; an unknown code is judged by the HTTP status of the answer that held it.

    Without either (a status callback) an unknown code is final: sending again would be a guess.
    """
    known = _KNOWN.get(int(code)) if code.isascii() and code.isdigit() and len(code) < 7 else None
    if known:
        kind, text, wait_s = known
        wait_s = retry_after_s if retry_after_s is not None else wait_s
        is_lost, stops_channel = int(code) in _LOST, int(code) in _OF_CHANNEL
        return SendError(code, text, kind=kind, retry_after_s=wait_s, is_lost=is_lost, stops_channel=stops_channel)
    if http_status == 429:
        kind, text = "retry", "Twilio asks us to slow down."
    elif http_status in (401, 403, 404) or (http_status is not None and 300 <= http_status < 400):
        kind, text = "config", "Twilio does not accept the account's credentials or does not know the resource."
    elif http_status == 408 or (http_status is not None and http_status >= 500):
        kind, text = "unclear", "Twilio had a problem and did not say whether the message went out."
    else:
        kind, text = "permanent", "Twilio refused the message."
    return SendError(code, text, kind=kind, retry_after_s=retry_after_s, stops_channel=kind == "config")
