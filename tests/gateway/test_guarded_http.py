"""The client for addresses that somebody typed: what it refuses, and that nothing is sent there; what it survives."""

import ast
import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from desk.errors import Invalid
from gateway.outside.addresses import Network, Rules
from gateway.outside.http import Blocked, Names, Outside, Unreachable
from simulators.receiver import Receiver, Trouble

ROOT = Path(__file__).parents[2]

# Every way to say "this machine" or "that network", and addresses that are none.
REFUSED = """
https://127.0.0.1/ https://127.0.0.1:{port}/ https://127.255.255.254:{port}/ https://localhost:{port}/
https://localhost.:{port}/ https://LOCALHOST:{port}/ https://a.localhost:{port}/ https://0.0.0.0:{port}/
https://10.0.0.1/ https://172.16.0.1/ https://172.31.255.254/ https://192.168.1.1/ https://169.254.169.254/latest/meta-data
https://100.64.0.1/ https://100.100.100.200/ https://192.0.0.192/ https://168.63.129.16/ https://198.18.0.1/
https://224.0.0.1/ https://239.255.255.250/ https://255.255.255.255/ https://240.0.0.1/ https://192.88.99.1/
https://[::1]:{port}/ https://[::]:{port}/ https://[fe80::1]/ https://[fe80::1%25lo]:{port}/ https://[fc00::1]/
https://[fd00:ec2::254]/ https://[ff02::1]/ https://[::ffff:127.0.0.1]:{port}/ https://[::ffff:7f00:1]:{port}/
https://[::127.0.0.1]:{port}/ https://[64:ff9b::7f00:1]:{port}/ https://[64:ff9b::a9fe:a9fe]/ https://[64:ff9b:1::1]/
https://[2002:7f00:1::]/ https://[2002:808:808::]/ https://[2001::1]/ https://[2001:db8::1]/ https://[fec0::1]/
https://127.1:{port}/ https://127.0.1:{port}/ https://2130706433:{port}/ https://0x7f000001:{port}/ https://0x7f.1:{port}/
https://0177.0.0.1:{port}/ https://0:{port}/ https://１２７.０.０.１:{port}/ https://127.0.0.1.:{port}/ https://%31%32%37.0.0.1/
https://user@example.com/ https://user:secret@example.com/ https://example.com@127.0.0.1:{port}/ https://:x@example.com
https://example.com:0/ https://example.com:65536/ https://example.com:-1/ https://example.com:x/
http://example.com/ ftp://example.com/ file:///etc/passwd gopher://127.0.0.1/ javascript:alert(1) data:text/plain,x
//example.com/ /hooks example.com https:// https:///hooks https://a..b/ https://-a.com/ https://exa_mple-.com/
https://[::1 https://[::1]x/ https://[1.2.3.4]/ https://example.com\\@127.0.0.1/ https://metadata.google.internal.../
"""
TAKEN = """
https://example.com https://example.com/hooks?key=1#part https://EXAMPLE.com:8443/ https://example.com./ https://bücher.example/
https://93.184.215.14/ https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/ https://[64:ff9b::5db8:d70e]/ https://a_b.example.com/
"""


class Told(AbstractResolver):
    """A name server that says what the test tells it, one answer after the other, the last one again and again."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = [*answers]
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        self.asked += 1
        kind = {4: socket.AF_INET, 6: socket.AF_INET6}
        return [
            ResolveResult(
                hostname=host, host=one, port=port, family=kind[ipaddress.ip_address(one).version], proto=0, flags=0
            )
            for one in found
        ]

    async def close(self) -> None:
        """Nothing to close."""


class Ear:
    """Listens on this machine, over both protocols, and counts who connects."""

    def __init__(self) -> None:
        self.heard = 0
        self.port = 0

    async def on(self) -> list[asyncio.Server]:
        first = await asyncio.start_server(self._count, "127.0.0.1", 0)
        self.port = first.sockets[0].getsockname()[1]
        return [first, await asyncio.start_server(self._count, "::1", self.port)]

    def _count(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard += 1
        writer.transport.abort()


@pytest.fixture
async def ear() -> AsyncIterator[Ear]:
    listening = Ear()
    servers = await listening.on()
    yield listening
    for server in servers:
        server.close()


@asynccontextmanager
async def client(rules: Rules = Rules(), resolver: AbstractResolver | None = None) -> AsyncIterator[Outside]:  # noqa: B008
    outside = Outside(rules, resolver or Names())
    yield outside
    await outside.close()


DEVELOPER = Rules(allow_private=True)


async def ask(outside: Outside, url: str, *, timeout_s: float = 5.0, most: int = 1000) -> tuple[int, bytes, bool]:
    answer = await outside.ask("POST", url, body=b"{}", headers={}, timeout_s=timeout_s, most_bytes=most)
    return answer.status, answer.body, answer.is_cut


async def test_an_address_that_is_not_public_is_refused_when_saved_and_when_asked_and_nobody_hears_of_it(
    ear: Ear,
) -> None:
    async with client() as outside:
        for url in REFUSED.format(port=ear.port).split():
            with pytest.raises(Invalid) as refused:
                await outside.check(url, field="url")
            assert refused.value.field == "url", url
            with pytest.raises(Blocked):
                await ask(outside, url)
        for odd in ("https://exa mple.com/", "https://example.com/\n", "https://example.com/\x00", "", " ", "x" * 2001):
            with pytest.raises(Invalid):
                await outside.check(odd, field="url")
    assert ear.heard == 0


async def test_a_public_address_is_taken_and_a_name_that_leads_nowhere_yet_as_well() -> None:
    async with client(resolver=Told(["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])) as outside:
        for url in TAKEN.split():
            await outside.check(url, field="url")
    async with client() as outside:
        await outside.check("https://nobody-has-this.example/", field="url")
        with pytest.raises(Unreachable, match="no such host"):
            await ask(outside, "https://nobody-has-this.example/")


async def test_a_name_counts_by_the_address_that_is_connected_to(ear: Ear) -> None:
    url = f"https://rebound.example:{ear.port}/"
    for private in ("127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "10.0.0.1"):
        names = Told(["93.184.215.14"], [private])
        async with client(resolver=names) as outside:
            await outside.check(url, field="url")  # it is public when it is saved
            with pytest.raises(Blocked):
                await ask(outside, url)
            with pytest.raises(Invalid):
                await outside.check(url, field="url")
        assert names.asked == 3  # nothing of an earlier answer is kept
    async with client(resolver=Told(["127.0.0.1", "::1", "192.168.0.1"])) as outside:
        with pytest.raises(Blocked):
            await ask(outside, url)
    # What a library would take for an address is none for us, even if it came so far.
    async with client(resolver=Told(["93.184.215.14"], ["127.0.0.1"])) as outside:
        with pytest.raises(Blocked):
            await ask(outside, f"https://0x7f.1:{ear.port}/")
    assert ear.heard == 0


async def test_a_developers_machine_receives_and_metadata_stays_shut(ear: Ear) -> None:
    async with Receiver() as receiver, client(DEVELOPER) as outside:
        for url in (receiver.url, receiver.url.replace("127.0.0.1", "localhost")):
            await outside.check(url, field="url")
            assert (await ask(outside, url))[0] == 200
        for url in (
            "http://169.254.169.254/latest/meta-data http://[fd00:ec2::254]/ http://[::ffff:169.254.169.254]/ "
            "http://100.100.100.200/ http://168.63.129.16/ http://0.0.0.0/ http://224.0.0.1/ http://[64:ff9b::a9fe:a9fe]/ http://[2002:a9fe:a9fe::]/"
        ).split():
            with pytest.raises(Blocked):
                await ask(outside, url)
    async with client(DEVELOPER, Told(["169.254.169.254"])) as outside:
        with pytest.raises(Blocked):
            await ask(outside, "http://metadata.example/")


async def test_an_allowed_network_is_let_through_and_nothing_beside_it(ear: Ear) -> None:
    def networks(*names: str) -> tuple[Network, ...]:
        return tuple(ipaddress.ip_network(name) for name in names)

    async with client(Rules(allowed=networks("127.0.0.1/32", "169.254.0.0/16"))) as outside:
        with pytest.raises(Unreachable):  # it is asked, and hangs up on TLS
            await ask(outside, f"https://127.0.0.1:{ear.port}/")
        assert ear.heard == 1
        for url in ("https://127.0.0.2/", "https://[::1]/", "https://169.254.169.254/", "https://10.0.0.1/"):
            with pytest.raises(Blocked):
                await ask(outside, url)
        with pytest.raises(Blocked):
            await ask(outside, f"http://127.0.0.1:{ear.port}/")
    assert ear.heard == 1


async def test_a_redirect_is_an_answer_and_not_followed(ear: Ear) -> None:
    async with Receiver() as receiver, client(DEVELOPER) as outside:
        for location in (f"http://127.0.0.1:{ear.port}/", f"https://localhost:{ear.port}/", "/elsewhere", "ftp://x"):
            receiver.trouble["/"] = Trouble("redirect", location=location)
            assert (await ask(outside, receiver.url + "/"))[0] == 302
        assert {one.path for one in receiver.received} == {"/"}
    assert ear.heard == 0


@pytest.mark.parametrize(("kind", "size"), [("drip", 50), ("endless", 1000), ("huge", 1000), ("bomb", 1000)])
async def test_an_answer_without_end_is_cut_at_the_cap_and_in_time(kind: str, size: int) -> None:
    async with Receiver() as receiver, client(DEVELOPER) as outside:
        receiver.trouble["/"] = Trouble(kind)  # type: ignore[arg-type]
        loop = asyncio.get_running_loop()
        began = loop.time()
        status, body, is_cut = await ask(outside, receiver.url + "/", timeout_s=0.4)
        assert (status, is_cut) == (200, True)
        assert 0 < len(body) <= size
        assert loop.time() - began < 2


async def test_no_answer_is_told_from_a_bad_one(ear: Ear) -> None:
    async with Receiver() as receiver, client(DEVELOPER) as outside:
        for kind, says in (("hang", "in time"), ("hang_up", "hung up"), ("garbage", "not HTTP")):
            receiver.trouble["/"] = Trouble(kind)  # type: ignore[arg-type]
            with pytest.raises(Unreachable, match=says):
                await ask(outside, receiver.url + "/", timeout_s=0.3)
        with pytest.raises(Unreachable, match=r"certificate|hung up|HTTP"):
            await ask(outside, receiver.url.replace("http:", "https:"))
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        async with client(DEVELOPER) as outside:
            with pytest.raises(Unreachable, match="Nobody listens"):
                await ask(outside, f"http://127.0.0.1:{nobody.getsockname()[1]}/")


async def test_no_proxy_of_the_environment_is_used(ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{ear.port}")
    async with client() as outside:
        with pytest.raises(Unreachable):
            await ask(outside, "https://nobody-has-this.example/")
    assert ear.heard == 0


# S10: whoever opens a client of their own is here, with the reason why it may.
_CLIENTS = {
    "gateway/outside/http.py": "the guarded one, for every address that somebody typed",
    "gateway/context.py": "Twilio's API, whose address is a setting",
    "gateway/cli/doctor.py": "whether our own server answers on this machine",
    "gateway/cli/channels.py": "the adapters want one to be asked for their cards; nothing is sent",
    "gateway/cli/chat.py": "our own server, whose address the person at the keyboard gives",
}


_OPENERS = ("ClientSession", "urlopen", "urlretrieve", "HTTPConnection", "HTTPSConnection", "AsyncClient")


def test_nothing_else_opens_a_client_that_could_be_led_astray() -> None:
    found = set()
    for package in ("gateway", "channels", "desk", "bots", "flows", "storage"):
        for path in (ROOT / package).rglob("*.py"):
            text = path.read_text()
            if any(name in text for name in _OPENERS):
                calls = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
                if any(ast.unparse(call.func).rpartition(".")[2] in _OPENERS for call in calls):
                    found.add(str(path.relative_to(ROOT)))
    assert found == set(_CLIENTS)
