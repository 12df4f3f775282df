from __future__ import annotations

from typing import Any

import pytest

from yggdrasil.core.secrets import find_secrets, redact, refuse_secrets
from yggdrasil.errors import SecretError

KEY = "sk-ant-api03-abcdefghijklmnop"


@pytest.mark.parametrize(
    ("config", "where", "variable"),
    [
        ({"api_key": "abc"}, "api_key", "OPENAI_API_KEY"),
        ({"API-Key": "abc"}, "API-Key", "OPENAI_API_KEY"),
        ({"a": {"b": [{"apiKey": "x"}]}}, "a.b[0].apiKey", "API"),
        ({"nodes": {"n": {"type": "llm/anthropic", "api_key": "x"}}}, "nodes.n.api_key", "ANTHROPIC_API_KEY"),
        ({"headers": {"Authorization": "Basic abc"}}, "headers.Authorization", "AUTHORIZATION"),
        ({"password": 123456}, "password", "PASSWORD"),
        ({"openai_api_key": ["a", ""]}, "openai_api_key[0]", "OPENAI_API_KEY"),
        ({"secret": {"value": "x"}}, "secret.value", "export"),
        ({"note": f"use {KEY}"}, "note", "ANTHROPIC_API_KEY"),
        ({"note": "sk-abcdefghijklmnopqrst"}, "note", "OPENAI_API_KEY"),
        ({"note": "AKIAIOSFODNN7EXAMPLE"}, "note", "AWS_ACCESS_KEY_ID"),
        ({"note": "ghp_" + "a1" * 18}, "note", "GITHUB_TOKEN"),
        ({"note": "Bearer abcdefghijklmnop"}, "note", "API_KEY"),
        ({"store": "postgresql://me:hunter22@host/db"}, "store", "PGPASSWORD"),
        ({"content": {"letters": f"psst {KEY}"}}, "content.letters", "ANTHROPIC_API_KEY"),
        ({"model": "${MODEL_NAME}"}, "model", "MODEL_NAME"),
        ({"api_key": "${OPENAI_API_KEY:-sk-123456789012345}"}, "api_key", "OPENAI_API_KEY"),
        ({KEY: 1}, "", "ANTHROPIC_API_KEY"),
    ],
)
def test_refused_without_being_shown(config: Any, where: str, variable: str) -> None:
    with pytest.raises(SecretError) as caught:
        refuse_secrets(config, "graph.yaml")
    message = str(caught.value)
    assert message.startswith(f"graph.yaml: {where}" if where else "graph.yaml: ")
    assert variable in message
    for secret in (KEY, "sk-", "hunter22", "AKIAIO", "ghp_a", "abcdefghijklmnop", "123456", "Basic abc", "'x'"):
        assert secret not in message


@pytest.mark.parametrize(
    "config",
    [
        {"api_key": ""},
        {"api_key": None},
        {"max_tokens": 100, "tokens": "a", "pad_token": "</s>", "secretary": "Kara"},
        {"inputs": {"token": "reader.token"}},
        {"content": {"characters": {"kara": {"secret": "she lit the beacon", "password": "mellon"}}}},
        {"instructions": "Say ${name} and nothing of keys; a task-oriented disk-based risk-free one."},
        {"endpoint_url": "http://127.0.0.1:8101/v1"},
        {"token": 5},
    ],
)
def test_innocent(config: Any) -> None:
    assert list(find_secrets(config)) == []


def test_a_shown_line_is_redacted() -> None:
    for line in (f"  api_key: {KEY}", f"note: {KEY}", "Password = hunter2", 'x: {"token": "abc", y: 1'):
        shown = redact(line)
        assert "hidden" in shown
        assert KEY not in shown
        assert "hunter2" not in shown
        assert "abc" not in shown
