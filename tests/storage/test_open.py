from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from yggdrasil.errors import ConfigError
from yggdrasil.storage.memory import MemoryStore
from yggdrasil.storage.open import open_store
from yggdrasil.storage.sqlite import SqliteStore


@pytest.mark.parametrize(
    ("url", "opened"),
    [
        ("sqlite:///relative.db", "sqlite:///relative.db"),
        ("sqlite:///folder/relative.db", "sqlite:///folder/relative.db"),
        ("sqlite:////tmp/absolute.db", "sqlite:////tmp/absolute.db"),
        ("world.db", "sqlite:///world.db"),
        ("/tmp/world.db", "sqlite:////tmp/world.db"),
        ("./a?b.db", "sqlite:///a?b.db"),
    ],
)
def test_sqlite(url: str, opened: str) -> None:
    store = open_store(url)
    assert isinstance(store, SqliteStore)
    assert store.url == opened
    assert open_store(store) is store
    assert not Path(url).exists(), "nothing happens before it is opened"


def test_memory() -> None:
    assert isinstance(open_store(None), MemoryStore)
    assert isinstance(open_store("memory://"), MemoryStore)
    assert open_store("memory://").url == "memory://"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite://file.db", "", " ", ":memory:", "sqlite:///:memory:",
                                 "sqlite:///a.db?mode=ro", "memory://name", "a\0b"])  # fmt: skip
def test_urls_that_name_nothing(url: str) -> None:
    with pytest.raises(ConfigError) as error:
        open_store(url)
    assert error.value.hint


def test_unknown_scheme() -> None:
    with pytest.raises(ConfigError, match=r"'redis'.*memory://.*sqlite:///"):
        open_store("redis://somebody:secret@host/1")


def test_postgres_is_not_here_yet_and_the_password_is_not_shown() -> None:
    with pytest.raises(ConfigError, match="extra `postgres`") as error:
        open_store("postgresql://somebody:s3cret@host/worlds")
    assert "s3cret" not in str(error.value)


def test_sqlite_is_loaded_on_first_use() -> None:
    code = "import sys, yggdrasil.storage.open; sys.exit('sqlite3' in sys.modules)"
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, env=os.environ, check=False).returncode == 0
