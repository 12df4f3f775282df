"""Pages of the web for an agent: fetched from public addresses only, bounded in size and time, as readable text.

A name is looked up once, every address it has must be public, and the connection is made to an address that was
checked, so that a name cannot lead elsewhere between the check and the use. Each redirect is checked in the same way.
Nothing of this machine goes along: no cookies, no credentials, no proxy settings. What a page says is still said by
a stranger, and what a model puts into an address is told to whoever owns it; `hosts` limits whom that can be.
"""

from __future__ import annotations

import ssl
import zlib
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import anyio

from yggdrasil.agent.tools.addresses import PORTS, refusal
from yggdrasil.agent.tools.plain import in_a_line, plain
from yggdrasil.agent.tools.readable import readable
from yggdrasil.core.blob import Blob
from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError, PortError, RunError, RunTimeoutError
from yggdrasil.runtime.threads import in_thread

if TYPE_CHECKING:
    import httpx2

SIZE = 4 * 1024 * 1024
"""The most bytes of one answer that are read."""
SECONDS = 20.0
"""The most seconds for one page in all, redirects included."""
LONGEST = 20_000
"""Characters of text in one answer; `start` reads on."""
REDIRECTS = 5
LONGEST_URL = 2000
PICTURES = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "image/gif": b"GIF8",
    "image/webp": b"RIFF",
    "application/pdf": b"%PDF-",
}
"""What is given as it is, and the bytes it begins with."""

_HINT = 'web_fetch(url="https://example.org/page")'
_HEADERS = {
    "User-Agent": "yggdrasil (web_fetch)",
    "Accept": "text/html, text/*;q=0.9, application/json;q=0.9, image/*;q=0.5, */*;q=0.1",
    "Accept-Encoding": "gzip",
}
_TRIES = 3
_PIECE = 65_536
_NO_CHARSETS = frozenset({"unicode_escape", "raw_unicode_escape", "punycode", "idna", "utf_7", "undefined"})
_APPLICATION_TEXT = ("json", "xml", "javascript", "yaml", "x-yaml", "toml", "sql", "x-sh", "rtf", "x-ndjson", "graphql")

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]


class Answer(Value):
    """What a server gave: the address that answered in the end, the status, the media type, and the bytes.

    `whole` is false when there was more than `SIZE`; `charset` is what its header says, or "".
    """

    url: str
    status: int
    media_type: str
    charset: str
    data: bytes
    whole: bool


async def resolve(host: str, port: int) -> list[str]:
    """The IP addresses of a host, as the system knows them; OSError when it knows none."""
    import socket

    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Web:
    """Fetches pages.

    hosts      names whose pages may be had, with their subdomains; every public one when None
    seconds    for one page in all
    allow      pairs of address and port that may be connected to although they are not public: for tests against
               a server of one's own, and for an intranet page that an agent shall read. No model can choose them
    resolver   how names are looked up
    trust      the TLS context; the system's authorities without it
    """

    def __init__(
        self,
        *,
        hosts: Collection[str] | None = None,
        seconds: float = SECONDS,
        allow: Collection[tuple[str, int]] = (),
        resolver: Resolver = resolve,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        if isinstance(hosts, str) or not all(isinstance(h, str) and h.strip(".") for h in hosts or ()):
            raise ConfigError(f"hosts is {hosts!r}, not a list of names", hint="hosts: [docs.python.org]")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < float("inf"):
            raise ConfigError(f"seconds is {seconds!r}", hint="seconds: 20")
        self.hosts = None if hosts is None else tuple(h.strip(".").lower() for h in hosts)
        self.seconds = float(seconds)
        self._allow = frozenset(allow)
        self._resolver = resolver
        self._trust = trust

    async def text(self, url: str, start: int = 0) -> Any:
        """A page as text, from character `start` on; a picture or a PDF as `{"url": ..., "content": Blob}`.

        PortError for an address that may not be had or content that cannot be read, RunError for a failure of the
        network, RunTimeoutError after `seconds`.
        """
        if isinstance(start, bool) or not isinstance(start, int) or start < 0:
            raise PortError(f"start is {start!r}, not a number of characters", hint=f"start={LONGEST}")
        answer = await self.fetch(url)
        if answer.media_type in PICTURES:
            return _picture(answer)
        wanted = [True]
        try:
            title, text, whole = await in_thread(_read, answer, lambda: bool(wanted))
        finally:
            wanted.clear()  # a thread that was left behind ends at its next look
        return _told(answer, title, text, whole, start)

    async def fetch(self, url: str) -> Answer:
        """What a server answers to GET, after at most five redirects."""
        with anyio.move_on_after(self.seconds):
            here = _parsed(url)
            for _ in range(REDIRECTS + 1):
                found = await self._get(here)
                if isinstance(found, Answer):
                    return found
                here = _parsed(found, here)
            raise RunError(f"{in_a_line(url)} redirects more than {REDIRECTS} times")
        raise RunTimeoutError(f"{in_a_line(url)} took longer than {self.seconds:g} s")

    async def addresses(self, url: httpx2.URL) -> list[str]:
        """The addresses of a URL's host, all of them checked; PortError when one is not public."""
        host, port = _host(url), url.port or (443 if url.scheme == "https" else 80)
        if self.hosts is not None and not any(host == h or host.endswith("." + h) for h in self.hosts):
            raise PortError(f"{in_a_line(host)} is not among the hosts that may be read: {', '.join(self.hosts)}")
        try:
            found = await self._resolver(host, port)
        except (OSError, UnicodeError) as error:
            raise RunError(f"{in_a_line(host)} is not known: {in_a_line(error)}") from None
        if not found:
            raise RunError(f"{in_a_line(host)} has no address")
        for address in found:
            if (address, port) in self._allow:
                continue
            reason = refusal(address)
            if reason:
                raise PortError(f"{in_a_line(host)} cannot be fetched: {reason}", hint="a page of the public web")
            if port not in PORTS:
                ports = ", ".join(map(str, sorted(PORTS)))
                raise PortError(f"{in_a_line(url)} is at port {port}; pages are had from the ports {ports}")
        return list(found[:_TRIES])

    async def _get(self, url: httpx2.URL) -> Answer | str:
        """One request: the answer, or where it redirects to."""
        import httpx2

        failed: Exception | None = None
        for address in await self.addresses(url):
            # The connection goes to the address that was checked; the name stays in the Host header and in TLS.
            pinned = url.copy_with(host=address, fragment=None)
            headers = {**_HEADERS, "Host": url.netloc.decode("ascii")}
            limits = httpx2.Limits(max_connections=1, max_keepalive_connections=0)
            timeout = httpx2.Timeout(self.seconds, connect=self.seconds / 2)
            trust = self._trust or _authorities()
            try:
                async with (
                    httpx2.AsyncClient(trust_env=False, verify=trust, limits=limits, timeout=timeout) as client,
                    client.stream("GET", pinned, headers=headers, extensions={"sni_hostname": _host(url)}) as response,
                ):
                    location = response.headers.get("location")
                    if response.status_code in (301, 302, 303, 307, 308) and location:
                        return str(location)
                    return await _answer(url, response)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                failed = error
            except (httpx2.HTTPError, httpx2.StreamError) as error:
                failed = error
                break
        raise RunError(f"{in_a_line(url)} cannot be fetched: {_reason(failed)}") from failed


def _parsed(url: object, base: httpx2.URL | None = None) -> httpx2.URL:
    """A URL that can be fetched at all; PortError says what is wrong with another."""
    import httpx2

    if not isinstance(url, str) or not url.strip():
        raise PortError("there is no URL", hint=_HINT)
    shown = in_a_line(url)
    if len(url) > LONGEST_URL:
        raise PortError(f"a URL has at most {LONGEST_URL} characters, this one {len(url)}: {shown}", hint=_HINT)
    if not url.isprintable() or " " in url.strip():
        raise PortError(f"{shown} has spaces or control characters in it", hint=_HINT)
    try:
        found = httpx2.URL(url.strip()) if base is None else base.join(url.strip())
        host, port, secret = found.host, found.port, found.userinfo
    except (httpx2.InvalidURL, ValueError) as error:
        raise PortError(f"{shown} is no URL: {in_a_line(error)}", hint=_HINT) from None
    if found.scheme not in ("http", "https"):
        raise PortError(f"{shown} is neither http: nor https:", hint=_HINT)
    if secret:
        raise PortError("a URL with a name or password in it is not fetched", hint=_HINT)
    if not host or "%" in host or not (port is None or 0 < port < 65536):
        raise PortError(f"{shown} names no host", hint=_HINT)
    return found


def _reason(error: BaseException | None) -> str:
    """What an error says, or the one that it came from."""
    name = type(error).__name__
    while error is not None:
        if str(error).strip():
            return in_a_line(error, 300)
        error = error.__cause__ or error.__context__
    return name


def _host(url: httpx2.URL) -> str:
    """The host in ASCII, as it is looked up."""
    return url.raw_host.decode("ascii").lower()


@lru_cache(maxsize=1)
def _authorities() -> ssl.SSLContext:
    """Whom TLS trusts; made once, for it takes tens of milliseconds."""
    import httpx2

    return httpx2.create_ssl_context()


async def _answer(url: httpx2.URL, response: httpx2.Response) -> Answer:
    """Read what comes, as far as it is wanted. What was packed is unpacked here, so that a bomb is bounded too."""
    packed = response.headers.get("content-encoding", "identity").strip().lower()
    if packed not in ("", "identity", "gzip", "x-gzip"):
        raise PortError(f"{in_a_line(url)} is packed as {in_a_line(packed, 20)}, which was not asked for")
    unpack = zlib.decompressobj(31) if "gzip" in packed else None
    data = bytearray()
    broken: zlib.error | None = None
    # Ended by cancelling, not by leaving the loop: the library's generators within are closed only so.
    with anyio.CancelScope() as enough:
        async for piece in response.aiter_raw(_PIECE):
            if enough.cancel_called:
                continue
            try:
                data += piece if unpack is None else unpack.decompress(piece, SIZE + 1 - len(data))
            except zlib.error as error:
                broken = error
            if broken or len(data) > SIZE:
                enough.cancel()
    if broken:
        raise RunError(f"{in_a_line(url)} cannot be fetched: {broken}") from broken
    kind, _, rest = response.headers.get("content-type", "").partition(";")
    charset = next((p.split("=", 1)[1] for p in rest.split(";") if p.strip().lower().startswith("charset=")), "")
    whole = len(data) <= SIZE
    del data[SIZE:]
    kind, charset = kind.strip().lower(), charset.strip(" \"'")
    return Answer(str(url), response.status_code, kind, charset, bytes(data), whole)


def _picture(answer: Answer) -> dict[str, Any]:
    if not answer.whole:
        raise PortError(f"{in_a_line(answer.url)} ({answer.media_type}) is larger than {SIZE:,} bytes")
    if not answer.data.startswith(PICTURES[answer.media_type]):
        raise PortError(f"{in_a_line(answer.url)} says that it is {answer.media_type}, and is not")
    return {"url": answer.url, "content": Blob(answer.data, answer.media_type)}


def _read(answer: Answer, wanted: Callable[[], bool]) -> tuple[str, str, bool]:
    """The title, the text, and whether that is all."""
    kind = answer.media_type
    sub = kind.partition("/")[2]
    known = kind.startswith("text/") or sub.split("+")[-1] in _APPLICATION_TEXT
    if not known and (kind not in ("", "application/octet-stream") or b"\0" in answer.data[:4096]):
        raise PortError(
            f"{in_a_line(answer.url)} is {in_a_line(kind or 'binary', 60)} ({len(answer.data):,} bytes), "
            "which cannot be read as text"
        )
    text = decoded(answer.data, answer.charset)
    begins = text[:500].lstrip("\ufeff \t\r\n").lower()
    if sub in ("html", "xhtml+xml") or (not known and begins.startswith(("<!doctype html", "<html"))):
        page = readable(text, answer.url, wanted)
        return page.title, page.text, page.whole and answer.whole
    return "", plain(text), answer.whole


def decoded(data: bytes, charset: str = "") -> str:
    """Text of bytes: by their mark, the charset that the header or the page says, UTF-8, or Windows-1252."""
    import codecs
    import re

    marks = [(codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")]
    marked = next((name for mark, name in marks if data.startswith(mark)), "")
    said = re.search(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([\w.:-]{1,40})", data[:2048], re.IGNORECASE)
    for name in (marked, charset[:40], said[1].decode("ascii", "ignore") if said else ""):
        try:
            proper = codecs.lookup(name).name.replace("-", "_") if name else ""
            if proper and proper not in _NO_CHARSETS:
                return data.decode(proper, "replace")
        except (LookupError, ValueError):  # no such charset, or one that is not of text: the next guess
            continue
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        cut = error.start >= len(data) - 3  # a character that the bound on size cut in two
        return data.decode("utf-8", "ignore") if cut else data.decode("cp1252", "replace")


def _told(answer: Answer, title: str, text: str, whole: bool, start: int) -> str:
    """The page with a heading that says what it is, and how to read on."""
    head = [in_a_line(answer.url, LONGEST_URL)]
    if answer.status != 200:
        head.append(f"The server answered with status {answer.status}.")
    if title:
        head.append(f"Title: {title[:300]}")
    if start and start >= len(text):
        raise PortError(f"the page has {len(text)} characters, so none from {start} on", hint="start=0")
    shown = text[start : start + LONGEST]
    if len(shown) < len(text):
        end = start + len(shown)
        more = f"; read on with start={end}" if end < len(text) else ""
        head.append(f"Characters {start} to {end} of {len(text)}{more}.")
    if not whole:
        head.append("The page is too long to be read to its end; this is from its beginning.")
    return "\n".join(head) + "\n\n" + (shown or "(no text)")
