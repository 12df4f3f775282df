"""One prepared call in two halves: it is sent here, without waiting; its answer is awaited there, on another thread.

So the server is at work already while the thread that will hear of it wakes up, and the driver's own preparations
for every call (100 us of 500 here) are made once.
"""

from __future__ import annotations

import select
from collections.abc import Sequence

import psycopg
from psycopg.pq import ExecStatus, Format
from psycopg.pq.abc import PGresult

from yggdrasil.storage.postgres_schema import Connection


class Call:
    """A statement without rows; its parameters by OID. One call at a time; psycopg.Error.

    It is prepared after it was done once: a connection that is cut soon is not worth it.
    """

    def __init__(self, connection: Connection, name: str, statement: str, types: Sequence[int]) -> None:
        self._wire = connection.pgconn
        self._name, self._statement, self._types = name.encode(), statement.encode(), types
        self._formats = [Format.BINARY] * len(types)
        self._fault: psycopg.Error | None = None
        self._prepared = False

    def start(self, values: Sequence[bytes]) -> None:
        """Send it with its values, in PostgreSQL's binary form. Never waits; what goes wrong is told by `finish`."""
        self._fault = None
        try:
            if self._prepared:
                self._wire.send_query_prepared(self._name, values, self._formats, Format.BINARY)
            else:
                self._wire.send_query_params(self._statement, values, self._types, self._formats, Format.BINARY)
            self._wire.flush()
        except psycopg.Error as error:
            self._fault = error

    def finish(self) -> None:
        """Wait until it is done."""
        if self._fault is not None:
            raise self._fault
        _check(self._answer())
        if not self._prepared:
            self._prepared = self._prepare()

    def _prepare(self) -> bool:
        try:
            _check([self._wire.prepare(self._name, self._statement, self._types)])
        except psycopg.Error:  # what was asked is done; the next call is told of a lost connection
            return False
        return True

    def _answer(self) -> list[PGresult]:
        results: list[PGresult] = []
        while self._wire.flush():  # what the socket had no room for
            self._await(select.POLLIN | select.POLLOUT)
        while True:
            while self._wire.is_busy():
                self._await(select.POLLIN)
            result = self._wire.get_result()
            if result is None:
                return results
            results.append(result)

    def _await(self, events: int) -> None:
        poll = select.poll()
        poll.register(self._wire.socket, events)
        if any(event & ~select.POLLOUT for _, event in poll.poll()):
            self._wire.consume_input()


def roll_back(connection: Connection) -> None:
    """End the transaction. Past the driver, which would have the server forget all that is prepared."""
    _check([connection.pgconn.exec_(b"ROLLBACK")])


def _check(results: Sequence[PGresult]) -> None:
    for result in results:
        if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            raise psycopg.errors.error_from_result(result)
