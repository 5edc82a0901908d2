"""The demo business on a stage: customers write, time passes, and everything that falls due is played.

What the gateway does around a turn (keep the message, render the reply, play due jobs) happens here as well, in one
transaction that is never committed, so that a whole conversation takes milliseconds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import count
from typing import Final, cast

from sqlalchemy import func, select, update

from bots import flow
from bots.bot import Cue
from bots.registry import Registry
from channels.base import AccountKeys
from channels.messages import Address, AddressKind, Choice, InboundMessage, Option, OutboundMessage, Part, Text
from channels.simulator import adapter as simulator
from channels.twilio import sms
from channels.webchat import adapter as webchat
from desk import businesses, conversations
from desk.businesses import Business
from desk.calendar import bookings, reminders
from desk.calendar import waitlist as waiting
from desk.calendar.appointments import Appointment
from desk.calendar.claims import Freed
from desk.conversations import Context
from desk.who import Actor
from flows.definition import Json
from flows.state import Run
from gateway.accounts import Account
from gateway.pipeline import turn
from storage import queue
from storage.base import Db
from storage.models.accounts import accounts
from storage.models.businesses import businesses as businesses_table
from storage.models.calendar import appointments, waitlist
from storage.models.conversations import messages

MONDAY_NOON: Final = datetime(2026, 3, 2, 18, tzinfo=UTC)  # in Austin
ANN: Final = "+15125550198"

_CAPABILITIES: Final = {"sms": sms.CAPABILITIES, "web": webchat.CAPABILITIES, "sim": simulator.CAPABILITIES}
_KINDS: Final[dict[str, AddressKind]] = {"sms": "phone", "web": "web", "sim": "sim"}
_JOBS: Final = frozenset((reminders.KIND, bookings.FREED, waiting.OFFER))
_AN_HOUR: Final = timedelta(hours=1)
_ids = count(1)


@dataclass
class Stage:
    """One customer's conversation, and the house around it. `other` puts another customer on the same stage."""

    db: Db
    bots: Registry
    channel: str = "sms"
    peer: str = ANN
    now: datetime = MONDAY_NOON
    offered: tuple[Option, ...] = ()
    texts: list[str] = field(default_factory=list)

    def other(self, peer: str, channel: str = "sms") -> "Stage":
        return Stage(self.db, self.bots, channel, peer, self.now)

    def says(self, *lines: str) -> str:
        """The customer writes; our answer to the last line, as they read it."""
        answer = ""
        for line in lines:
            answer = self.sends(Text(line))
        return answer

    def presses(self, title: str, *, older: int = 0) -> str:
        """The customer presses a button or list row that we have sent, the latest of that title or an older one."""
        option = [each for each in self.offered if each.title == title][older]
        return self.sends(Choice(option.id, option.title))

    def sends(self, *parts: Part, quotes: str = "") -> str:
        """The customer sends something, perhaps quoting the last message of ours with these words; our answer."""
        message = InboundMessage(
            f"in-{next(_ids)}",
            Address(_KINDS[self.channel], self.peer),
            self._channel.account.sender,
            parts,
            reply_to=self._name_of(quotes) if quotes else None,
        )
        return self._read(turn.take(self.db, self.bots, self._channel, message, now=self.now).replies)

    def waits(self, span: timedelta) -> str:
        """Time passes, and what falls due is played; what this customer hears of it."""
        until, before = self.now + span, self._last_written()
        while self.now < until:
            due = min((at for at in self._due_times() if at > self.now), default=until)
            self.now = min(due, self.now + _AN_HOUR, until)
            self._play_due()
        return self._heard_since(before)

    def cue(self, kind: str, **data: Json) -> str:
        """Something else happens to the conversation; what the customer hears of it."""
        before = self._last_written()
        self._cue(self.context.id, kind, data)
        return self._heard_since(before)

    def speaks(self, *languages: str) -> None:
        """The business speaks these languages from now on."""
        ours = businesses_table.c.id == self.business.id
        self.db.execute(update(businesses_table).where(ours).values(languages=list(languages)))
        self.bots = Registry()

    # How things stand.

    @property
    def business(self) -> Business:
        return businesses.load(self.db, self._channel.account.business_id)

    @property
    def who(self) -> Actor:
        return Actor(self._channel.account.tenant_id, "system")

    @property
    def context(self) -> Context:
        found = conversations.find(self.db, self._channel.account.id, _KINDS[self.channel], self.peer)
        assert found is not None
        return found

    @property
    def run(self) -> Run | None:
        """What is being talked about."""
        bot = self.bots.get(
            self.db,
            self._channel.account.bot_id or 0,
            business_id=self.context.business_id,
            revision=self.context.business_revision,
        )
        top = flow.read(self.context.flow, lambda version_id: bot.version(self.db, version_id)).top
        return None if top is None else top.run

    @property
    def place(self) -> str:
        """`book.confirm`, or nothing when nothing is open."""
        return "" if self.run is None else f"{self.run.scenario}.{self.run.node}"

    def visits(self) -> list[Appointment]:
        """All visits of this customer that were booked here, the oldest first."""
        found = self.db.execute(
            select(appointments.c.id)
            .where(appointments.c.customer_id == self.context.customer_id, appointments.c.source != "staff")
            .order_by(appointments.c.id)
        ).scalars()
        return [bookings.get(self.db, self.who, visit_id) for visit_id in found]

    # Behind the scenes.

    @cached_property
    def _channel(self) -> turn.Channel:
        row = self.db.execute(select(accounts).where(accounts.c.channel == self.channel)).one()
        account = Account(
            row.id,
            row.tenant_id,
            row.business_id,
            row.bot_id,
            row.channel,
            row.provider,
            row.address,
            "",
            AccountKeys(""),
        )
        return turn.Channel(account, _CAPABILITIES[self.channel], inline=True)

    def _read(self, pieces: Iterable[OutboundMessage]) -> str:
        lines: list[str] = []
        for piece in pieces:
            lines.append(piece.text)
            self.texts.append(piece.text)
            if piece.choices:
                self.offered = (*piece.choices, *self.offered)
                lines += [f"[{option.title}]" for option in piece.choices]
        return "\n".join(filter(None, lines))

    def _name_of(self, words: str) -> str:
        """The provider's id of that message; a provider would have given it one."""
        message_id = self.db.execute(
            select(func.max(messages.c.id)).where(messages.c.direction == "out", messages.c.text.contains(words))
        ).scalar_one()
        self.db.execute(update(messages).where(messages.c.id == message_id).values(provider_id=f"out-{message_id}"))
        return f"out-{message_id}"

    def _due_times(self) -> list[datetime]:
        context = self.context
        job = queue.next_due(self.db, kinds=_JOBS)
        return [at for at in (context.silence_due_at, context.flow_expires_at, job) if at is not None]

    def _play_due(self) -> None:
        waiting.expire_offers(self.db, self.now)
        bookings.expire_holds(self.db, self.now)
        for kind, due in (
            ("silent", conversations.silent_due(self.db, self.now)),
            ("expired", conversations.expired_flows(self.db, self.now)),
            ("handoff_expired", conversations.queued_since(self.db, self.now - timedelta(hours=12))),
        ):
            for one in due:
                self._cue(one.id, kind, {})
        while claimed := queue.claim(self.db, now=self.now, lease="stage", lease_for=_AN_HOUR, limit=10, kinds=_JOBS):
            for job in claimed:
                self._work(job)
                queue.finish(self.db, job)

    def _work(self, job: queue.Job) -> None:
        if job.kind == bookings.FREED:
            waiting.offer_freed(self.db, self.who, self.business, Freed.of(job.payload), now=self.now)
            return
        table, name = (appointments, "appointment_id") if job.kind == reminders.KIND else (waitlist, "waitlist_id")
        found = self.db.execute(select(table.c.conversation_id).where(table.c.id == job.payload[name])).scalar_one()
        if found is not None:
            self._cue(found, job.kind, cast(Mapping[str, Json], job.payload))

    def _cue(self, conversation_id: int, kind: str, data: Mapping[str, Json]) -> None:
        context = conversations.by_id(self.db, self.who, conversation_id)
        turn.cue(self.db, self.bots, self._channel, context, Cue(kind, data), now=self.now)

    def _last_written(self) -> int:
        last: int = self.db.execute(select(func.coalesce(func.max(messages.c.id), 0))).scalar_one()
        return last

    def _heard_since(self, message_id: int) -> str:
        rows = self.db.execute(
            select(messages.c.text, messages.c.content)
            .where(
                messages.c.id > message_id,
                messages.c.conversation_id == self.context.id,
                messages.c.direction == "out",
            )
            .order_by(messages.c.id)
        )
        return self._read(
            OutboundMessage(row.text) if row.content is None else OutboundMessage.from_json(row.content) for row in rows
        )
