"""From a provider's request to its answer: verified, parsed, put in order, handled, committed."""

import asyncio
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import structlog

from bots.registry import Registry
from channels.base import AccountKeys, Adapter, Answer, Request
from channels.errors import BadRequest
from channels.messages import Address, Echo, Event, InboundMessage, Notice, OutboundMessage, StatusUpdate, Trouble
from desk import accounts, messages
from desk.accounts import Line
from gateway.accounts import Account
from gateway.context import House
from gateway.pipeline import echo, refused, status, trouble, turn, wire
from gateway.pipeline.spool import Spool
from gateway.pipeline.wire import Seen
from storage.base import Db
from storage.hurry import IN_BACKGROUND
from storage.store import StoreUnavailable

log = structlog.get_logger()


class Forged(Exception):  # noqa: N818  receive.Forged says it
    """The signature is missing or wrong, or another account's (`code`): nothing came of it."""

    def __init__(self, code: Literal["bad_signature", "other_account"] = "bad_signature") -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Receiver:
    """Takes what providers send. `spool` keeps it while the database is away; None answers 503 instead."""

    house: House
    spool: Spool | None = None

    async def webhook(self, provider: str, channel: str, request: Request, urls: tuple[str, ...]) -> Answer:
        """The answer to a provider's webhook, with our replies in it where the channel can carry them.

        `urls` are the public addresses that the request may have been signed for. Where it tells of several things, those
        of one conversation are handled in their order, and what one of them breaks does not keep the others.

        Raises:
            Forged: it is not from the provider, or all of it is for accounts of others.
            BadRequest: it is, but makes no sense.
            StoreUnavailable: the database is away and not everything was kept; the provider should try again.
        """
        adapter = self.house.adapters[provider, channel]
        try:
            return await self._webhook(adapter, request, urls)
        except (Forged, BadRequest) as refusal:
            await self.refused(adapter, request, refusal)
            raise

    async def refused(
        self, adapter: Adapter, request: Request, why: Forged | BadRequest, *, claimed: str | None = None
    ) -> None:
        """Let the channel log know of a request that is turned away. `claimed` is the vendor's account that it says it is
        from, where the adapter cannot tell.
        """
        house = self.house
        await refused.note(
            house.store,
            house.accounts,
            house.refusals,
            adapter,
            request,
            status=400 if isinstance(why, BadRequest) else 403,
            code="malformed" if isinstance(why, BadRequest) else why.code,
            wrong=why.field if isinstance(why, BadRequest) else "",
            claimed=adapter.claimed_account(request) if claimed is None else claimed,
            now=house.clock.now(),
        )

    async def _webhook(self, adapter: Adapter, request: Request, urls: tuple[str, ...]) -> Answer:
        provider, channel = adapter.provider, adapter.channel
        claimed = adapter.claimed_account(request)
        secret = await self.signed_by(adapter, claimed, request, urls)
        mine: list[tuple[Account, Event]] = []
        is_refused = False
        for event in adapter.parse(request):
            if isinstance(event, Notice):
                await self._noticed(adapter, event, request, claimed, secret)
                continue
            account = await self.account_of(adapter, event)
            if account is None:
                log.warning("news of a number that is not connected", provider=provider, channel=channel)
            elif account.is_opened_by(event.provider_account or claimed, secret):
                mine.append((account, event))
            else:
                log.warning("webhook refused", provider=provider, account=account.id, reason="account of another")
                is_refused = True
        if is_refused and not mine:
            raise Forged("other_account")
        replies: Iterable[OutboundMessage] = ()
        if len(mine) == 1:
            replies = await self._in_order(mine, request, set())
        elif mine:
            replies = await self._side_by_side(mine, request)
        return adapter.reply([*replies], status_url=self.house.status_url(provider))

    async def _noticed(self, adapter: Adapter, event: Notice, request: Request, claimed: str, secret: str) -> None:
        """Have it in the channel log of whoever it concerns. Nothing else comes of it, so it is not spooled."""
        vendors = event.provider_account or claimed
        if event.sender or event.provider_service:
            found = await self.account_of(adapter, event)
            concerned = [found] if found is not None else []
        else:
            concerned = await self.house.accounts.of_account(adapter.provider, adapter.channel, vendors)
        concerned = [one for one in concerned if one.is_opened_by(vendors, secret)]
        try:
            await self.house.store.write(wire.noticed, concerned, Seen(request, event), now=self.house.clock.now())
        except StoreUnavailable:
            log.warning("news not written down: the database is away", provider=adapter.provider)

    async def account_of(self, adapter: Adapter, event: Event) -> Account | None:
        """Whose news it is; None when the number is not connected, or the provider does not name it.

        A pool has more numbers than are connected one by one: what is about another of them is its account's.
        """
        known, of = self.house.accounts, (adapter.provider, adapter.channel)
        ours = event.recipient if isinstance(event, InboundMessage) else event.sender
        if not isinstance(event, Echo | Trouble) and event.provider_service:
            if ours is not None and (found := await known.known(*of, ours.value)) is not None:
                return found
            for found in await known.by_pool(*of, event.provider_account, event.provider_service):
                return found
        return await known.by_address(*of, ours.value) if ours else None

    async def handle(
        self, account: Account, event: Event, *, inline: bool, seen: Seen | None = None
    ) -> tuple[OutboundMessage, ...]:
        """Everything that comes of one verified event; what there is to reply with, if it is to go `inline`. `seen` is
        the request that it came with, for the channel log.

        Raises: StoreUnavailable
        """
        if isinstance(event, InboundMessage):
            return (await self.message(account, event, inline=inline, seen=seen)).replies
        write, now = self.house.store.write, self.house.clock.now
        if isinstance(event, StatusUpdate):
            # Of this request alone: the provider has time, and a campaign brings thousands of them.
            IN_BACKGROUND.set(True)
            await self.house.pressure.calm()
        adapter = self.house.adapter(account)
        if isinstance(event, Trouble):
            await write(_in_trouble, adapter, account, event, seen, now=now())
            log.warning("trouble with a number", account=account.id, code=event.code)
            return ()
        if isinstance(event, Notice):
            return ()
        account = await self._that_said(account, event)
        async with self.house.order.turn(account.tenant_id, _key(account, event)):
            if isinstance(event, StatusUpdate):
                outcome = await write(_news, adapter, account, event, seen, now=now())
            else:
                outcome = await write(_echoed, account, event, seen, self.house.line, now=now())
        what = event.status if isinstance(event, StatusUpdate) else "echo"
        log.info("status", account=account.id, provider_id=event.provider_id, status=what, outcome=outcome)
        return ()

    async def _that_said(self, account: Account, event: StatusUpdate | Echo) -> Account:
        """The account over which a text went out: that of the calls to a number writes from the same number, another of the
        same pool from whichever number the provider takes, and the provider tells of all alike.
        """
        if account.channel not in ("sms", "whatsapp") or not isinstance(event, StatusUpdate) or not event.reference:
            return account
        known, others = self.house.accounts, list[Account]()
        if account.channel == "sms" and (calls := await known.known(account.provider, "voice", account.address)):
            others.append(calls)
        if pool := account.sender_pool:
            others += await known.by_pool(account.provider, account.channel, account.keys.account_id, pool)
        for one in others:
            is_other = one.id != account.id and one.tenant_id == account.tenant_id
            if is_other and await self.house.store.read(messages.is_of, one.id, event.reference):
                return one
        return account

    async def message(
        self, account: Account, event: InboundMessage, *, inline: bool, seen: Seen | None = None
    ) -> turn.Taken:
        """What the turn of one verified message left behind.

        Raises: StoreUnavailable
        """
        house = self.house
        channel = turn.Channel(account, house.adapter(account).capabilities, inline=inline)
        async with house.order.turn(account.tenant_id, _key(account, event)):
            try:
                taken = await house.store.write(_take, house.bots, channel, event, seen, now=house.clock.now())
            except StoreUnavailable:
                raise
            except Exception:
                log.exception("turn failed", account=account.id, provider_id=event.provider_id)
                taken = await house.store.write(_take_broken, house.bots, channel, event, seen, now=house.clock.now())
        log.info(
            "turn done",
            conversation=taken.conversation_id,
            message=taken.message_id,
            duplicate=taken.is_duplicate,
            replies=len(taken.replies),
            **taken.facts,
        )
        return taken

    async def signed_by(self, adapter: Adapter, claimed: str, request: Request, urls: tuple[str, ...]) -> str:
        """The secret that has signed the request, empty where the vendor signs nothing. It alone opens accounts: anybody
        can say that an account is theirs and bring a secret along.

        Raises: Forged
        """
        secrets = await self.house.accounts.secrets(adapter.provider, claimed)
        for secret in secrets or ("",):
            for url in urls:
                if adapter.verify(request, AccountKeys(claimed, secrets=(secret,) if secret else (), public_url=url)):
                    return secret
        log.warning("webhook refused", provider=adapter.provider, account_claimed=claimed[:40], reason="signature")
        raise Forged

    async def _side_by_side(self, mine: Sequence[tuple[Account, Event]], request: Request) -> Iterable[OutboundMessage]:
        """Each conversation's events in order, and the conversations beside each other. All have been handled or failed
        when this returns or raises.
        """
        lines: dict[Hashable, list[tuple[Account, Event]]] = {}
        for account, event in mine:
            lines.setdefault(_key(account, event), []).append((account, event))
        spooled: set[int] = set()
        outcomes = await asyncio.gather(
            *(self._in_order(line, request, spooled) for line in lines.values()), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome  # the provider repeats it all, and what was handled is known by its id
        return [reply for outcome in outcomes if not isinstance(outcome, BaseException) for reply in outcome]

    async def _in_order(
        self, line: Sequence[tuple[Account, Event]], request: Request, spooled: set[int]
    ) -> Sequence[OutboundMessage]:
        """The replies to some events of a request. When the database is away the request is kept once for each account,
        whose numbers are added to `spooled`; all that it tells of that account is then handled later.
        """
        replies: list[OutboundMessage] = []
        for account, event in line:
            try:
                inline = self.house.adapter(account).capabilities.inline_reply
                replies += await self.handle(account, event, inline=inline, seen=Seen(request, event))
            except StoreUnavailable as away:
                if self.spool is None:
                    raise
                if account.id not in spooled:
                    spooled.add(account.id)
                    await self.spool.add(account.provider, account.channel, account.id, request, self.house.clock.now())
                log.warning("message spooled", account=account.id, provider_id=event.provider_id, reason=str(away))
                break
        return replies


def _take(
    db: Db, bots: Registry, channel: turn.Channel, event: InboundMessage, seen: Seen | None, *, now: datetime
) -> turn.Taken:
    taken = turn.take(db, bots, channel, event, now=now)
    wire.heard(db, channel.account, seen, taken.message_id, taken.replies, now=now)
    return taken


def _take_broken(
    db: Db, bots: Registry, channel: turn.Channel, event: InboundMessage, seen: Seen | None, *, now: datetime
) -> turn.Taken:
    taken = turn.take_broken(db, bots, channel, event, now=now)
    wire.heard(db, channel.account, seen, taken.message_id, taken.replies, failed="turn_failed", now=now)
    return taken


def _news(db: Db, adapter: Adapter, account: Account, event: StatusUpdate, seen: Seen | None, *, now: datetime) -> str:
    outcome = status.apply(db, adapter, account, event, now=now)
    wire.heard_status(db, account, seen, event, now=now)
    return outcome


def _echoed(db: Db, account: Account, event: Echo, seen: Seen | None, line: Line, *, now: datetime) -> str:
    outcome = echo.take(db, account, event, now=now)
    if outcome == "kept":
        accounts.used_on_phone(db, account.id, line)
    wire.heard(db, account, seen, messages.id_of(db, account.id, event.provider_id), now=now)
    return outcome


def _in_trouble(
    db: Db, adapter: Adapter, account: Account, event: Trouble, seen: Seen | None, *, now: datetime
) -> None:
    trouble.alarm(db, account.id, adapter.explain(event.code), now=now)
    wire.heard(db, account, seen, None, failed=event.code or "trouble", now=now)


def _key(account: Account, event: Event) -> tuple[int, Address | str]:
    """What has to wait for each other: all of one conversation, and all news of one message."""
    if isinstance(event, InboundMessage | Trouble):
        return account.id, event.sender
    return account.id, event.recipient if isinstance(event, Echo) else event.provider_id
