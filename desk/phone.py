"""Telephone numbers in one form, whoever wrote them and however."""

import re
import unicodedata
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType, ValidationResult

_PREFIXES = re.compile(r"^(?:whatsapp|tel|sms|sip):", re.IGNORECASE)


@lru_cache(maxsize=256)  # one event asks for the same few again and again, a tenth of a millisecond each
def canonical(text: str, region: str = "US") -> str:
    """`text` as E.164 (`+15125550100`); short codes, sender names and what is no number come back as given, tidied.

    Channel prefixes (`whatsapp:`), marks of writing direction and full-width digits are gone either way. `region` is
    the country whose people dial the number without its country code.
    """
    tidy = _PREFIXES.sub("", _tidy(text)).strip()
    number = _parse(tidy, region)
    if number is None:
        return tidy
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def region_of(number: str, default: str = "US") -> str:
    """The country (ISO 3166) of an E.164 number, or `default` when it has none."""
    parsed = _parse(number, default)
    found = parsed and phonenumbers.region_code_for_number(parsed)
    return found if found and found != "001" else default  # 001: freephone and the like, without a country


def zones_of(number: str) -> tuple[str, ...]:
    """IANA time zones where an E.164 number may be; empty when nobody can tell."""
    from phonenumbers import timezone  # 7 MB of tables that most processes never need

    parsed = _parse(number, None)
    if parsed is None:
        return ()
    return tuple(zone for zone in timezone.time_zones_for_number(parsed) if zone != timezone.UNKNOWN_TIMEZONE)


@lru_cache(maxsize=256)
def is_costly(number: str) -> bool:
    """Whether an E.164 number is one that earns money for whoever holds it: premium rate, shared cost, and the ranges of
    satellite and other global networks, which belong to no country (ITU-T E.164, Annex: 870, 878, 881 to 883, 888, 979).
    """
    parsed = _parse(number, None)
    if parsed is None:
        return False
    if parsed.country_code in _NO_COUNTRY:
        return True
    return phonenumbers.number_type(parsed) in (PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST)


def can_be_called(text: str, region: str = "US") -> bool:
    """Whether `text` is a telephone number that we may call: one that has a country, and costs no more than others."""
    number = canonical(text, region)
    return bool(prefix_of(number)) and not is_costly(number)


def prefix_of(number: str) -> str:
    """The range that an E.164 number is in: its country code and three digits more (`+1512`); "" when it is none."""
    parsed = _parse(number, None)
    if parsed is None:
        return ""
    return f"+{parsed.country_code}{phonenumbers.national_significant_number(parsed)[:3]}"


_NO_COUNTRY = frozenset((870, 878, 881, 882, 883, 888, 979))


def _tidy(text: str) -> str:
    text = unicodedata.normalize("NFKC", text.replace("\x00", "").encode("utf-8", "ignore").decode())
    return "".join(c for c in text if unicodedata.category(c) not in {"Cf", "Cc"}).strip()


def _parse(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    if len(text) > 40 or any(c.isalpha() for c in text):  # a sender's name, or 1-800-FLOWERS, which nobody texts from
        return None
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE or number.extension:
        return None
    return number
