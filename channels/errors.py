"""What can go wrong between a vendor and us: a request that makes no sense, a message that cannot be sent."""

from typing import Literal

FailureKind = Literal[
    "retry",  # passing trouble: try again after `retry_after_s`
    "retry_once",  # may be passing: one more try, then give up
    "unclear",  # it may have gone out: try again with `tried_at`, so that the vendor is asked first
    "config",  # somebody at the business has to set something right
    "permanent",  # this person cannot be reached this way
    "nobody",  # nobody can be reached at this address, whatever is sent
    "opted_out",  # this person said stop: never again until they say start
    "no_marketing",  # this person wants no more offers; everything else may go
    "voice",  # not a number that takes texts: offer a call
    "other_channel",  # not on this channel: try SMS
    "content",  # this text or file will not pass, another may
    "window",  # the customer has been silent for too long: only a template may go
    "bug",  # we built a request that we should not have
    "none",  # nothing failed, though it looks like it
]


class BadRequest(Exception):  # noqa: N818 - named like the HTTP answer it becomes
    """A request that no vendor would send; `field` names what is wrong with it. Carries none of its contents."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class SendError(Exception):
    """A message that did not go out, or was refused later.

    `code` is the vendor's, empty for trouble on the way. `text` is a sentence for a person and holds no number, name or
    key. `retryable` says whether another try makes sense, `kind` what else to do, `retry_after_s` how long to wait.
    `is_lost`: told of a message that the vendor had taken, it means that this will not arrive any more.
    `stops_channel`: the same comes of everything else over that channel, until somebody has set something right.
    """

    def __init__(
        self,
        code: str,
        text: str,
        *,
        kind: FailureKind,
        retry_after_s: float | None = None,
        is_lost: bool = False,
        stops_channel: bool = False,
    ) -> None:
        super().__init__(f"{code}: {text}" if code else text)
        self.code = code
        self.text = text
        self.kind = kind
        self.retry_after_s = retry_after_s
        self.is_lost = is_lost
        self.stops_channel = stops_channel

    @property
    def retryable(self) -> bool:
        return self.kind in ("retry", "retry_once", "unclear")
