"""What scenarios do besides visits: hand over to a person, answer questions, take ratings, remember a name."""

from datetime import timedelta

from bots.acting import Acting
from bots.understand.acts import says_what
from desk import conversations, customers, messages, ratings
from desk.calendar import hours, zones
from desk.errors import DeskError
from flows.events import Outcome
from flows.state import SlotValue

_NOTE = 1000  # characters of a customer's words in the summary for a person
_LATELY = timedelta(hours=6)  # in which what they wrote is about the same thing
_LOOK_BACK = 30  # messages
_LOW = 2  # ratings up to this one are followed up


def is_open(acting: Acting) -> Outcome:
    """Whether somebody of the team is there now, and if not, when we open again."""
    if hours.is_open(acting.business, acting.now):
        return Outcome("open")
    voice = acting.voice
    opens_at = hours.next_opening(acting.business, acting.now)
    if opens_at is None:
        return Outcome("closed", args={"opens": voice.phrase("opens_soon")})
    day, time = zones.local_day(opens_at, acting.business.zone), voice.time_of(opens_at)
    today = zones.local_day(acting.now, acting.business.zone)
    if day == today:
        return Outcome("closed", args={"opens": voice.phrase("opens_today", time=time)})
    if day == today + zones.DAY:
        return Outcome("closed", args={"opens": voice.phrase("opens_tomorrow", time=time)})
    return Outcome("closed", args={"opens": voice.phrase("opens_on", day=voice.day(day), time=time)})


def hand_off(acting: Acting) -> Outcome:
    """A person is wanted: the conversation goes to the queue with a summary of what this is about."""
    reason = acting.params.get("reason")
    conversations.to_queue(
        acting.db,
        acting.who,
        acting.context.id,
        reason=reason if isinstance(reason, str) else "asked",
        note=summary(acting),
        now=acting.now,
    )
    return Outcome("queued")


def summary(acting: Acting) -> str:
    """What the person who takes over should know, in the business's own language."""
    voice = acting.bot.voice(acting.business.languages[0])
    name = acting.context.customer_name or acting.context.customer_profile_name
    said = acting.text("note") or acting.text("comment") or _about(acting)
    lines = [
        voice.phrase("note_customer", name=name) if name else "",
        voice.phrase("note_wants", what=acting.story) if acting.story else "",
        voice.phrase("note_said", text=said[:_NOTE]) if said else "",
    ]
    return "\n".join(filter(None, lines))


def _about(acting: Acting) -> str:
    """What they said last that tells what it is about; empty when nothing did, such as the wish for a person alone."""
    english = acting.bot.ear(acting.run.lang).english
    if says_what(english(acting.heard)):
        return acting.heard
    for one in reversed(messages.history(acting.db, acting.who, acting.context.id, limit=_LOOK_BACK)):
        if one.created_at < acting.now - _LATELY:
            break
        if one.direction == "in" and says_what(english(one.text)):
            return one.text
    return ""


def answer_faq(acting: Acting) -> Outcome:
    """An answer from the business's own questions and answers, or from its profile."""
    answer = acting.bot.ear(acting.run.lang).answer(acting.heard, acting.service_in_hand(), acting.said_at)
    return Outcome("unknown") if answer is None else Outcome("answered", args={"answer": answer})


def remember_name(acting: Acting) -> Outcome:
    try:
        customers.set_name(acting.db, acting.who, acting.context.customer_id, acting.text("name"), now=acting.now)
    except DeskError:
        return Outcome("remembered", {"name": None})
    return Outcome("remembered")


def rate(acting: Acting) -> Outcome:
    """The score is kept at once; the comment on a low one may never come."""
    score = acting.text("score")
    rating_id = ratings.record(
        acting.db, acting.who, conversation_id=acting.context.id, score=int(score), now=acting.now
    )
    return Outcome("low" if int(score) <= _LOW else "good", {"rating": SlotValue(rating_id, score)})


def comment(acting: Acting) -> Outcome:
    """What went wrong, kept with the rating, and told to a person."""
    rating_id = acting.number("rating")
    if rating_id is not None:
        ratings.comment(acting.db, acting.who, rating_id, acting.text("comment"))
    return Outcome("noted")
