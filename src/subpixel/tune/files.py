"""The files of one network in every precision that is tried: its own, its twin, or one made."""

from dataclasses import dataclass
from pathlib import Path

from subpixel import __version__
from subpixel.errors import NetworkError, UsageError
from subpixel.measure.quality_floor import Floor
from subpixel.network.locate import locate_precision
from subpixel.network.settings import RunSettings
from subpixel.network.tuning_cache import HASH_DIGITS
from subpixel.publish.quantize import reduce_precision
from subpixel.runtime.devices import find_device
from subpixel.spec import ModelSpec, Precision
from subpixel.system.files.cache import cache_folder
from subpixel.system.files.hashing import hash_file
from subpixel.system.files.targets import make_folder


@dataclass(frozen=True)
class NetworkFiles:
    """The network that is tuned, and where its other precisions come from."""

    model: str
    """As it was named."""
    scale: int | None
    file: Path
    spec: ModelSpec
    floor: Floor
    """What a file that is made must keep."""

    def find(self, setting: RunSettings) -> Path:
        """The network's file for a setting: its own, its bundled twin, or one made for it.

        Raises :class:`NetworkError` where the one that is made does not keep the minimum quality.
        """
        precision = setting.precision
        converts = find_device(setting.device).runtime == "openvino" and precision != "int8"
        if precision is None or precision == self.spec.precision or converts:
            return self.file
        if precision == "int8":
            try:
                return locate_precision(self.model, self.scale, "int8")
            except UsageError:  # it has no twin
                return self._make("int8")
        return self._make(precision)

    def _make(self, precision: Precision) -> Path:
        """In the user's cache, and there from an earlier time if this subpixel made it."""
        digits = hash_file(self.file)[:HASH_DIGITS]
        name = f"{digits}-{precision}-{self.floor.psnr:g}dB-{__version__}.onnx"
        file = cache_folder() / "networks" / name
        if file.is_file():
            return file
        make_folder(file.parent)
        report = reduce_precision(self.file, file, precision, floor=self.floor)
        if not report:
            raise NetworkError(report.reason or report.summary())
        return file
