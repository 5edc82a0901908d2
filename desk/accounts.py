"""Channels: connected numbers and sites, as people set them up. The gateway keeps the active ones in memory."""

import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import Row, Select, select, update

from desk import bots, phone, profiles, prompts, records
from desk.errors import AlreadyThere, Invalid, NotFound, WrongState
from desk.listing import Found, Window, contains, page
from desk.refs import Ref
from desk.refs import row as find_row
from desk.who import Actor
from storage import queue
from storage.base import Db, JsonValue, new_uid
from storage.models.accounts import accounts as table
from storage.models.bots import bots as bot_table
from storage.models.businesses import businesses as shops
from storage.models.conversations import conversations
from storage.seal import SealBroken, Sealer
from storage.session import announce

# Announced with every change: whoever keeps accounts in memory reads them anew.
TOPIC: Final = "accounts"
# What the seal of their keys is bound to.
CREDENTIALS: Final = "accounts.credentials"
NOUN: Final = "channel"

# The providers that a kind of channel may come through, the usual one first.
PROVIDERS: Final[Mapping[str, tuple[str, ...]]] = {
    "sms": ("twilio",),
    "whatsapp": ("meta", "twilio"),
    "voice": ("twilio",),
    "web": ("webchat",),
}
_SHOWN: Final = 4  # the end of a secret that tells which one it is
_LONG_ENOUGH: Final = 16  # shorter ones would give away too much with it
# What stands as the sender of a text instead of a number (twilio.com/docs/glossary/what-alphanumeric-sender-id).
_SENDER_NAME: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 &+_-]{1,11}")
_UNSERVED: Final = "This kind of channel is not served yet; it will be switched on then."
_UNNUMBERED: Final = "It waits for its phone_number_id, by which Meta knows the number."
_t = table.c
_PACED: Final[Select[Any]] = select(_t.id, _t.channel, _t.address, _t.messages_per_s, _t.is_on_phone)
# North American area codes whose numbers are free to call (nanpa.com, "Toll-Free Area Codes").
_TOLL_FREE: Final = ("+1800", "+1833", "+1844", "+1855", "+1866", "+1877", "+1888")
_BURST: Final = 5  # so many may go at once over a number that was quiet; of a quick one, a tenth of its rate

# What an adapter serves: (provider, channel).
Served = Collection[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Widget:
    """How a web chat looks on the business's pages, and on which. `allowed_origins`: `https://www.example.com`,
    `https://*.example.com` for all below it, or `*`; our own pages always may.
    """

    title: str = ""
    greeting: str = ""
    color: str = "#0b5cad"
    position: Literal["left", "right"] = "right"
    theme: Literal["auto", "light", "dark"] = "auto"
    allowed_origins: tuple[str, ...] = ()

    @classmethod
    def of(cls, kept: object) -> "Widget":
        """What a row keeps; null is the usual for all."""
        given = dict(kept) if isinstance(kept, Mapping) else {}
        return cls(**{**given, "allowed_origins": tuple(given.get("allowed_origins", ()))})

    def to_json(self) -> dict[str, JsonValue]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Channel:
    """`status`: active; paused by somebody (what comes is kept for people, and nothing is said by itself); or waiting
    until we serve its kind. `keys` are masked: `••••1234`. Without `takes_replies` it is a name, to which nobody can write.
    Only a web chat has a `widget`.
    """

    id: int
    uid: str
    kind: str
    provider: str
    address: str
    display_name: str
    business_uid: str
    bot_uid: str | None
    provider_account: str | None
    provider_number: str | None
    sender_pool: str | None
    shorten_links: bool
    widget: "Widget | None"
    window_template: Mapping[str, str] | None
    messages_per_s: float | None
    takes_replies: bool
    keys: Mapping[str, JsonValue]
    is_active: bool
    log_keeps: str
    status: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """What the rows alone do not tell: how keys are sealed, and what is served today."""

    sealer: Sealer
    served: Served
    rates: Mapping[str, float]  # messages a second by `rate_kind`; one that is not there has no limit

    def serves(self, provider: str, kind: str, number: str | None) -> bool:
        """Whether messages come and go over such a channel. Meta knows a number by its own id alone."""
        return (provider, kind) in self.served and (provider != "meta" or number is not None)


def find(
    db: Db,
    who: Actor,
    window: Window,
    line: Line,
    *,
    search: str | None = None,
    kind: str | None = None,
    business: Ref | None = None,
    is_active: bool | None = None,
) -> Found[Channel]:
    """The tenant's connected ones, the oldest first.

    Raises: NotFound, for another's business
    """
    wanted = _wanted(who)
    if search:
        wanted = wanted.where(contains(search, _t.address, _t.display_name))
    if kind is not None:
        wanted = wanted.where(_t.channel == kind)
    if business is not None:
        wanted = wanted.where(_t.business_id == profiles.id_for(db, who, business))
    if is_active is not None:
        wanted = wanted.where(_t.is_active.is_(is_active))
    sorts = {"created_at": _t.created_at, "address": _t.address, "kind": _t.channel, "display_name": _t.display_name}
    return page(db, wanted, window, lambda row: _one(row, line), sorts=sorts, by="created_at", tie=_t.id)


def get(db: Db, who: Actor, ref: Ref, line: Line, *, kind: str | None = None) -> Channel:
    """`kind`: only if it is of that kind.

    Raises: NotFound
    """
    found = _row(db, who, ref, kind=kind)
    return _one(db.execute(_wanted(who).where(_t.id == found.id)).one(), line)


def id_for(db: Db, who: Actor, ref: Ref) -> int:
    """Our number of a channel.

    Raises: NotFound
    """
    found: int = _row(db, who, ref).id
    return found


def connect(db: Db, who: Actor, values: Mapping[str, Any], line: Line, *, now: datetime) -> Channel:
    """`values`: kind, and as needed provider, address (a site makes up its own), display_name, business_id (the oldest),
    bot_id (the business's), provider_account, provider_number, sender_pool, shorten_links, widget, window_template,
    messages_per_s, credentials, is_active, log_keeps.

    One that was ours before is ours again with its conversations. What we do not serve yet waits.

    Raises: NotFound, Invalid, AlreadyThere
    """
    kind = values["kind"]
    provider = _provider(kind, values.get("provider"))
    business = profiles.locked(db, who, profiles.id_for(db, who, values.get("business_id")))
    address = _address(kind, values.get("address"), phone.region_of(business.phone or ""))
    _check_bot(kind, address, values.get("bot_id"))
    _check_links(kind, values.get("sender_pool"), values)
    if "bot_id" in values or not takes_replies(kind, address):
        bot = values.get("bot_id")
        bot_id = None if bot is None else bots.id_in(db, who, bot, business.id)
    else:
        bot_id = bots.first_of(db, who, business.id)
    number = values.get("provider_number")
    is_served = line.serves(provider, kind, number)
    columns = {
        "business_id": business.id,
        "bot_id": bot_id,
        "channel": kind,
        "provider": provider,
        "address": address,
        "display_name": values.get("display_name") or "",
        "provider_account": values.get("provider_account"),
        "provider_number": number,
        "sender_pool": values.get("sender_pool"),
        "shorten_links": bool(values.get("shorten_links")),
        "widget": _widget(kind, values.get("widget")),
        "window_template": values.get("window_template"),
        "messages_per_s": values.get("messages_per_s"),
        "credentials": _sealed(who, values.get("credentials"), line),
        "is_active": bool(values.get("is_active", True)) and is_served,
        "is_waiting": bool(values.get("is_active", True)) and not is_served,
    }
    if "log_keeps" in values:
        columns["log_keeps"] = values["log_keeps"]
    same = _t.provider == provider, _t.channel == kind, _t.address == columns["address"]
    if db.execute(select(_t.id).where(*same, _t.disconnected_at.is_(None))).first():
        raise AlreadyThere(NOUN, "address")
    _check_number(db, provider, number)
    ours = _t.tenant_id == who.tenant_id, _t.business_id == business.id, _t.disconnected_at.is_not(None)
    former = db.execute(select(_t.id).where(*same, *ours).order_by(_t.id.desc()).limit(1)).scalar_one_or_none()
    if former is None:
        row = records.add(db, who, table, columns, noun=NOUN, unique="address", now=now)
    else:
        back = {**columns, "disconnected_at": None}
        row = records.change(db, who, table, former, back, noun=NOUN, unique="address", now=now)
    _pace(db, row, line)
    if kind == "voice" and bot_id is not None:
        prompts.ask(db, who.tenant_id, bot_id, now=now)
    announce(db, TOPIC)
    return get(db, who, row.id, line)


def change(db: Db, who: Actor, ref: Ref, values: Mapping[str, Any], line: Line, *, now: datetime) -> Channel:
    """What a channel is (kind, provider, address, business) it stays; the rest may change.

    Raises: NotFound, Invalid; WrongState, when it should become active and nothing serves it yet
    """
    row = _row(db, who, ref, lock=True)
    values = dict(values)
    business = values.pop("business_id", None)
    if business is not None and profiles.id_for(db, who, business) != row.business_id:
        raise Invalid("business_id", "A channel stays with its business.")
    for field, is_now in (("kind", row.channel), ("provider", row.provider), ("address", row.address)):
        given = values.pop(field, None)
        if given is not None and given != is_now:
            raise Invalid(field, f"The {field} of a channel stays; connect another channel instead.")
    _check_bot(row.channel, row.address, values.get("bot_id"))
    _check_links(
        row.channel, values.get("sender_pool", row.sender_pool), {"shorten_links": row.shorten_links, **values}
    )
    if "widget" in values:
        values["widget"] = _widget(row.channel, values["widget"])
    if values.get("bot_id") is not None:
        values["bot_id"] = bots.id_in(db, who, values["bot_id"], row.business_id)
    if "credentials" in values:
        values["credentials"] = _sealed(who, values["credentials"], line)
    number = values.get("provider_number", row.provider_number)
    if number != row.provider_number:
        _check_number(db, row.provider, number)
    if not line.serves(row.provider, row.channel, number):
        if values.get("is_active") and not row.is_active:
            why = _UNNUMBERED if row.provider == "meta" else _UNSERVED
            raise WrongState(NOUN, row.id, "waiting", why)
        # Of one that waits it reads `is_active: false`, so who sends that back has not switched it off.
        waits = row.is_waiting or (row.is_active and values.get("is_active", True))
        values |= {"is_active": False, "is_waiting": waits}
    elif row.is_waiting:
        values = {"is_active": True, **values, "is_waiting": False}
    changed = records.change(db, who, table, row.id, values, noun=NOUN, unique="address", now=now)
    _pace(db, changed, line)
    if values.get("is_active") and not row.is_active:
        queue.go_on(db, waiting_lane(row.id), now=now)
    announce(db, TOPIC)
    return get(db, who, row.id, line)


def lane(account_id: int) -> str:
    """The lane of everything that goes out over one account; the provider's rate holds for it as a whole."""
    return f"account:{account_id}"


def rate_kind(kind: str, address: str, *, is_on_phone: bool = False) -> str:
    """What providers tell apart when they say how much goes over a sender in a second.

    Source: support.twilio.com 115002943027, "Understanding Twilio Rate Limits and Message Queues"; for numbers in use on
    a phone developers.facebook.com/documentation/business-messaging/whatsapp/throughput.
    """
    if kind == "whatsapp" and is_on_phone:
        return "whatsapp:phone"
    if kind != "sms":
        return kind
    if not address.startswith("+"):
        return "sms:short" if address.isdecimal() else "sms"
    if address.startswith(_TOLL_FREE):
        return "sms:tollfree"
    return "sms:us" if address.startswith("+1") else "sms"


def pace_all(db: Db, line: Line) -> None:
    """Every lane as fast as its account and the settings say. For after a start: settings come with it."""
    for row in db.execute(_PACED.where(_t.disconnected_at.is_(None)).order_by(_t.id)).all():
        _pace(db, row, line)


def used_on_phone(db: Db, account_id: int, line: Line) -> None:
    """People of the business write from WhatsApp's own app, too: such a number sends more slowly from now on."""
    news = update(table).where(_t.id == account_id, _t.is_on_phone.is_(False)).values(is_on_phone=True)
    if db.execute(news).rowcount:
        _pace(db, db.execute(_PACED.where(_t.id == account_id)).one(), line)


def _pace(db: Db, row: Row[Any], line: Line) -> None:
    usual = line.rates.get(rate_kind(row.channel, row.address, is_on_phone=row.is_on_phone))
    rate = usual if row.messages_per_s is None else row.messages_per_s
    queue.set_lane(db, lane(row.id), rate_per_s=rate, burst=max(_BURST, round((rate or 0) / 10)))


def switch_on(db: Db, line: Line, *, now: datetime) -> int:
    """What had waited until we serve it is on; how many that were. For after a start: what is served comes with the code."""
    waiting = select(_t.id, _t.tenant_id, _t.provider, _t.channel, _t.provider_number)
    found = db.execute(waiting.where(_t.is_waiting.is_(True), _t.disconnected_at.is_(None)).order_by(_t.id)).all()
    served = [row for row in found if line.serves(row.provider, row.channel, row.provider_number)]
    for row in served:
        who, on = Actor(row.tenant_id, "system"), {"is_active": True, "is_waiting": False}
        records.change(db, who, table, row.id, on, noun=NOUN, now=now)
        queue.go_on(db, waiting_lane(row.id), now=now)
    if served:
        announce(db, TOPIC)
    return len(served)


def disconnect(db: Db, who: Actor, ref: Ref, *, kind: str | None = None, now: datetime) -> None:
    """It is ours no longer, its keys are forgotten and its address is free. Its conversations stay.

    Raises: NotFound
    """
    row = _row(db, who, ref, kind=kind, lock=True)
    announce(db, TOPIC)
    if db.execute(select(conversations.c.id).where(conversations.c.account_id == row.id).limit(1)).first() is None:
        records.remove(db, who, table, row.id, noun=NOUN, now=now)
        return
    gone = {"is_active": False, "disconnected_at": now, "credentials": None}
    records.change(db, who, table, row.id, gone, noun=NOUN, unique="address", now=now)


def waiting_lane(account_id: int) -> str:
    """The lane of jobs that wait until the channel is no longer paused."""
    return f"paused:{account_id}"


def is_paused(db: Db, account_id: int) -> bool:
    """Whether it is paused, and stays so until the commit."""
    wanted = select(table.c.is_active).where(table.c.id == account_id).with_for_update(read=True)
    return not db.execute(wanted).scalar_one_or_none()


def text_account(db: Db, account_id: int) -> int | None:
    """The account over which texts go to and from the number of that one, which takes calls; None when there is none."""
    mine = select(_t.tenant_id, _t.provider, _t.address).where(_t.id == account_id).subquery()
    same = _t.tenant_id == mine.c.tenant_id, _t.provider == mine.c.provider, _t.address == mine.c.address
    found: int | None = db.execute(
        select(_t.id).where(*same, _t.channel == "sms", _t.disconnected_at.is_(None), _t.is_active).limit(1)
    ).scalar_one_or_none()
    return found


def takes_replies(kind: str, address: str) -> bool:
    """Whether people can write to it: not to a sender's name."""
    return kind != "sms" or _SENDER_NAME.fullmatch(address) is None


def _check_bot(kind: str, address: str, bot: object) -> None:
    if bot is not None and not takes_replies(kind, address):
        raise Invalid("bot_id", "Nobody can write back to a sender's name, so no bot can talk there.")


def _check_links(kind: str, pool: str | None, values: Mapping[str, Any]) -> None:
    if values.get("shorten_links") and (kind != "sms" or not pool):
        raise Invalid("shorten_links", "Links are shortened in texts (SMS) that a sender pool sends.")


def _widget(kind: str, given: Widget | None) -> dict[str, JsonValue] | None:
    if given is not None and kind != "web":
        raise Invalid("widget", "Only a web chat has a widget.")
    return None if given is None else given.to_json()


def _check_number(db: Db, provider: str, number: str | None) -> None:
    """Raises: AlreadyThere, when messages to the provider's number are somebody's already"""
    taken = select(_t.id).where(_t.provider == provider, _t.provider_number == number, _t.disconnected_at.is_(None))
    if number is not None and db.execute(taken).first():
        raise AlreadyThere(NOUN, "phone_number_id")


def _provider(kind: str, wanted: str | None) -> str:
    usual, *others = PROVIDERS[kind]
    if wanted is None:
        return usual
    if wanted not in (usual, *others):
        raise Invalid("provider", f"A channel of this kind comes through {' or '.join((usual, *others))}.")
    return wanted


def _address(kind: str, given: str | None, region: str) -> str:
    """The address in its one form.

    Raises: Invalid
    """
    if kind == "web":
        address = given or new_uid()
        if not 3 <= len(address) <= 64 or not all(c.isascii() and (c.isalnum() or c in "-_.") for c in address):
            raise Invalid("address", "The key of a site has 3 to 64 letters, digits, dots, hyphens and underscores.")
        return address
    if not given:
        raise Invalid("address", "Which telephone number is it?")
    address = phone.canonical(given, region)
    if kind == "sms" and _SENDER_NAME.fullmatch(address):
        return address
    number = address.removeprefix("+")
    is_long = address.startswith("+") and 8 <= len(number) <= 15
    is_short = kind == "sms" and not address.startswith("+") and 3 <= len(number) <= 8
    if not (number.isascii() and number.isdecimal() and (is_long or is_short)):
        or_name = " A sender's name has at most 11 letters, digits and spaces." if kind == "sms" else ""
        raise Invalid(
            "address", f"This is no telephone number; write it with its country, such as +15125550100.{or_name}"
        )
    return address


def _sealed(who: Actor, credentials: Mapping[str, Any] | None, line: Line) -> str | None:
    """The keys as `gateway.accounts` opens them: one or more `auth_tokens`, the newest first, and the rest as given."""
    kept = {name: value for name, value in (credentials or {}).items() if value}
    token = kept.pop("auth_token", None)
    if token is not None:
        kept["auth_tokens"] = [*dict.fromkeys([token, *kept.get("auth_tokens", ())])]
    return line.sealer.seal(kept, tenant_id=who.tenant_id, field=CREDENTIALS) if kept else None


def _masked(row: Row[Any], sealer: Sealer) -> dict[str, JsonValue]:
    """Which keys are set, and how each ends; of ones that cannot be opened any more, only that they are there."""
    if row.credentials is None:
        return {}
    try:
        kept = sealer.unseal(row.credentials, tenant_id=row.tenant_id, field=CREDENTIALS)
    except SealBroken:
        return {"sealed": "•••• (with a key that is gone; please enter them again)"}
    if not isinstance(kept, Mapping):
        return {}
    return {name: [*map(mask, value)] if isinstance(value, list) else mask(value) for name, value in kept.items()}


def mask(secret: object) -> str:
    """`••••1234`: enough to tell which one it is."""
    text = str(secret)
    return "••••" + (text[-_SHOWN:] if len(text) >= _LONG_ENOUGH else "")


def _row(db: Db, who: Actor, ref: Ref, *, kind: str | None = None, lock: bool = False) -> Row[Any]:
    row = find_row(db, table, who, ref, NOUN, lock=lock)
    if row.disconnected_at is not None or (kind is not None and row.channel != kind):
        raise NotFound(NOUN, ref)
    return row


def _wanted(who: Actor) -> Select[Any]:
    joined = table.join(shops, shops.c.id == _t.business_id).outerjoin(bot_table, bot_table.c.id == _t.bot_id)
    wanted = select(table, shops.c.uid.label("business_uid"), bot_table.c.uid.label("bot_uid")).select_from(joined)
    return wanted.where(_t.tenant_id == who.tenant_id, _t.disconnected_at.is_(None))


def _one(row: Row[Any], line: Line) -> Channel:
    is_served = line.serves(row.provider, row.channel, row.provider_number)
    status = "active" if row.is_active else "waiting" if row.is_waiting or not is_served else "paused"
    return Channel(
        id=row.id,
        uid=row.uid,
        kind=row.channel,
        provider=row.provider,
        address=row.address,
        display_name=row.display_name,
        business_uid=row.business_uid,
        bot_uid=row.bot_uid,
        provider_account=row.provider_account,
        provider_number=row.provider_number,
        sender_pool=row.sender_pool,
        shorten_links=row.shorten_links,
        widget=Widget.of(row.widget) if row.channel == "web" else None,
        window_template=row.window_template,
        messages_per_s=row.messages_per_s,
        takes_replies=takes_replies(row.channel, row.address),
        keys=_masked(row, line.sealer),
        is_active=row.is_active,
        log_keeps=row.log_keeps,
        status=status,
        created_at=row.created_at,
    )
