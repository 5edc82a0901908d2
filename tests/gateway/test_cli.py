"""The command line as people use it: real processes on a database of their own."""

import contextlib
import http.client
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import pytest
from twilio.request_validator import RequestValidator

from tests.gateway.front import MESSAGES, form
from tests.servers import free_port

FRONTDESK = str(Path(sys.executable).with_name("frontdesk"))
TOKEN = "the-token-of-the-tests-0123456789"
PATIENCE_S = 60.0


def environment(folder: Path, **more: str) -> dict[str, str]:
    """A world of its own: nothing of ours is inherited."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FRONTDESK_", "TWILIO_"))}
    return {**kept, "FRONTDESK_DATA_DIR": str(folder), "PORT": str(free_port()), "COLUMNS": "200", **more}


def call(*words: str, env: Mapping[str, str], typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [FRONTDESK, *words], env=env, input=typed, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


def get(port: str, path: str) -> tuple[int, bytes]:
    line = http.client.HTTPConnection("127.0.0.1", int(port), timeout=PATIENCE_S)
    with contextlib.closing(line):
        line.request("GET", path)
        answer = line.getresponse()
        return answer.status, answer.read()


def post(port: str, sender: str, body: str, *, sid: str | None = None) -> str:
    fields = form(sender, body, sid=sid)
    signature = RequestValidator(TOKEN).compute_signature(f"http://localhost:{port}{MESSAGES}", fields)
    headers = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}
    line = http.client.HTTPConnection("localhost", int(port), timeout=10)
    with contextlib.closing(line):
        line.request("POST", MESSAGES, urlencode(fields), headers)
        answer = line.getresponse()
        assert answer.status == 200
        return answer.read().decode()


@contextlib.contextmanager
def running(env: Mapping[str, str], *words: str) -> Iterator["subprocess.Popen[str]"]:
    """A server that answers; killed at the end if it is still there."""
    with subprocess.Popen(
        [FRONTDESK, *(words or ("run",))], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            deadline = time.monotonic() + PATIENCE_S
            while True:
                with contextlib.suppress(OSError):
                    if get(env["PORT"], "/healthz")[0] == 200:
                        break
                assert process.poll() is None, process.stdout and process.stdout.read()
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def rows(folder: Path, sql: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(folder / "frontdesk.db")) as db:
        return db.execute(sql).fetchall()


def test_run_serves_says_what_to_try_and_stops_when_asked(tmp_path: Path) -> None:
    env = environment(tmp_path)
    with running(env) as process:
        health = json.loads(get(env["PORT"], "/healthz")[1])
        assert (health["status"], health["engine"]) == ("ok", "sqlite")
        second = call("run", env={**env, "PORT": str(free_port())})
        assert second.returncode == 1
        assert f"process {process.pid}" in second.stderr
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert process.stdout is not None
        said = process.stdout.read()
    assert f"http://localhost:{env['PORT']}" in said
    assert "curl" in said
    assert "frontdesk chat" in said
    assert rows(tmp_path, "SELECT count(*) FROM services") == [(6,)]


def test_a_start_imports_nothing_that_only_some_need() -> None:
    seldom = [
        "alembic",
        "email_validator",
        "jwt",
        "redis",
        "requests",
        "socketio",
        "simulators",
        "gateway.rest.v1.customers",
    ]
    seen = f"import sys, gateway.cli.app, gateway.cli.run; print(*sys.modules.keys() & {seldom!r})"
    ran = subprocess.run([sys.executable, "-c", seen], capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    assert ran.stdout.split() == []


def test_whoever_calls_first_waits_a_moment_and_is_answered(installed: Path) -> None:
    env = environment(installed, TWILIO_AUTH_TOKEN=TOKEN, TWILIO_ACCOUNT_SID="AC" + "0" * 32)
    calls = {
        "/api/v1/customers": 401,
        "/api/customers": 401,
        "/api/v1/customers/": 401,
        "/api/v1/nothing": 404,
        "/api/v1/auth/login": 405,
        "/api/v1/openapi.json": 200,
        "/socket.io/?EIO=4&transport=polling": 200,
        "/docs": 200,
    }
    with running(env) as process, ThreadPoolExecutor(len(calls) + 1) as callers:
        booked = callers.submit(post, env["PORT"], "+15125550178", "hi")
        answers = dict(zip(calls, callers.map(lambda path: get(env["PORT"], path)[0], calls), strict=True))
        assert answers == calls
        assert "Book a visit" in booked.result()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_a_conversation_survives_kill_9_between_any_two_steps(installed: Path) -> None:
    env = environment(installed, TWILIO_AUTH_TOKEN=TOKEN, TWILIO_ACCOUNT_SID="AC" + "0" * 32)
    lines = ["book", "haircut", "in three days", "1", "yes"]
    phone, before = "+15125550177", ""
    for number in range(len(lines) + 1):
        with running(env) as process:
            if number:  # the provider heard nothing and repeats
                assert post(env["PORT"], phone, lines[number - 1], sid=f"SM{number - 1:032x}") == before
            if number < len(lines):
                before = post(env["PORT"], phone, lines[number], sid=f"SM{number:032x}")
            process.kill()
            process.wait()
    assert rows(installed, "SELECT count(*) FROM appointments WHERE source = 'bot'") == [(1,)]
    assert rows(installed, "SELECT count(*) FROM messages WHERE direction = 'in'") == [(len(lines),)]


def test_asked_to_stop_among_hundreds_of_texts_it_loses_none_and_is_gone_in_time(installed: Path) -> None:
    env = environment(installed, TWILIO_AUTH_TOKEN=TOKEN, TWILIO_ACCOUNT_SID="AC" + "0" * 32)
    crowd, stopped = 16, threading.Event()

    def talk(seat: int) -> list[tuple[str, str, bool]]:
        """Who wrote under which id, and whether that was answered; until nobody is there any more."""
        said: list[tuple[str, str, bool]] = []
        while not said or said[-1][2]:
            number = len(said) * crowd + seat
            phone, sid = f"+1512{5_000_000 + number}", f"SM{number:032x}"
            try:
                answered = "Book a visit" in post(env["PORT"], phone, "hi", sid=sid)
            except (OSError, http.client.HTTPException):
                answered = False
            said.append((phone, sid, answered))
            if len(said) == 15:
                stopped.set()
        return said

    with running(env) as process, ThreadPoolExecutor(crowd) as seats:
        talks = [seats.submit(talk, seat) for seat in range(crowd)]
        assert stopped.wait(PATIENCE_S)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        said = [one for seat in talks for one in seat.result()]
    answered = {sid for _, sid, was_answered in said if was_answered}
    assert len(answered) > 200
    assert len(said) - len(answered) == crowd  # each of them was cut off at once, and by no answer that is none
    kept = {str(row[0]) for row in rows(installed, "SELECT provider_id FROM messages WHERE direction = 'in'")}
    assert answered <= kept <= {sid for _, sid, _ in said}
    # The provider repeats what had no answer; then everybody has been answered once.
    with running(env) as process:
        for phone, sid, was_answered in said:
            if not was_answered:
                assert "Book a visit" in post(env["PORT"], phone, "hi", sid=sid)
        process.kill()
    counts = "SELECT direction, count(*), count(DISTINCT conversation_id) FROM messages GROUP BY direction ORDER BY 1"
    assert rows(installed, counts) == [("in", len(said), len(said)), ("out", len(said), len(said))]


def test_chat_books_an_appointment(tmp_path: Path) -> None:
    env = environment(tmp_path)
    talk = "hi\nbook\nhaircut\nin three days\n1\nyes\nDana Miller\n/quit\n"
    said = call("chat", env=env, typed=talk)
    assert said.returncode == 0, said.stderr
    assert "Booked: Haircut on" in said.stdout
    assert "Dana Miller" in said.stdout
    assert rows(tmp_path, "SELECT status FROM appointments WHERE source = 'bot'") == [("scheduled",)]


def test_chat_talks_to_the_server_that_is_running(installed: Path) -> None:
    env = environment(installed)
    with running(env):
        said = call("chat", env=env, typed="beard trim in three days\n1\nyes\n/state\n/quit\n")
    assert said.returncode == 0, said.stderr
    assert "Booked: Beard trim on" in said.stdout
    assert rows(installed, "SELECT count(*) FROM appointments WHERE source = 'bot'") == [(1,)]


def test_seed_does_its_work_once(tmp_path: Path) -> None:
    env = environment(tmp_path)
    first, second = call("seed", env=env), call("seed", env=env)
    assert (first.returncode, second.returncode) == (0, 0)
    assert first.stdout != second.stdout
    assert rows(tmp_path, "SELECT count(*) FROM businesses") == [(1,)]


def test_config_check_shows_everything_but_the_secrets(tmp_path: Path) -> None:
    env = environment(tmp_path, TWILIO_AUTH_TOKEN=TOKEN)
    shown = call("config", "check", env=env)
    assert shown.returncode == 0
    assert TOKEN not in shown.stdout + shown.stderr
    assert "auth_token: (set)" in shown.stdout


@pytest.mark.parametrize("words", [("config", "check"), ("run",), ("doctor",)])
def test_a_misspelt_setting_stops_everything_with_the_nearest_name(tmp_path: Path, words: tuple[str, ...]) -> None:
    wrong = call(*words, env=environment(tmp_path, FRONTDESK_SERVER__SPOLL="true"))
    assert wrong.returncode != 0
    assert "FRONTDESK_SERVER__SPOLL" in wrong.stderr
    assert "FRONTDESK_SERVER__SPOOL" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_a_taken_port_is_said_plainly(tmp_path: Path) -> None:
    import socket

    env = environment(tmp_path)
    with socket.create_server(("127.0.0.1", int(env["PORT"]))):
        refused = call("run", env=env)
    assert refused.returncode == 1
    assert env["PORT"] in refused.stderr
    assert "Traceback" not in refused.stderr


def test_doctor_looks_over_a_fresh_and_a_seeded_installation(tmp_path: Path) -> None:
    env = environment(tmp_path)
    call("seed", env=env)
    looked = call("doctor", env=env)
    assert looked.returncode == 0, looked.stdout
    assert "fail" not in looked.stdout
    assert "database" in looked.stdout
    assert "relay (voice.mode): Twilio speaks and understands de, en, es, fr, pt" in looked.stdout
    offline = {"MODE": "stream", "SPEECH": "offline", "OFFLINE_VOICES": "en=en-us+f2,de=nobody"}
    looked = call("doctor", env={**env, **{f"FRONTDESK_VOICE__{name}": value for name, value in offline.items()}})
    assert looked.returncode == 1
    assert "stream (voice.mode): espeak-ng speaks en, de; pocketsphinx understands en;" in looked.stdout
    assert re.findall(r"no voice '(.*)'", looked.stdout) == ["nobody"]


BROKEN = """\
spec: 1
id: broken
start: ask
slots: {when: {type: date}}
states:
  ask: {say: question, collect: when, outcomes: {filled: dnoe, exhausted: done}}
  done: {end: completed}
words: {en: {question: When?}}
"""
SOUND = (
    BROKEN.replace("dnoe", "done")
    + "tests: [{name: a day, turns: [{user: x, state: ask}, {user: tomorrow, state: done}]}]\n"
)


def test_scenarios_are_checked_tested_drawn_and_played(tmp_path: Path) -> None:
    env = environment(tmp_path)
    broken, sound = tmp_path / "broken.yaml", tmp_path / "sound.yaml"
    broken.write_text(BROKEN)
    sound.write_text(SOUND)
    checked = call("scenario", "check", str(broken), env=env)
    assert checked.returncode == 1
    assert f"{broken}:6:" in checked.stdout
    assert "'done'" in checked.stdout
    assert call("scenario", "check", str(sound), env=env).returncode == 0
    tested = call("scenario", "test", str(sound), env=env)
    assert (tested.returncode, "a day" in tested.stdout) == (0, True), tested.stdout + tested.stderr
    sound.write_text(SOUND.replace("state: done}]", "state: ask}]"))
    assert call("scenario", "test", str(sound), env=env).returncode == 1
    drawn = call("scenario", "draw", str(sound), env=env)
    assert drawn.stdout.startswith("stateDiagram-v2")
    played = call("scenario", "simulate", str(sound), env=env, typed="hello\ntomorrow\n")
    assert "When?" in played.stdout
    assert "completed" in played.stdout
