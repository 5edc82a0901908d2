"""Every action and source a scenario may name, with the outcomes the linter holds it to.

The first outcome of an action is the one a rehearsal assumes; the first of a source is that there is nothing to offer.
An outcome says which slots it clears: what led to it must not lead to it again.
"""

from collections.abc import Callable, Mapping
from typing import Final

from bots import asking, talk, times, visits, waiting
from bots.acting import Action, Source
from flows.registry import Action as Declared
from flows.registry import Registry, Result
from flows.registry import Source as Offers

_VISIT: Final = ("visit", "reference", "day", "time")
_AGREED: Final = ("day", "time", "when", "staff")
_TAKEN: Final = Result(("near",), ("when", "hold", "time"))

ACTIONS: Final[Mapping[str, Action]] = {
    # Visits
    "hold_slot": Action(
        visits.hold_slot,
        Declared({"held": Result((*_AGREED, "hold"), args=("visit",)), "taken": _TAKEN}, needs=("service", "when")),
    ),
    "check_slot": Action(
        visits.check_slot,
        Declared({"free": Result(_AGREED, args=("new_time",)), "taken": _TAKEN}, needs=("service", "when")),
    ),
    "book_visit": Action(
        visits.book_visit,
        Declared({"booked": Result(clears=("hold",), args=_VISIT), "taken": _TAKEN}, needs=("service", "when")),
    ),
    "release_hold": Action(visits.release_hold, Declared({"released": Result(clears=("hold",))})),
    "open_visit": Action(
        visits.open_visit,
        Declared(
            {"opened": Result(("visit", "service"), args=_VISIT), "changed": Result(clears=("visit",))},
            needs=("visit",),
        ),
    ),
    "move_visit": Action(
        visits.move_visit,
        Declared(
            {"moved": Result(("visit",), args=_VISIT), "taken": _TAKEN, "changed": Result(clears=("visit",))},
            needs=("visit", "when"),
        ),
    ),
    "cancel_visit": Action(
        visits.cancel_visit,
        Declared({"cancelled": Result(args=_VISIT), "changed": Result(clears=("visit",))}, needs=("visit",)),
    ),
    "confirm_visit": Action(
        visits.confirm_visit,
        Declared({"confirmed": Result(args=_VISIT), "changed": Result(clears=("visit",))}, needs=("visit",)),
    ),
    "open_reminder": Action(
        visits.open_reminder,
        Declared(
            {
                "opened": Result(("visit", "service", "sequence"), args=_VISIT),
                "moved": Result(("visit", "service", "sequence"), ("answer",), args=_VISIT),
                "cancelled": Result(args=_VISIT),
                "over": Result(args=_VISIT),
            },
            needs=("visit",),
        ),
    ),
    "list_visits": Action(visits.list_visits, Declared({"listed": Result(args=("visits",)), "none": Result()})),
    # The waiting list
    "join_waitlist": Action(
        waiting.join_waitlist,
        Declared({"joined": Result(), "no_service": Result(clears=("service",))}, needs=("service",)),
    ),
    "leave_waitlist": Action(waiting.leave_waitlist, Declared({"left": Result(), "none": Result()})),
    "open_offer": Action(
        waiting.open_offer,
        Declared({"open": Result(args=("visit", "until")), "gone": Result()}, needs=("waitlist", "round")),
    ),
    "accept_offer": Action(
        waiting.accept_offer,
        Declared({"booked": Result(args=_VISIT), "gone": Result(), "over": Result()}, needs=("waitlist", "round")),
    ),
    "decline_offer": Action(
        waiting.decline_offer, Declared({"declined": Result(), "over": Result()}, needs=("waitlist", "round"))
    ),
    # Talk
    "is_open": Action(talk.is_open, Declared({"open": Result(), "closed": Result(args=("opens",))})),
    "hand_off": Action(talk.hand_off, Declared({"queued": Result()}, params=("reason",))),
    "answer_faq": Action(talk.answer_faq, Declared({"answered": Result(args=("answer",)), "unknown": Result()})),
    "remember_name": Action(talk.remember_name, Declared({"remembered": Result()}, needs=("name",))),
    "rate": Action(
        talk.rate, Declared({"good": Result(("rating",)), "low": Result(("rating",))}, needs=("score", "rating"))
    ),
    # Elsewhere
    "call_webhook": Action(
        asking.call_webhook,
        Declared(
            {"done": Result(), "refused": Result(), "error": Result()},
            params=asking.PARAMS,
            required=("to",),
            reads="send",
            fills="sets",
        ),
    ),
    "comment": Action(talk.comment, Declared({"noted": Result()}, needs=("rating", "comment"))),
}

SOURCES: Final[Mapping[str, Source]] = {
    "services": Source(times.services, Offers()),
    "staff": Source(times.staff, Offers()),
    "days": Source(times.days, Offers({"none_free": Result(args=("last_day",))})),
    "free_times": Source(
        times.free_times,
        Offers(
            {
                "none_free": Result(args=("asked", "last_day")),
                "exact": Result(("when",)),
                "busy": Result(("near",), ("time",), ("wanted",)),
                "closed": Result(("other_day",), ("day",), ("asked", "last_day")),
                "full": Result(("other_day", "full_day"), ("day",), ("asked", "last_day")),
                "not_theirs": Result(clears=("staff",), args=("member",)),
                "past": Result(clears=("day",)),
                "too_far": Result(clears=("day",), args=("last_day",)),
            },
            args=("day", "more"),
        ),
    ),
    "my_visits": Source(visits.my_visits, Offers({"none": Result(), "only": Result(("visit",))})),
    "reminded_visits": Source(visits.reminded_visits, Offers({"none": Result(), "only": Result(("visit",))})),
}

TYPES: Final = frozenset(
    (
        "choice",
        "slot_time",
        "date",
        "time",
        "name",
        "yes_no",
        "number",
        "text",
        "phone",
        "email",
        "place",
        "file",
        "ref",
    )
)
FACTS: Final = frozenset(("business", "channel", "broadcast", "asks_name"))


def declared(
    *,
    scenarios: frozenset[str] | None = None,
    intents: frozenset[str] | None = None,
    sms_parts: Callable[[str], int] | None = None,
) -> Registry:
    """What the linter and rehearsals are told."""
    return Registry(
        actions={name: action.declared for name, action in ACTIONS.items()},
        sources={name: source.declared for name, source in SOURCES.items()},
        types=TYPES,
        facts=FACTS,
        scenarios=scenarios,
        intents=intents,
        sms_parts=sms_parts,
    )
