"""What a file claims is bounded by what it holds."""

import io
import re
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor

from subpixel.errors import CheckpointError
from subpixel.nets.architectures.plain import PlainNet
from subpixel.nets.checkpoints.checkpoint import load_checkpoint
from subpixel.nets.checkpoints.keys import strip_prefixes
from subpixel.nets.checkpoints.state_dict import read_contents


def pickled(content: object) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


def compressed(archive: bytes) -> bytes:
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(archive)) as source,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for entry in source.infolist():
            target.writestr(entry.filename, source.read(entry.filename))
    return stream.getvalue()


def read(content: object) -> dict[str, Tensor]:
    return dict(read_contents(".pth", pickled(content)).weights)


def test_dtypes() -> None:
    found = read({"a": torch.ones(2).half(), "b": torch.ones(2).double(), "c": torch.arange(2)})
    assert {key: value.dtype for key, value in found.items()} == {
        "a": torch.float32,
        "b": torch.float32,
        "c": torch.int64,
    }


def test_averaged_weights_come_first() -> None:
    weights = {name: {"w": torch.full((1,), i)} for i, name in enumerate(("params", "params_ema"))}
    assert read(weights)["w"] == 1


def test_a_compressed_archive_is_not_inflated() -> None:
    bomb = compressed(pickled({"w": torch.zeros(1_000_000)}))
    assert len(bomb) < 10_000
    assert torch.load(io.BytesIO(bomb), weights_only=True)["w"].numel() == 1_000_000, (
        "PyTorch no longer inflates archives: the check can go"
    )
    with pytest.raises(CheckpointError, match=r"compressed archive: .* claim to become 4"):
        read_contents(".pth", bomb)


def test_a_dictionary_inside_itself() -> None:
    knot: dict[str, object] = {}
    knot["model"] = knot
    with pytest.raises(CheckpointError, match="dictionaries inside dictionaries"):
        read(knot)


def test_weights_that_share_their_data_to_claim_more() -> None:
    one = torch.zeros(100_000)
    with pytest.raises(CheckpointError, match=r"share their data to claim 40000000"):
        read({f"w{i}": one for i in range(100)})
    assert len(read({f"w{i}": one for i in range(4)})) == 4


@pytest.mark.parametrize("number", ["1000000", "9" * 30])
def test_a_layer_of_too_high_a_number(number: str) -> None:
    with pytest.raises(CheckpointError, match=f"numbers a layer {number[:20]}, but holds"):
        read({f"layers.{number}.weight": torch.ones(1)})


def test_tensors_larger_than_their_data_are_no_weights() -> None:
    claims = {
        "expanded": torch.ones(1).expand(1_000_000_000),
        "endless": torch.ones(1 << 40, 0),
        "w": torch.ones(1),
    }
    assert list(read(claims)) == ["w"]


def test_keys_are_fit_for_a_terminal() -> None:
    assert list(read({"a\n\x1b[31mb": torch.ones(1), "é": torch.ones(1)})) == [
        r"a\n\x1b[31mb",
        "é",
    ]


def test_nan_is_named_in_half_precision_too() -> None:
    weights = {"a": torch.ones(1), "b": torch.tensor([1.0, torch.nan]).bfloat16()}
    with pytest.raises(CheckpointError, match=r"^b holds NaN or infinity$"):
        read(weights)
    with pytest.raises(CheckpointError, match=r"^b holds NaN or infinity$"):
        read_contents(".safetensors", safetensors.torch.save(weights))


def test_unwrapping_takes_off_shared_first_parts_one_by_one() -> None:
    one = torch.ones(1)
    found = strip_prefixes({"net.body.0.weight": one, "net.body.1.weight": one})
    assert [next(iter(weights)) for weights in found] == [
        "net.body.0.weight",
        "body.0.weight",
        "0.weight",
    ]
    assert len(strip_prefixes({"a.weight": one, "bias": one})) == 1
    assert len(strip_prefixes({})) == 1


def test_headers_of_python_2_are_read_without_a_word(tmp_path: Path) -> None:
    """Whose numbers end in L; warnings are errors here."""
    arrays = {name: value.numpy() for name, value in PlainNet(2).state_dict().items()}
    np.savez(tmp_path / "new.npz", **arrays)
    with (
        zipfile.ZipFile(tmp_path / "new.npz") as new,
        zipfile.ZipFile(tmp_path / "old.npz", "w") as old,
    ):
        for name in new.namelist():
            data = new.read(name)
            shape = re.search(rb"'shape': \((\d+),", data)
            assert shape is not None
            place, room = shape.end(1), data.index(b" \n")
            old.writestr(name, data[:place] + b"L" + data[place:room] + data[room + 1 :])
    loaded = load_checkpoint(tmp_path / "old.npz").module
    assert all(torch.equal(loaded.state_dict()[n], torch.from_numpy(a)) for n, a in arrays.items())


def test_keys_that_are_no_text_are_named_by_their_type(tmp_path: Path) -> None:
    """PyTorch's storages warn where their text is asked for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save({torch.zeros(3).storage(): 1, "b": 2}, tmp_path / "odd.pth")
    with pytest.raises(CheckpointError, match="its entries are TypedStorage, b"):
        load_checkpoint(tmp_path / "odd.pth")


def test_tensors_of_more_dimensions_than_pytorch_takes_are_refused() -> None:
    data = safetensors.torch.save({"a": torch.zeros([1] * 64), "deep": torch.zeros([1] * 65)})
    with pytest.raises(CheckpointError, match=r"deep has 65 dimensions; PyTorch .* up to 64"):
        read_contents(".safetensors", data)
    data = safetensors.torch.save({"a": torch.zeros([1] * 64)})
    assert read_contents(".safetensors", data).weights["a"].dim() == 64
