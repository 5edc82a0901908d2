"""`/businesses/{id}/faqs`: questions that the bot answers by itself."""

from typing import Annotated

from pydantic import ConfigDict, Field

from desk import faqs
from gateway.rest.call import Call
from gateway.rest.route import Routes
from gateway.rest.schema import Answer, Body, Moment, Page, Search, SkipQuery, Uid

routes = Routes("Questions and answers")

Question = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$")]
Reply = Annotated[str, Field(min_length=1, max_length=4000, pattern=r"\S")]
Phrasings = Annotated[list[Question], Field(max_length=50, description="Other ways to ask the same.")]
# Not longer than its column; anything longer is no language anyway.
Tongue = Annotated[str, Field(pattern=r"^[a-zA-Z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$", max_length=16, examples=["en"])]


class Faq(Answer):
    id: Uid
    question: str
    answer: str
    phrasings: list[str]
    language: str
    position: int
    is_active: bool
    created_at: Moment

    @classmethod
    def of(cls, one: faqs.Question) -> "Faq":
        return cls(
            id=one.uid,
            question=one.question,
            answer=one.answer,
            phrasings=[*one.phrasings],
            language=one.language,
            position=one.position,
            is_active=one.is_active,
            created_at=one.created_at,
        )


class _Fields(Body):
    phrasings: Phrasings = Field(default=[])
    language: Tongue = "en"
    position: Annotated[int, Field(ge=0, le=10_000)] = 0
    is_active: bool = True


class NewFaq(_Fields):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "question": "Where can I park?",
                    "answer": "Behind the shop, for free.",
                    "phrasings": ["is there parking", "where do I leave my car"],
                }
            ]
        }
    )

    question: Question
    answer: Reply


class FaqChange(_Fields):
    question: Question = ""
    answer: Reply = ""


class Filter(SkipQuery):
    search: Search | None = None
    language: Tongue | None = None
    is_active: bool | None = None
    sort: str | None = None


@routes.get("/businesses/{business_id}/faqs", scope="businesses:read", summary="Questions and answers")
async def index(call: Call, business_id: Uid, query: Filter) -> Page[Faq]:
    window = query.window(query.sort)
    found = await call.read(
        faqs.find, business_id, window, search=query.search, language=query.language, is_active=query.is_active
    )
    return Page[Faq].of(found, window, Faq.of)


@routes.post("/businesses/{business_id}/faqs", scope="businesses:write", summary="Add a question")
async def create(call: Call, business_id: Uid, body: NewFaq) -> Faq:
    """The bot knows it from its next message on."""
    return Faq.of(await call.write(faqs.add, business_id, body.values(), now=call.now))


@routes.get("/businesses/{business_id}/faqs/{faq_id}", scope="businesses:read", summary="A question")
async def read(call: Call, business_id: Uid, faq_id: Uid) -> Faq:
    return Faq.of(await call.read(faqs.get, business_id, faq_id))


@routes.put("/businesses/{business_id}/faqs/{faq_id}", scope="businesses:write", summary="Replace a question")
async def replace(call: Call, business_id: Uid, faq_id: Uid, body: NewFaq) -> Faq:
    return Faq.of(await call.write(faqs.change, business_id, faq_id, body.values(), now=call.now))


@routes.patch("/businesses/{business_id}/faqs/{faq_id}", scope="businesses:write", summary="Change a question")
async def change(call: Call, business_id: Uid, faq_id: Uid, body: FaqChange) -> Faq:
    return Faq.of(await call.write(faqs.change, business_id, faq_id, body.changes(), now=call.now))


@routes.delete("/businesses/{business_id}/faqs/{faq_id}", scope="businesses:write", summary="Remove a question")
async def remove(call: Call, business_id: Uid, faq_id: Uid) -> None:
    await call.write(faqs.remove, business_id, faq_id, now=call.now)
