"""The programs in packages, run: with the runtime that each names, or at least to the letter."""

import ast
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import types
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument
from PIL import Image

from nodes import expect_node
from subpixel import Picture, read_picture, upscale, write_picture
from subpixel.publish.package.package import package_network
from subpixel.publish.package.targets import find_target
from subpixel.publish.package.values import PINS
from subpixel.zoo.manifest import find_bundled

NETWORKS = (pytest.param("fast", marks=pytest.mark.slow), "fast-int8")
"""Of floats and of integers; the programs are the same, so that one is enough each time."""
REPOSITORY = Path(__file__).resolve().parents[3]
TYPES = {"UINT8": np.uint8, "FP32": np.float32}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packages")


@pytest.fixture
def pack(packages: Path, tmp_path: Path) -> Any:  # noqa: ANN401 - a function
    """A copy of its own of the package for a target."""

    def package(target: str, name: str) -> Path:
        whole = packages / f"{target}-{name}"
        if not whole.exists():
            package_network(find_bundled(name, 2).path, whole, find_target(target))
        return shutil.copytree(whole, tmp_path / "package")

    return package


def run(folder: Path, *command: str, code: int = 0) -> str:
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def spoil(folder: Path) -> None:
    """Another picture in the place of the one that is to be enlarged."""
    with Image.open(folder / "picture.png") as image:
        image.transpose(Image.Transpose.ROTATE_180).save(folder / "picture.png")


@pytest.mark.sample(every=2)
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    ("target", "data"), [("docker", "."), ("mobile", "."), ("azureml", "model")]
)
def test_python_s_programs(pack: Any, target: str, data: str, name: str) -> None:  # noqa: ANN401
    folder = pack(target, name)
    assert run(folder, "check.py", data) == "the golden picture\n"
    if target != "azureml":
        run(folder, "upscale.py", "picture.png", "larger.png")
        larger, golden = (np.asarray(Image.open(folder / f"{p}.png")) for p in ("larger", "golden"))
        assert np.abs(larger.astype(int) - golden).max() <= (name == "fast")
    spoil(folder / data)
    assert run(folder, "check.py", data, code=1).startswith("WRONG: ")


def test_a_picture_with_transparency_is_refused(pack: Any) -> None:  # noqa: ANN401
    folder = pack("docker", "fast-int8")
    Image.new("RGBA", (9, 8)).save(folder / "clear.png")
    assert "has transparency" in run(folder, "upscale.py", "clear.png", "larger.png", code=1)
    assert not (folder / "larger.png").exists()


def load_pictures(folder: Path) -> types.ModuleType:
    """The package's own module."""
    module = types.ModuleType("pictures")
    exec(compile((folder / "pictures.py").read_text(), "pictures.py", "exec"), vars(module))
    return module


GREY16 = np.linspace(0, 65535, 6144).reshape(64, 96).astype(np.uint16)
ROUNDED = np.floor(GREY16[..., None].repeat(3, -1) / 257 + 0.5).astype(np.uint8)
COLOURS = np.random.default_rng(5).integers(0, 256, (20, 30, 4), dtype=np.uint8)
COLOURS[..., 3] |= 1  # no pixel is clear all over
OPAQUE = np.dstack([COLOURS[..., :3], np.full((20, 30), 255, np.uint8)])


def colours_in(mode: str, samples: np.ndarray[Any, Any] = OPAQUE) -> Image.Image:
    return Image.fromarray(samples).convert(mode)


def test_grey_of_16_bits_is_rounded_as_everywhere(pack: Any) -> None:  # noqa: ANN401
    folder = pack("docker", "fast-int8")
    Image.fromarray(GREY16).save(folder / "grey.png")
    run(folder, "upscale.py", "grey.png", "larger.png")
    expected = upscale(ROUNDED, model="fast-int8", scale=2)
    assert np.array_equal(np.asarray(Image.open(folder / "larger.png")), expected)


def test_modes_of_8_bits_are_read_as_they_are(pack: Any) -> None:  # noqa: ANN401
    folder = pack("docker", "fast-int8")
    read_rgb = load_pictures(folder).read_rgb
    in_png = ("1", "L", "LA", "P", "RGB", "RGBA")
    for mode, file in [(mode, "a.png") for mode in in_png] + [
        (mode, "a.tif") for mode in (*in_png, "PA")
    ]:
        colours_in(mode).save(folder / file)
        with Image.open(folder / file) as image:
            assert image.mode == mode
        ours = read_picture(folder / file).rgb8().astype(int)
        assert np.array_equal(read_rgb(folder / file), ours), (mode, file)


def test_deep_grey_is_turned_upright(pack: Any) -> None:  # noqa: ANN401
    path = pack("docker", "fast-int8") / "a.png"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(GREY16).save(path, exif=exif)
    assert np.array_equal(load_pictures(path.parent).read_rgb(path), np.rot90(ROUNDED, -1))


def write_others(folder: Path) -> Iterator[Path]:
    """Pictures that Pillow would make something else of, or something that isn't all of it."""
    for name, image in {
        "cmyk.jpg": colours_in("CMYK"),
        "cmyk.tif": colours_in("CMYK"),
        "lab.tif": Image.fromarray(OPAQUE[..., :3], "LAB"),
        "float.tif": Image.fromarray(GREY16.astype(np.float32) / 65535),
        "long.tif": Image.fromarray(GREY16.astype(np.int32)),
        "long.pgm": Image.fromarray(GREY16.astype(np.int32)),
        "deep.tif": Image.fromarray(GREY16),
        "big.tif": Image.frombytes("I;16B", (96, 64), GREY16.astype(">u2").tobytes()),
        "clear.png": colours_in("RGBA", COLOURS),
        "grey.png": colours_in("LA", COLOURS),
    }.items():
        image.save(folder / name)
        yield folder / name
    for name, numbers in {"clear.gif": (7,), "key.png": (7,), "palette.png": (7, 200)}.items():
        image = colours_in("L" if name == "key.png" else "P")
        image.putpixel((3, 4), 7)
        image.save(folder / name, transparency=numbers[0] if len(numbers) == 1 else bytes(numbers))
        yield folder / name
    Image.fromarray(GREY16).save(folder / "deep_key.png", transparency=0)
    yield folder / "deep_key.png"
    deep = GREY16[None, ..., None].repeat(4, -1)
    for name, channels in {"a.png": 3, "b.tif": 3, "c.png": 4, "d.png": 2}.items():
        write_picture(Picture(deep[..., :channels], bit_depth=16), folder / name)
        yield folder / name


def test_what_would_come_out_otherwise_is_refused(pack: Any) -> None:  # noqa: ANN401
    folder = pack("docker", "fast-int8")
    read_rgb = load_pictures(folder).read_rgb
    for path in write_others(folder):
        said = "this program|transparency"
        with pytest.raises(ValueError, match=said):
            assert read_rgb(path) is None, path


class AmlResponse:
    """As azureml.contrib.services.aml_response.AMLResponse."""

    def __init__(self, message: bytes | str, status_code: int) -> None:
        self.data, self.status, self.headers = message, status_code, dict[str, str]()


class RefusingSession:
    """Of a network that takes other sizes."""

    def get_inputs(self) -> list[types.SimpleNamespace]:
        return [types.SimpleNamespace(name="input")]

    def run(self, *_: object) -> None:
        raise InvalidArgument("Got invalid dimensions for input")


class AmlRequest:
    def __init__(self, method: str, body: bytes = b"") -> None:
        self.method, self._body = method, body

    def get_data(self) -> bytes:
        return self._body


@pytest.mark.parametrize("name", NETWORKS)
def test_azure_s_score_is_called(pack: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401
    """init() and run(), as Azure's server calls them; `tests/platforms` has that server itself."""
    folder = pack("azureml", name)
    for module, names in {
        "aml_request": {"rawhttp": lambda run: run},
        "aml_response": {"AMLResponse": AmlResponse},
    }.items():
        whole = f"azureml.contrib.services.{module}"
        fake = types.ModuleType(whole)
        vars(fake).update(names)
        monkeypatch.setitem(sys.modules, whole, fake)
    for parent in ("azureml", "azureml.contrib", "azureml.contrib.services"):
        monkeypatch.setitem(sys.modules, parent, types.ModuleType(parent))
    monkeypatch.setenv("AZUREML_MODEL_DIR", str(folder))
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    own = {}
    for module in ("score", "upscale", "program", "pictures"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    try:
        exec(compile((folder / "score.py").read_text(), "score.py", "exec"), own)
        own["init"]()
        answer = own["run"](AmlRequest("POST", (folder / "model" / "picture.png").read_bytes()))
        assert (answer.status, answer.headers["Content-Type"]) == (200, "image/png")
        larger = np.asarray(Image.open(io.BytesIO(answer.data))).astype(int)
        golden = np.asarray(Image.open(folder / "model" / "golden.png"))
        assert np.abs(larger - golden).max() <= (name == "fast")
        assert own["run"](AmlRequest("GET")).status == 405
        assert own["run"](AmlRequest("POST", b"no picture")).status == 400
        cut = (folder / "model" / "picture.png").read_bytes()[:-2000]
        assert own["run"](AmlRequest("POST", cut)).status == 400
        own["network"].session = RefusingSession()
        whole = (folder / "model" / "picture.png").read_bytes()
        assert own["run"](AmlRequest("POST", whole)).status == 400
        bomb = io.BytesIO()
        Image.new("L", (4000, 4000)).save(bomb, "PNG")
        assert own["run"](AmlRequest("POST", bomb.getvalue())).status == 400
    finally:
        for module in ("upscale", "program", "pictures"):
            sys.modules.pop(module, None)


def test_azure_s_files_name_one_another(pack: Any) -> None:  # noqa: ANN401
    yaml = pytest.importorskip("yaml")
    folder = pack("azureml", "fast-int8")
    deployment, endpoint, environment = (
        yaml.safe_load((folder / f"{name}.yml").read_text())
        for name in ("deployment", "endpoint", "environment")
    )
    assert deployment["endpoint_name"] == endpoint["name"] == environment["name"] == "fast-int8-x2"
    assert "schema" in "".join(deployment) + "".join(endpoint)
    code = folder / deployment["code_configuration"]["code"]
    assert (code / deployment["code_configuration"]["scoring_script"]).is_file()
    assert (folder / deployment["model"]["path"] / "golden.json").is_file()
    assert (folder / deployment["environment"]["conda_file"]).is_file()
    (pip,) = [d["pip"] for d in environment["dependencies"] if isinstance(d, dict)]
    assert {line.partition("==")[0] for line in pip} >= {"azureml-inference-server-http", "pillow"}


class Protocol(BaseHTTPRequestHandler):
    """As much of the Open Inference Protocol as one network needs, on ONNX Runtime."""

    session: onnxruntime.InferenceSession
    name: str
    binary: bool

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        length = int(self.headers["Inference-Header-Content-Length"])
        (given,) = json.loads(body[:length])["inputs"]
        if self.path != f"/v2/models/{self.name}/infer":
            self.send_error(404)
            return
        data = body[length : length + given["parameters"]["binary_data_size"]]
        tensor = np.frombuffer(data, TYPES[given["datatype"]]).reshape(given["shape"])
        (result,) = self.session.run(["output"], {given["name"]: tensor})
        described = {"name": "output", "shape": result.shape, "datatype": given["datatype"]}
        if not self.binary:
            described["data"] = result.ravel().tolist()
        else:
            described["parameters"] = {"binary_data_size": result.nbytes}
        header = json.dumps({"model_name": self.name, "outputs": [described]}).encode()
        self.send_response(200)
        if self.binary:
            self.send_header("Inference-Header-Content-Length", str(len(header)))
        self.end_headers()
        self.wfile.write(header + (result.tobytes() if self.binary else b""))

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def serve(repository: Path, *, binary: bool) -> Iterator[str]:
    """A server of the one network that a repository of Triton's form holds."""
    (network,) = repository.iterdir()
    session = onnxruntime.InferenceSession(
        str(network / "1" / "model.onnx"), providers=["CPUExecutionProvider"]
    )
    own = {"session": session, "name": network.name, "binary": binary}
    handler = type("Own", (Protocol,), own)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("target", "binary"), [("triton", True), ("kserve", False)])
def test_the_client_of_the_protocol(pack: Any, target: str, binary: bool, name: str) -> None:  # noqa: ANN401
    folder = pack(target, name)
    with serve(folder / "repository", binary=binary) as url:
        assert run(folder, "client.py", url) == "the golden picture\n"
        if binary:
            run(folder, "client.py", url, "picture.png", "larger.png")
            larger = np.asarray(Image.open(folder / "larger.png")).astype(int)
            golden = np.asarray(Image.open(folder / "golden.png"))
            assert np.abs(larger - golden).max() <= (name == "fast")
        spoil(folder)
        assert run(folder, "client.py", url, code=1).startswith("WRONG: ")


@pytest.mark.parametrize(
    ("name", "kind", "dims"),
    [("fast", "FP32", "-1, 3, -1, -1"), ("fast-int8", "UINT8", "-1, -1, -1, 3")],
)
@pytest.mark.parametrize("target", ["triton", "kserve"])
def test_triton_s_config(pack: Any, target: str, name: str, kind: str, dims: str) -> None:  # noqa: ANN401
    folder = pack(target, name) / "repository" / f"{name}-x2"
    config = (folder / "config.pbtxt").read_text()
    assert (folder / "1" / "model.onnx").is_file()
    assert f'name: "{name}-x2"' in config
    for end in ("input", "output"):
        assert re.search(
            rf'{end} \[\s*{{\s*name: "{end}"\s*data_type: TYPE_{kind}\s*dims: \[ {dims} \]', config
        )


def test_kserve_s_service(pack: Any) -> None:  # noqa: ANN401
    yaml = pytest.importorskip("yaml")
    service = yaml.safe_load((pack("kserve", "fast") / "inferenceservice.yaml").read_text())
    assert (service["kind"], service["metadata"]["name"]) == ("InferenceService", "fast-x2")
    model = service["spec"]["predictor"]["model"]
    assert (model["runtime"], model["protocolVersion"]) == ("kserve-tritonserver", "v2")


def test_docker_s_steps(pack: Any, tmp_path: Path) -> None:  # noqa: ANN401
    """Read, and taken by hand where they need no Docker: what is copied, the check, the entry."""
    folder, image = pack("docker", "fast-int8"), tmp_path / "image"
    lines = (folder / "Dockerfile").read_text().splitlines()
    steps = [(step, rest) for step, _, rest in (line.partition(" ") for line in lines)]
    order = [step for step, _ in steps]
    assert re.fullmatch(r"python:\d+\.\d+-slim-\w+", steps[0][1])
    assert order.index("USER") > order.index("RUN")
    assert dict(steps)["USER"] == "10001:10001"
    assert not {"ADD", "EXPOSE"} & set(order)
    image.mkdir()
    for step, rest in steps:
        if step == "COPY":
            for pattern in rest.split()[:-1]:
                sources = list(folder.glob(pattern))
                assert sources, pattern
                for source in sources:
                    shutil.copy(source, image)
    run(image, "check.py")
    image.chmod(0o555)
    entry = ast.literal_eval(dict(steps)["ENTRYPOINT"])
    assert entry == ["python", "/app/upscale.py"]
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    shutil.copy(folder / "picture.png", pictures)
    run(pictures, str(image / "upscale.py"), "picture.png", "larger.png")
    assert (pictures / "larger.png").is_file()
    shown = (folder / "README.md").read_text()
    (docker_run,) = [line for line in shown.splitlines() if "docker run" in line]
    assert {"--read-only", "--network", "none"} <= set(shlex.split(docker_run))


def test_docker_s_context_holds_what_is_copied(pack: Any) -> None:  # noqa: ANN401
    folder = pack("docker", "fast")
    ignored, *taken = (folder / ".dockerignore").read_text().splitlines()
    assert ignored == "*"
    context = {p.name for pattern in taken for p in folder.glob(pattern.removeprefix("!"))}
    assert context >= {"golden.json", "golden.f32", "golden.png", "check.py", "network.onnx"}


def test_compose_is_as_strict_as_the_readme(pack: Any) -> None:  # noqa: ANN401
    yaml = pytest.importorskip("yaml")
    (service,) = yaml.safe_load((pack("docker", "fast") / "compose.yaml").read_text())[
        "services"
    ].values()
    assert service["read_only"] is True
    assert (service["network_mode"], service["cap_drop"]) == ("none", ["ALL"])
    assert service["user"] == "10001:10001"


def test_the_versions_are_those_that_are_tested() -> None:
    pins = (REPOSITORY / "constraints.txt").read_text().splitlines()
    for package in ("numpy", "onnxruntime", "pillow"):
        assert f"{package}=={PINS[package]}" in pins


STANDS_IN = {
    "onnxruntime-node": "exports.InferenceSession = exports.Tensor = null;",
    "pngjs": "exports.PNG = null;",
}
"""Of what the module imports: nothing of it is called."""


@pytest.mark.parametrize(
    ("command", "runs"),
    [
        (["package/upscale.mjs"], True),
        (["linked/upscale.mjs"], True),
        (["up.mjs"], True),
        (["--preserve-symlinks-main", "package/linked.mjs"], True),
        (["user.mjs"], False),
        (["--input-type=module", "-"], False),
    ],
    ids=["by its path", "in a linked folder", "by a link", "as linked", "imported", "in a pipe"],
)
def test_node_s_program_runs_however_it_is_reached(
    pack: Any,  # noqa: ANN401
    tmp_path: Path,
    command: list[str],
    runs: bool,
) -> None:
    node, folder = expect_node(), pack("node", "fast-int8")
    for name, text in STANDS_IN.items():
        (folder / "node_modules" / name).mkdir(parents=True)
        (folder / "node_modules" / name / "index.js").write_text(text)
    (tmp_path / "linked").symlink_to(folder, target_is_directory=True)
    (tmp_path / "up.mjs").symlink_to(folder / "upscale.mjs")
    (folder / "linked.mjs").symlink_to("upscale.mjs")
    program = 'import { toCodes } from "./package/upscale.mjs"; console.log(toCodes([1, 0, 0.5]));'
    (tmp_path / "user.mjs").write_text(program)
    done = subprocess.run(
        [node, *command], cwd=tmp_path, input=program, capture_output=True, text=True, check=False
    )
    assert done.returncode == (2 if runs else 0), done.stderr
    assert ("usage: node upscale.mjs" in done.stderr) is runs
    assert ("Uint8Array(3) [ 255, 0, 128 ]" in done.stdout) is not runs


@pytest.mark.parametrize("name", NETWORKS)
def test_phones_samples_say_what_the_network_takes(pack: Any, name: str) -> None:  # noqa: ANN401
    folder = pack("mobile", name)
    facts = json.loads((folder / "golden.json").read_text())
    takes_codes = "true" if name == "fast-int8" else "false"
    for sample in ("android/Upscaler.kt", "ios/Upscaler.swift"):
        text = (folder / sample).read_text()
        assert re.search("Not run on a phone|Neither compiled nor run", text)
        assert facts["sha256"] in text
        assert re.search(rf"(?i)takes_?codes = {takes_codes}", text)
        assert not re.search(r"\$[a-z{]", text)
    assert (folder / "network.ort").read_bytes()[4:8] == b"ORTM"
    assert "CoreML" in (folder / "usability.txt").read_text()
