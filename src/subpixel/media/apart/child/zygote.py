"""What runs as the process that decoders are forked from."""

import os
import socket
import sys
from contextlib import suppress

from subpixel.system.processes.confinement import follow_parent


def main() -> None:
    """Serve the socket whose number is on the command line, until its other end closes."""
    # While it imports it can't see that end. Later it may outlive the thread that started it.
    follow_parent(os.getppid())
    from subpixel.media.apart.child.nursery import serve_decoders

    with suppress(BrokenPipeError, ConnectionResetError):
        serve_decoders(socket.socket(fileno=int(sys.argv[1])))


if __name__ == "__main__":
    main()
