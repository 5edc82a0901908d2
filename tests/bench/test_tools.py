"""The benchmark's own pure parts: a mistake in them would make the numbers lie."""

from datetime import date
from itertools import islice

import pytest
from twilio.request_validator import RequestValidator

from bench import chaos, load, phones, profile, proof, report, shop

TODAY = date(2026, 11, 26)


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([], 99, 0.0),
        ([5.0], 1, 5.0),
        ([4.0, 1.0, 3.0, 2.0], 50, 2.0),
        ([4.0, 1.0, 3.0, 2.0], 51, 3.0),
        ([float(n) for n in range(1, 101)], 99, 99.0),
        ([float(n) for n in range(1, 101)], 100, 100.0),
    ],
)
def test_a_percentile_is_one_of_the_values(values: list[float], percent: float, expected: float) -> None:
    assert load.percentile(values, percent) == expected


def test_an_answer_is_read_once_it_is_whole_and_not_before() -> None:
    whole = b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/xml\r\nContent-Length: 5\r\nServer: x\r\n\r\nhello"
    assert [load.read_answer(whole[:cut]) for cut in range(len(whole))] == [None] * len(whole)
    assert load.read_answer(whole) == (403, b"hello")


def test_no_two_phones_want_the_same_visit_unless_there_are_chairs_for_both() -> None:
    wanted = [shop.visit(number, TODAY) for number in range(shop.CAPACITY)]
    times = {(visit.day, visit.time) for visit in wanted}
    assert len(wanted) == len(times) * len(shop.STAFF)
    with pytest.raises(IndexError, match="no number"):
        shop.visit(shop.CAPACITY, TODAY)


def test_rivals_want_a_visit_that_nobody_else_wants() -> None:
    crowd = list(islice(chaos.crowd_of(TODAY), 300))
    alone = {(one.visit.day, one.visit.time) for one, is_rival in crowd if not is_rival}
    rivals = {(one.visit.day, one.visit.time) for one, is_rival in crowd if is_rival}
    assert rivals
    assert not alone & rivals
    assert len({one.phone for one, _ in crowd}) == len(crowd)


def test_requests_are_signed_as_the_vendor_signs_them() -> None:
    talk = phones.dialogue(7, TODAY)
    for step in (*talk.steps, phones.stop(talk)):
        head, _, body = step.request.decode().partition("\r\n\r\n")
        fields = phones.form(step.sid, talk.phone, step.text)
        signature = head.partition("X-Twilio-Signature: ")[2].partition("\r\n")[0]
        assert RequestValidator(shop.TWILIO_TOKEN).validate(phones.PUBLIC_URL + phones.PATH, fields, signature)
        assert f"Content-Length: {len(body)}\r\n" in head
    assert len({step.sid for step in (*talk.steps, phones.stop(talk))}) == phones.STEPS + 1


def test_answers_are_compared_as_people_read_them() -> None:
    body = b"<Response><Message action='x'><Body>Tom &amp; Ann</Body></Message><Message>Bye</Message></Response>"
    assert proof.texts_of(body) == ["Tom & Ann", "Bye"]
    assert proof.texts_of(b'<?xml version="1.0" encoding="UTF-8"?><Response/>') == []


def test_time_is_put_down_to_the_innermost_line_of_ours() -> None:
    samples = (
        "main (app.py:1);take (gateway/pipeline/turn.py:40);run (storage/prepared.py:9);execute (sqlalchemy/base.py:7) 3\n"
        "main (app.py:1);take (gateway/pipeline/turn.py:41) 1\n"
        "main (app.py:1);read (aiohttp/http.py:5) 4\n"
    )
    found = profile.Shares.of(samples)
    assert found.total == 8
    assert found.lines == {"run (storage/prepared.py:9)": 3, "take (gateway/pipeline/turn.py:41)": 1}
    assert found.below == {"take (gateway/pipeline/turn.py)": 4, "run (storage/prepared.py)": 3}
    assert found.alone["read (aiohttp/http.py)"] == 4


def test_a_table_lines_up() -> None:
    rows = report.table(["what", "n"], [["a", "1"], ["longer", "1,000"]]).splitlines()
    assert len({len(row) for row in rows}) == 1
    assert rows[1].startswith("| ------ | ")
