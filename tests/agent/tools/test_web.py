"""Fetching pages: against real servers on loopback, each let in by its exact address; everything else is refused."""

from __future__ import annotations

import gzip
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yggdrasil.agent.tools import web
from yggdrasil.agent.tools.web import LONGEST, REDIRECTS, SIZE, Web, decoded
from yggdrasil.core.blob import Blob
from yggdrasil.errors import ConfigError, PortError, RunError, RunTimeoutError

pytestmark = pytest.mark.anyio

HTML = (
    "<title>The log</title><script>steal()</script><h1>Day 4</h1><p>The \u202ewind\x07 turned. "
    "<a href='/next?d=5'>On</a></p>"
)
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
MIB = 1024 * 1024


class Handler(BaseHTTPRequestHandler):
    """Answers by path; what it was asked is kept in `server.asked`."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server: Any = self.server
        server.asked.append((self.path, dict(self.headers)))
        path = self.path.partition("?")[0]
        if path.startswith("/to/"):
            self.answer(b"", status=302, Location=self.path[4:])
        elif path == "/slow":
            time.sleep(0.3)
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            for _ in range(60):
                try:
                    self.wfile.write(b"x")
                    self.wfile.flush()
                except OSError:
                    server.cut.set()
                    break
                time.sleep(0.05)
            self.close_connection = True
        else:
            self.answer(*ANSWERS.get(path, (b"not here", "text/plain", {}))[:2], **_more(path))

    def answer(self, data: bytes, kind: str = "text/plain", *, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        try:
            self.wfile.write(data)
        except OSError:  # who asked has had enough
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        pass


ANSWERS: dict[str, tuple[bytes, str, dict[str, str]]] = {
    "/page": (HTML.encode(), "text/html; charset=utf-8", {}),
    "/json": (b'{"tide": 3}', "application/json", {}),
    "/feed": (b"<a>1</a>", "application/atom+xml", {}),
    "/latin": ("sm\xf8rrebr\xf8d".encode("latin-1"), "text/plain; charset=ISO-8859-1", {}),
    "/long": (("0123456789" * 5000).encode(), "text/plain", {}),
    "/huge": (b"a" * (SIZE + 2 * MIB), "text/plain", {}),
    "/packed": (gzip.compress(b"packed"), "text/plain", {"Content_Encoding": "gzip"}),
    "/bomb": (gzip.compress(b"0" * (200 * MIB), 9), "text/plain", {"Content_Encoding": "gzip"}),
    "/brotli": (b"\x1b\x03", "text/plain", {"Content_Encoding": "br"}),
    "/broken": (b"no gzip at all", "text/plain", {"Content_Encoding": "gzip"}),
    "/png": (PNG, "image/png", {}),
    "/fake.png": (b"<html>", "image/png", {}),
    "/zip": (b"PK\3\4\0\0", "application/zip", {}),
    "/untyped": (b"<!DOCTYPE html><p>Hello", "application/octet-stream", {}),
    "/escape": (b"\x1b[31mred\x1b]0;title\x07\x1b[0m\xe2\x80\xae\xf3\xa0\x81\xa1", "text/plain", {}),
}


def _more(path: str) -> dict[str, Any]:
    return {**ANSWERS[path][2]} if path in ANSWERS else {"status": 404}


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    made: Any = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.asked, made.cut = [], threading.Event()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def resolver(names: dict[str, list[str]]) -> Callable[[str, int], Awaitable[Sequence[str]]]:
    async def look(host: str, port: int) -> list[str]:
        if host not in names:
            raise OSError("no such name")
        return names[host]

    return look


def reader(server: Any, **more: Any) -> Web:
    """It may connect to that one server, whatever name leads there."""
    options = {"resolver": resolver({"site.test": ["127.0.0.1"], "inner.test": ["10.0.0.7"]}), **more}
    return Web(allow=[("127.0.0.1", server.server_port)], **options)


def at(server: Any, path: str, host: str = "site.test") -> str:
    return f"http://{host}:{server.server_port}{path}"


async def test_a_page_as_text(server: Any) -> None:
    url = at(server, "/page")
    assert await reader(server).text(url) == (
        f"{url}\nTitle: The log\n\n# Day 4\n\nThe wind turned. On ({at(server, '/next?d=5')})"
    )
    path, headers = server.asked[-1]
    assert path == "/page"
    assert headers["Host"] == f"site.test:{server.server_port}", "the name it was asked for, not the address"
    assert not {"Cookie", "Authorization", "Referer"} & set(headers)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/json", '{"tide": 3}'),
        ("/feed", "<a>1</a>"),
        ("/latin", "sm\xf8rrebr\xf8d"),
        ("/packed", "packed"),
        ("/untyped", "Hello"),
        ("/escape", "red"),
        ("/page#part", "Title: The log"),
    ],
)
async def test_kinds_of_text(server: Any, path: str, text: str) -> None:
    found = await reader(server).text(at(server, path))
    assert found.endswith("\n\n" + text) or text in found.split("\n")


async def test_a_status_is_said(server: Any) -> None:
    assert "status 404" in await reader(server).text(at(server, "/nowhere"))


async def test_a_picture_comes_as_it_is(server: Any) -> None:
    found = await reader(server).text(at(server, "/png"))
    assert found == {"url": at(server, "/png"), "content": Blob(PNG, "image/png")}


async def test_a_long_page_comes_in_pieces(server: Any) -> None:
    url = at(server, "/long")
    first = await reader(server).text(url)
    assert f"Characters 0 to {LONGEST} of 50000; read on with start={LONGEST}." in first
    last = await reader(server).text(url, 49_990)
    assert last.endswith("Characters 49990 to 50000 of 50000.\n\n0123456789")
    with pytest.raises(PortError, match="none from 50000"):
        await reader(server).text(url, 50_000)


@pytest.mark.parametrize("path", ["/huge", "/bomb"])
async def test_size_is_bounded_and_said(server: Any, path: str) -> None:
    answer = await reader(server).fetch(at(server, path))
    assert (len(answer.data), answer.whole) == (SIZE, False)
    assert "too long to be read to its end" in await reader(server).text(at(server, path))


@pytest.mark.parametrize(
    ("path", "error", "says"),
    [
        ("/zip", PortError, "application/zip"),
        ("/fake.png", PortError, "and is not"),
        ("/brotli", PortError, "packed as br"),
        ("/broken", RunError, "cannot be fetched"),
    ],
)
async def test_what_cannot_be_read_is_said(server: Any, path: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        await reader(server).text(at(server, path))


async def test_time_is_bounded_in_all(server: Any) -> None:
    before = time.monotonic()
    with pytest.raises(RunTimeoutError, match=r"longer than 0\.6 s"):
        await reader(server, seconds=0.6).text(at(server, "/slow"))
    assert time.monotonic() - before < 1.5


async def test_a_cancelled_fetch_leaves_no_socket(server: Any) -> None:
    server.cut.clear()
    with anyio.move_on_after(0.4) as scope:
        await reader(server).text(at(server, "/slow"))
    assert scope.cancelled_caught
    assert await anyio.to_thread.run_sync(server.cut.wait, 1), "the server still has someone to write to"


async def test_redirects_are_followed_and_counted(server: Any) -> None:
    found = await reader(server).text(at(server, "/to//to//page"))
    assert found.startswith(at(server, "/page"))
    with pytest.raises(RunError, match="more than 5 times"):
        await reader(server).text(at(server, "/to/" * (REDIRECTS + 1) + "/page"))


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:1/",
        "http://127.0.0.1/",
        "http://localhost/",
        "http://inner.test/",
        "//10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://0x7f.1/",
        "http://2130706433/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "file:///etc/passwd",
        "gopher://site.test/",
        "ftp://site.test/",
        "http://user:secret@site.test/",
        "data:text/plain,hi",
    ],
)
async def test_a_redirect_cannot_lead_inside(server: Any, target: str) -> None:
    count = len(server.asked)

    async def look(host: str, port: int) -> list[str]:
        known = {"site.test": ["127.0.0.1"], "inner.test": ["10.0.0.7"]}
        return known[host] if host in known else await web.resolve(host, port)

    with pytest.raises(PortError) as caught:
        await reader(server, resolver=look).text(at(server, "/to/" + target))
    assert len(server.asked) == count + 1, "the redirect was asked for, and nothing after it"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "[::1]", "[::ffff:7f00:1]"]
)
async def test_this_machine_is_refused_under_every_name(server: Any, host: str) -> None:
    count = len(server.asked)
    with pytest.raises((PortError, RunError)):
        await Web().text(at(server, "/page", host))
    assert len(server.asked) == count


async def test_another_port_of_a_server_that_is_allowed_is_refused(server: Any) -> None:
    with pytest.raises(PortError, match="loopback"):
        await reader(server).text("http://site.test:80/")


async def test_one_inner_address_among_public_ones_refuses_them_all(server: Any) -> None:
    names = resolver({"mixed.test": ["127.0.0.1", "192.168.0.1"]})
    with pytest.raises(PortError, match="private"):
        await reader(server, resolver=names).text(at(server, "/page", "mixed.test"))


async def test_a_name_is_looked_up_once_and_cannot_change_its_mind(server: Any) -> None:
    asked: list[str] = []

    async def changing(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    assert "The log" in await reader(server, resolver=changing).text(at(server, "/page", "changing.test"))
    assert asked == ["changing.test"]


@pytest.mark.parametrize("port", [22, 25, 3306, 6379, 11211, 65535])
async def test_ports_of_other_services_are_refused(port: int) -> None:
    with pytest.raises(PortError, match="port"):
        await Web(resolver=resolver({"public.test": ["1.1.1.1"]})).text(f"http://public.test:{port}/")


async def test_hosts_can_be_limited(server: Any) -> None:
    names = resolver({n: ["127.0.0.1"] for n in ("site.test", "docs.site.test", "evilsite.test")})
    limited = reader(server, resolver=names, hosts=["site.test"])
    assert "The log" in await limited.text(at(server, "/page"))
    assert "The log" in await limited.text(at(server, "/page", "docs.site.test"))
    for url in (at(server, "/page", "evilsite.test"), at(server, "/to/http://evilsite.test/")):
        with pytest.raises(PortError, match="not among the hosts"):
            await limited.text(url)


async def test_an_address_that_does_not_answer_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        look = resolver({"site.test": ["127.0.0.1"]})
        with pytest.raises(RunError, match="cannot be fetched"):
            await Web(allow=[("127.0.0.1", port)], resolver=look).text(f"http://site.test:{port}/")


async def test_the_next_address_is_tried(server: Any) -> None:
    port = server.server_port
    look = resolver({"site.test": ["127.0.0.2", "127.0.0.1"]})
    both = Web(allow=[("127.0.0.1", port), ("127.0.0.2", port)], resolver=look)
    assert "The log" in await both.text(at(server, "/page"))


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Path]]:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    made = [folder / "key.pem", folder / "cert.pem"]
    command = f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=site.test -keyout {made[0]} -out {made[1]}"
    subprocess.run(
        ["openssl", *command.split(), "-addext", "subjectAltName=DNS:site.test"], check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made[1], made[0])
    names: list[Any] = []
    context.sni_callback = lambda connection, name, _: names.append(name)
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.names = [], names
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server, made[1]
    server.shutdown()
    server.server_close()
    thread.join()


async def test_tls_is_checked_against_the_name_although_the_address_is_pinned(secure: tuple[Any, Path]) -> None:
    server, certificate = secure
    trust = ssl.create_default_context(cafile=str(certificate))
    url = f"https://site.test:{server.server_port}/json"
    assert "tide" in await reader(server, trust=trust).text(url)
    assert server.names[-1] == "site.test"
    with pytest.raises(RunError, match=r"(?i)certificate"):
        await reader(server).text(url)  # nobody vouches for it
    look = resolver({"other.test": ["127.0.0.1"]})
    with pytest.raises(RunError, match=r"(?i)mismatch|certificate"):
        await reader(server, trust=trust, resolver=look).text(url.replace("site.test", "other.test"))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "   ",
        "example.org",
        "//example.org",
        "http://",
        "http:///x",
        "http://exa mple.org/",
        "http://example.org/\r\nHost: evil",
        "http://example.org/\x00",
        "http://example.org:99999/",
        "http://example.org:0/",
        "http://[::1",
        "http://[fe80::1%25eth0]/",
        "http://user@example.org/",
        "http://:pw@example.org/",
        "HTTP://" + "a" * 3000,
        "javascript:alert(1)",
        "file:///etc/passwd",
        7,
        None,
        ["http://example.org"],
    ],
)
async def test_what_is_no_url_is_said(url: Any) -> None:
    async def never(host: str, port: int) -> list[str]:
        raise AssertionError(f"{host} was looked up")

    with pytest.raises(PortError):
        await Web(resolver=never).text(url)


@pytest.mark.parametrize("given", [{"hosts": "a.org"}, {"hosts": [""]}, {"seconds": 0}, {"seconds": True}])
def test_a_wrong_config_is_said(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Web(**given)


urls = st.one_of(
    st.text(max_size=60),
    st.builds(
        "{}://{}{}{}".format,
        st.sampled_from(["http", "https", "HTTP", "ftp", "http\t"]),
        st.one_of(
            st.sampled_from(["127.0.0.1", "localhost", "[::1]", "0", "1.1.1.1@127.0.0.1", "127.0.0.1#@a.org", "a\\@b"]),
            st.ip_addresses().map(lambda a: f"[{a}]" if a.version == 6 else str(a)),
            st.integers(0, 2**32).map(str),
            st.integers(0, 2**32).map(hex),
            st.text(max_size=20),
        ),
        st.sampled_from(["", ":80", ":0", ":x", ":99999999", "%00", "."]),
        st.text(max_size=20).map(lambda t: "/" + t),
    ),
)


@given(url=urls)
@settings(max_examples=300, deadline=None)
def test_any_url_is_refused_or_leads_to_a_public_address(url: str) -> None:
    from yggdrasil.agent.tools.addresses import refusal
    from yggdrasil.agent.tools.web import _parsed

    async def look(host: str, port: int) -> list[str]:
        return [host]

    async def tried() -> list[str]:
        try:
            return await Web(resolver=look).addresses(_parsed(url))
        except PortError:
            return []

    assert not [a for a in anyio.run(tried) if refusal(a)]


@given(data=st.binary(max_size=200), charset=st.one_of(st.text(max_size=20), st.sampled_from(["zip", "idna", "utf-7"])))
def test_any_bytes_become_text(data: bytes, charset: str) -> None:
    assert isinstance(decoded(data, charset), str)


@pytest.mark.parametrize(
    ("data", "charset", "text"),
    [
        (b"\xef\xbb\xbfhi", "latin-1", "hi"),
        ("hi".encode("utf-16"), "", "hi"),
        ("привет".encode("cp1251"), "windows-1251", "привет"),
        (b'<meta charset="koi8-r">' + "привет".encode("koi8-r"), "", '<meta charset="koi8-r">привет'),
        ("né".encode()[:-1], "", "n"),
        (b"caf\xe9 au lait", "", "café au lait"),
        (b"x", "no-such-charset", "x"),
    ],
)
def test_charsets(data: bytes, charset: str, text: str) -> None:
    assert decoded(data, charset) == text
