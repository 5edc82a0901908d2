"""Every setting: config.yaml at the root says them all with their defaults, environment variables win over it.

A name that is not a setting stops the start, wherever it was said: a misspelt `spool` must not lose messages quietly.
"""

import ipaddress
import json
import os
import re
import secrets
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cached_property, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_origin
from urllib.parse import urlsplit, urlunsplit

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    SecretStr,
    TypeAdapter,
    ValidationError,
)
from pydantic.fields import FieldInfo

from channels.voice import silero
from channels.voice.speech import offline
from desk.connecting import Rules
from desk.sending import Cap, Policy

PREFIX = "FRONTDESK_"

# The vendors' usual names.
ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "DATABASE_URL": "database.url",
        "REDIS_URL": "redis.url",
        "PUBLIC_URL": "server.public_url",
        "PORT": "server.port",
        "TWILIO_ACCOUNT_SID": "twilio.account_sid",
        "TWILIO_AUTH_TOKEN": "twilio.auth_token",
        "META_APP_SECRET": "meta.app_secret",
        "META_ACCESS_TOKEN": "meta.access_token",
        "META_VERIFY_TOKEN": "meta.verify_token",
        "STRIPE_SECRET_KEY": "stripe.secret_key",
        "STRIPE_WEBHOOK_SECRET": "stripe.webhook_secret",
        "ELEVENLABS_API_KEY": "elevenlabs.api_key",
    }
)

# FRONTDESK_CONFIG names the file itself. The others are what Kubernetes puts into every container beside a service that
# is called frontdesk (FRONTDESK_PORT=tcp://10.0.0.1:80 and its kin).
_NOT_SETTINGS = re.compile(
    r"CONFIG=.*|SERVICE_(HOST|PORT\w*)=.*|PORT(_\d+_(TCP|UDP)\w*)?=(tcp|udp)://.*|PORT_\d+_\w+=.*"
)

_KEY_FILE = "secret.key"
_KEY_BYTES = 32
_PLACEHOLDERS = re.compile(r"change.?me|example|placeholder|insecure|password|secret|your.key|(.)\1{7}", re.IGNORECASE)
_NO_SECRET = SecretStr("")


class SettingsError(Exception):
    """The settings cannot be used; `problems` has a line for each thing to mend, without any secret."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def _web_address(url: str) -> str:
    if not url:
        return url
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("should begin with https:// (or http://) and a host")
    if parts.query or parts.fragment or parts.username is not None:
        raise ValueError("should have no user, query or fragment")
    return url.rstrip("/")


def _database(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    kind = {"postgres": "postgresql"}.get(scheme.partition("+")[0], scheme.partition("+")[0])
    if url and (not separator or kind not in ("sqlite", "postgresql") or (kind == "sqlite" and rest[:1] != "/")):
        raise ValueError("should begin with sqlite:/// or postgresql://")
    return f"{kind}://{rest}" if url else url


def _redis(url: str) -> str:
    if url and not re.match(r"(rediss?|unix)://", url):
        raise ValueError("should begin with redis:// or rediss://")
    return url


def _mail(url: str) -> str:
    if url and not re.match(r"smtps?://[^/]+", url):
        raise ValueError("should begin with smtp:// or smtps:// and a host")
    return url


def _rule(rule: str) -> str:
    one = r"\s*\d{1,9}\s*(/|per)\s*(\d{1,4}\s+)?(second|minute|hour|day)s?\s*"
    if rule and not re.fullmatch(f"{one}(;{one})*", rule):
        raise ValueError("should be a number per time, such as 100/minute or 10/15 minutes; 100/hour")
    return rule


def _strong(key: SecretStr) -> SecretStr:
    """A12: nobody starts with the key of a tutorial."""
    text = key.get_secret_value()
    if text and len(text.encode()) < _KEY_BYTES:
        raise ValueError(f"should have {_KEY_BYTES} characters or more; leave it empty and one is made")
    if text and (_PLACEHOLDERS.search(text) or len(set(text)) < 10):
        raise ValueError("looks like an example; leave it empty and one is made")
    return key


def _minutes(wall: str) -> int:
    hours, minutes = wall.split(":")
    return int(hours) * 60 + int(minutes)


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


WebAddress = Annotated[str, AfterValidator(_web_address)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Count = Annotated[int, Field(ge=1)]
Rule = Annotated[str, AfterValidator(_rule)]
WallTime = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Server(Section):
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535)] = 8000
    public_url: WebAddress = ""
    trusted_proxies: tuple[IPvAnyNetwork, ...] = ()
    max_body_bytes: Annotated[int, Field(ge=1024)] = 1_048_576
    head_timeout_s: Seconds = 10.0
    body_timeout_s: Seconds = 10.0
    spool: bool = True

    @property
    def is_public_url_local(self) -> bool:
        """Whether nobody outside this machine is told of us."""
        return _is_loopback(urlsplit(self.public_url).hostname or "")


class Database(Section):
    url: Annotated[str, AfterValidator(_database), Field(repr=False)] = ""
    pool_size: Annotated[int, Field(ge=1, le=1000)] = 8


class Redis(Section):
    url: Annotated[str, AfterValidator(_redis), Field(repr=False)] = ""


class Log(Section):
    level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = "info"
    format: Annotated[Literal["console", "json"], BeforeValidator(_lower)] = "console"


class Secrets(Section):
    key: Annotated[SecretStr, AfterValidator(_strong)] = _NO_SECRET
    old_key: Annotated[SecretStr, AfterValidator(_strong)] = _NO_SECRET


class Auth(Section):
    access_token_h: Annotated[float, Field(gt=0, le=24)] = 24
    refresh_token_days: Annotated[int, Field(ge=1, le=365)] = 30
    registration: bool = True
    logins_at_once: Annotated[int, Field(ge=1, le=64)] = 2


class Limits(Section):
    """Each is a rule such as "100/minute; 1000/hour"; empty is no limit."""

    enabled: bool = True
    v1_anonymous: Rule = "60/minute"
    v1_token: Rule = "100/minute"
    v1_ai_tenant: Rule = "100/minute; 1000/hour"
    v1_ai_user: Rule = "50/minute"
    sign_in: Rule = "10/15 minutes"
    sign_in_account: Rule = "15/15 minutes"
    sign_in_address: Rule = "60/15 minutes"
    v2_anonymous: Rule = "100/minute"
    v2_token: Rule = "1000/minute"
    dashboard: Rule = "100/minute; 1000/hour"
    sockets: Rule = "600/minute"
    webchat_session: Rule = "40/minute"
    webchat_address: Rule = "600/minute"
    visitor_files: Rule = "20/10 minutes; 100/day"


class Mail(Section):
    url: Annotated[str, AfterValidator(_mail), Field(repr=False)] = ""
    sender: str = "Frontdesk <frontdesk@localhost>"


class Webhooks(Section):
    allow_private: bool = False
    allowed_networks: tuple[IPvAnyNetwork, ...] = ()
    at_once: Annotated[int, Field(ge=1, le=1000)] = 16
    timeout_s: Seconds = 15.0
    question_timeout_s: Seconds = 10.0
    disable_after_days: Annotated[int, Field(ge=1, le=30)] = 5


class Media(Section):
    max_bytes: Annotated[int, Field(ge=1024, le=104_857_600)] = 26_214_400
    visitor_max_bytes: Annotated[int, Field(ge=1024, le=104_857_600)] = 10_485_760
    tenant_max_bytes: Annotated[int, Field(ge=0)] = 10_737_418_240
    refused_types: tuple[str, ...] = ("application/x-msdownload", "application/x-executable")
    timeout_s: Seconds = 45.0
    link_h: Annotated[int, Field(ge=1, le=168)] = 24
    keep_days: Annotated[int, Field(ge=0, le=36_500)] = 0


class S3(Section):
    """Where contents lie instead of in `data_dir`, once a bucket is named."""

    bucket: str = ""
    endpoint: WebAddress = ""
    region: str = ""
    access_key: str = ""
    secret_key: SecretStr = _NO_SECRET
    prefix: str = ""


class Inbox(Section):
    allowed_origins: tuple[WebAddress, ...] = ()


class Twilio(Section):
    account_sid: str = ""
    auth_token: SecretStr = _NO_SECRET
    api_base: Annotated[WebAddress, Field(min_length=1)] = "https://api.twilio.com"


class Meta(Section):
    app_secret: SecretStr = _NO_SECRET
    access_token: SecretStr = _NO_SECRET
    verify_token: SecretStr = _NO_SECRET
    api_base: Annotated[WebAddress, Field(min_length=1)] = "https://graph.facebook.com/v24.0"


class Stripe(Section):
    secret_key: SecretStr = _NO_SECRET
    webhook_secret: SecretStr = _NO_SECRET


class ElevenLabs(Section):
    api_key: SecretStr = _NO_SECRET
    api_base: Annotated[WebAddress, Field(min_length=1)] = "https://api.elevenlabs.io"
    voice: Annotated[str, Field(pattern="^[A-Za-z0-9]{8,40}$")] = "UgBBYS2sOqTuMpoF3BR0"
    model: Annotated[str, Field(pattern="^[a-z0-9_]{1,40}$")] = "eleven_flash_v2_5"
    at_once: Annotated[int, Field(ge=1, le=1000)] = 10
    listening_model: Annotated[str, Field(pattern="^[a-z0-9_]{1,40}$")] = "scribe_v2_realtime"
    transcribing_model: Annotated[str, Field(pattern="^[a-z0-9_]{1,40}$")] = "scribe_v2"
    letters_price: Annotated[float, Field(ge=0, le=1000)] = 0.0
    hour_price: Annotated[float, Field(ge=0, le=1000)] = 0.0
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "USD"

    def cost(self, *, letters: float = 0.0, seconds: float = 0.0) -> float | None:
        """In `currency`; None when a price is missing for it."""
        if (letters and not self.letters_price) or (seconds and not self.hour_price):
            return None
        return round(letters / 1000 * self.letters_price + seconds / 3600 * self.hour_price, 6)


class VoiceCalls(Section):
    mode: Literal["relay", "stream", "gather"] = "relay"
    speech: Literal["elevenlabs", "offline"] = "elevenlabs"
    offline_voices: tuple[
        Annotated[str, Field(pattern=r"^[a-z]{2,3}=[a-z0-9-]{2,30}(\+[A-Za-z0-9-]{1,30})?$")], ...
    ] = ("en=en-us+f2", "es=es-419+f2", "de=de+f2", "fr=fr+f2", "pt=pt-br+f2")
    offline_speed: Annotated[int, Field(ge=80, le=350)] = 160
    vad: Literal["energy", "silero"] = "energy"
    streams_max: Annotated[int, Field(ge=0, le=10_000)] = 100
    provider: Literal["ElevenLabs", "Google", "Amazon"] = "ElevenLabs"
    voice: Annotated[str, Field(max_length=80)] = ""
    silence_s: Annotated[float, Field(gt=0, le=60)] = 5.0
    silence: tuple[Literal["again", "keys", "person", "voicemail", "end"], ...] = ("again", "keys", "person", "end")
    moment_s: Annotated[float, Field(gt=0, le=10)] = 0.8
    still_s: Annotated[float, Field(gt=0, le=10)] = 4.0
    slow_s: Annotated[float, Field(gt=0, le=30)] = 10.0
    voicemail: bool = True
    voicemail_s: Annotated[int, Field(ge=5, le=120)] = 120
    transcribe: bool = True
    missed_text_h: Annotated[int, Field(ge=0, le=720)] = 12
    look_min: Annotated[int, Field(ge=0, le=1440)] = 60
    recording_days: Count = 30
    recording_max_bytes: Annotated[int, Field(ge=1024, le=1_073_741_824)] = 125_829_120
    play_budget_s: Annotated[float, Field(ge=0, le=5)] = 0.8
    sounds_days: Annotated[int, Field(ge=1, le=3650)] = 30
    sounds_max_bytes: Annotated[int, Field(ge=1_000_000)] = 50_000_000
    transfer: bool = True
    ring: Literal["in_turn", "at_once"] = "in_turn"
    ring_s: Annotated[int, Field(ge=5, le=120)] = 20
    wait_s: Annotated[int, Field(ge=30, le=3600)] = 300
    nobody: Literal["message", "call_back", "bot"] = "message"
    after_person: Literal["bot", "end"] = "bot"
    tries: Annotated[int, Field(ge=1, le=4)] = 3
    detect_s: Annotated[int, Field(ge=3, le=60)] = 30

    @cached_property
    def offline_voice_list(self) -> Mapping[str, str]:
        """By language."""
        return {language: voice for language, _, voice in (one.partition("=") for one in self.offline_voices)}

    @cached_property
    def people(self) -> Rules | None:
        """How callers are passed on to people; None when they are not."""
        if not self.transfer:
            return None
        nobody = "call_back" if self.nobody == "message" and not self.voicemail else self.nobody
        return Rules(self.ring == "at_once", self.ring_s, self.wait_s, nobody, self.after_person)


class Jobs(Section):
    workers: Annotated[int, Field(ge=1, le=1000)] = 4
    poll_s: Seconds = 1.0
    lease_s: Seconds = 60.0


class Conversations(Section):
    inactive_after_h: Count = 24
    handoff_expires_min: Count = 60
    calendar_link_by_sms: bool = False
    channel_log_days: Annotated[int, Field(ge=1, le=365)] = 14
    parked_days: Count = 7


class Sending(Section):
    quiet_from: WallTime = "21:00"
    quiet_until: WallTime = "08:00"
    quiet_for: tuple[Literal["marketing", "reminder"], ...] = ("marketing",)
    marketing_per_week: Annotated[int, Field(ge=0, le=1000)] = 5
    strangers_per_hour: Annotated[int, Field(ge=0)] = 500
    strangers_per_prefix_and_hour: Annotated[int, Field(ge=0)] = 100
    blocked_prefixes: tuple[Annotated[str, Field(pattern=r"^\+[1-9]\d{0,14}$")], ...] = ()
    offer_minutes: Annotated[int, Field(ge=2, le=1440)] = 10
    prices: tuple[Annotated[str, Field(pattern=r"^(sms|whatsapp):([A-Z]{2}|\*)=\d{1,3}(\.\d{1,6})?$")], ...] = ()
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "USD"
    rates: tuple[
        Annotated[str, Field(pattern=r"^(sms(:us|:tollfree|:short)?|whatsapp(:phone)?)=\d{1,4}(\.\d{1,3})?$")], ...
    ] = (
        "sms:us=1",
        "sms:tollfree=3",
        "sms:short=100",
        "sms=10",
        "whatsapp=80",
        "whatsapp:phone=20",
    )
    at_once: Annotated[int, Field(ge=1, le=1000)] = 64

    @cached_property
    def price_list(self) -> Mapping[tuple[str, str], float]:
        """By channel and country."""
        found = (one.partition("=") for one in self.prices)
        return {(name[: name.index(":")], name[name.index(":") + 1 :]): float(price) for name, _, price in found}

    @cached_property
    def rate_list(self) -> Mapping[str, float]:
        """Messages a second by kind of sender; 0 is no limit, and stands for nothing here."""
        found = (one.partition("=") for one in self.rates)
        return {kind: rate for kind, _, said in found if (rate := float(said))}

    @cached_property
    def policy(self) -> Policy:
        return Policy(
            quiet_from=_minutes(self.quiet_from),
            quiet_until=_minutes(self.quiet_until),
            quiet_for=frozenset(self.quiet_for),
            caps={"marketing": Cap(self.marketing_per_week, 7)},
            strangers_of_prefix=self.strangers_per_prefix_and_hour,
            strangers=self.strangers_per_hour,
            blocked_prefixes=self.blocked_prefixes,
            offer_minutes=self.offer_minutes,
        )


class Demo(Section):
    enabled: Annotated[Literal["auto"] | bool, BeforeValidator(_lower)] = "auto"


class Settings(Section):
    """Checked and complete: what was left empty in `server.public_url` and `database.url` is filled in."""

    server: Server = Server()
    database: Database = Database()
    redis: Redis = Redis()
    data_dir: Path = Path("data")
    log: Log = Log()
    secrets: Secrets = Secrets()
    auth: Auth = Auth()
    limits: Limits = Limits()
    mail: Mail = Mail()
    webhooks: Webhooks = Webhooks()
    media: Media = Media()
    s3: S3 = S3()
    inbox: Inbox = Inbox()
    twilio: Twilio = Twilio()
    meta: Meta = Meta()
    stripe: Stripe = Stripe()
    elevenlabs: ElevenLabs = ElevenLabs()
    voice: VoiceCalls = VoiceCalls()
    jobs: Jobs = Jobs()
    conversations: Conversations = Conversations()
    sending: Sending = Sending()
    demo: Demo = Demo()

    @property
    def is_demo(self) -> bool:
        """Whether the vendors are simulated and the demo business is there."""
        if self.demo.enabled == "auto":
            return not _live_vendors(self) and _is_loopback(self.server.host)
        return self.demo.enabled

    @property
    def has_stand_in(self) -> bool:
        """Whether a vendor's API is simulated on this machine."""
        return any(_is_loopback(urlsplit(one.api_base).hostname or "") for one in (self.twilio, self.meta))


def load(path: Path | None, env: Mapping[str, str]) -> Settings:
    """The settings in force: defaults, then the file at `path` if one is given, then the environment.

    Raises:
        SettingsError: something in the file or the environment is not a setting or has a value that cannot be.
    """
    problems: list[str] = []
    given: dict[str, object] = {}
    for said_as, name, raw, is_text in [*_from_file(path, problems), *_from_environment(env, problems)]:
        try:
            given[name] = _checked(LEAVES[name], raw, is_text=is_text)
        except ValidationError as error:
            problems.append(f"{said_as} is {_shown(LEAVES[name], raw)}: {_wanted(error)}")
    if problems:
        raise SettingsError(*problems)
    settings = _complete(Settings.model_validate(_nested(given)))
    if contradictions := list(_contradictions(settings)):
        raise SettingsError(*contradictions)
    return settings


def describe(settings: Settings) -> str:
    """The settings as a page of YAML that can be shown: secrets and the passwords in addresses are hidden."""
    page: dict[str, object] = {name: _safe(field, _at(settings, name)) for name, field in LEAVES.items()}
    return str(yaml.safe_dump(_nested(page), sort_keys=False, allow_unicode=True))


def master_key(settings: Settings) -> bytes:
    """The key that seals secrets in the database; made at the first call when `secrets.key` is empty.

    Raises:
        SettingsError: the file with the key is damaged or cannot be read or made.
    """
    if key := settings.secrets.key.get_secret_value():
        return key.encode()
    path = settings.data_dir / _KEY_FILE
    try:
        if not path.exists():
            _make_key(path)
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"secrets.key is empty and {path} is of no use: {type(error).__name__}") from error
    if len(key) < _KEY_BYTES:
        raise SettingsError(f"{path} is damaged: bring it back from a backup, or sealed secrets are lost")
    return key.encode()


def master_keys(settings: Settings) -> list[bytes]:
    """The key in force, and the one before it where it is given: the first seals, both open.

    Raises: SettingsError
    """
    old = settings.secrets.old_key.get_secret_value().encode()
    return [master_key(settings), *([old] if old else [])]


def _make_key(path: Path) -> None:
    """Processes that start together agree on one key: a link is made by one of them only, and is whole at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent)  # with mode 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        Path(draft).unlink()


_Given = tuple[str, str, object, bool]  # how it was said, the setting, its value, whether that is bare text


def _from_file(path: Path | None, problems: list[str]) -> list[_Given]:
    if path is None:
        return []
    try:
        tree = yaml.load(path.read_text(encoding="utf-8"), _NoDoubles)  # noqa: S506 - a SafeLoader
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8 text'}")
        return []
    except yaml.YAMLError as error:
        problems.append(f"{path} is not YAML: {_where(error)}")
        return []
    return list(_walk(tree, "", path.name, problems))


def _walk(value: object, name: str, file: str, problems: list[str]) -> Iterator[_Given]:
    if name in LEAVES:
        yield f"{file}: {name}", name, value, False
    elif name and name not in SECTIONS:
        problems.append(f"{file}: {name} is not a setting; {_hint(_nearest(name))}")
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _walk(inner, f"{name}.{key}" if name else str(key), file, problems)
    elif value is not None:
        problems.append(f"{file}: {name or 'the page'} should be a section with names and values under it")


def _from_environment(env: Mapping[str, str], problems: list[str]) -> Iterator[_Given]:
    for variable, name in ALIASES.items():
        if env.get(variable):  # An empty one is how compose files say "not set".
            yield variable, name, env[variable], True
    for variable, text in sorted(env.items()):
        name = variable.upper()
        if not name.startswith(PREFIX) or _NOT_SETTINGS.fullmatch(f"{name.removeprefix(PREFIX)}={text}"):
            continue
        meant = name.removeprefix(PREFIX).replace("__", ".").lower()
        if meant in LEAVES:
            yield variable, meant, text, True
        else:
            near = _nearest(meant, leaves_only=True)
            problems.append(f"{variable} is not a setting; {_hint(near and PREFIX + near.replace('.', '__').upper())}")


def _checked(field: FieldInfo, raw: object, *, is_text: bool) -> object:
    """The value as the setting's type. YAML has types of its own, so only bare text is converted."""
    if is_text and isinstance(raw, str) and get_origin(field.annotation) is tuple:
        raw = [item.strip() for item in raw.split(",") if item.strip()]
    as_json = json.dumps(raw, default=str, skipkeys=True)
    return _adapter(field).validate_json(as_json, strict=not is_text)


def _adapter(field: FieldInfo) -> TypeAdapter[Any]:
    annotation: Any = field.annotation
    return TypeAdapter(Annotated[annotation, *field.metadata] if field.metadata else annotation)


def _wanted(error: ValidationError) -> str:
    said = [re.sub(r"^(Value error, |Input )", "", one["msg"]).partition(", unable")[0] for one in error.errors()]
    return " or ".join(dict.fromkeys(said))


def _shown(field: FieldInfo, raw: object) -> str:
    return "(hidden)" if _is_hidden(field) else repr(raw)


def _is_hidden(field: FieldInfo) -> bool:
    return field.annotation is SecretStr or not field.repr


def _safe(field: FieldInfo, value: object) -> object:
    if isinstance(value, SecretStr):
        return "(set)" if value.get_secret_value() else ""
    if isinstance(value, str) and _is_hidden(field):
        return _without_password(value)
    return _adapter(field).dump_python(value, mode="json")


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    if parts.password is None and "password" not in parts.query:
        return url
    who, _, host = parts.netloc.rpartition("@")
    user, colon, _ = who.partition(":")
    query = re.sub(r"(password=)[^&]*", r"\1(hidden)", parts.query)
    return urlunsplit(parts._replace(netloc=f"{user}:(hidden)@{host}" if colon else parts.netloc, query=query))


def _nearest(name: str, *, leaves_only: bool = False) -> str | None:
    """The setting or section that looks most like `name`, or has its last part when the section is the wrong one."""
    names = [*LEAVES] if leaves_only else [*LEAVES, *SECTIONS]
    last = name.rpartition(".")[2]
    same_last = [one for one in names if one.rpartition(".")[2] == last]
    found = get_close_matches(name, names, 1, 0.75) or same_last or get_close_matches(name, names, 1, 0.5)
    return found[0] if found else None


def _hint(near: str | None) -> str:
    return f"did you mean {near}?" if near else "config.yaml has them all"


def _complete(settings: Settings) -> Settings:
    server, database = settings.server, settings.database
    if not server.public_url:
        server = server.model_copy(update={"public_url": f"http://localhost:{server.port}"})
    if not database.url:
        database = database.model_copy(update={"url": f"sqlite:///{settings.data_dir / 'frontdesk.db'}"})
    return settings.model_copy(update={"server": server, "database": database})


def _contradictions(settings: Settings) -> Iterator[str]:
    if settings.voice.speech == offline.PROVIDER and (packages := offline.missing()):
        yield _not_installed("voice.speech is offline", packages)
    if settings.voice.vad == "silero" and (packages := silero.missing()):
        yield _not_installed("voice.vad is silero", packages)
    if settings.demo.enabled is not True:
        return
    if live := _live_vendors(settings):
        yield f"demo.enabled is true, but {' and '.join(live)} would send for real: take one of them away"
    if not _is_loopback(settings.server.host):
        yield f"demo.enabled is true, but server.host {settings.server.host!r} lets others in: the demo has no locks"


def _not_installed(said: str, packages: Sequence[str]) -> str:
    return f"{said}, but it needs {' and '.join(packages)}: pip install {' '.join(packages)}"


def _live_vendors(settings: Settings) -> list[str]:
    keys = {
        "twilio.auth_token": settings.twilio.auth_token,
        "meta.app_secret": settings.meta.app_secret,
        "meta.access_token": settings.meta.access_token,
        "stripe.secret_key": settings.stripe.secret_key,
        "elevenlabs.api_key": settings.elevenlabs.api_key,
    }
    if _is_loopback(urlsplit(settings.twilio.api_base).hostname or ""):
        del keys["twilio.auth_token"]  # It opens the simulator only.
    if _is_loopback(urlsplit(settings.meta.api_base).hostname or ""):
        del keys["meta.app_secret"], keys["meta.access_token"]
    if _is_loopback(urlsplit(settings.elevenlabs.api_base).hostname or ""):
        del keys["elevenlabs.api_key"]
    return [name for name, key in keys.items() if key.get_secret_value()]


@lru_cache(64)  # asked with every webhook
def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _leaves(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from _leaves(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name, field


def _at(settings: Settings, name: str) -> object:
    value: object = settings
    for part in name.split("."):
        value = getattr(value, part)
    return value


def _nested(flat: Mapping[str, object]) -> dict[str, object]:
    tree: dict[str, Any] = {}
    for name, value in flat.items():
        *path, last = name.split(".")
        inside = tree
        for part in path:
            inside = inside.setdefault(part, {})
        inside[last] = value
    return tree


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return place + str(getattr(error, "problem", None) or "it cannot be read")


class _NoDoubles(yaml.SafeLoader):
    """YAML takes the last of two equal names without a word; here they are an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [self.construct_object(key, deep=True) for key, _ in node.value]
        if doubled := next((name for name in names if names.count(name) > 1), None):
            raise yaml.constructor.ConstructorError(None, None, f"{doubled!r} stands here twice", node.start_mark)
        return super().construct_mapping(node, deep=deep)


LEAVES: Mapping[str, FieldInfo] = MappingProxyType(dict(_leaves(Settings)))
SECTIONS = frozenset(name.rpartition(".")[0] for name in LEAVES) - {""}
