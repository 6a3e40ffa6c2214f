"""Pictures in, larger pictures out."""

import copy
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from subpixel.arguments import expect_integer, expect_number
from subpixel.convention import UNKNOWN_CONVENTION, Convention
from subpixel.errors import MemoryLimitError, UsageError
from subpixel.media.picture import Header, Loss, Picture, Source, expect_picture, expect_source
from subpixel.network.flatness import Flatness
from subpixel.network.locate import bundled_scales
from subpixel.network.network import Network
from subpixel.network.settings import RunSettings
from subpixel.network.tuning import Tuning
from subpixel.network.tuning_cache import load_tuning
from subpixel.runtime.op import Samples
from subpixel.spec import ModelSpec, Precision
from subpixel.system.files.atomic import Seal
from subpixel.system.files.targets import expect_inputs_spared
from subpixel.upscaling.alpha import AlphaMode, expect_alpha_mode, treat_alpha
from subpixel.upscaling.choice.choose import NetworkChoice, choose_network, fix_choice
from subpixel.upscaling.choice.pipelines import NetworkFile, Pipelines
from subpixel.upscaling.fingerprint import describe_fields, hash_network
from subpixel.upscaling.memory import memory_limit
from subpixel.upscaling.pipeline import Pipeline
from subpixel.upscaling.rows.stage import RowStage, chain_headers, run_stages, stages_memory
from subpixel.upscaling.size.chain import NetworkChain
from subpixel.upscaling.size.cropping import find_window
from subpixel.upscaling.size.enlargement import Enlargement, enlarge_by, plan_enlargement
from subpixel.upscaling.size.target_size import TargetSize, expect_target_size
from subpixel.upscaling.tiles.bands import RunReport, rows_of
from subpixel.upscaling.tiles.tiling import TilePlan
from subpixel.zoo import manifest
from subpixel.zoo.family import first_network, tuned_network

if TYPE_CHECKING:
    from subpixel.media.arrays import AnyImage
    from subpixel.media.writing import EncodeOptions

ATTEMPTS = 4
"""How often a picture is started where memory is refused, each time with tiles of half the side."""

Image = TypeVar("Image", bound="AnyImage")
"""A numpy array or a Pillow image: what comes in goes out, larger."""


class Upscaler:
    """A network opened once, for any number of arrays, Pillow images, pictures and files.

    ``model`` is ``"auto"``, a bundled network's name, an ONNX file's path, or a network that is
    open already; ``scale`` chooses among a bundled network's scales (default 3); pictures get any
    other size by the ``size`` of :meth:`picture` and :meth:`file`. With ``"auto"``
    each picture gets the network between ``balanced`` and ``denoise`` that suits how it was
    compressed (:meth:`choose`); ``denoise``, 0 … 1, picks one for all. ``device`` is ``"auto"`` or
    a name of :data:`subpixel.runtime.devices.DEVICES`. ``precision`` is what the network computes
    in. None: 8-bit pictures go through a bundled network's form in 8-bit integers, where it has one
    and the processor computes; all else in what the file says. ``tile`` is the side of a tile in
    input pixels, halo included (None: 512; 0: the whole picture at once). ``threads`` None means
    one per physical core. ``batch`` is how many tiles that lie beside one another go through the
    network at once, where there is memory for so many (None: 1). ``adaptive`` lets flat areas of a
    picture be interpolated instead, as far as that is measured to be within so many code values of
    8 bits from the network (True: 1), or was: a :class:`~subpixel.network.flatness.Flatness`; None
    and False: it does not. ``alpha`` ``"straight"`` keeps every channel as it is, for game
    textures, whose transparent pixels have colours of their own; by default those get the colours
    of their neighbours, so that no fringes appear.

    What is left open is as ``subpixel tune`` found it fastest for this network on this machine, if
    it was run: one setting for 8-bit pictures and one, in fp32, for others. ``tuning`` False
    turns that off, and None says that nothing was found; a
    :class:`~subpixel.network.tuning.Tuning` takes the place of what was. Where nothing was, and
    ``device`` is ``"auto"``, a GPU of a plug-in (``webgpu``) is used if it was faster than the
    processor when the network was run on both, once; never with ``tuning`` False.
    ``convention`` is what is known of a third-party file.

    Several threads may call one upscaler at a time; they share its threads. It can be pickled, for
    processes of their own: its arguments are, and each copy opens the network anew.

    Raises what :func:`~subpixel.network.opening.open_network` raises, and
    :class:`~subpixel.errors.UsageError` for arguments that are of no use to any network, for a
    tile, a batch or an ``adaptive`` that this one can't be run with, and for a ``denoise`` beside
    another network.

    >>> from subpixel import Upscaler
    >>> larger = Upscaler(scale=2)(array)  # doctest: +SKIP
    """

    def __init__(
        self,
        model: str | Path | Network = manifest.AUTO,
        *,
        scale: int | None = None,
        denoise: float | None = None,
        device: str = "auto",
        precision: Precision | None = None,
        tile: int | None = None,
        threads: int | None = None,
        batch: int | None = None,
        adaptive: bool | float | Flatness | None = None,
        tuning: bool | Tuning | None = True,
        convention: Convention = UNKNOWN_CONVENTION,
        alpha: AlphaMode = "repaint",
    ) -> None:
        self._anew = partial(
            type(self),
            model,
            scale=scale,
            denoise=denoise,
            device=device,
            precision=precision,
            tile=tile,
            threads=threads,
            batch=batch,
            adaptive=adaptive,
            tuning=tuning,
            convention=convention,
            alpha=alpha,
        )
        expect_model(model)
        expect_scale(scale)
        _expect_adaptive(adaptive)
        self._alpha = expect_alpha_mode(alpha)
        switch = None if adaptive is None else adaptive is not False
        self._is_tuned = bool(tuning)
        self._at_scales: dict[int, Upscaler] = {}
        self._lock = threading.Lock()
        self._fixed = fix_choice(model, denoise)
        self._is_auto = model == manifest.AUTO and self._fixed is None
        self._model = model if isinstance(model, Network) else first_network(model, denoise)
        self._pipelines = Pipelines(
            RunSettings(device, precision, tile, threads, batch, switch),
            NetworkFile(self._model, scale, convention),
            _find_tuning(self._model, scale, tuning),
            None if isinstance(adaptive, bool) else adaptive,
            races=tuning is not False,
        )
        self._precision = precision
        self.tally = self._pipelines.tally
        """How much was interpolated so far."""
        self._pipeline(None, deep=False)  # what is wrong is raised now

    def __copy__(self) -> "Upscaler":
        """With the same networks, open as they are."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        return other

    def __reduce__(self) -> "tuple[partial[Upscaler], tuple[()]]":
        """Pickled are the arguments, and the network is opened anew, be it in another process."""
        if isinstance(self._model, Network):
            raise UsageError(
                "an Upscaler of a network that is open can't be pickled; make it of the network's "
                "name or file"
            )
        return self._anew, ()

    @property
    def spec(self) -> ModelSpec:
        """The facts of the network that 8-bit pictures go through; with ``"auto"`` of that for
        pictures without damage, which differs from the others in its name and weights alone."""
        return self._pipeline(None, deep=False).spec

    @property
    def provider(self) -> str:
        """What really runs it: ONNX Runtime's name of the execution provider, or OpenVINO."""
        return self._pipeline(None, deep=False).network.provider

    @property
    def remark(self) -> str | None:
        """What was decided about a third-party file, or that another form than the one named is
        used, in one line; None: nothing was."""
        return self._pipeline(None, deep=False).network.remark

    @property
    def flatness(self) -> Flatness | None:
        """What is interpolated of pictures so far, the most of any network; None: nothing is."""
        return self._pipelines.flatness

    def choose(self, source: Source) -> NetworkChoice | None:
        """The network for ``source`` and why, where the model is ``"auto"`` or a strength was asked
        for; None: it is the one that was named.

        The file says how it was compressed, or a sample of the pixels shows it, for which they may
        be decoded once. Raises what ``source`` raises.
        """
        return choose_network(source) if self._is_auto else self._fixed

    def settings(self, header: Header, choice: NetworkChoice | None = None) -> RunSettings:
        """How a picture like this is computed, by the network of ``choice``."""
        pipeline = self._pipeline(choice, deep=_is_deep(header))
        settings = self._pipelines.settings(self._name(choice), deep=_is_deep(header))
        return replace(settings, precision=settings.precision or pipeline.spec.precision)

    def fingerprint(self) -> dict[str, str]:
        """What results depend on beside the pictures and their sizes: the same texts by name, the
        same pixels; of networks in 8-bit integers on every machine."""
        asked = self._anew.keywords
        model = self._anew.args[0]
        name = self.spec.name if isinstance(model, Network) else str(model)
        computed = (self._pipelines.describe(self._model, deep=deep) for deep in (False, True))
        return {
            "model": name if asked["denoise"] is None else f"{name} of strength {asked['denoise']}",
            "network": hash_network(self._model, asked["scale"])[:16],
            "scale": str(self.spec.scale),
            "alpha": asked["alpha"],
            "convention": describe_fields(asked["convention"]),
            "computed": "; ".join(dict.fromkeys(computed)),
        }

    def plan(self, header: Header) -> TilePlan:
        """How a picture of this size is cut into tiles where memory is no concern."""
        return self._pipeline_for(header, None).plan(header)

    @property
    def scales(self) -> tuple[int, ...]:
        """The scales that the network is there in: those of a bundled one, of others their own."""
        if isinstance(self._model, Network):
            return (self.spec.scale,)
        return bundled_scales(self._model, self._precision) or (self.spec.scale,)

    def enlargement(self, header: Header, size: TargetSize | None) -> Enlargement:
        """How a picture like this gets a ``size``: which of the :attr:`scales` it passes in turn.
        None: the network's own, once.

        Raises :class:`~subpixel.errors.UsageError` for a size that can't be had.
        """
        if size is None:
            return enlarge_by(header, self.spec.scale)
        expect_target_size(size)
        return plan_enlargement(header, size, self.scales)

    def at_scale(self, scale: int) -> "Upscaler":
        """The upscaler of the same network and arguments at another ``scale``, opened once."""
        if scale == self.spec.scale:
            return self
        with self._lock:
            if scale not in self._at_scales:
                self._at_scales[scale] = self._open_at(scale)
            return self._at_scales[scale]

    def __call__(self, image: Image, *, size: TargetSize | None = None) -> Image:
        """Upscale an array or a Pillow image and return the same kind of thing.

        Arrays are ``(H, W)`` or ``(H, W, C)`` with one to four channels (grey, grey and alpha,
        RGB, RGBA), uint8, uint16 or float32 in 0 … 1. ``size`` is as for :meth:`picture`. Raises
        :class:`~subpixel.errors.UsageError` for others.
        """
        from subpixel.media.arrays import like, to_picture

        return like(image, self.picture(to_picture(image), size=size))

    def picture(
        self,
        picture: Picture,
        report: RunReport = lambda done, total: None,
        *,
        size: TargetSize | None = None,
    ) -> Picture:
        """Upscale a picture's every frame; its metadata stays as it is.

        ``size`` is the size that it gets, whatever the network's scale (None: so many times the
        size as the network's scale says); :meth:`enlargement` says how. Raises
        :class:`~subpixel.errors.UsageError` for what is no picture, for more than 8 bits and a
        network that computes with 8, and for a size that can't be had.
        """
        expect_picture(picture)
        choice, source = self.choose(picture), treat_alpha(picture, self._alpha)
        header = source.header
        chain, stages = self._chain_for(header, size, choice)
        larger = chain.headers(header)[-1]
        shape = chain_headers(stages, larger)[-1].shape
        frames = np.empty((len(picture.frames), *shape[1:]), larger.dtype)
        straight = chain.pipelines and not stages
        room = [rows_of(frame) for frame in frames] if straight else None
        plans, surveys = _plan_in_memory(chain, header, frames.nbytes), chain.survey(source)
        bands = chain.run(source, plans, surveys=surveys, room=room, report=report)
        below, top = frames.reshape(-1, *shape[2:]), 0
        for rows in run_stages(stages, larger, bands):
            if room is None:
                below[top : top + len(rows)] = rows
                top += len(rows)
        return replace(picture, frames=frames)

    def file(
        self,
        source: Source | str | Path,
        file: str | Path,
        options: "EncodeOptions | None" = None,
        *,
        size: TargetSize | None = None,
        choice: NetworkChoice | None = None,
        strict: bool = False,
        overwrite: bool = False,
        max_memory: int | None = None,
        stages: Sequence[RowStage] = (),
        report: RunReport = lambda done, total: None,
        seal: Seal = lambda stream: None,
    ) -> tuple[Loss, ...]:
        """Upscale ``source``, a picture or the path of one, into ``file`` in bands: neither is ever
        in memory as a whole.

        ``size`` is as for :meth:`picture`; ``choice`` is what :meth:`choose` said of the source
        before, else it is asked now. Decoding, the network and encoding go on at the same time.
        Rows pass ``stages`` between the network and the file, such as a
        :class:`~subpixel.upscaling.rows.resampler.Resampler`. ``max_memory`` is what the
        process may hold, in bytes (None: half of what is free); it settles the size of the tiles.
        ``seal`` is called with the complete file before it takes its name.
        Where memory is refused nevertheless, the picture is started anew with tiles of half the
        side, a few times. Returns and raises what
        :class:`~subpixel.media.writing.PictureWriter` does, and :class:`MemoryLimitError` when
        the smallest tiles take more than is allowed or available;
        :class:`~subpixel.errors.UsageError` as :meth:`picture` does.
        """
        from subpixel.media.image_file import (
            EncodeOptions,
            PictureFile,
            PictureWriter,
            open_picture,
        )

        source = open_picture(Path(source)) if isinstance(source, str | Path) else source
        expect_source(source)
        expect_inputs_spared(Path(file), [source.file] if isinstance(source, PictureFile) else [])
        decoders = source.decoders if isinstance(source, PictureFile) else None
        options = options or EncodeOptions()
        if (choice is None and self._is_auto) or source.header.has_alpha:
            # Pixels are looked at before the tiles are planned.
            self.expect_room(source, file, options, size=size, max_memory=max_memory, stages=stages)
        choice = choice or self.choose(source)
        source = treat_alpha(source, self._alpha)
        chain, to_size = self._chain_for(source.header, size, choice)
        stages = (*to_size, *stages)
        surveys = chain.survey(source)
        opaque = all(survey.opaque for survey in surveys) if surveys else None
        larger = chain.headers(source.header)[-1]
        header = chain_headers(stages, larger)[-1]
        # Frames that come as they come can't be had again.
        attempts = 1 if source.header.count is None else ATTEMPTS
        for attempt in range(attempts):
            writer = PictureWriter(
                header,
                Path(file),
                options,
                opaque=opaque,
                strict=strict,
                overwrite=overwrite,
                decoders=decoders,
                seal=seal,
            )
            codecs = writer.memory + source.memory + stages_memory(stages, larger)
            plans = chain.fit(source.header, codecs, max_memory, attempt)
            with _memory_refused():
                with writer:
                    bands = chain.run(source, plans, surveys=surveys, report=report)
                    for rows in run_stages(stages, larger, bands):
                        writer.write(rows)
                return writer.losses  # complete when the file is
        raise MemoryLimitError(_explain_refusals(file, attempts))

    def expect_room(
        self,
        source: Source,
        file: str | Path,
        options: "EncodeOptions | None" = None,
        *,
        size: TargetSize | None = None,
        max_memory: int | None = None,
        stages: Sequence[RowStage] = (),
    ) -> None:
        """Raise what :meth:`file` would for a picture that is too large for the format of ``file``
        or for the memory, by its header alone: nothing is decoded, and no file is made."""
        from subpixel.media.image_file import EncodeOptions
        from subpixel.media.writing import Encoder

        header = treat_alpha(source, self._alpha).header
        chain, to_size = self._chain_for(header, size, None)
        stages, larger = (*to_size, *stages), chain.headers(header)[-1]
        encoder = Encoder(
            chain_headers(stages, larger)[-1], Path(file), options or EncodeOptions(), opaque=None
        )
        codecs = encoder.memory + source.memory + stages_memory(stages, larger)
        chain.fit(header, codecs, max_memory, attempt=0)

    def rows(
        self,
        source: Source,
        *,
        size: TargetSize | None = None,
        max_memory: int | None = None,
        stages: Sequence[RowStage] = (),
        report: RunReport = lambda done, total: None,
    ) -> Iterator[Samples]:
        """The rows of ``source``, larger, as they become ready: ``(h, W, C)`` of its dtype, from
        top to bottom, frame after frame, no two frames in one chunk.

        Frames may be without end: each is read, from its first use on, while the one before comes
        out. Tiles that are as they were in the frame before aren't computed again, as far as there
        is memory to hold their results. ``size``, ``max_memory`` and ``stages`` are as for
        :meth:`file`; memory is counted for the two frames that are under way, which are held as a
        whole only where they have alpha. Raises :class:`~subpixel.errors.UsageError` as
        :meth:`picture` does, and :class:`~subpixel.errors.MemoryLimitError`.
        """
        header = treat_alpha(source, self._alpha).header
        chain, to_size = self._chain_for(header, size, None)
        stages, larger = (*to_size, *stages), chain.headers(header)[-1]
        frame = header.height * header.width * header.channels * header.dtype.itemsize
        around = stages_memory(stages, larger) + (2 * frame if header.has_alpha else 0)
        around += source.memory
        chain.fit(header, around, max_memory, attempt=0)
        # Only what has room is decoded for a look.
        choice, source = self.choose(source), treat_alpha(source, self._alpha)
        chain, _ = self._chain_for(header, size, choice)
        plans = chain.fit(header, around, max_memory, attempt=0)
        return run_stages(stages, larger, chain.run(source, plans, report=report))

    def _chain_for(
        self, header: Header, size: TargetSize | None, choice: NetworkChoice | None
    ) -> tuple[NetworkChain, tuple[RowStage, ...]]:
        """The networks that a picture like this passes, and what follows them."""
        way = self.enlargement(header, size)
        pipelines = [self.at_scale(scale)._pipeline_for(header, choice) for scale in way.scales]
        window = find_window(header, way.extent, [pipeline.spec for pipeline in pipelines])
        return NetworkChain(pipelines, window), way.stages(header, window)

    def _open_at(self, scale: int) -> "Upscaler":
        """A copy that shares the tally, and opens networks of its own."""
        other = copy.copy(self)
        other._lock, other._at_scales = threading.Lock(), {}
        other._anew = partial(self._anew, scale=scale)
        tuning = _find_tuning(self._model, scale, self._is_tuned)
        other._pipelines = self._pipelines.at_scale(scale, tuning)
        other._pipeline(None, deep=False)  # what is wrong is raised now
        return other

    def _pipeline_for(self, header: Header, choice: NetworkChoice | None) -> Pipeline:
        pipeline = self._pipeline(choice, deep=_is_deep(header))
        pipeline.expect_depth(header)
        return pipeline

    def _pipeline(self, choice: NetworkChoice | None, *, deep: bool) -> Pipeline:
        return self._pipelines.get(self._name(choice), deep=deep)

    def _name(self, choice: NetworkChoice | None) -> str | Path | Network:
        return self._model if choice is None else choice.network


def expect_model(model: object) -> None:
    """Raise :class:`~subpixel.errors.UsageError` for what can't name a network, nor is one."""
    if not isinstance(model, str | os.PathLike | Network):
        raise UsageError(
            f"model is {model!r}; it is 'auto', the name of a network, or an ONNX file's path"
        )


def expect_scale(scale: object) -> None:
    """Raise :class:`~subpixel.errors.UsageError` for what is no scale of any network."""
    if scale is not None:
        hint = "; pictures get any other size by size=TargetSize(scale=1.5)"
        expect_integer("scale", scale, 1, hint=hint)


def _expect_adaptive(adaptive: object) -> None:
    if adaptive is not None and not isinstance(adaptive, bool | Flatness):
        expect_number("adaptive", adaptive, 0, 255, hint=" code values, True or False")


def _find_tuning(
    model: str | Path | Network, scale: int | None, tuning: bool | Tuning | None
) -> Tuning | None:
    if isinstance(tuning, Tuning):
        return tuning
    if not tuning or isinstance(model, Network):
        return None
    return load_tuning(tuned_network(model), scale=scale)


def _plan_in_memory(chain: NetworkChain, header: Header, result: int) -> tuple[TilePlan, ...]:
    """Where memory is no concern; runs are held from frame to frame in what is free beside the
    ``result``, a number of bytes."""
    plans = chain.plan(header)
    if header.count == 1:
        return plans
    return chain.cache_runs(header, plans, memory_limit(None, held=0) - result)


def _is_deep(header: Header) -> bool:
    """Whether a picture's samples have more than 8 bits."""
    return header.dtype != np.uint8


@contextmanager
def _memory_refused() -> Iterator[None]:
    """Goes on where memory was refused, be it for a thread's stack."""
    try:
        yield
    except MemoryError:
        return
    except RuntimeError as error:
        if "start new thread" not in str(error):
            raise


def _explain_refusals(file: str | Path, attempts: int) -> str:
    return (
        f"{file}: memory was refused {attempts} times, in ever smaller tiles; close other "
        "programs, lower --max-memory, or raise the limit of the address space (ulimit -v), if "
        "there is one"
    )
