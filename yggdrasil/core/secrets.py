"""Secrets do not belong in configs: finding them by key and by shape, without ever showing them.

A config is what is saved, sent and committed. Keys for providers come from the environment when a call is made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from yggdrasil.errors import Problem, SecretError

HIDDEN = "[secret hidden]"

# Keys, compared without case, hyphens and underscores: these exactly, and those that end so.
_KEYS = {
    "apikey", "apikeys", "token", "authtoken", "accesstoken", "refreshtoken", "bearertoken", "sessiontoken", "idtoken",
    "bearer", "password", "passwd", "passphrase", "secret", "secrets", "secretkey", "clientsecret", "privatekey",
    "accesskey", "accesskeyid", "secretaccesskey", "authorization", "credential", "credentials", "hftoken",
    "githubtoken", "xapikey",
}  # fmt: skip
_ENDINGS = (
    "apikey",
    "password",
    "secretkey",
    "clientsecret",
    "accesstoken",
    "authtoken",
    "secretaccesskey",
    "apitoken",
)

# Values that are secrets wherever they stand, and the variable each provider's own library reads.
_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), variable)
    for pattern, variable in (
        (r"(?<![A-Za-z0-9])sk-ant-[A-Za-z0-9_-]{4,}", "ANTHROPIC_API_KEY"),
        (r"(?<![A-Za-z0-9])sk-(?:proj-[A-Za-z0-9_-]{4,}|[A-Za-z0-9_-]{12,})", "OPENAI_API_KEY"),
        (r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[0-9A-Z]{12,}", "AWS_ACCESS_KEY_ID"),
        (r"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,})", "GITHUB_TOKEN"),
        (r"(?<![A-Za-z0-9])hf_[A-Za-z0-9]{16,}", "HF_TOKEN"),
        (r"(?<![A-Za-z0-9])AIza[0-9A-Za-z_-]{24,}", "GOOGLE_API_KEY"),
        (r"(?<![A-Za-z0-9])xox[abprs]-[A-Za-z0-9-]{8,}", "SLACK_TOKEN"),
        (r"(?i)\bbearer\s+[A-Za-z0-9._~+/-]{12,}", "API_KEY"),
        (r"-----BEGIN [A-Z ]*PRIVATE KEY-----", "PRIVATE_KEY"),
        (r"(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}", "API_KEY"),
        (r"\b[A-Za-z][A-Za-z0-9+.-]{0,20}://[^/\s:@]*:[^/\s@]+@", "PGPASSWORD"),
    )
)
_REFERENCE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*[^}]*\}|\$[A-Z_][A-Z0-9_]*")
_ADDRESS = re.compile(r"[\w-]+(?:\.[\w-]+)+")
_KEY_IN_TEXT = re.compile(
    r"""(?im)(["']?[\w-]*(?:api[_-]?key|token|password|secret|authorization)[\w-]*["']?\s*[:=])\s*\S.*"""
)

# Prose of a world may speak of secrets and tokens: there only the shape of a value counts.
_PROSE = {"content", "initial_world"}
_PORT_MAPS = {"inputs", "outputs", "exposed_inputs", "exposed_outputs"}


def find_secrets(value: Any, path: str = "", *, prose: bool = False) -> Iterator[Problem]:
    """Every secret in a config, as a complaint that names its place and the variable to use, never its value.

    In `prose` (a world's content) a key may be called `secret`: only values that look like one are found.
    """
    for found in _search(value, "", named=False, context={}, prose=prose):
        where = f"{path}: {found.path}" if path and found.path else path or found.path
        yield Problem(where, found.sentence, found.hint)


def refuse_secrets(value: Any, path: str = "", *, prose: bool = False) -> None:
    """SecretError for the first secret in a config; `path` is the file it came from, `prose` as in `find_secrets`."""
    for problem in find_secrets(value, path, prose=prose):
        raise SecretError(problem.sentence, path=problem.path, hint=problem.hint)


def redact(text: str) -> str:
    """`text` without what looks like a secret, for lines that are shown in an error."""
    for pattern, _ in _SHAPES:
        text = pattern.sub(HIDDEN, text)
    return _KEY_IN_TEXT.sub(rf"\1 {HIDDEN}", text)


def is_secret_key(key: str) -> bool:
    """Whether a config key of this name holds a secret: `api_key`, `OpenAI-API-Key`, `password`."""
    plain = re.sub(r"[^a-z0-9]", "", key.lower())
    return plain in _KEYS or plain.endswith(_ENDINGS)


def _search(
    value: Any, path: str, *, named: bool, context: Mapping[str, Any], prose: bool = False
) -> Iterator[Problem]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            name = str(key)
            below = f"{path}.{redact(name)}" if path else redact(name)
            if _shape(name) is not None:
                yield _complaint(path, "a key here is itself a secret", _shape(name) or "API_KEY")
            unnamed = prose or name in _PROSE
            yield from _search(
                item,
                below,
                named=not unnamed and (named or is_secret_key(name)) and not _is_address(item, path),
                context={**value, "": name},
                prose=unnamed,
            )
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _search(item, f"{path}[{index}]", named=named, context=context, prose=prose)
    else:
        yield from _judge(value, path, named, context, prose)


def _judge(value: Any, path: str, named: bool, context: Mapping[str, Any], prose: bool) -> Iterator[Problem]:
    if isinstance(value, str):
        variable = _shape(value)
        if named and _REFERENCE.search(value):
            yield _reference(path, value)
        elif variable is not None:
            yield _complaint(path, "the value looks like a secret", variable)
        elif named and value.strip():
            yield _complaint(path, "a config holds no secrets", _variable(context))
        elif not prose and _REFERENCE.fullmatch(value.strip()):
            yield _reference(path, value)
    elif named and isinstance(value, int | float) and not isinstance(value, bool) and abs(value) >= 1000:
        yield _complaint(path, "a config holds no secrets", _variable(context))


def _shape(text: str) -> str | None:
    return next((variable for pattern, variable in _SHAPES if pattern.search(text)), None)


def _is_address(value: Any, path: str) -> bool:
    """`inputs: {token: reader.token}` names a port, not a secret."""
    last = re.split(r"[.\s]", path)[-1]
    return last in _PORT_MAPS and isinstance(value, str) and _ADDRESS.fullmatch(value) is not None


def _variable(context: Mapping[str, Any]) -> str:
    """The environment variable for a key beside `provider:`, `type:` or `model:`."""
    about = " ".join(str(context[k]) for k in ("provider", "type", "block_type", "model", "model_id") if k in context)
    for word, variable in (
        ("anthropic", "ANTHROPIC_API_KEY"),
        ("claude", "ANTHROPIC_API_KEY"),
        ("openai", "OPENAI_API_KEY"),
    ):
        if word in about.lower():
            return variable
    name = re.sub(r"[^A-Z0-9]+", "_", str(context.get("", "api_key")).upper()).strip("_")
    return {"API_KEY": "OPENAI_API_KEY", "APIKEY": "OPENAI_API_KEY", "TOKEN": "OPENAI_API_KEY"}.get(
        name, name or "API_KEY"
    )


def _complaint(path: str, sentence: str, variable: str) -> Problem:
    return Problem(
        path,
        f"{sentence} ({HIDDEN}); secrets come from the environment only",
        f"remove the line, and write in the shell: export {variable}=...",
    )


def _reference(path: str, value: str) -> Problem:
    found = re.search(r"[A-Za-z_][A-Za-z0-9_]*", value)
    name = found.group() if found else "API_KEY"
    return Problem(
        path,
        "references to the environment are not read from configs",
        f"remove the line: secrets come from the environment by themselves (export {name}=...)",
    )
