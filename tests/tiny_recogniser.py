"""A recogniser of lines as RapidOCR loads them: ONNX with its letters in the metadata, written by hand.

It says "Д" where the left half of a stretch of 16 pixels is the brighter one, "А" where the right half is.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

LETTERS = ("Д", "А")
_FLOAT, _INT64 = 1, 7
_ACROSS, _STEEP = 16, 400.0


def write(path: Path) -> Path:
    """The file, at the path."""
    classes = len(LETTERS) + 2  # what stands for no letter comes first, the space last
    weights = np.zeros((classes, 3, 48, _ACROSS), np.float32)
    half = _STEEP / (3 * 48 * _ACROSS)
    weights[1, :, :, : _ACROSS // 2], weights[1, :, :, _ACROSS // 2 :] = half, -half
    weights[2] = -weights[1]
    bias = np.array([4.0, 0.0, 0.0, -1e4], np.float32)
    nodes = [
        _node("Conv", ["x", "weights", "bias"], "a", {"strides": [48, _ACROSS]}),
        _node("Squeeze", ["a", "axis"], "b", {}),
        _node("Transpose", ["b"], "c", {"perm": [0, 2, 1]}),
        _node("Softmax", ["c"], "y", {}),
    ]
    tensors = [_tensor("weights", weights), _tensor("bias", bias), _tensor("axis", np.array([2], np.int64))]
    graph = b"".join(
        [
            *(_field(1, node) for node in nodes),
            _field(2, b"recogniser"),
            *(_field(5, tensor) for tensor in tensors),
            _field(11, _value("x", ["n", 3, 48, "w"])),
            _field(12, _value("y", ["n", "t", classes])),
        ]
    )
    letters = _field(1, b"character") + _field(2, "\n".join(LETTERS).encode())
    path.write_bytes(_number(1, 8) + _field(7, graph) + _field(8, _number(2, 13)) + _field(14, letters))
    return path


def _node(kind: str, inputs: list[str], output: str, attributes: dict[str, list[int]]) -> bytes:
    told = b"".join(
        _field(5, _field(1, name.encode()) + b"".join(_number(8, value) for value in values) + _number(20, 7))
        for name, values in attributes.items()
    )
    places = b"".join(_field(1, name.encode()) for name in inputs) + _field(2, output.encode())
    return places + _field(4, kind.encode()) + told


def _tensor(name: str, values: np.ndarray) -> bytes:
    kind = _INT64 if values.dtype == np.int64 else _FLOAT
    dims = b"".join(_number(1, size) for size in values.shape)
    return dims + _number(2, kind) + _field(8, name.encode()) + _field(9, values.tobytes())


def _value(name: str, shape: list[int | str]) -> bytes:
    sizes = [_number(1, size) if isinstance(size, int) else _field(2, size.encode()) for size in shape]
    tensor = _number(1, _FLOAT) + _field(2, b"".join(_field(1, size) for size in sizes))
    return _field(1, name.encode()) + _field(2, _field(1, tensor))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _field(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])
