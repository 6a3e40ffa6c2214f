"""Packages run by the runtimes that they are for, each installed into an environment of its own.

Slow, and skipped where npm or PyPI can't be reached. The programs' own tests are in
``tests/publish/package``.
"""

import io
import json
import os
import shutil
import subprocess
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import pytest
from PIL import Image, ImageCms

from places import triton
from places.services import azure_server
from subpixel.publish.package.package import package_network
from subpixel.publish.package.targets import find_target
from subpixel.zoo.manifest import find_bundled
from systems.environments import install_node_modules, make_venv

pytestmark = pytest.mark.slow

NETWORKS = pytest.mark.parametrize("name", ["balanced-int8", "fast"])


def pack(target: str, name: str, folder: Path) -> Path:
    return package_network(find_bundled(name, 3).path, folder / "out", find_target(target)).path


def apart(folder: Path, larger: Path | io.BytesIO) -> int:
    """By how much a picture's code values differ from the golden picture's, at most."""
    pictures = [np.asarray(Image.open(file)) for file in (folder / "golden.png", larger)]
    return int(np.abs(pictures[0].astype(int) - pictures[1]).max())


def expect_kept_and_refused(folder: Path) -> None:
    """A profile comes through Node's program; what it doesn't take is a line."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with Image.open(folder / "picture.png") as image:
        image.save(folder / "wide.png", icc_profile=profile)
        image.convert("RGBA").resize((9, 9)).rotate(9).save(folder / "clear.png")
        image.save(folder / "named.png", "JPEG")
    command = ["node", "upscale.mjs", "wide.png", "larger.png"]
    subprocess.run(command, cwd=folder, check=True)
    with Image.open(folder / "larger.png") as larger:
        assert larger.info["icc_profile"] == profile
    for source, target, word in (
        ("clear.png", "none.png", "transparency"),
        ("named.png", "none.png", "named.png: "),
        ("wide.png", "none.jpg", "writes PNG"),
        ("wide.png", "wide.png", "is the picture itself"),
    ):
        command = ["node", "upscale.mjs", source, target]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
        assert word in done.stderr
    assert not list(folder.glob("none.*"))


@NETWORKS
def test_node(name: str, tmp_path: Path) -> None:
    folder = pack("node", name, tmp_path)
    install_node_modules(folder)
    check = subprocess.run(
        ["node", "check.mjs"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert check.stdout == "the golden picture\n", check.stderr
    subprocess.run(["node", "upscale.mjs", "picture.png", "larger.png"], cwd=folder, check=True)
    assert apart(folder, folder / "larger.png") <= (name == "fast")
    expect_kept_and_refused(folder)
    with Image.open(folder / "picture.png") as image:
        image.transpose(Image.Transpose.ROTATE_180).save(folder / "picture.png")
    check = subprocess.run(["node", "check.mjs"], cwd=folder, capture_output=True, check=False)
    assert (check.returncode, check.stdout[:6]) == (1, b"WRONG:")


@NETWORKS
def test_azure_s_inference_server(name: str, tmp_path: Path) -> None:
    folder = pack("azureml", name, tmp_path)
    picture = (folder / "model" / "picture.png").read_bytes()
    with azure_server(folder, tmp_path) as url:
        with urlopen(Request(url, picture)) as answer:
            assert answer.headers["Content-Type"] == "image/png"
            larger = io.BytesIO(answer.read())
        with pytest.raises(HTTPError) as refusal:
            urlopen(Request(url, b"no picture"))
        refusal.value.close()
    assert refusal.value.code == 400
    assert apart(folder / "model", larger) <= (name == "fast")


ASK = """
import sys
import numpy as np
import tritonclient.http as triton
from PIL import Image
address, network, source, larger = sys.argv[1:]
client = triton.InferenceServerClient(address)
(end,) = client.get_model_metadata(network)["inputs"]
pixels = np.asarray(Image.open(source))[None]
if end["datatype"] == "FP32":
    pixels = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2) / np.float32(255))
tensor = triton.InferInput(end["name"], pixels.shape, end["datatype"])
tensor.set_data_from_numpy(pixels)
result = client.infer(network, [tensor]).as_numpy("output")
if end["datatype"] == "FP32":
    result = np.rint(result.clip(0, 1) * 255).astype(np.uint8).transpose(0, 2, 3, 1)
Image.fromarray(result[0]).save(larger)
"""


@NETWORKS
def test_triton(name: str, tmp_path: Path) -> None:
    folder = pack("triton", name, tmp_path)
    python = triton.install()
    with triton.triton_server(python, folder / "repository", tmp_path) as url:
        client = [str(python), "client.py", url]
        assert subprocess.check_output(client, cwd=folder, text=True) == "the golden picture\n"
        subprocess.run([*client, "picture.png", "larger.png"], cwd=folder, check=True)
        ask = [str(python), "-c", ASK, url.removeprefix("http://"), f"{name}-x3"]
        subprocess.run([*ask, "picture.png", "asked.png"], cwd=folder, check=True)
        with urlopen(f"{url}/v2/models/{name}-x3") as answer:
            facts = json.load(answer)
        with pytest.raises(HTTPError) as refusal:
            urlopen(Request(f"{url}/v2/models/{name}-x3/infer", b'{"inputs": []}'))
        refusal.value.close()
    assert refusal.value.code == 400
    for larger in ("larger.png", "asked.png"):
        assert apart(folder, folder / larger) <= (name == "fast")
    sides = [-1, -1, -1, 3] if name == "balanced-int8" else [-1, 3, -1, -1]
    assert facts["inputs"][0]["shape"] == facts["outputs"][0]["shape"] == sides


STAND_INS = Path(__file__).parent / "android"
"""As much of Android and of ONNX Runtime's Java as the sample uses; the network repeats pixels."""


@NETWORKS
def test_kotlin_s_sample_against_stand_ins(name: str, tmp_path: Path) -> None:
    """Compiled by Debian's `kotlin`, and run on a picture: its order of channels, its rounding."""
    libraries = Path("/usr/share/kotlin/kotlinc/lib")
    if not (shutil.which("kotlinc") and shutil.which("javac") and libraries.is_dir()):
        pytest.skip("kotlinc is not here: apt-get install kotlin")
    folder = package_network(
        find_bundled(name, 2).path, tmp_path / "out", find_target("mobile")
    ).path
    classes = tmp_path / "classes"
    classes.mkdir()
    jars = [str(libraries / f"kotlin-stdlib{part}.jar") for part in ("", "-jdk7")]
    path = os.pathsep.join([str(classes), *jars])
    stand_ins = [str(file) for file in STAND_INS.rglob("*.java") if file.name != "Enlarge.java"]
    options = ["-cp", path, "-d", str(classes)]
    for command in (
        ["javac", "-d", str(classes), *stand_ins],
        ["kotlinc", str(folder / "android" / "Upscaler.kt"), *options],
        ["javac", *options, str(STAND_INS / "Enlarge.java")],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    command = ["java", "-cp", path, "Enlarge"]
    result = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    rows = (
        ["ff0102fe", "ff7f8081", "ffff0000"],
        ["ff00ff00", "ff0000ff", "ff123456"],
    )
    larger = [colour for row in rows for _ in "ab" for colour in row for _ in "ab"]
    assert result == ["6x4", *larger]


VALIDATE = """
from azure.ai.ml import load_online_deployment, load_online_endpoint
endpoint = load_online_endpoint("endpoint.yml")
deployment = load_online_deployment("deployment.yml")
assert endpoint.name == deployment.endpoint_name
print(deployment.code_configuration.scoring_script, deployment.instance_type, endpoint.auth_mode)
"""


def test_azure_s_own_schema_takes_the_files(tmp_path: Path) -> None:
    folder = pack("azureml", "fast", tmp_path)
    python = make_venv("azure-ai-ml", "azure-ai-ml==1.35.0")
    environment = os.environ | {"AZURE_CORE_COLLECT_TELEMETRY": "0"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [str(python), "-c", VALIDATE],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["score.py", "Standard_DS3_v2", "key"], done.stderr
