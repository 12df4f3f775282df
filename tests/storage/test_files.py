from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yggdrasil.errors import ConfigError, PortError, SecretError, StoreError
from yggdrasil.storage.files import (
    parse,
    read_config,
    read_content,
    read_text,
    read_value,
    resolve_ref,
    to_json,
    to_yaml,
    write_config,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


def message(text: str, **options: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, "f.yaml", **options)
    said = str(caught.value)
    assert len(said.splitlines()) <= 20, "one screen"
    return said


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", "f.yaml:3:1", ["'a'", "twice", "line 1", "a: 3"]),
        ("a: [1,\n", "f.yaml:1", ["close the bracket"]),
        ("a: 'x\n\n", "f.yaml:1:4", ["close the quote"]),
        ("a: b: c", "f.yaml:1:5", ["quotes"]),
        ("a:\n\tb: 1", "f.yaml:2:1", ["spaces"]),
        ("a:\n  b: 1\n c: 2", "f.yaml:3:2", ["line the keys"]),
        ("1: x", "f.yaml:1:1", ["not text", '"1"']),
        ("a: .nan", "f.yaml:1:4", ["null"]),
        ("a: -.inf", "f.yaml:1:4", ["null"]),
        ("a: 1e999", "f.yaml:1:4", ["too large"]),
        ("a: 1\n---\nb: 2", "f.yaml:2:1", ["second document"]),
        ("a: &a [*a]", "f.yaml:1:8", ["itself"]),
        ("a: *b", "f.yaml:1:4", ["not defined"]),
        ("? [a]\n: b", "f.yaml:1:3", ["keys are text"]),
        ("a: !!python/object/apply:os.system ['true']", "f.yaml:1:4", ["python", "never runs code", "@register"]),
        ("a: !!python/name:os.system", "f.yaml:1:4", ["never runs code"]),
        ("a: !mine x", "f.yaml:1:4", ["!mine"]),
        ("a: !!binary aGk=", "f.yaml:1:4", ["!!binary"]),
        ("a: !!int x", "f.yaml:1:4", ["not what its tag says"]),
        ("a: " + "[" * 200 + "]" * 200, "f.yaml:1:", ["deeper than 100", "ref:"]),
        ("a: " + "9" * 2000, "f.yaml:1:4", ["digits"]),
        ("a: b\x00", "f.yaml:1", ["control characters"]),
        ("<<: 3", "f.yaml:1:5", ["merges mappings"]),
    ],
)
def test_broken_yaml_says_where_and_what_to_write(text: str, where: str, words: list[str]) -> None:
    said = message(text)
    assert said.startswith(where), said
    for word in words:
        assert word in said


@pytest.mark.parametrize(
    ("text", "where", "word"),
    [
        ('{"a": 1,\n "a": 2}', "f.yaml:2", "twice"),
        ('{"a": NaN}', "f.yaml:1", "null"),
        ('{"a": -Infinity}', "f.yaml:1", "null"),
        ('{"a": 1e999}', "f.yaml", "too large"),
        ('{"a": 1,}', "f.yaml:1:", "comma"),
        ("[[", "f.yaml:1:3", "Expecting value"),
        ("{} {}", "f.yaml:1:4", "one value"),
        ("[" * 100_000, "f.yaml", "deeper"),
        ("[" * 150 + "]" * 150, "f.yaml", "deeper"),
        ("1" * 5000, "f.yaml", "digits"),
        ('"\\ud800"', "f.yaml", "surrogate"),
    ],
)
def test_broken_json_says_where_and_what_to_write(text: str, where: str, word: str) -> None:
    said = message(text, json_text=True)
    assert said.startswith(where)
    assert word in said


def test_a_yaml_bomb_is_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    started = time.perf_counter()
    assert "expands to more than" in message("\n".join(lines))
    assert "expands to more than" in message(
        "a: &a " + "x" * 100_000 + "\n" + "\n".join(f"b{i}: *a" for i in range(2000))
    )
    deep = ["a0: &a0 [x]", *(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 5000))]
    assert "deeper" in message("\n".join(deep))
    assert time.perf_counter() - started < 10


def test_scalars_mean_what_people_mean() -> None:
    text = "{no: no, time: 12:30, day: 2026-11-21, yes: true, n: ~, i: -3, h: 0x1f, o: 0o17, z: 010, f: 1e3, s: '3'}"
    assert parse(text) == {
        "no": "no", "time": "12:30", "day": "2026-11-21", "yes": True, "n": None, "i": -3, "h": 31, "o": 15, "z": 10,
        "f": 1000.0, "s": "3",
    }  # fmt: skip
    assert parse("") is None
    assert parse("a: !!str 3\nb: !!float 3\nc: ! 3") == {"a": "3", "b": 3.0, "c": "3"}


def test_aliases_and_merges_make_separate_values() -> None:
    value = parse("base: &b {x: 1, l: [1]}\none: {<<: *b, x: 2}\ntwo: *b\nthree: {<<: [{q: 1}, *b]}\nfour: {'<<': 1}")
    assert value["one"] == {"x": 2, "l": [1]}
    assert value["three"] == {"q": 1, "x": 1, "l": [1]}
    assert value["four"] == {"<<": 1}
    value["two"]["l"].append(2)
    assert value["base"]["l"] == [1]
    assert value["one"]["l"] == [1]


@given(JSON)
def test_yaml_round_trip(value: Any) -> None:
    text = to_yaml(value)
    assert parse(text) == value
    assert json.dumps(parse(text)) == json.dumps(value), "keys keep their order, numbers their kind"
    assert to_yaml(parse(text)) == text


@given(JSON)
def test_json_round_trip(value: Any) -> None:
    assert json.dumps(parse(to_json(value), json_text=True)) == json.dumps(value)


@given(st.dictionaries(st.text(min_size=1), st.text() | st.integers() | st.lists(st.text())))
def test_other_readers_read_what_we_write(value: Any) -> None:
    assert yaml.safe_load(to_yaml(value)) == value


def test_written_for_people() -> None:
    value = {
        "kind": "graph",
        "edges": ["a.x -> b.y"],
        "nodes": {"r": {"type": "agent/llm", "instructions": "Line one\nline two\n"}},
        "steps": [{"a": 1}, {"b": [1, 2]}],
        "empty": {},
        "name": "Ásgerðr 🐺",
    }
    assert to_yaml(value) == (
        "kind: graph\nedges: [a.x -> b.y]\nnodes:\n  r:\n    type: agent/llm\n    instructions: |\n      Line one\n"
        "      line two\nsteps:\n  - a: 1\n  - b: [1, 2]\nempty: {}\nname: Ásgerðr 🐺\n"
    )


def test_what_is_not_json_cannot_be_written() -> None:
    with pytest.raises(PortError, match="a/0"):
        to_yaml({"a": [float("nan")]})
    with pytest.raises(PortError):
        to_json({"a": object()})
    ring: list[Any] = []
    ring.append(ring)
    with pytest.raises(PortError):
        to_yaml(ring)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(
    data=st.binary() | st.text(alphabet="{}[]:,&*!|>-?'\"#%@` \n\tab01.<~\\").map(str.encode),
    ending=st.sampled_from(["yaml", "json"]),
)
def test_any_bytes_give_a_value_or_a_config_error(tmp_path: Path, data: bytes, ending: str) -> None:
    path = tmp_path / f"any.{ending}"
    path.write_bytes(data)
    started = time.perf_counter()
    said = ""
    try:
        value = read_value(path)
    except ConfigError as error:
        said = str(error)
    else:
        assert json.loads(json.dumps(value, allow_nan=False)) == value
    assert said.count("\n") < 20
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        "{" * 200_000,
        "a: " * 100_000,
        "- " * 100_000,
        "&a " * 50_000,
        "!" * 100_000,
        "? " * 50_000,
        "'" * 100_001,
        "a\n" * 200_000,
    ],
)
def test_hostile_yaml_ends_soon(text: str) -> None:
    started = time.perf_counter()
    said = ""
    try:
        parse(text)
    except ConfigError as error:
        said = str(error)
    assert len(said) < 1000
    assert time.perf_counter() - started < 10


def test_files_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "graph.yaml").write_text("a: 1")
    (tmp_path / "list.yaml").write_text("- 1")
    (tmp_path / "bytes.yaml").write_bytes(b"a: 1\nb: \xff\xfe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "big.yaml").write_text("a: 1" * 10)
    os.mkfifo(tmp_path / "pipe.yaml")
    for name, words in {
        "grap.yaml": ["no such file", "'graph.yaml'"],
        "nowhere/x.yaml": ["no such file", "no folder nowhere"],
        "folder": ["a folder"],
        "list.yaml": ["a list, not a mapping"],
        "bytes.yaml": ["bytes.yaml:2", "not UTF-8", "0xff"],
        "pipe.yaml": ["not a regular file"],
        "a\0b": ["cannot be read"],
    }.items():
        with pytest.raises(ConfigError) as caught:
            read_config(name)
        for word in [name.split("/")[0], *words]:
            assert word in str(caught.value)
    with pytest.raises(ConfigError, match="larger than 20 bytes"):
        read_config("big.yaml", size=20)
    assert read_text("graph.yaml") == "a: 1"
    (tmp_path / "graph.yaml").write_bytes(b"\xef\xbb\xbfa: 1")
    assert read_config("graph.yaml") == {"a": 1}


def test_a_secret_in_a_file_is_refused_and_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text("kind: agent\nnodes:\n  llm: {type: llm/anthropic, api_key: sk-ant-verysecretkey}\n")
    with pytest.raises(SecretError) as caught:
        read_config(path)
    assert "verysecret" not in str(caught.value)
    assert "agent.yaml: nodes.llm.api_key" in str(caught.value)
    assert "ANTHROPIC_API_KEY" in str(caught.value)
    path.write_text("api_key: sk-ant-verysecretkey: broken\n")
    with pytest.raises(ConfigError) as broken:
        read_config(path)
    assert "verysecret" not in str(broken.value)
    with pytest.raises(SecretError):
        write_config(tmp_path / "new.yaml", {"api_key": "x"})
    assert not (tmp_path / "new.yaml").exists()


def test_refs_stay_inside(tmp_path: Path) -> None:
    root = tmp_path / "project"
    (root / "graphs").mkdir(parents=True)
    file = root / "world.yaml"
    (root / "graphs" / "answer.yaml").write_text("a: 1")
    (tmp_path / "outside.yaml").write_text("a: 1")
    (root / "link.yaml").symlink_to(tmp_path / "outside.yaml")
    (root / "ring.yaml").symlink_to(root / "ring.yaml")
    assert resolve_ref("graphs/answer.yaml", file=file, root=root) == root / "graphs" / "answer.yaml"
    file.write_text("a: 1")
    assert resolve_ref("../world.yaml", file=root / "graphs" / "x.yaml", root=root) == file
    for ref, word in {
        "../outside.yaml": "leads out",
        "graphs/../../outside.yaml": "leads out",
        "link.yaml": "leads out",
        str(tmp_path / "outside.yaml"): "not relative",
        "~/x.yaml": "not relative",
        "C:/x.yaml": "not relative",
        "http://host/x.yaml": "endpoint_url",
        "graphs/anser.yaml": "'answer.yaml'",
        "ring.yaml": "ring.yaml",
        "": "no path",
        "a\0b": "no path",
        "x" * 5000: "followed",
    }.items():
        with pytest.raises(ConfigError) as caught:
            resolve_ref(ref, file=file, root=root)
        assert word in str(caught.value)
    with pytest.raises(ConfigError):
        resolve_ref(3, file=file, root=root)


def test_write_and_read_back(tmp_path: Path) -> None:
    value = {"kind": "graph", "version": 1, "nodes": {"a": {"type": "x/y"}}}
    for name in ("deep/er/g.yaml", "g.json"):
        write_config(tmp_path / name, value)
        assert read_config(tmp_path / name) == value
    assert sorted(p.name for p in tmp_path.iterdir()) == ["deep", "g.json"]
    with pytest.raises(StoreError, match=r"g\.json"):
        write_config(tmp_path / "g.json" / "x.yaml", value)


def test_a_folder_is_a_mapping(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text('{"x": 1}')
    (tmp_path / "a.yaml").write_text("[1]")
    (tmp_path / "notes.txt").write_text("no")
    assert read_content(tmp_path) == {"a": [1], "b": {"x": 1}}
    assert list(read_content(tmp_path)) == ["a", "b"]
    (tmp_path / "c.yaml").write_text("kara: {secret: she lit the beacon}")
    assert read_content(tmp_path)["c"] == {"kara": {"secret": "she lit the beacon"}}
    assert read_content(tmp_path / "c.yaml") == {"kara": {"secret": "she lit the beacon"}}
    (tmp_path / "c.yaml").write_text("kara: {note: sk-ant-abcdefgh}")
    with pytest.raises(SecretError, match=r"c\.yaml: kara\.note"):
        read_content(tmp_path)
    (tmp_path / "c.yaml").unlink()
    (tmp_path / "a.json").write_text("1")
    with pytest.raises(ConfigError, match="twice"):
        read_content(tmp_path)
    with pytest.raises(ConfigError):
        read_content(tmp_path / "none")
