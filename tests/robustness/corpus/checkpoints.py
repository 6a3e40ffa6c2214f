"""Checkpoints that would run code, inflate, or lie about their numbers."""

import io
import json
import pickle
import struct
import zipfile

import numpy as np
import torch
from tests.robustness.corpus.hostile_file import EITHER, REFUSED, TAKEN, HostileFile

from subpixel.nets.architectures.plain import PlainNet

WEIGHTS = "middle.0.weight"


class _Call:
    """Pickled as a call."""

    def __init__(self, name: str, *arguments: object) -> None:
        self.name, self.arguments = name, arguments

    def __reduce__(self) -> tuple[object, ...]:
        import importlib

        module, _, function = self.name.rpartition(".")
        return getattr(importlib.import_module(module), function), self.arguments


def calling(name: str, *arguments: object) -> bytes:
    """A checkpoint that calls a function when it is read."""
    stream = io.BytesIO()
    torch.save({"weights": _Call(name, *arguments)}, stream)
    return stream.getvalue()


def plain_weights() -> dict[str, torch.Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return dict(PlainNet(2, channels=4, depth=1).state_dict())


def plain(**extra: object) -> bytes:
    stream = io.BytesIO()
    torch.save({**plain_weights(), **extra}, stream)
    return stream.getvalue()


def inflating(megabytes: int) -> bytes:
    """Members of zeros, deflated."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", pickle.dumps({}))
        archive.writestr("a/data/0", bytes(megabytes << 20))
    return stream.getvalue()


def inflating_arrays(megabytes: int) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, weight=np.zeros(megabytes << 20, np.uint8))
    return stream.getvalue()


def strange_member() -> bytes:
    """An archive of arrays, one of which is none."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.npy", b"no array at all")
    return stream.getvalue()


def safetensors(header: bytes, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + bytes(64)


def tensors(**fields: object) -> bytes:
    tensor = {"dtype": "F32", "shape": [16], "data_offsets": [0, 64]} | fields
    return safetensors(json.dumps({WEIGHTS: tensor}).encode())


def deep_pickle(depth: int) -> bytes:
    """Lists in lists."""
    return b"\x80\x02" + b"]" * depth + b"a" * (depth - 1) + b"."


CHECKPOINTS: tuple[HostileFile, ...] = (
    HostileFile("plain.pth", "nothing is wrong", plain, TAKEN),
    HostileFile(
        "system.pth", "runs a shell", lambda: calling("os.system", "echo stolen >&2"), REFUSED
    ),
    HostileFile("eval.pth", "evaluates Python", lambda: calling("builtins.eval", "1 + 1"), REFUSED),
    HostileFile(
        "getattr.pth", "looks for more", lambda: calling("builtins.getattr", "", "join"), REFUSED
    ),
    HostileFile("deep.pkl", "lists in lists", lambda: deep_pickle(200_000), REFUSED),
    HostileFile("inflating.pth", "inflates a thousandfold", lambda: inflating(400), REFUSED),
    HostileFile("inflating.npz", "the same of NumPy", lambda: inflating_arrays(400), REFUSED),
    HostileFile("strange.npz", "a member that is no array", strange_member, REFUSED),
    HostileFile(
        "header.safetensors", "a header of 2⁶³ bytes", lambda: safetensors(b"{}", 2**63), REFUSED
    ),
    HostileFile(
        "deep.safetensors", "a header nested deeply", lambda: safetensors(b"[" * 100_000), REFUSED
    ),
    HostileFile(
        "shape.safetensors",
        "a tensor of 2⁶² numbers",
        lambda: tensors(shape=[2**31, 2**31]),
        REFUSED,
    ),
    HostileFile(
        "negative.safetensors", "a tensor of -1 numbers", lambda: tensors(shape=[-1]), REFUSED
    ),
    HostileFile(
        "offsets.safetensors",
        "offsets beyond the end",
        lambda: tensors(data_offsets=[0, 2**40]),
        REFUSED,
    ),
    HostileFile("deep.index.json", "an index nested deeply", lambda: b"[" * 100_000, REFUSED),
    HostileFile(
        "outside.index.json",
        "a part in another folder",
        lambda: json.dumps({"weight_map": {WEIGHTS: "../../etc/passwd"}}).encode(),
        REFUSED,
    ),
    HostileFile(
        "digits.index.json",
        "a number of 5,000 digits",
        lambda: b'{"weight_map": {"a": ' + b"9" * 5000 + b"}}",
        REFUSED,
    ),
    HostileFile(
        "text.pth", "no number where weights stand", lambda: plain(**{"first.weight": "x"}), EITHER
    ),
    HostileFile("empty.pth", "no byte", lambda: b"", REFUSED),
)
