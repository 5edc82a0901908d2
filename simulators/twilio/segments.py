"""How many SMS parts a text takes, which Twilio reports with every message."""

_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENDED = frozenset("\f^{}\\[~]|€")


def count(text: str) -> int:
    """Parts needed: 160 or 153 GSM-7 units each, or 70 or 67 UTF-16 units as soon as one character needs them."""
    if all(char in _GSM or char in _GSM_EXTENDED for char in text):
        units, alone, chained = [2 if char in _GSM_EXTENDED else 1 for char in text], 160, 153
    else:
        units, alone, chained = [2 if ord(char) > 0xFFFF else 1 for char in text], 70, 67
    if sum(units) <= alone:
        return 1
    parts, room = 1, chained
    for size in units:
        if size > room:  # A character of two units does not straddle two parts.
            parts, room = parts + 1, chained
        room -= size
    return parts
