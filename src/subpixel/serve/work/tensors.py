"""Pictures as tensors through a network."""

import math
from dataclasses import dataclass

import numpy as np

from subpixel.errors import MemoryLimitError, PictureTooLargeError, UsageError
from subpixel.media.arrays import expect_unit_samples
from subpixel.media.picture import FULL_SCALE, Picture
from subpixel.serve.limits import ServerLimits
from subpixel.serve.metrics import ServerMetrics
from subpixel.serve.work.budget import ShareBudget
from subpixel.serve.work.inference_protocol import (
    InferenceMessage,
    InferenceRequest,
    ProtocolTensor,
    decode_request,
    encode_response,
    unpack_body,
)
from subpixel.serve.work.job_queue import Watch
from subpixel.serve.work.networks import ServedNetworks
from subpixel.upscaling.memory import format_bytes
from subpixel.upscaling.size.target_size import TargetSize
from subpixel.upscaling.upscaler import Upscaler

INPUT, OUTPUT, VERSION = "image", "upscaled", "1"

PICTURE_DATATYPES = ("UINT8", "UINT16", "FP32")

COPIES = 4
"""Times that a result's samples are in memory at once: network, picture, bytes, message."""

TILES = 64 << 20
"""Bytes that the tiles take, beside them; measured with the bundled networks."""


@dataclass(frozen=True)
class TensorModel:
    """A network at one scale, as clients of the protocol name it: ``NAME``, or ``NAME-xSCALE``."""

    network: str
    scale: int | None
    """None: the default."""


def list_models(networks: ServedNetworks) -> dict[str, TensorModel]:
    """All names that there are."""
    models = {name: TensorModel(name, None) for name in networks.names}
    for name in networks.names:
        for scale in networks.scales(name):
            models.setdefault(f"{name}-x{scale}", TensorModel(name, scale))
    return models


@dataclass(frozen=True, eq=False)
class TensorBody:
    """A request as it came."""

    packed: bytes
    coding: str | None
    """Its ``Content-Encoding``."""
    json_size: int | None
    """Bytes of JSON, once unpacked; None: all."""

    def read(self, max_bytes: int) -> InferenceRequest:
        """Raises what unpacking and decoding raise."""
        body = unpack_body(self.packed, self.coding, max_bytes)
        return decode_request(body, self.json_size, PICTURE_DATATYPES)


@dataclass(frozen=True)
class TensorMessage:
    """An answer, as a result of the queue."""

    message: InferenceMessage

    def close(self) -> None:
        """It holds nothing but memory."""


@dataclass(frozen=True, eq=False)
class TensorWork:
    """Enlarges tensors; threads may share it."""

    networks: ServedNetworks
    memory: ShareBudget
    limits: ServerLimits
    metrics: ServerMetrics

    def infer(self, name: str, model: TensorModel, body: TensorBody, watch: Watch) -> TensorMessage:
        """The answer to a request by the ``name`` of ``model``.

        Raises :class:`UsageError` for other tensors than the network takes, what ``watch`` raises,
        and :class:`PictureTooLargeError` and :class:`MemoryLimitError` for too large ones.
        """
        request = body.read(self.limits.max_body)
        picture = read_picture_tensor(request)
        request.expect_outputs([OUTPUT])
        upscaler = self.networks.get(model.network)
        scale = model.scale or upscaler.spec.scale
        self._expect_allowed(picture, scale)
        need = COPIES * picture.frames.nbytes * (1 + scale**2) + TILES
        shares = 1 if need <= self.memory.share else self.memory.shares
        with self.memory.take(shares, watch.expect_going) as room:
            if need > room:
                raise MemoryLimitError(
                    f"the tensors need {format_bytes(need)} of memory, and {format_bytes(room)} "
                    "are allowed; send smaller ones"
                )
            with self.metrics.stage("upscale"):
                larger = _enlarge_tensor(picture, upscaler, scale, watch)
            answer = encode_response(
                name, VERSION, request, [ProtocolTensor(OUTPUT, larger.frames)]
            )
        megapixels = math.prod(picture.frames.shape[:3]) / 1e6
        self.metrics.add_megapixels(megapixels, megapixels * scale**2)
        return TensorMessage(answer)

    def _expect_allowed(self, picture: Picture, scale: int) -> None:
        pixels = math.prod(picture.frames.shape[:3])
        for number, most, what in (
            (pixels, self.limits.max_pixels, "pixels"),
            (pixels * scale**2, self.limits.max_output_pixels, "pixels in the result"),
            (len(picture.frames), self.limits.max_frames, "pictures"),
        ):
            if number > most:
                raise PictureTooLargeError(f"{number:,} {what}; {most:,} are allowed")


def _enlarge_tensor(picture: Picture, upscaler: Upscaler, scale: int, watch: Watch) -> Picture:
    size = None if scale == upscaler.spec.scale else TargetSize(scale=scale)
    return upscaler.picture(picture, watch.report, size=size)


def read_picture_tensor(request: InferenceRequest) -> Picture:
    """The request's one input: :data:`INPUT`, ``(N, H, W, C)``, 1 to 4 channels, UINT8, UINT16 or
    FP32 in 0 … 1. Raises :class:`UsageError` for others."""
    tensor = request.inputs[0]
    array = tensor.array
    fits = array.ndim == 4 and 1 <= array.shape[-1] <= 4 and array.size
    if len(request.inputs) > 1 or tensor.name != INPUT or array.dtype not in FULL_SCALE or not fits:
        raise UsageError(
            f"{len(request.inputs)} input(s), the first {tensor.name}, {tensor.datatype} of the "
            f"shape {array.shape}; it is one, {INPUT}, of {', '.join(PICTURE_DATATYPES)} and the "
            "shape (pictures, height, width, 1 to 4 channels)"
        )
    if array.dtype == np.float32:
        expect_unit_samples(array, f"{INPUT} is of values from 0 to 1")
    return Picture(array)
