"""Runs networks by ONNX Runtime and NumPy alone, on whatever machine this is:
``run_networks.py JOBS.json``.

Each job is an object: a network's ``file``, ``inputs`` by name, each a file of raw samples with
its ``type`` and ``shape``, and the file ``output`` to write the result's raw samples to.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime


def run(job: dict) -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(job["file"], options, providers=["CPUExecutionProvider"])
    feeds = {
        name: np.fromfile(each["file"], each["type"]).reshape(each["shape"])
        for name, each in job["inputs"].items()
    }
    session.run(None, feeds)[0].tofile(job["output"])


if __name__ == "__main__":
    for each in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        run(each)
