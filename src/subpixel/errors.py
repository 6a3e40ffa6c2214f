"""The exceptions of subpixel, one tree.

::

    SubpixelError                 everything this package raises on purpose
    ├── UsageError                the call is off: a value not allowed, two that clash
    ├── PictureError              a picture that can't be read, held or written
    │   ├── PictureTooLargeError  more pixels than ``max_pixels`` allows
    │   └── LossError             ``strict``: writing would lose something, which is named
    ├── NetworkError              a file that is no usable super-resolution network
    │   ├── CheckpointError       a checkpoint that can't be loaded, or not safely
    │   ├── ExportError           the exporter failed, or its file failed a check
    │   └── SpecError             a network's recorded facts are missing or contradict each other
    ├── GalleryError              a catalogue or download that can't be had, or isn't what it claims
    ├── TargetExistsError         what is to be written exists, and ``overwrite`` is False
    ├── JobStoppedError           a job that can't go on: its journal, its disk, another run
    ├── MemoryLimitError          not enough memory, or not as much allowed as it takes
    └── ProviderError             an execution provider or optional package that can't be had

Each message says what was got, what is allowed and what to do. The command line turns a
:class:`UsageError` into exit code 2 and every other :class:`SubpixelError` into exit code 1.
"""


class SubpixelError(Exception):
    """Base of everything that subpixel raises on purpose."""


class UsageError(SubpixelError, ValueError):
    """The call itself is off: a value that isn't allowed, or two that clash."""


class PictureError(SubpixelError):
    """A picture can't be read, held or written."""


class PictureTooLargeError(PictureError):
    """A picture has more pixels than the caller allows."""


class LossError(PictureError):
    """Under ``strict``: writing would lose something the picture has."""


class NetworkError(SubpixelError):
    """A file is no usable super-resolution network."""


class CheckpointError(NetworkError):
    """A checkpoint can't be loaded, or not safely."""


class ExportError(NetworkError):
    """An export failed, or its file failed a check."""


class SpecError(NetworkError):
    """A network's recorded facts are missing or contradict each other."""


class GalleryError(SubpixelError):
    """A catalogue of networks, or a download, can't be had or isn't what it claims to be."""


class TargetExistsError(SubpixelError):
    """What is to be written exists, and may not be replaced."""


class JobStoppedError(SubpixelError):
    """A job can't go on, nor would the next of its pictures: its journal can't be read or written,
    the disk is full, a folder is gone, or another run with other settings is at work."""


class MemoryLimitError(SubpixelError):
    """There is not enough memory, or not as much is allowed as the smallest tiles take."""


class ProviderError(SubpixelError):
    """An execution provider, an optional package, or the weights it needs, can't be had here."""


def one_line(error: BaseException, most: int = 300) -> str:
    """What somebody else's exception says, in one line of at most ``most`` characters."""
    return " ".join(str(error).split())[:most] or type(error).__name__
