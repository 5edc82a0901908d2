"""`/sending/settings`: when people are not to be disturbed, and how often they hear from the business at most."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from desk import sending
from desk.sending import Cap, Policy
from gateway.rest.call import Call
from gateway.rest.route import Routes
from gateway.rest.schema import Answer, Body

routes = Routes("Sending")

Clock = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", examples=["21:00"])]


class QuietHours(Body):
    """By the clock of whoever is written to; two equal times are no quiet hours. What is `held` meanwhile goes out when
    they end.
    """

    begins: Clock = "21:00"
    ends: Clock = "08:00"
    held: Annotated[list[Literal["marketing", "reminder"]], Field(max_length=2)] = Field(default=["marketing"])


class MostOften(Body):
    """So many messages to one person within so many days; 0 is no limit."""

    messages: Annotated[int, Field(ge=0, le=1000)] = 0
    days: Annotated[int, Field(ge=1, le=90)] = 7


class Settings(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "quiet_hours": {"begins": "20:00", "ends": "09:00", "held": ["marketing"]},
                    "marketing": {"messages": 2, "days": 7},
                    "reminder": {"messages": 0, "days": 7},
                }
            ]
        }
    )

    quiet_hours: QuietHours = QuietHours()
    marketing: MostOften = MostOften(messages=5)
    reminder: MostOften = MostOften()

    def policy(self, usual: Policy) -> Policy:
        return Policy(
            quiet_from=_minute(self.quiet_hours.begins),
            quiet_until=_minute(self.quiet_hours.ends),
            quiet_for=frozenset(self.quiet_hours.held),
            caps={
                "marketing": Cap(self.marketing.messages, self.marketing.days),
                "reminder": Cap(self.reminder.messages, self.reminder.days),
            },
            strangers=usual.strangers,
            strangers_of_prefix=usual.strangers_of_prefix,
            blocked_prefixes=usual.blocked_prefixes,
        )


class QuietHoursSettings(Answer):
    begins: str
    ends: str
    held: list[str]


class MostOftenSettings(Answer):
    messages: int
    days: int

    @classmethod
    def of(cls, cap: Cap | None) -> "MostOftenSettings":
        return cls(messages=cap.messages if cap else 0, days=cap.days if cap else 7)


class SendingSettings(Answer):
    quiet_hours: QuietHoursSettings
    marketing: MostOftenSettings
    reminder: MostOftenSettings

    @classmethod
    def of(cls, one: Policy) -> "SendingSettings":
        return cls(
            quiet_hours=QuietHoursSettings(
                begins=_clock(one.quiet_from), ends=_clock(one.quiet_until), held=sorted(one.quiet_for)
            ),
            marketing=MostOftenSettings.of(one.caps.get("marketing")),
            reminder=MostOftenSettings.of(one.caps.get("reminder")),
        )


@routes.get("/sending/settings", scope="businesses:read", summary="When people are not disturbed")
async def settings(call: Call) -> SendingSettings:
    return SendingSettings.of(await call.read(sending.get, usual=call.house.usual))


@routes.put("/sending/settings", scope="businesses:write", summary="Say when people are not disturbed")
async def set_settings(call: Call, body: Settings) -> SendingSettings:
    """It holds for messages that wait already, too."""
    usual = call.house.usual
    return SendingSettings.of(await call.write(sending.save, body.policy(usual), usual=usual, now=call.now))


def _minute(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
