"""The verbs by name, and errors turned into one line and an exit code.

A verb's module is imported when it is called, so ``--help`` imports no network and no picture
library.
"""

import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module

import click

from subpixel import __version__
from subpixel.cli.messages import (
    HELP_INSTEAD,
    SuggestingGroup,
    explain_click_error,
    explain_habit,
    suggest_upscale,
)
from subpixel.cli.signals import BY_SIGNAL, orderly_end
from subpixel.cli.streams import guards_output, print_line, show_warning
from subpixel.errors import SubpixelError, UsageError
from subpixel.system.allocator import share_arena
from subpixel.system.extras import explain_missing
from subpixel.system.users_code import Ended

VERBS = {  # the room of each, and what it is for
    "upscale": (
        "pictures",
        "Enlarge pictures, with their colours, alpha, depth and metadata kept.",
    ),
    "jobs": ("pictures", "List long jobs: where they were, and how far they are."),
    "serve": ("pictures", "Run a server that does the same for others, over HTTP."),
    "compare": ("pictures", "Put two pictures side by side on a sheet, one spot magnified."),
    "models": ("pictures", "List the networks that are here; search other people's and get them."),
    "info": ("pictures", "Say what an ONNX network is."),
    "export": ("networks", "Turn a PyTorch checkpoint into a checked and proven ONNX file."),
    "adopt": ("networks", "Make an ordinary ONNX file of somebody else's."),
    "quantize": ("networks", "Make an ONNX file of fewer bits, if it stays nearly as good."),
    "verify": ("networks", "Prove an ONNX file equal to its checkpoint, or to another ONNX file."),
    "bisect": ("networks", "Find the stage and the node that make an ONNX file wrong."),
    "package": ("networks", "Pack a network for Node, phones, clouds, servers or containers."),
    "train": ("networks", "Train a small network on a folder of photographs."),
    "evaluate": ("networks", "Measure a network on a benchmark set, bicubic beside it."),
    "tune": ("networks", "Find the fastest setting on this machine that keeps the picture."),
    "cache": ("pictures", "List what is kept on this machine, how large it is, and clear it."),
    "doctor": ("pictures", "Say what is installed, and what is missing for what."),
    "completion": ("pictures", "Print what makes a shell complete commands, options and networks."),
}

FAILURE, USAGE, INTERRUPTED = 1, 2, 130


class Verbs(SuggestingGroup):
    """Finds the verb ``x`` in the module ``subpixel.cli.ROOM.x``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        with _interruptible():
            command: click.Command = import_module(f"subpixel.cli.{VERBS[name][0]}.{name}").command
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        line = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            raise explain_habit(error, line, ctx) from error

    def hint(self, args: Sequence[str]) -> str:
        """What a command line may mean that begins with a picture, or whose verb is mistyped."""
        meant = suggest_upscale(args)
        return super().hint(args) if meant is None else f"; did you mean {meant}?"

    def suggest(self, name: str) -> list[str]:
        """Commands of a similar name, or else those whose purpose has that word."""
        words = {verb: purpose.lower().split() for verb, (_, purpose) in VERBS.items()}
        return super().suggest(name) or [v for v in VERBS if name.lower() in words[v]]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, purpose) for name, (_, purpose) in VERBS.items()])


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="subpixel")
def verbs() -> None:
    """Enlarge pictures with super-resolution networks, and prove that the pixels are the same.

    `subpixel upscale cat.jpg` writes cat_x3.jpg, three times as large. `subpixel COMMAND --help`
    says what a command does.
    """


def main() -> None:
    """The console script ``subpixel``."""
    _open_standard_streams()
    warnings.showwarning = show_warning
    share_arena()
    code = run(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # a reader that has gone, a full disk: said already, or too late
            stream.flush()
    # Everything is written and closed; taking libraries down one by one costs a tenth of a run.
    os._exit(code)


def _open_standard_streams() -> None:
    """Those that the caller has closed: no file that is written may get their numbers, under which
    libraries speak. What goes to such a standard output fails, and nobody misses the messages."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            way = os.O_WRONLY if number == 0 else os.O_RDONLY  # which no use of it fits
            os.set_inheritable(os.open(os.devnull, way), True)  # the lowest that is free
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115, PTH123


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end the process at once: libraries that are being loaded would swallow it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@guards_output
def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code: 0, 1 (failure), 2 (usage), 130 (Ctrl-C), or
    128 and the number of another signal."""
    try:
        with orderly_end():
            return verbs.main(arguments, prog_name="subpixel", standalone_mode=False) or 0
    except HELP_INSTEAD as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        _tell(explain_click_error(error))
        return error.exit_code
    except (click.Abort, KeyboardInterrupt, Ended) as error:
        _tell("interrupted; nothing half-written was left behind")
        return BY_SIGNAL + error.signal if isinstance(error, Ended) else INTERRUPTED
    except ModuleNotFoundError as error:
        return _report_failure(explain_missing(error))
    except (SubpixelError, OSError) as error:
        return _report_failure(error)


def _tell(line: str) -> None:
    with suppress(OSError):  # a terminal that has gone, a full disk: the exit code says it too
        print_line(f"subpixel: {line}", err=True)


def _report_failure(error: Exception) -> int:
    if not isinstance(error, (SubpixelError, OSError)):
        raise error
    _tell(str(error))
    return USAGE if isinstance(error, UsageError) else FAILURE
