"""What a package holds, that it is right, and what is refused."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image

from networks import sub_pixel_network
from subpixel.cli.main import run
from subpixel.errors import NetworkError, SubpixelError, TargetExistsError, UsageError
from subpixel.graph.metadata import load_model, read_spec, with_spec
from subpixel.graph.passes.float16 import to_fp16
from subpixel.publish.package.package import INVENTORY, package_network
from subpixel.publish.package.targets import PACKAGE_TARGETS, Target, find_target
from subpixel.spec import ModelSpec
from subpixel.zoo.manifest import find_bundled

NETWORKS = {name: find_bundled(name, 2).path for name in ("fast", "fast-int8")}
FAST = [
    *((target.name, "fast-int8") for target in PACKAGE_TARGETS),
    ("node", "fast"),
    ("mobile", "fast"),
]
CASES = [
    pytest.param(
        target,
        name,
        id=f"{target.name}-{name}",
        marks=[pytest.mark.slow] if name == "fast" and (target.name, name) not in FAST else [],
    )
    for target in PACKAGE_TARGETS
    for name in NETWORKS
]

Pack = Callable[[Target, str], Path]


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """The package for a target, of one of the networks."""
    folder = tmp_path_factory.mktemp("packages")

    def package(target: Target, name: str) -> Path:
        out = folder / f"{target.name}-{name}"
        if not out.exists():
            package_network(NETWORKS[name], out, target)
        return out

    return package


@pytest.mark.sample(every=7)
@pytest.mark.parametrize(("target", "name"), CASES)
def test_each_package_is_whole(pack: Pack, target: Target, name: str) -> None:
    folder = pack(target, name)
    inventory = json.loads((folder / INVENTORY).read_text())
    files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    hashes = {path: hashlib.sha256(file.read_bytes()).hexdigest() for path, file in files.items()}
    del hashes[INVENTORY]
    assert inventory == {"target": target.name, "sha256": hashes}
    assert len((folder / "README.md").read_text().splitlines()) <= 20
    assert not [path for path in files if "$" in path or path.endswith(".template")]


@pytest.mark.parametrize(("target", "name"), CASES)
def test_the_network_in_it_makes_the_golden_picture(pack: Pack, target: Target, name: str) -> None:
    """With ONNX Runtime alone, and Pillow: nothing of ours."""
    folder = pack(target, name) / target.data
    facts = json.loads((folder / "golden.json").read_text())
    session = onnxruntime.InferenceSession(
        str(folder / facts["network"]), providers=["CPUExecutionProvider"]
    )
    rgb = np.asarray(Image.open(folder / facts["picture"]))
    golden = np.asarray(Image.open(folder / facts["golden"]))
    assert golden.shape == (facts["height"], facts["width"], 3) == (94, 122, 3)
    assert hashlib.sha256(golden.tobytes()).hexdigest() == facts["sha256"]
    if name == "fast-int8":
        (result,) = session.run(None, {"input": rgb[None]})
        assert np.array_equal(result[0], golden)
        return
    planes = rgb.transpose(2, 0, 1)[None] / np.float32(255)
    (result,) = session.run(None, {"input": planes})
    values = np.fromfile(folder / facts["values"], "<f4").reshape(3, 94, 122)
    assert np.abs(result[0] - values).max() < 1e-5
    codes = np.rint(np.clip(values, 0, 1) * 255).transpose(1, 2, 0)
    assert np.abs(codes - golden).max() <= 1
    assert (facts["rtol"], facts["atol"], facts["max_codes"]) == (1e-3, 1e-5, 1)


def test_the_file_says_its_facts_and_its_convolutions_all(pack: Pack) -> None:
    model = load_model(pack(find_target("node"), "fast") / "network.onnx")
    assert read_spec(model) == read_spec(load_model(NETWORKS["fast"]))
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    for node in convolutions:
        assert {"kernel_shape", "dilations"} <= {a.name for a in node.attribute}


def store(folder: Path, model: onnx.ModelProto, spec: ModelSpec) -> Path:
    file = folder / "network.onnx"
    onnx.save(with_spec(model, spec), file)
    return file


RGB = ModelSpec("Some Network! v1", 2, "rgb", "rgb")


def test_sizes_are_those_that_the_network_takes(tmp_path: Path) -> None:
    model = sub_pixel_network(channels=3, scale=2)
    sizes = {
        (40, 50): replace(RGB, fixed_size=(40, 50)),
        (48, 64): replace(RGB, size_multiple=16),
        (64, 64): replace(RGB, size_multiple=16, square=True),
        (80, 80): replace(RGB, size_minimum=80),
        (47, 61): RGB,
    }
    for place, ((height, width), spec) in enumerate(sizes.items()):
        file = store(tmp_path, model, spec)
        report = package_network(file, tmp_path / f"{place}", find_target("triton"))
        with Image.open(report.path / "golden.png") as golden:
            assert golden.size == (2 * width, 2 * height)
        names = [path.name for path in (report.path / "repository").iterdir()]
        assert names == ["some-network-v1-x2"]


def test_half_precision_is_judged_as_a_picture(tmp_path: Path) -> None:
    model = load_model(NETWORKS["fast"])
    spec = read_spec(model)
    assert spec is not None
    file = store(tmp_path, to_fp16(model), replace(spec, precision="fp16"))
    report = package_network(file, tmp_path / "out", find_target("docker"))
    facts = json.loads((report.path / "golden.json").read_text())
    assert (facts["rtol"], facts["max_codes"]) == (None, 1)


def test_what_can_t_be_packed_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    luma = store(tmp_path, sub_pixel_network(), ModelSpec("luma", 2, "luma", "luma"))
    out, target = tmp_path / "out", find_target("node")
    with pytest.raises(NetworkError, match="--interface rgb"):
        package_network(luma, out, target)
    fast = load_model(NETWORKS["fast"])
    spec = read_spec(fast)
    assert spec is not None
    with pytest.raises(NetworkError, match="4 pictures at a time"):
        package_network(store(tmp_path, fast, replace(spec, fixed_batch=4)), out, target)
    with pytest.raises(NetworkError, match="partly in integers"):
        package_network(store(tmp_path, fast, replace(spec, precision="int8")), out, target)
    with pytest.raises(
        UsageError, match="no target is called 'toaster'; there are web, node, mobile"
    ):
        find_target("toaster")
    assert not out.exists()


def test_a_network_that_onnx_runtime_computes_otherwise_is_not_packed(tmp_path: Path) -> None:
    target = find_target("docker")
    other = load_model(NETWORKS["fast-int8"])
    for tensor in other.graph.initializer:
        if tensor.name == "luma/relu_1/weights/whole":
            halved = onnx.numpy_helper.to_array(tensor) // 2
            tensor.CopyFrom(onnx.numpy_helper.from_array(halved, tensor.name))
    wrong = replace(target, convert=lambda model: other.SerializeToString())
    with pytest.raises(NetworkError, match=r"of \d+ code values differ, by up to"):
        package_network(NETWORKS["fast-int8"], tmp_path / "out", wrong)
    assert not (tmp_path / "out").exists()


def test_a_target_s_own_function_ends_the_package(tmp_path: Path) -> None:
    """As the web page, which is made by a package above, will have it."""

    def finish(folder: Path, network: Path) -> None:
        assert (folder / "golden.json").is_file()
        (folder / "app").mkdir()
        (folder / "app" / "copy.onnx").write_bytes(network.read_bytes())

    target = Target("page", "a page", (), finish=finish)
    report = package_network(NETWORKS["fast-int8"], tmp_path / "out", target)
    expected = ("app/copy.onnx", "golden.json", "golden.png", "network.onnx", "picture.png")
    assert report.files == (*expected, INVENTORY)
    inventory = json.loads((tmp_path / "out" / INVENTORY).read_text())
    assert tuple(inventory["sha256"]) == expected
    package_network(NETWORKS["fast-int8"], tmp_path / "out", target, overwrite=True)

    twice = replace(target, finish=lambda *parts: (finish(*parts), finish(*parts))[0])
    with pytest.raises(SubpixelError, match="can't be written"):  # app/ is there already
        package_network(NETWORKS["fast-int8"], tmp_path / "other", twice)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_only_a_package_is_replaced(tmp_path: Path) -> None:
    out, target = tmp_path / "out", find_target("docker")
    package_network(NETWORKS["fast-int8"], out, target)
    with pytest.raises(TargetExistsError, match="--overwrite"):
        package_network(NETWORKS["fast-int8"], out, target)
    (out / "__pycache__").mkdir()
    (out / "__pycache__" / "pictures.pyc").touch()
    package_network(NETWORKS["fast-int8"], out, find_target("node"), overwrite=True)
    assert not (out / "Dockerfile").exists()
    (out / "holiday.jpg").touch()
    with pytest.raises(SubpixelError, match=r"holds holiday\.jpg, which is not of the package"):
        package_network(NETWORKS["fast-int8"], out, target, overwrite=True)
    assert (out / "holiday.jpg").exists()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").touch()
    with pytest.raises(SubpixelError, match="other things than a package"):
        package_network(NETWORKS["fast-int8"], tmp_path / "photos", target, overwrite=True)


def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    line = ["package", "fast-int8", "--scale", "2", "-o", str(out), "--target", "docker"]
    assert run([*line, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["target"], report["exact"], report["path"]) == ("docker", True, str(out))
    assert run([*line, "--overwrite"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "packed    fast-int8 x2 for docker; bit by bit right here"
    assert said[1] == f"golden    sha256 {report['sha256']}"
    assert run(line) == 1
    assert run(["package", "fast", "-o", str(out), "--target", "toaster"]) == 2
