"""A backend of Triton's: networks run by ONNX Runtime's Python package.

Triton's own for ONNX files is in no package index; the server takes one of this name, written in
Python, as well. Copied to ``backends/onnxruntime/model.py``.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnxruntime
import triton_python_backend_utils as triton


class TritonPythonModel:
    """The name and the methods that Triton asks for."""

    def initialize(self, facts: Mapping[str, str]) -> None:
        folder = Path(facts["model_repository"]) / facts["model_version"]
        config = json.loads(facts["model_config"])
        self._inputs, self._outputs = (
            [end["name"] for end in config[kind]] for kind in ("input", "output")
        )
        self._session = onnxruntime.InferenceSession(
            folder / "model.onnx", providers=["CPUExecutionProvider"]
        )

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:  # noqa: ANN401
        feed = {
            name: triton.get_input_tensor_by_name(request, name).as_numpy() for name in self._inputs
        }
        results = self._session.run(self._outputs, feed)
        tensors = [triton.Tensor(*pair) for pair in zip(self._outputs, results, strict=True)]
        return triton.InferenceResponse(tensors)
