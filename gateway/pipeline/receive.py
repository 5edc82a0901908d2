"""From a provider's request to its answer: verified, parsed, put in order, handled, committed."""

from dataclasses import dataclass

import structlog

from channels.base import AccountKeys, Answer, Request
from channels.messages import InboundMessage, OutboundMessage, StatusUpdate
from gateway.accounts import Account
from gateway.context import House
from gateway.pipeline import status, turn
from gateway.pipeline.spool import Spool
from storage.store import StoreUnavailable

log = structlog.get_logger()


class Forged(Exception):  # noqa: N818  receive.Forged says it
    """The signature is missing or wrong: nothing was read, nothing kept."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """Takes what providers send. `spool` keeps messages while the database is away; None answers 503 instead."""

    house: House
    spool: Spool | None = None

    async def webhook(self, provider: str, channel: str, request: Request, urls: tuple[str, ...]) -> Answer:
        """The answer to a provider's webhook, with our replies in it where the channel can carry them.

        `urls` are the public addresses that the request may have been signed for.

        Raises:
            Forged: it is not from the provider.
            BadRequest: it is, but makes no sense.
            StoreUnavailable: the database is away and nothing was kept; the provider should try again.
        """
        adapter = self.house.adapters[provider, channel]
        claimed = adapter.claimed_account(request)
        secrets = await self.house.accounts.secrets(provider, claimed)
        for url in urls:
            if adapter.verify(request, AccountKeys(claimed, secrets=secrets, public_url=url)):
                break
        else:
            log.warning("webhook refused", provider=provider, account_claimed=claimed[:40], reason="signature")
            raise Forged
        replies: list[OutboundMessage] = []
        for event in adapter.parse(request):
            if isinstance(event, InboundMessage):
                replies += await self._one(provider, channel, claimed, secrets, event, request)
            else:
                await self._status(provider, channel, event)
        return adapter.reply(replies, status_url=self.house.status_url(provider))

    async def message(self, account: Account, event: InboundMessage, *, inline: bool) -> turn.Taken:
        """What the turn of one verified message left behind.

        Raises: StoreUnavailable
        """
        house = self.house
        channel = turn.Channel(account, house.adapter(account).capabilities, inline=inline)
        async with house.order.turn(account.tenant_id, (account.id, event.sender)):
            try:
                taken = await house.store.write(turn.take, house.bots, channel, event, now=house.clock.now())
            except StoreUnavailable:
                raise
            except Exception:
                log.exception("turn failed", account=account.id, provider_id=event.provider_id)
                taken = await house.store.write(turn.take_broken, house.bots, channel, event, now=house.clock.now())
        log.info(
            "turn done",
            conversation=taken.conversation_id,
            message=taken.message_id,
            duplicate=taken.is_duplicate,
            replies=len(taken.replies),
            **taken.facts,
        )
        return taken

    async def _one(
        self,
        provider: str,
        channel: str,
        claimed: str,
        secrets: tuple[str, ...],
        event: InboundMessage,
        request: Request,
    ) -> tuple[OutboundMessage, ...]:
        account = await self.house.accounts.by_address(provider, channel, event.recipient.value)
        if account is None:
            log.warning("message for a number that is not connected", provider=provider, channel=channel)
            return ()
        if not account.is_opened_by(claimed, secrets):
            log.warning("webhook refused", provider=provider, account=account.id, reason="account of another")
            raise Forged
        try:
            inline = self.house.adapter(account).capabilities.inline_reply
            return (await self.message(account, event, inline=inline)).replies
        except StoreUnavailable as away:
            if self.spool is None:
                raise
            await self.spool.add(provider, channel, account.id, request, self.house.clock.now())
            log.warning("message spooled", account=account.id, provider_id=event.provider_id, reason=str(away))
            return ()

    async def _status(self, provider: str, channel: str, event: StatusUpdate) -> None:
        ours = event.sender.value if event.sender is not None else ""
        account = await self.house.accounts.by_address(provider, channel, ours)
        if account is None:
            log.warning("status of a number that is not connected", provider=provider, channel=channel)
            return
        adapter = self.house.adapter(account)
        async with self.house.order.turn(account.tenant_id, (account.id, event.provider_id)):
            outcome = await self.house.store.write(status.apply, adapter, account, event, now=self.house.clock.now())
        log.info("status", account=account.id, provider_id=event.provider_id, status=event.status, outcome=outcome)
