"""A network on pictures becomes one on the bytes of image files, and is shown to do the same."""

import io
from pathlib import Path

from subpixel.graph.metadata import load_model
from subpixel.graph.passes.explicit_convolutions import with_explicit_convolutions
from subpixel.graph.passes.image_files import with_image_files
from subpixel.media.picture import read_source
from subpixel.media.reading import open_stream
from subpixel.network.identify import describe
from subpixel.publish.package.golden import PICTURE_FILE, make_golden
from subpixel.runtime.image_files import PACKAGE, run_image_file
from subpixel.system.extras import expect_installed
from subpixel.system.files.atomic import write_bytes
from subpixel.system.files.targets import expect_onnx_target


def publish_image_files(
    network: Path, out: Path, *, scale: int | None = None, overwrite: bool = False
) -> None:
    """Write ``network``, an ONNX file on RGB of any size, with the bytes of a PNG or JPEG as its
    input and those of a PNG as its output, at ``out``.

    It is run with ONNX Runtime Extensions first, and must make the golden picture
    (:mod:`subpixel.publish.package.golden`). Raises :class:`~subpixel.errors.NetworkError` where it
    doesn't, and for a network that takes some sizes alone;
    :class:`~subpixel.errors.UsageError` for a ``scale`` that isn't its own;
    :class:`~subpixel.errors.ProviderError` where the extra ``bytes`` is missing;
    :class:`~subpixel.errors.SubpixelError` where ``out`` can't be written.
    """
    expect_onnx_target(out, [network], overwrite=overwrite)
    expect_installed(PACKAGE)
    (spec, _), model = describe(network, scale), load_model(network)
    data = with_image_files(with_explicit_convolutions(model), spec).SerializeToString()
    golden = make_golden(model, spec)
    larger = run_image_file(data, golden.files()[PICTURE_FILE])
    golden.expect_codes(read_source(open_stream(io.BytesIO(larger))).rgb8())
    write_bytes(out, data, overwrite=overwrite)
