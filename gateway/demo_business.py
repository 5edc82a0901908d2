"""Who the demo business is: a barber shop with a repair bench. Plain data; `gateway.demo` puts it into a database.

Every telephone number is one of those kept for fiction (555-0100 to 555-0199), so that nobody real is ever texted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

SMS_NUMBER: Final = "+15125550100"
WHATSAPP_NUMBER: Final = "+15125550101"
META_NUMBER: Final = "+15125550102"  # WhatsApp again, by way of Meta, which knows it by ids of its own
META_NUMBER_ID: Final = "105125550102"
META_ACCOUNT: Final = "205125550102"
SITE: Final = "demo"  # the key of the web chat, and the address of the simulator channel

OWNER: Final = "June Harper"
OWNER_EMAIL: Final = "june@juniper.example"
OWNER_PASSWORD: Final = "juniper-demo-2026"

NAME: Final = "Juniper Barber & Repair"
EMAIL: Final = "hello@juniper.example"
WEBSITE: Final = "https://juniper.example"
ADDRESS: Final = "2118 Juniper Street, Austin, TX 78702"
ZONE: Final = ZoneInfo("America/Chicago")
DESCRIPTION: Final = (
    "A family shop on Juniper Street: barber chairs in front, a workbench in the back. "
    "We cut hair here, and we mend washers, dryers and fridges at your place."
)

_MON, _TUE, _WED, _THU, _FRI, _SAT = range(6)
Week = Mapping[int, Sequence[str]]  # the ranges of each weekday, Monday is 0

# Minutes before a visit.
REMINDERS: Final = {"24 hours before": 24 * 60, "2 hours before": 2 * 60}

# Closed on Sundays; Wednesdays have a long midday break and a late evening.
HOURS: Week = {
    _MON: ["9:00-18:00"],
    _TUE: ["9:00-18:00"],
    _WED: ["9:00-13:00", "15:00-20:00"],
    _THU: ["9:00-18:00"],
    _FRI: ["9:00-19:00"],
    _SAT: ["9:00-16:00"],
}


@dataclass(frozen=True, slots=True)
class Service:
    """`step` is the grid of starting times; everything but `horizon` (days) is in minutes."""

    name: str
    description: str
    keywords: Sequence[str]
    skills: Sequence[str]
    minutes: int
    price_cents: int
    step: int = 30
    before: int = 0
    after: int = 0
    lead: int = 60
    horizon: int = 60


SERVICES = [
    Service("Haircut", "Wash, cut and style.", ["hair cut", "hair", "fade"], ["cut"], 30, 3500),
    Service("Beard trim", "Shape, line and hot towel.", ["beard", "shave"], ["beard"], 15, 1800, step=15),
    Service(
        "Haircut and beard",
        "Both in one visit.",
        ["cut and beard", "hair and beard"],
        ["cut", "beard"],
        45,
        4800,
        step=15,
    ),
    Service("Kids' cut", "Up to twelve years old.", ["kid", "child", "son", "daughter"], ["kids"], 30, 2200),
    Service(
        "Color", "All over, or just the gray.", ["colour", "dye", "highlights"], ["color"], 90, 9500, after=15, lead=240
    ),
    Service(
        "Repair visit",
        "We come to you and mend washers, dryers, fridges and dishwashers. The price covers the visit and the first "
        "hour; parts are extra.",
        ["repair", "fix", "appliance", "washer", "washing machine", "dryer", "fridge", "dishwasher", "technician"],
        ["repair"],
        90,
        8900,
        step=60,
        before=30,
        after=30,
        lead=24 * 60,
        horizon=30,
    ),
]


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody on the team. Breaks are the gaps between the ranges; they end on the hour, so that starts do as well."""

    name: str
    skills: Sequence[str]
    week: Week


STAFF = [
    Member(
        "Maya",
        ["cut", "beard", "color", "kids"],
        {
            **{day: ["9:00-13:00", "14:00-18:00"] for day in (_TUE, _THU)},
            _WED: ["9:00-13:00", "15:00-18:00"],
            _FRI: ["9:00-13:00", "14:00-19:00"],
            _SAT: ["9:00-12:00", "13:00-16:00"],
        },
    ),
    Member(
        "Anna",
        ["cut", "color", "kids"],
        {
            **{day: ["9:00-12:00", "13:00-18:00"] for day in (_MON, _TUE, _THU)},
            _WED: ["10:00-13:00", "15:00-20:00"],
            _FRI: ["10:00-14:00", "15:00-19:00"],
        },
    ),
    # Studies on the other days.
    Member("Theo", ["cut", "beard", "kids"], {_MON: ["12:00-18:00"], _FRI: ["13:00-19:00"], _SAT: ["9:00-16:00"]}),
    Member(
        "Sam",
        ["repair"],
        {
            **{day: ["9:00-12:00", "13:00-18:00"] for day in (_MON, _TUE, _THU, _FRI)},
            _WED: ["9:00-13:00", "15:00-18:00"],
        },
    ),
]

# Question, answer, other ways to ask it.
FAQS = [
    (
        "Where can I park?",
        "There are three free spots behind the shop, in from Alder Lane, and street parking is free after 6 PM.",
        ["is there parking", "do you have a parking lot", "where do I leave my car", "parking"],
    ),
    (
        "What are your hours?",
        "Monday, Tuesday and Thursday 9 to 6, Wednesday 9 to 1 and 3 to 8, Friday 9 to 7, Saturday 9 to 4. "
        "We are closed on Sundays.",
        ["when are you open", "opening hours", "what time do you close", "are you open on sunday", "open today"],
    ),
    (
        "How much is it?",
        "Haircut $35, beard trim $18, both together $48, kids' cut $22, color $95. "
        "Repair visit $89 with the first hour; parts are extra.",
        ["prices", "price list", "how much is a haircut", "what do you charge", "what does a repair cost", "rates"],
    ),
    (
        "What if I can't make it?",
        "No problem. Let us know four hours ahead, for a repair visit the day before; later than that we charge half.",
        ["cancellation policy", "is there a cancellation fee", "what happens if I don't show up", "no show fee"],
    ),
    (
        "How can I pay?",
        "Cash, any card, Apple Pay or Google Pay, after the visit. For repairs we can also send an invoice.",
        ["do you take cards", "do you take cash", "payment methods", "can I pay by card", "do you accept apple pay"],
    ),
    (
        "Where are you?",
        "2118 Juniper Street, Austin, between the bakery and the laundromat.",
        ["what is your address", "how do I get there", "where is the shop", "location", "directions"],
    ),
    (
        "Do you cut children's hair?",
        "We do, with Maya, Anna and Theo. There is a booster seat and a box of toys, and you are welcome to sit along.",
        ["do you do kids", "can I bring my toddler", "is it good for children", "how old do kids have to be"],
    ),
    (
        "Do you have gift cards?",
        "Yes, for any amount, in the shop or by mail. They never expire.",
        ["can I buy a gift card", "gift voucher", "gift certificate", "present for my dad"],
    ),
    (
        "Is there a warranty on repairs?",
        "Ninety days on our work, and the maker's own on the parts. If it stops again, we come back for free.",
        ["do you guarantee the repair", "what if it breaks again", "repair guarantee", "warranty"],
    ),
    (
        "Do you take walk-ins?",
        "When a chair is free, yes. Most days before 11 there is one; on Saturdays it is better to book.",
        ["can I just come in", "do I need an appointment", "can I drop by", "walk in"],
    ),
    (
        "What do you repair?",
        "Washers, dryers, fridges, freezers, dishwashers, ovens and cooktops of every make. No phones, no televisions.",
        ["do you fix fridges", "which appliances do you repair", "can you repair a tv", "do you repair microwaves"],
    ),
    (
        "How far do you come for a repair?",
        "Anywhere inside the loop, and up to twenty minutes beyond it.",
        ["do you come to round rock", "which areas do you serve", "service area", "do you do house calls"],
    ),
    (
        "Is the shop wheelchair accessible?",
        "Yes: no steps, a wide door, and a chair that comes to you. The restroom is accessible too.",
        ["do you have a ramp", "wheelchair access", "are there stairs"],
    ),
    (
        "What should I do before a repair visit?",
        "Clear the space around the machine and have the model number ready; it is mostly inside the door.",
        ["how do I prepare", "what do you need from me for the repair", "should I be at home"],
    ),
    (
        "Can I bring my dog?",
        "Friendly ones are welcome, there is a water bowl by the door.",
        ["are pets allowed", "are dogs allowed", "is it dog friendly"],
    ),
]

CUSTOMERS = [
    ("Maria Lopez", "+15125550160"),
    ("James Whitfield", "+15125550161"),
    ("Priya Raman", "+15125550162"),
    ("Daniel Okafor", "+15125550163"),
    ("Grace Chen", "+15125550164"),
    ("Tom Becker", "+15125550165"),
    ("Aisha Rahman", "+15125550166"),
    ("Luis Ortega", "+15125550167"),
    ("Emily Novak", "+15125550168"),
    ("Hannah Kim", "+15125550169"),
    ("Marcus Reed", "+15125550170"),
    ("Sofia Petrov", "+15125550171"),
]


@dataclass(frozen=True, slots=True)
class Past:
    """A visit so many `days` ago; `customer` is a place in CUSTOMERS."""

    days: int
    customer: int
    service: str
    member: str
    status: str = "completed"


PAST = [
    Past(3, 0, "Haircut", "Maya"),
    Past(4, 1, "Repair visit", "Sam"),
    Past(6, 2, "Color", "Anna"),
    Past(8, 3, "Beard trim", "Theo", "no_show"),
    Past(12, 4, "Kids' cut", "Anna"),
    Past(15, 5, "Repair visit", "Sam", "cancelled"),
    Past(19, 6, "Haircut", "Anna"),
    Past(24, 0, "Color", "Maya"),
    Past(31, 7, "Haircut and beard", "Maya"),
]


@dataclass(frozen=True, slots=True)
class Ahead:
    """A visit in so many `days`, or soon after when nobody works then, at the first free time from `not_before` on."""

    days: int
    not_before: time
    customer: int
    service: str
    member: str


# The afternoons of the next days stay free for those who try.
AHEAD = [
    Ahead(1, time(9, 30), 0, "Haircut", "Maya"),
    Ahead(2, time(10), 1, "Repair visit", "Sam"),
    Ahead(2, time(10), 2, "Haircut", "Anna"),
    Ahead(2, time(11), 3, "Beard trim", "Maya"),
    Ahead(3, time(9), 4, "Kids' cut", "Theo"),
    Ahead(4, time(10), 5, "Repair visit", "Sam"),
    Ahead(5, time(11), 6, "Color", "Anna"),
    Ahead(6, time(9), 7, "Haircut and beard", "Maya"),
    Ahead(8, time(10), 8, "Haircut", "Anna"),
    Ahead(9, time(9), 9, "Color", "Maya"),
    Ahead(13, time(10), 0, "Haircut", "Maya"),
]


def holidays(year: int) -> list[tuple[str, date, Sequence[str]]]:
    """Name, day and opening ranges of each; without ranges it is closed."""
    return [
        ("New Year's Day", date(year, 1, 1), []),
        ("Memorial Day", _weekday_from(date(year, 5, 25), _MON), []),
        ("Independence Day", date(year, 7, 4), []),
        ("Labor Day", _weekday_from(date(year, 9, 1), _MON), []),
        ("Thanksgiving", _weekday_from(date(year, 11, 22), _THU), []),
        ("Christmas Eve", date(year, 12, 24), ["9:00-13:00"]),
        ("Christmas Day", date(year, 12, 25), []),
    ]


def _weekday_from(day: date, weekday: int) -> date:
    """The first such weekday from `day` on."""
    return day + timedelta(days=(weekday - day.weekday()) % 7)
