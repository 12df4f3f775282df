"""Event files as TensorBoard reads them: by the checksums' published values, and by protobuf's own reader."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from yggdrasil import StoreError
from yggdrasil.training.tensorboard import EventFile, crc32c, record


def messages() -> Any:
    """The Event message, declared as in TensorFlow's event.proto and summary.proto."""
    file = descriptor_pb2.FileDescriptorProto(name="event.proto", package="tf", syntax="proto3")
    kind = descriptor_pb2.FieldDescriptorProto
    fields = {
        "Value": [("tag", 1, kind.TYPE_STRING, ""), ("simple_value", 2, kind.TYPE_FLOAT, "")],
        "Summary": [("value", 1, kind.TYPE_MESSAGE, ".tf.Value")],
        "Event": [
            ("wall_time", 1, kind.TYPE_DOUBLE, ""), ("step", 2, kind.TYPE_INT64, ""),
            ("file_version", 3, kind.TYPE_STRING, ""), ("summary", 5, kind.TYPE_MESSAGE, ".tf.Summary"),
        ],
    }  # fmt: skip
    for name, listed in fields.items():
        message = file.message_type.add(name=name)
        for field, number, form, other in listed:
            label = kind.LABEL_REPEATED if field == "value" else kind.LABEL_OPTIONAL
            message.field.add(name=field, number=number, type=form, label=label, type_name=other or None)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tf.Event"))


def records(data: bytes) -> list[bytes]:
    found = []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        whole = data[: 16 + length]
        assert whole == record(whole[12:-4]), "the checksums are those of the bytes"
        found.append(whole[12:-4])
        data = data[16 + length :]
    return found


def test_checksums_have_their_published_values() -> None:
    assert crc32c(b"123456789") == 0xE3069283  # the check value of CRC-32C
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, appendix B.4
    assert crc32c(bytes([0xFF] * 32)) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E
    # every event file begins so: 24 bytes follow, whose length has this masked checksum
    assert record(bytes(24))[:12].hex() == "1800000000000000a37f4b22"


def test_scalars_are_read_back(tmp_path: Path) -> None:
    with EventFile(tmp_path / "logs", clock=lambda: 1700000000.5) as log:
        log.scalars(1, {"loss": 0.5, "lr": 1e-4})
        log.scalars(300, {"loss": 0.25})
    assert log.path.name.startswith("events.out.tfevents.1700000000.")
    event = messages()
    first, *rest = [event.FromString(data) for data in records(log.path.read_bytes())]
    assert (first.file_version, first.wall_time) == ("brain.Event:2", 1700000000.5)
    assert [e.step for e in rest] == [1, 300]
    told = [{v.tag: v.simple_value for v in e.summary.value} for e in rest]
    assert told == [{"loss": 0.5, "lr": pytest.approx(1e-4)}, {"loss": 0.25}]


def test_a_folder_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="logs cannot be written"):
        EventFile(tmp_path / "file" / "logs")
