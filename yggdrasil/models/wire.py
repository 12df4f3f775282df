"""A wire format: how one API says a request and a reply. Each is data and four functions; none knows a connection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from yggdrasil.abc.model import Delta
from yggdrasil.core.messages import Reply, Request
from yggdrasil.core.profile import Profile
from yggdrasil.core.value import Value


class Target(Value):
    """Whom a request is for.

    model      `provider:model_id`, for messages
    own        at the provider itself, not at a server like it
    streaming  whether the answer is to come piece by piece
    force      the tool that must be called, "" for the model's choice
    cache      whether to mark what the provider shall keep for the next request
    """

    model: str
    model_id: str
    profile: Profile
    own: bool = True
    streaming: bool = False
    force: str = ""
    cache: bool = True


class Collector(Protocol):
    """Puts the events of one stream together."""

    def add(self, event: Any) -> None:
        """Take one event (attributes that are missing are None); StreamError when it is none."""

    def reply(self) -> Reply:
        """The whole; StreamError when the stream ended early."""


def _nothing(answer: Any) -> Mapping[str, float]:
    return {}


class WireFormat(Value):
    """One API.

    named      what its SDK insists on by name; the rest goes as it stands
    resource   the part of an SDK client that creates replies
    body       a request as JSON; ModelRequestError for what the format cannot carry
    read       a whole answer as a Reply; ModelReplyError when it is none, RefusalError when the model refused
    collect    a Collector: for messages the model's name, who is told each piece, the tool whose arguments are text
    counts     of a whole answer or a Collector, what has a price of its own besides a Usage, as the price list calls it
    """

    named: tuple[str, ...]
    resource: Callable[[Any], Any]
    body: Callable[[Request, Target], dict[str, Any]]
    read: Callable[[Any, str], Reply]
    collect: Callable[[str, Delta, str], Collector]
    counts: Callable[[Any], Mapping[str, float]] = _nothing
