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

ROOT = Path(__file__).resolve().parents[2]


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


@pytest.mark.parametrize(
    ("url", "opened"),
    [
        ("postgresql://host/worlds", "postgresql://host/worlds"),
        ("postgres://kara:s3cret@host:5433/worlds", "postgresql://kara@host:5433/worlds"),
        ("postgresql://kara:s%40cr%2Fet@[::1]/worlds?schema=north", "postgresql://kara@[::1]/worlds?schema=north"),
        ("postgresql://one:5432,two:5433/w?target_session_attrs=read-write&password=s3cret",
         "postgresql://one:5432,two:5433/w?target_session_attrs=read-write"),
        ("postgresql:///worlds?host=/run/postgresql&schema=yggdrasil", "postgresql:///worlds?host=%2Frun%2Fpostgresql"),
        ("postgresql://", "postgresql:///"),
    ],
)  # fmt: skip
def test_postgres(url: str, opened: str) -> None:
    store = open_store(url)
    assert type(store).__name__ == "PostgresStore"
    assert store.url == opened
    assert open_store(opened).url == opened
    assert "s3cret" not in repr(vars(store))


@pytest.mark.parametrize(
    "url",
    ["postgresql://kara:s3cret@x@host/w", "postgresql://kara:s3cret/x@host/w", "postgresql://kara:s3cret?x@host/w",
     "postgresql://kara:s3cret%zz@host/w", "postgresql://kara:s3cret@host/w?nonsense=1",
     "postgresql://kara:s3cret@host/w?schema=", "postgresql://kara:s3cret@host/w?schema=A%20b",
     "postgresql://kara:s3cret@host/w?schema=pg_x", "postgresql://kara:s3cret@host/w\0", "postgresql://kara:s3cret@ho%0ast/w",
     "postgresql:kara:s3cret@host/w"],
)  # fmt: skip
def test_urls_of_no_postgres_and_the_password_is_not_shown(url: str) -> None:
    with pytest.raises(ConfigError) as error:
        open_store(url)
    assert error.value.hint
    assert "s3cret" not in str(error.value)
    assert "s3cret" not in repr(error.value.__cause__)


def test_without_psycopg_the_line_to_write_is_told() -> None:
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from yggdrasil.storage.open import open_store\n"
        "from yggdrasil.errors import ConfigError\n"
        "try: open_store('postgresql://kara:s3cret@host/w')\n"
        "except ConfigError as error: print(error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert "pip install 'yggdrasil-worlds[postgres]'" in said
    assert "s3cret" not in said


def test_psycopg_is_loaded_on_first_use() -> None:
    code = "import sys, yggdrasil, yggdrasil.storage.open; sys.exit('psycopg' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_sqlite_is_loaded_on_first_use() -> None:
    code = "import sys, yggdrasil.storage.open; sys.exit('sqlite3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=os.environ, check=False).returncode == 0
