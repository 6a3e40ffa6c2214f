"""The Open Inference Protocol's routes, asked as tritonclient asks them."""

import gzip
import json

import numpy as np
import pytest
from numpy.typing import NDArray
from starlette.testclient import TestClient

from subpixel.upscaling.upscaler import Upscaler

IMAGES = np.random.default_rng(3).integers(0, 256, (2, 9, 11, 3), dtype=np.uint8)
SIZE = "Inference-Header-Content-Length"


def ask(
    client: TestClient, array: NDArray, datatype: str, model: str = "fast", packed: bool = False
) -> NDArray:
    """The larger array, both ways as raw bytes."""
    raw = array.tobytes()
    row = {
        "name": "image",
        "shape": list(array.shape),
        "datatype": datatype,
        "parameters": {"binary_data_size": len(raw)},
    }
    text = json.dumps({"id": "", "inputs": [row], "parameters": {"binary_data_output": True}})
    body, headers = text.encode() + raw, {SIZE: str(len(text))}
    if packed:
        body, headers["content-encoding"] = gzip.compress(body), "gzip"
    answer = client.post(f"/v2/models/{model}/infer", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    size = int(answer.headers[SIZE])
    (output,) = json.loads(answer.content[:size])["outputs"]
    assert (output["name"], output["datatype"]) == ("upscaled", datatype)
    return np.frombuffer(answer.content[size:], array.dtype).reshape(output["shape"])


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_same_as_the_upscaler(client: TestClient, scale: int) -> None:
    expected = np.stack([Upscaler("fast", scale=scale)(image) for image in IMAGES])
    larger = ask(client, IMAGES, "UINT8", f"fast-x{scale}", packed=scale == 2)
    np.testing.assert_array_equal(larger, expected)


@pytest.mark.parametrize(
    ("dtype", "datatype"), [(np.uint8, "UINT8"), (np.uint16, "UINT16"), (np.float32, "FP32")]
)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_kind_of_picture(
    client: TestClient, dtype: type, datatype: str, channels: int
) -> None:
    white = 1 if dtype is np.float32 else np.iinfo(dtype).max
    array = (np.random.default_rng(0).random((1, 8, 9, channels)) * white).astype(dtype)
    expected = Upscaler("fast")(array[0])
    larger = ask(client, array, datatype)
    np.testing.assert_allclose(larger[0], expected, atol=white / 65535, rtol=0)


def test_plain_json(client: TestClient) -> None:
    image = IMAGES[:1, :4, :5]
    row = {"name": "image", "shape": [1, 4, 5, 3], "datatype": "UINT8", "data": image.tolist()}
    outputs = [{"name": "upscaled", "parameters": {"binary_data": False}}]
    answer = client.post("/v2/models/fast-x2/infer", json={"inputs": [row], "outputs": outputs})
    assert SIZE not in answer.headers
    (output,) = answer.json()["outputs"]
    expected = Upscaler("fast", scale=2)(image[0])
    np.testing.assert_array_equal(np.reshape(output["data"], output["shape"])[0], expected)


def test_unknown_output_is_refused(client: TestClient) -> None:
    row = {"name": "image", "shape": [1, 1, 2, 1], "datatype": "UINT8", "data": [0, 255]}
    outputs = [{"name": "upscaled"}, {"name": "nope"}]
    answer = client.post("/v2/models/fast/infer", json={"inputs": [row], "outputs": outputs})
    assert answer.status_code == 400
    assert "nope" in answer.json()["error"]


def test_what_clients_ask_first(client: TestClient) -> None:
    for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/fast/ready"):
        assert client.get(path).status_code == 200
    assert client.get("/v2").json()["extensions"] == ["binary_tensor_data"]
    for path in ("/v2/models/fast-x4", "/v2/models/fast-x4/versions/1"):
        facts = client.get(path).json()
        assert (facts["name"], facts["versions"]) == ("fast-x4", ["1"])
    for path in ("fast-x5", "balanced", "fast/versions/2", "fast-x4/versions/2/ready"):
        answer = client.get(f"/v2/models/{path}")
        assert answer.status_code == 404
        assert answer.json()["error"]


@pytest.mark.parametrize(
    ("shape", "datatype", "name"),
    [
        ([8, 8, 3], "UINT8", "image"),
        ([1, 8, 8, 5], "UINT8", "image"),
        ([1, 8, 8, 3], "INT8", "image"),
        ([1, 8, 8, 3], "UINT8", "picture"),
        ([0, 8, 8, 3], "UINT8", "image"),
    ],
)
def test_other_tensors_are_refused(
    client: TestClient, shape: list[int], datatype: str, name: str
) -> None:
    data = [0] * int(np.prod(shape))
    row = {"name": name, "shape": shape, "datatype": datatype, "data": data}
    answer = client.post("/v2/models/fast/infer", json={"inputs": [row]})
    assert answer.status_code == 400
    assert "image" in answer.json()["error"]


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0, 255, "image / 255"),
        (-1, 1, "(image + 1) / 2"),
        (0, 1.01, "from 0 to 1"),
        (0, np.nan, "no numbers"),
        (-np.inf, 1, "no numbers"),
    ],
)
@pytest.mark.parametrize("binary", [True, False])
def test_floats_outside_0_to_1_are_refused(
    client: TestClient, low: float, high: float, words: str, binary: bool
) -> None:
    array = np.array([low, high, 0.5], np.float32).reshape(1, 1, 3, 1)
    row = {"name": "image", "shape": [1, 1, 3, 1], "datatype": "FP32"}
    raw = array.tobytes() if binary else b""
    size = {"parameters": {"binary_data_size": len(raw)}}
    row |= size if binary else {"data": array.ravel().tolist()}
    text = json.dumps({"inputs": [row]}).encode()
    answer = client.post(
        "/v2/models/fast/infer", content=text + raw, headers={SIZE: str(len(text))}
    )
    assert answer.status_code == 400
    assert words in answer.json()["error"]


def test_rounding_beyond_0_to_1_is_taken(client: TestClient) -> None:
    array = np.array([-1e-4, 1.0001, 0.5], np.float32).reshape(1, 1, 3, 1)
    np.testing.assert_array_equal(ask(client, array, "FP32")[0], Upscaler("fast")(array[0]))


def test_too_large_tensors_are_refused(client: TestClient) -> None:
    raw = bytes(400 * 300)
    row = {"name": "image", "shape": [1, 400, 300, 1], "datatype": "UINT8"}
    text = json.dumps({"inputs": [{**row, "parameters": {"binary_data_size": len(raw)}}]}).encode()
    headers = {SIZE: str(len(text))}
    answer = client.post("/v2/models/fast/infer", content=text + raw, headers=headers)
    assert answer.status_code == 413
    packed = gzip.compress(bytes(9_000_000))
    answer = client.post(
        "/v2/models/fast/infer", content=packed, headers={**headers, "content-encoding": "gzip"}
    )
    assert answer.status_code == 413
    for size in ("x", "-1", "9999999999999", "0" * 5000, "1" * 5000, "0" * 12 + "9" * 5000):
        answer = client.post("/v2/models/fast/infer", content=text, headers={SIZE: size})
        assert answer.status_code == 400
