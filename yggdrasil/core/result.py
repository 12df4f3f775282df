"""What `run` returns: the outputs by port, and what the run was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Generic

from typing_extensions import TypeVar

from yggdrasil.core.messages import Usage
from yggdrasil.errors import PortError, close_names

T = TypeVar("T", default=Any)
"""The type of a run's main output."""


class Result(Mapping[str, Any], Generic[T]):
    """A read-only mapping of output ports.

    `.output` is the main one: the port named `output` or `response`, else the only one.
    `.usage` what was spent, `.path` where it ran, `.events` when asked for, `.profile` likewise.
    """

    __slots__ = ("_outputs", "events", "path", "profile", "usage")

    def __init__(
        self,
        outputs: Mapping[str, Any],
        *,
        usage: Usage | None = None,
        path: str = "",
        events: tuple[Any, ...] = (),
        profile: Any = None,
    ) -> None:
        self._outputs = outputs
        self.usage = usage or _NOTHING
        self.path = path
        self.events = events
        self.profile = profile

    def __getitem__(self, port: str) -> Any:
        try:
            return self._outputs[port]
        except KeyError:
            raise KeyError(f"no output {port!r}; {close_names(port, self._outputs)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._outputs)

    def __len__(self) -> int:
        return len(self._outputs)

    @property
    def output(self) -> T:
        """The main output; PortError when there are several and none is named output or response."""
        for name in ("output", "response"):
            if name in self._outputs:
                return self._outputs[name]  # type: ignore[no-any-return]
        if len(self._outputs) == 1:
            return next(iter(self._outputs.values()))  # type: ignore[no-any-return]
        raise PortError(
            f"there are {len(self._outputs)} outputs: {', '.join(self._outputs) or 'none'}",
            path=self.path,
            hint=f'result["{next(iter(self._outputs), "port")}"]',
        )

    def __repr__(self) -> str:
        return f"Result({dict(self._outputs)!r})"


_NOTHING = Usage()
