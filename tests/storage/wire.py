"""A wire between a client and a server that can be cut at a chosen moment of a transaction."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

Cut = Callable[["Link", bytes], bool]


class Link:
    """One connection through the wire."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server

    def close(self) -> None:
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class Wire:
    """Forwards to a port. `cut` is set to one of the functions below, and used once: on what carries `word` next."""

    def __init__(self, port: int, word: bytes) -> None:
        self._target, self._word = port, word
        self.cut: Callable[[Link, bytes], None] | None = None
        self.cuts = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._links: list[Link] = []
        self._later: list[threading.Thread] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            link = Link(client, socket.create_connection(("127.0.0.1", self._target)))
            self._links.append(link)
            threading.Thread(target=self._up, args=(link,), daemon=True).start()
            threading.Thread(target=self._down, args=(link,), daemon=True).start()

    def _up(self, link: Link) -> None:
        with contextlib.suppress(OSError):
            while data := link.client.recv(1 << 20):
                if self.cut is not None and self._word in data:
                    cut, self.cut = self.cut, None
                    self.cuts += 1
                    cut(link, data)
                    return
                link.server.sendall(data)
            link.close()

    def _down(self, link: Link) -> None:
        with contextlib.suppress(OSError):
            while data := link.server.recv(1 << 20):
                link.client.sendall(data)
            link.close()

    # --- ways of cutting

    def before(self, link: Link, data: bytes) -> None:
        """The server never hears of it."""
        link.close()

    def after(self, link: Link, data: bytes) -> None:
        """The server does it; its answer is lost."""
        with contextlib.suppress(OSError):
            link.client.shutdown(socket.SHUT_WR)  # nothing goes down any more
        link.server.sendall(data)
        time.sleep(0.2)
        link.close()

    def late(self, link: Link, data: bytes) -> None:
        """The client is cut off; the server hears of it when the client has come back by another way."""
        with contextlib.suppress(OSError):
            link.client.shutdown(socket.SHUT_RDWR)

        def deliver() -> None:
            time.sleep(1.0)
            link.server.sendall(data)
            time.sleep(0.2)
            link.close()

        thread = threading.Thread(target=deliver, daemon=True)
        thread.start()
        self._later.append(thread)

    def close(self) -> None:
        """Wait for what is to be delivered late, and end."""
        for thread in self._later:
            thread.join()
        self._listening.close()
        for link in self._links:
            link.close()


@contextlib.contextmanager
def wire(port: int, word: bytes) -> Iterator[Wire]:
    made = Wire(port, word)
    try:
        yield made
    finally:
        made.close()
