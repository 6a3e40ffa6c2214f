"""Networks on the bytes of image files, under ONNX Runtime with its Extensions.

Only PNG and JPEG may be given: what is neither ends the whole process, as the decoder of
onnxruntime-extensions (0.15.2) calls ``exit`` for it.
"""

from importlib import import_module

import numpy as np
import onnxruntime

from subpixel.errors import NetworkError, one_line
from subpixel.system.extras import expect_installed
from subpixel.system.session_options import make_session_options

PACKAGE = "onnxruntime_extensions"
"""From the extra ``bytes``."""


def run_image_file(network: bytes, image: bytes) -> bytes:
    """The file that ``network`` (:mod:`subpixel.graph.passes.image_files`) makes of a PNG or JPEG.

    Raises :class:`~subpixel.errors.ProviderError` where the extra is missing, and
    :class:`NetworkError` where ONNX Runtime fails.
    """
    expect_installed(PACKAGE)
    options = make_session_options("all")
    options.register_custom_ops_library(import_module(PACKAGE).get_library_path())
    try:
        session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
        (larger,) = session.run(None, {"image": np.frombuffer(image, np.uint8)})
    except Exception as error:  # ONNX Runtime's exceptions share no base of their own
        raise NetworkError(f"ONNX Runtime failed: {one_line(error)}") from error
    return bytes(np.asarray(larger, np.uint8).tobytes())
