"""A network file is opened and identified: by the facts that it states, or by running it.

A file that subpixel exported, as the bundled networks and those of the gallery are, states what
it is. A third-party file is adopted (:mod:`subpixel.thirdparty`): it is run at a few sizes and on
photographs, and what it does otherwise than our networks is wrapped into its graph.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from subpixel.convention import UNKNOWN_CONVENTION, Convention
from subpixel.errors import NetworkError, UsageError
from subpixel.graph.ort_format import HEAD, is_ort
from subpixel.network.checks.facts import expect_true_facts
from subpixel.network.file_metadata import read_file_metadata
from subpixel.runtime.opening import Opened, open_session
from subpixel.spec import ModelSpec, spec_from_metadata
from subpixel.system.files.inputs import open_input
from subpixel.thirdparty.apart import identify_apart
from subpixel.zoo.manifest import FOLDER

OpenFile = Callable[[Path | bytes], Opened]
"""Opens a network, a file or its content, as a session."""


@dataclass(frozen=True)
class Identity:
    """A network file that is open, and what it is."""

    session: Opened
    spec: ModelSpec
    source: Path | bytes
    """What the session was opened from: the file, or what it was adopted as."""
    declared: bool
    """Whether the file itself states its facts."""
    remark: str | None = None
    """What was decided about a third-party file, in one line."""


def describe(file: Path, scale: int | None = None) -> tuple[ModelSpec, bool]:
    """A file's facts as they stand, and whether the file itself states them (else: probed).

    Raises :class:`NetworkError` for a third-party file that isn't as ours are, and
    :class:`UsageError` for a ``scale`` that isn't the file's own.
    """
    identity = identify(file, open_session, UNKNOWN_CONVENTION)
    if identity.source != file:
        raise NetworkError(
            f"{file}: it is {identity.remark}; make it an ordinary file first: subpixel adopt"
        )
    expect_scale(file, identity.spec, scale)
    return identity.spec, identity.declared


def expect_scale(model: str | Path, spec: ModelSpec, scale: int | None) -> None:
    """Raise :class:`UsageError` where ``scale`` was asked for, and ``model`` has another."""
    if scale not in (None, spec.scale):
        raise UsageError(f"{model} enlarges by {spec.scale}, not by {scale}; leave out the scale")


def identify(file: Path, open_file: OpenFile, convention: Convention) -> Identity:
    """Open a network file and say what it is: by its own facts, or by running it.

    ``convention`` is what is known of a third-party file. Raises :class:`NetworkError` for a file
    that is no super-resolution network, and :class:`UsageError` for a ``convention`` of a file
    that states its facts; those are checked against its graph. Messages begin with the file's name.
    """
    if not file.is_file():
        raise NetworkError(f"{file}: there is no such file")
    try:
        return _identify(file, open_file, convention)
    except (NetworkError, UsageError) as error:
        if str(error).startswith(str(file)):
            raise
        raise type(error)(f"{file}: {error}") from error


def read_declared_spec(file: Path) -> ModelSpec | None:
    """The facts that an ONNX file states, without opening it as a network; None where it states
    none, or is of another form.

    Raises :class:`~subpixel.errors.SpecError` when they are there but unreadable.
    """
    return spec_from_metadata(read_file_metadata(file))


def is_ort_file(file: Path) -> bool:
    """Whether a file is of ONNX Runtime's own format."""
    with open_input(file) as stream:
        return is_ort(stream.read(HEAD))


def _identify(file: Path, open_file: OpenFile, convention: Convention) -> Identity:
    if not is_ort_file(file) and read_declared_spec(file) is None:
        return _identify_third_party(file, open_file, convention)
    session = open_file(file)
    spec = spec_from_metadata(session.metadata)
    if spec is None:
        return _identify_third_party(file, open_file, convention)
    _expect_unsettled(convention)
    if file.parent != FOLDER:  # which locate has verified
        expect_true_facts(session, spec, None if is_ort_file(file) else file)
    return Identity(session, spec, file, declared=True)


def _expect_unsettled(convention: Convention) -> None:
    if convention != UNKNOWN_CONVENTION:
        raise UsageError(
            "this file states its own facts; --input-range, --output-range, --channel-order, "
            "--output-order, --layout, --set-input and --output-name are for third-party files"
        )


def _identify_third_party(file: Path, open_file: OpenFile, convention: Convention) -> Identity:
    verdict = identify_apart(file, file.stem, convention)
    source = file if verdict.content is None else verdict.content
    return Identity(open_file(source), verdict.spec, source, declared=False, remark=verdict.remark)
