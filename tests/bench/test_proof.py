"""The judge after the kills: it lets a clean run pass, and each planted fault makes just the right claims fail."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, time, timedelta

import pytest

from bench.proof import WAITS, Booked, Claimed, Evidence, In, Job, Ledger, Out, Said, failed, judge
from bench.shop import Visit

_PHONE, _OTHER, *_REST = (f"+1555200000{number}" for number in range(4))
_HALF_HOUR = timedelta(minutes=30)


def _at(number: int) -> Visit:
    """Visits of half an hour, one right after the other."""
    return Visit("Haircut", date(2026, 12, 1), time(9 + number // 2, number % 2 * 30))


def _twiml(text: str) -> bytes:
    return f"<Response><Message><Body>{text}</Body></Message></Response>".encode()


@dataclass
class Run:
    """Four phones: three are booked, of whom one says STOP; the fourth's only text never got an answer."""

    ledger: Ledger
    evidence: Evidence


def _run() -> Run:
    said = [
        Said("SM1", _PHONE, "hi", True, [_twiml("Hello &amp; welcome")]),
        Said("SM2", _PHONE, "yes", True, [_twiml("Booked"), _twiml("Booked")]),
        Said("SM3", _PHONE, "STOP", False, [b"<Response/>"]),
        Said("SM4", _OTHER, "hi", True),
    ]
    booked = {phone: _at(number) for number, phone in enumerate((_PHONE, *_REST))}
    ledger = Ledger(said, booked, Counter({"Letter 1": 1}), kills=15, exit_code=0)
    evidence = Evidence(
        stored=[In(1, 1, _PHONE, "SM1"), In(3, 1, _PHONE, "SM2"), In(5, 1, _PHONE, "SM3"), In(6, 2, _OTHER, "SM4")],
        replies=[Out(1, "Hello & welcome", True), Out(3, "Booked", True), Out(6, "Hello", True)],
        visits=[
            Booked(number, phone, "Haircut", 1, visit.starts_at, visit.starts_at + _HALF_HOUR)
            for number, (phone, visit) in enumerate(booked.items())
        ],
        claims=[
            Claimed(1, 0, visit.starts_at, visit.starts_at + _HALF_HOUR, number, None)
            for number, visit in enumerate(booked.values())
        ],
        jobs=[
            Job("reminder", "ready", f"reminder:{number}:{rule}", False)
            for number in range(len(booked))
            for rule in ("day", "soon")
        ],
        letters=Counter({("Letter 1", "sent"): 1}),
        places={_OTHER: "welcome at menu", **dict.fromkeys(booked, "book at name")},
        is_sound=True,
    )
    return Run(ledger, evidence)


def _failures(run: Run) -> set[str]:
    return {verdict.claim for verdict in judge(run.ledger, run.evidence, kills_wanted=15) if not verdict.holds}


STORED = "every message answered 2xx is stored, once"
SAID = "every stored message was said, by that phone, and is there once"
ONE_TURN = "every stored message that calls for a reply has exactly one, the others none"
HEARD = "what a phone heard is what is stored as said to it"
AGAIN = "a message delivered again is answered as the first time"
RIGHT = "every answer says what that step must say"
ORDER = "each phone's messages are in the order it said them"
BOOKED = "who was told “Booked” has that one visit, and nobody has another"
ALIKE = "whoever is booked stands where all the others do, and holds no more time"
ONCE = "no time is given away twice"
WHOLE = "every visit has its claim and its reminders, and no others are there"
JOBS = "no job is stuck, dead or overdue"
LETTERS = "every message sent by request of ours arrived once, or waits for its next try"


def _lose_a_message(run: Run) -> None:
    del run.evidence.stored[2]


def _double_a_message(run: Run) -> None:
    run.evidence.stored.append(In(7, 1, _PHONE, "SM3"))


def _keep_under_another(run: Run) -> None:
    run.evidence.stored[0] = In(1, 2, _OTHER, "SM1")


def _store_from_nobody(run: Run) -> None:
    run.evidence.stored.append(In(8, 1, _PHONE, "SM9"))
    run.evidence.replies.append(Out(8, "Hello", True))


def _lose_a_reply_nobody_heard(run: Run) -> None:
    del run.evidence.replies[2]


def _double_a_reply(run: Run) -> None:
    run.evidence.replies.append(Out(1, "Hello & welcome", False))


def _answer_stop(run: Run) -> None:
    run.evidence.replies.append(Out(5, "Bye", False))


def _say_something_else(run: Run) -> None:
    run.evidence.replies[0] = Out(1, "Hello and welcome", True)


def _answer_with_nothing(run: Run) -> None:
    run.ledger.said[0].answers = [b"<Response/>"]


def _answer_otherwise_the_second_time(run: Run) -> None:
    run.ledger.said[1].answers[1] = _twiml("Booked again")


def _answer_beside_the_point(run: Run) -> None:
    run.ledger.said[0].is_wrong = True


def _change_the_order(run: Run) -> None:
    run.evidence.stored[:2] = [In(3, 1, _PHONE, "SM1"), In(1, 1, _PHONE, "SM2")]
    run.evidence.replies[:2] = [Out(3, "Hello & welcome", True), Out(1, "Booked", True)]


def _lose_a_visit(run: Run) -> None:
    run.evidence.visits[0] = run.evidence.visits[0]._replace(phone=_OTHER)


def _book_another_time(run: Run) -> None:
    run.evidence.visits[0] = run.evidence.visits[0]._replace(starts_at=_at(0).starts_at - _HALF_HOUR)


def _lose_a_step(run: Run) -> None:
    run.evidence.places[_PHONE] = "book at confirm"


def _keep_a_hold(run: Run) -> None:
    run.evidence.claims.append(Claimed(2, 0, _at(0).starts_at, _at(1).starts_at, None, _PHONE))


def _claim_twice(run: Run) -> None:
    first = run.evidence.claims[0]
    run.evidence.claims[0] = first._replace(ends_at=first.ends_at + timedelta(minutes=1))


def _forget_a_reminder(run: Run) -> None:
    del run.evidence.jobs[1]


def _forget_a_claim(run: Run) -> None:
    run.evidence.claims.clear()


def _leave_a_job_running(run: Run) -> None:
    run.evidence.jobs.append(Job("send", "running", "send:9", True))


def _leave_a_job_undone(run: Run) -> None:
    run.evidence.jobs.append(Job("send", "ready", "send:9", True))


def _send_a_letter_twice(run: Run) -> None:
    run.ledger.letters["Letter 1"] = 2


def _lose_a_letter(run: Run) -> None:
    run.evidence.letters = Counter({("Letter 1", "sending"): 1})
    run.ledger.letters.clear()


def _send_a_waiting_letter_twice(run: Run) -> None:
    run.evidence.letters = Counter({("Letter 1", WAITS): 1})
    run.ledger.letters["Letter 1"] = 2


def _kill_too_rarely(run: Run) -> None:
    run.ledger.kills = 14


def _die_at_the_end(run: Run) -> None:
    run.ledger.exit_code = -9


def _break_the_file(run: Run) -> None:
    run.evidence.is_sound = False


def test_a_clean_run_passes() -> None:
    run = _run()
    assert not failed(judge(run.ledger, run.evidence, kills_wanted=15)), _failures(run)


@pytest.mark.parametrize(
    ("fault", "claims"),
    [
        (_lose_a_message, {STORED}),
        (_double_a_message, {STORED, SAID}),
        (_keep_under_another, {SAID}),
        (_store_from_nobody, {SAID}),
        (_lose_a_reply_nobody_heard, {ONE_TURN}),
        (_double_a_reply, {ONE_TURN}),
        (_answer_stop, {ONE_TURN}),
        (_say_something_else, {HEARD}),
        (_answer_with_nothing, {HEARD}),
        (_answer_otherwise_the_second_time, {AGAIN}),
        (_answer_beside_the_point, {RIGHT}),
        (_change_the_order, {ORDER}),
        (_lose_a_visit, {BOOKED}),
        (_book_another_time, {BOOKED}),
        (_lose_a_step, {ALIKE}),
        (_keep_a_hold, {ALIKE}),
        (_claim_twice, {ONCE}),
        (_forget_a_reminder, {WHOLE}),
        (_forget_a_claim, {WHOLE}),
        (_leave_a_job_running, {JOBS}),
        (_leave_a_job_undone, {JOBS}),
        (_send_a_letter_twice, {LETTERS}),
        (_lose_a_letter, {LETTERS}),
        (_send_a_waiting_letter_twice, {LETTERS}),
        (_kill_too_rarely, {"the server was killed often enough"}),
        (_die_at_the_end, {"in the end it stopped when asked to"}),
        (_break_the_file, {"the database is sound"}),
    ],
)
def test_a_planted_fault_fails_its_claims_and_no_other(fault: Callable[[Run], None], claims: set[str]) -> None:
    run = _run()
    fault(run)
    assert _failures(run) == claims


@pytest.mark.parametrize("arrived", [0, 1])
def test_a_letter_may_wait_for_its_next_try(arrived: int) -> None:
    run = _run()
    run.evidence.letters = Counter({("Letter 1", WAITS): 1})
    run.ledger.letters["Letter 1"] = arrived
    assert not _failures(run)


def test_nothing_to_look_at_is_no_proof() -> None:
    run = _run()
    run.ledger.said.clear()
    run.evidence.stored.clear()
    run.evidence.replies.clear()
    assert _failures(run) >= {STORED, SAID, ONE_TURN, HEARD, AGAIN}
