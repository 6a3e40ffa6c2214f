"""Networks for phones: ONNX Runtime's own format, and what a phone's accelerators make of them."""

import logging
import tempfile
from io import StringIO
from pathlib import Path

import onnx
import onnxruntime

from subpixel.errors import NetworkError, one_line
from subpixel.system.session_options import make_session_options

PROCESSOR_BOUND = "NchwcTransformer"
"""The optimisation whose result depends on the processor it was made on."""


def to_ort_format(model: onnx.ModelProto) -> bytes:
    """``model``, optimised for any processor, in ONNX Runtime's format.

    As ``onnxruntime.tools.convert_onnx_models_to_ort`` does with the style ``Fixed``. Raises
    :class:`NetworkError` where ONNX Runtime can't load it.
    """
    with tempfile.TemporaryDirectory(prefix="subpixel-") as folder:
        file, options = Path(folder) / "network.ort", make_session_options("all")
        options.optimized_model_filepath = str(file)
        options.add_session_config_entry("session.save_model_format", "ORT")
        try:
            onnxruntime.InferenceSession(
                model.SerializeToString(),
                options,
                providers=["CPUExecutionProvider"],
                disabled_optimizers=[PROCESSOR_BOUND],
            )
        except Exception as error:  # ONNX Runtime's exceptions share no base of their own
            raise NetworkError(f"ONNX Runtime can't convert it: {one_line(error)}") from error
        return file.read_bytes()


def check_mobile_usability(model: onnx.ModelProto) -> str:
    """What ONNX Runtime's own checker says of ``model`` on NNAPI and CoreML, in lines."""
    from onnxruntime.tools.mobile_helpers import usability_checker  # not for every start

    text = StringIO()
    logger = logging.Logger("mobile usability", logging.INFO)  # known to nobody else
    logger.addHandler(logging.StreamHandler(text))
    with tempfile.TemporaryDirectory(prefix="subpixel-") as folder:
        file = Path(folder) / "network.onnx"
        file.write_bytes(model.SerializeToString())
        usability_checker.analyze_model(file, logger=logger)
        return text.getvalue().replace(f"{file}", file.name)
