"""`/calls`: telephone calls that came in or that we made, and what was said in them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from desk import call_backs, calls, connecting, outbound, pausing, recordings
from gateway.media.links import Show
from gateway.rest.call import Call as Request
from gateway.rest.route import Routes
from gateway.rest.schema import Answer, Body, Moment, Page, SkipQuery, Uid
from gateway.settings import ElevenLabs
from gateway.voice import taking

routes = Routes("Calls")

Type = Literal["inbound", "voicemail", "reminder", "call_back"]
Direction = Literal["inbound", "outbound"]
Outcome = Literal[
    "booked", "transferred", "handed_off", "voicemail", "none",
    "confirmed", "moved", "called_off", "message_left", "machine", "hung_up", "no_answer", "busy", "failed", "refused",
    "too_late", "withdrawn", "connected", "cancelled", "not_taken",
]  # fmt: skip


class Recording(Answer):
    """A message that was left (`voicemail`), or the call itself (`call`). `url` is good for a day."""

    id: Uid
    kind: str
    status: str = Field(description="running, done, or deleted.")
    duration_seconds: int | None
    transcript: str | None = Field(description="Null: there is none, or not yet.")
    file_id: Uid | None
    url: str | None = Field(
        description="Null while it has not been fetched, and once it is gone; and of a call itself without the permission "
        "recordings:read."
    )

    @classmethod
    def of(cls, one: recordings.Recording, show: Show) -> "Recording":
        file = one.file
        is_ready = file is not None and file.status == "ready" and one.status == "done"
        is_ready = is_ready and (show.may_hear or one.kind != "call")
        return cls(
            id=one.uid,
            kind=one.kind,
            status=one.status,
            duration_seconds=one.duration_s,
            transcript=one.transcript,
            file_id=None if file is None else file.uid,
            url=show.links.to(file.uid, show.now) if file is not None and is_ready else None,
        )


class Speech(Answer):
    """What speech services were asked for, where the sound goes through us or is played for us; it is not in the call's
    `cost`. What was made before counts for nothing.
    """

    spoken_letters: int
    heard_seconds: float
    cost: float | None = Field(description="By the operator's prices; null when one is missing.")
    currency: str | None

    @classmethod
    def of(cls, one: calls.Call, prices: ElevenLabs) -> "Speech":
        cost = prices.cost(letters=one.spoken_letters, seconds=one.heard_s)
        return cls(
            spoken_letters=round(one.spoken_letters),
            heard_seconds=round(one.heard_s, 3),
            cost=cost,
            currency=None if cost is None else prices.currency,
        )


class Call(Answer):
    id: Uid
    business_id: Uid
    customer_id: Uid
    conversation_id: Uid = Field(description="Where its words stand as messages, live.")
    caller: str | None = Field(description="Their name, when it is known.")
    phone: str | None = Field(description="Null when the number was withheld.")
    type: str
    direction: Direction
    answered_by: str | None = Field(
        description="Who picked up a call of ours, as the provider says: human, machine_end_beep, …, or unknown."
    )
    attempts: int = Field(description="How often a phone was dialled for a call of ours.")
    mode: str = Field(description="How the caller was listened to.")
    status: calls.Status
    outcome: str | None = Field(
        description="booked, transferred, handed_off, voicemail or none; null while it goes on. Of calls of ours also "
        "confirmed, moved or called_off (the visit), message_left (on a machine), machine (without), hung_up (at once), "
        "no_answer, busy, failed, refused (we may not call them), too_late, or withdrawn; of a call-back connected, "
        "not_taken (by whoever wanted it), or cancelled (they hung up before anybody picked up)."
    )
    start_time: Moment
    end_time: Moment | None
    duration: Annotated[str | None, Field(description="Minutes and seconds.", examples=["1:05"])]
    duration_seconds: int | None
    cost: Annotated[
        float | None, Field(description="As the provider says, some time after the end.", examples=[0.0085])
    ]
    currency: str | None
    speech: Speech
    recording_state: str | None = Field(
        description="on, pausing, paused or resuming; of a call that is over, what it was then; absent: there is none after "
        "all, as the provider says. Null: it was not recorded."
    )
    recording: str | None = Field(description="A link to the first of `recordings` that is there.")
    recordings: list[Recording]
    silences: int = Field(description="How often the caller said nothing.")
    interruptions: int = Field(description="How often they broke into what we said.")

    @classmethod
    def of(cls, one: calls.Call, show: Show, prices: ElevenLabs) -> "Call":
        return cls(**_fields(one, show, prices))


class Who(Answer):
    """A person of the team."""

    id: Uid
    name: str


class Stages(Answer):
    """What the caller waited for in a turn, stage by stage and in ms. Null: it cannot be known, as what Twilio does where it
    listens (`relay`, `gather`) and speaks; or it was not written down, since the process died.
    """

    pause_ms: int | None = Field(description="The silence by which we knew that they had finished.")
    recognition_ms: int | None = Field(description="From then until their words were known.")
    answer_ms: int = Field(description="Until our answer: understanding, scenario, database.")
    sound_ms: int | None = Field(
        description="Until its first sound went out (`stream`), Twilio began to say it (`relay`), or its file was there "
        "(`gather`); a filler before it is in this."
    )
    sound_source: str | None = Field(description="kept (it was made before) or made, where we speak.")
    way_ms: int | None = Field(description="Until the telephone played it, where it tells (`stream`).")
    felt_ms: int | None = Field(description="The sum, where all but the way is known.")


class Turn(Answer):
    """`heard` is how much of `answer` reached the caller: unknown, whole or cut; cut words are left out of it."""

    number: int
    input: str = Field(
        description="start, speech, digits, silence or lost; learnt (what another system answered), returned (by a person, "
        "to the bot), taken (from the bot, by a person) or written (by a person, to the caller)."
    )
    said: str | None
    answer: str | None
    heard: str
    took_ms: int = Field(description="The same as `answer_ms` of the stages.")
    stages: Stages
    at: Moment


class Phone(Answer):
    """Somebody of the team whose phone rang for the caller."""

    person: Who
    phone: str
    state: str = Field(description="planned, placing, ringing, answered, talking or over.")
    outcome: str | None = Field(
        description="taken, declined, no_key (nobody who pressed a key, so perhaps a machine), no_answer, busy, failed, "
        "cancelled or late, once it is over."
    )
    rang_at: Moment | None
    answered_at: Moment | None
    taken_at: Moment | None
    ended_at: Moment | None


class Transfer(Answer):
    """The caller wanted a person: they waited in line while phones rang."""

    id: Uid
    state: str = Field(description="waiting, talking or over.")
    ending: str | None = Field(
        description="hung_up, call_back, message, nobody (was free), returned (to the bot), done or failed, once it is over."
    )
    person: Who | None = Field(description="Who took it, or calls back.")
    waited_seconds: int
    since: Moment
    talking_since: Moment | None
    ended_at: Moment | None
    phones: list[Phone]

    @classmethod
    def of(cls, found: tuple[connecting.Wait, list[connecting.Leg]], now: datetime) -> "Transfer":
        wait, legs = found
        return cls(
            id=wait.uid,
            state=wait.state,
            ending=wait.ending,
            person=Who(id=wait.user_uid, name=wait.taker) if wait.user_uid and wait.taker else None,
            waited_seconds=wait.waited_s(now),
            since=wait.since,
            talking_since=wait.talking_since,
            ended_at=wait.ended_at,
            phones=[
                Phone(
                    person=Who(id=leg.user_uid, name=leg.name),
                    phone=leg.phone,
                    state=leg.state,
                    outcome=leg.outcome,
                    rang_at=leg.tried_at,
                    answered_at=leg.answered_at,
                    taken_at=leg.taken_at,
                    ended_at=leg.ended_at,
                )
                for leg in legs
            ],
        )


class NewCall(Body):
    """Whom to call: the customer, or whoever a service request ("Call back …") is about."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"customer_id": "01936f5e-5a2c-7e9a-8f4e-0d5a9b1c2d3e"}]})

    customer_id: Uid | None = None
    service_request_id: Annotated[Uid | None, Field(description="It is completed once they have been spoken with.")] = (
        None
    )
    business_id: Annotated[
        Uid | None, Field(description="For which the call is; left out, the first that has a number that calls.")
    ] = None


class Dialled(Answer):
    """A phone that we let ring for a call of ours."""

    number: int
    party: str = Field(description="customer or staff.")
    phone: str | None
    state: str = Field(description="placing, ringing, answered, talking or over.")
    outcome: str | None = Field(
        description="Of a customer's: person, machine, hung_up, no_answer, busy, failed or cancelled; of one of the team: "
        "taken, declined, no_key, no_answer, busy or failed."
    )
    answered_by: str | None
    tried_at: Moment
    answered_at: Moment | None
    ended_at: Moment | None

    @classmethod
    def of(cls, one: outbound.Attempt) -> "Dialled":
        return cls(
            number=one.number,
            party=one.party,
            phone=one.phone,
            state=one.state,
            outcome=one.outcome,
            answered_by=one.answered_by,
            tried_at=one.tried_at,
            answered_at=one.answered_at,
            ended_at=one.ended_at,
        )


class CallBack(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{}, {"words": "Robin calls you back within the hour."}]})

    words: Annotated[
        str | None,
        Field(min_length=1, max_length=500, description="What the caller hears; without it, that you call back."),
    ] = None


class CallWithTurns(Call):
    transcript: str
    turns: list[Turn]
    transfers: list[Transfer]
    dialled: list[Dialled]

    @classmethod
    def told(
        cls,
        found: tuple[calls.Call, list[calls.Turn]],
        transfers: list[tuple[connecting.Wait, list[connecting.Leg]]],
        attempts: list[outbound.Attempt],
        show: Show,
        prices: ElevenLabs,
    ) -> "CallWithTurns":
        one, turns = found
        return cls(
            **_fields(one, show, prices),
            transcript=transcript_of(turns),
            turns=[
                Turn(
                    number=turn.number,
                    input=turn.input,
                    said=turn.said,
                    answer=turn.answer,
                    heard=turn.heard,
                    took_ms=turn.took_ms,
                    stages=Stages(
                        pause_ms=turn.pause_ms,
                        recognition_ms=turn.recognition_ms,
                        answer_ms=turn.took_ms,
                        sound_ms=turn.sound_ms,
                        sound_source=turn.sound_source,
                        way_ms=turn.way_ms,
                        felt_ms=turn.felt_ms,
                    ),
                    at=turn.at,
                )
                for turn in turns
            ],
            transfers=[Transfer.of(each, show.now) for each in transfers],
            dialled=[Dialled.of(each) for each in attempts],
        )


def transcript_of(turns: Sequence[calls.Turn]) -> str:
    """What was said, a line for each; empty when nobody has."""
    said = [(who, words) for turn in turns for who, words in (("Caller", turn.said), ("Bot", turn.answer)) if words]
    return "\n".join(f"{who}: {words}" for who, words in said)


def first_link(one: calls.Call, show: Show) -> str | None:
    """To the first of its recordings that is there and may be heard."""
    return next((url for each in one.recordings if (url := Recording.of(each, show).url)), None)


class CallFilter(SkipQuery):
    status: calls.Status | None = None
    customer_id: Uid | None = None
    business_id: Uid | None = None
    type: Type | None = None
    direction: Direction | None = None
    outcome: Outcome | None = None
    phone: Annotated[str | None, Field(max_length=40, description="The caller's number, as E.164.")] = None
    since: Annotated[Moment | None, Field(description="Begun then or later.")] = None
    until: Annotated[Moment | None, Field(description="Begun before.")] = None
    sort: Annotated[str | None, Field(description="start_time, duration or cost; with a minus the other way.")] = None

    def filter(self) -> calls.Filter:
        return calls.Filter(
            self.status,
            self.customer_id,
            self.business_id,
            self.type,
            self.direction,
            self.outcome,
            self.phone,
            self.since,
            self.until,
        )


@routes.get("/calls", scope="conversations:read", summary="Calls")
async def find(call: Request, query: CallFilter) -> Page[Call]:
    window = query.window(query.sort)
    found = await call.read(calls.find, window, query.filter())
    return Page[Call].of(found, window, lambda one: Call.of(one, call.show, call.house.settings.elevenlabs))


@routes.get("/calls/{call_id}", scope="conversations:read", summary="A call and its turns")
async def read(call: Request, call_id: Uid) -> CallWithTurns:
    return await _whole(call, call_id)


@routes.post("/calls", scope="conversations:write", summary="Call a customer", errors=(409,))
async def make(call: Request, body: NewCall) -> CallWithTurns:
    """Your phone rings first; press 1 there, and the customer's does."""
    made = await call.write(
        call_backs.begin,
        customer=body.customer_id,
        request=body.service_request_id,
        business=body.business_id,
        usual=call.house.usual,
        now=call.now,
    )
    return await _whole(call, made)


@routes.post(
    "/calls/{call_id}/take", scope="conversations:write", summary="Take a caller who waits, or talks with the bot",
    status=200, errors=(409,),
)  # fmt: skip
async def take(call: Request, call_id: Uid) -> CallWithTurns:
    """Your phone rings; press 1 there, and you speak with them. Whom you take from the bot waits for you alone meanwhile, and
    goes back to it when you do not come. Where a colleague has them, the answer is 409 with `collision`.
    """
    rules = call.house.settings.voice.people or connecting.Rules()
    await call.write(taking.take, call_id, rules=rules, now=call.now)
    return await _whole(call, call_id)


@routes.post(
    "/calls/{call_id}/call-back",
    scope="conversations:write",
    summary="Call a caller back later",
    status=200,
    errors=(409,),
)
async def call_back(call: Request, call_id: Uid, body: CallBack) -> CallWithTurns:
    """They hear so, whether they wait or talk with the bot, and the call ends; it becomes a service request of yours."""
    await call.write(taking.call_back, call_id, body.words, now=call.now)
    return await _whole(call, call_id)


@routes.post(
    "/calls/{call_id}/return", scope="conversations:write", summary="Give a caller back to the bot", status=200,
    errors=(409,),
)  # fmt: skip
async def give_back(call: Request, call_id: Uid) -> CallWithTurns:
    """It asks again what it had asked when they wanted a person."""
    await call.write(connecting.give_back, call_id, now=call.now)
    return await _whole(call, call_id)


@routes.post(
    "/calls/{call_id}/recording/pause", scope="recordings:write", summary="Pause the recording of a call",
    status=200, errors=(409,),
)  # fmt: skip
async def pause(call: Request, call_id: Uid) -> CallWithTurns:
    """Nothing is recorded once `recording_state` is `paused`, a moment later; there is silence in the recording then."""
    await call.write(pausing.ask, call_id, is_paused=True, now=call.now)
    return await _whole(call, call_id)


@routes.post(
    "/calls/{call_id}/recording/resume", scope="recordings:write", summary="Go on recording a call", status=200,
    errors=(409,),
)  # fmt: skip
async def resume(call: Request, call_id: Uid) -> CallWithTurns:
    await call.write(pausing.ask, call_id, is_paused=False, now=call.now)
    return await _whole(call, call_id)


async def _whole(call: Request, call_id: str) -> CallWithTurns:
    found, prices = await call.read(calls.get, call_id), call.house.settings.elevenlabs
    transfers, attempts = await call.read(connecting.whole, call_id), await call.read(outbound.whole, call_id)
    return CallWithTurns.told(found, transfers, attempts, call.show, prices)


def _fields(one: calls.Call, show: Show, prices: ElevenLabs) -> dict[str, Any]:
    seconds = one.duration_s
    return {
        "id": one.uid,
        "business_id": one.business_uid,
        "customer_id": one.customer_uid,
        "conversation_id": one.conversation_uid,
        "caller": one.caller,
        "phone": one.phone,
        "type": one.kind,
        "direction": one.direction,
        "answered_by": one.answered_by,
        "attempts": one.attempts,
        "mode": one.mode,
        "status": one.status,
        "outcome": one.outcome,
        "start_time": one.started_at,
        "end_time": one.ended_at,
        "duration": None if seconds is None else calls.length(seconds),
        "duration_seconds": seconds,
        "cost": None if one.price_millionths is None else one.price_millionths / 1_000_000,
        "currency": one.price_currency,
        "speech": Speech.of(one, prices),
        "recording_state": one.recording,
        "recording": first_link(one, show),
        "recordings": [Recording.of(each, show) for each in one.recordings],
        "silences": one.silences,
        "interruptions": one.interruptions,
    }
