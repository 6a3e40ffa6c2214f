import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from threading import Thread

import pytest

from loopback import Gallery, running_gallery


@pytest.fixture
def gallery() -> Iterator[Gallery]:
    with running_gallery() as server:
        yield server


@pytest.fixture
def answering() -> Iterator[Callable[[bytes], str]]:
    """A server that says these bytes to whoever comes first, and hangs up; its URL."""
    with ExitStack() as stack:

        def serve(data: bytes) -> str:
            server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

            def answer() -> None:
                connection, _ = server.accept()
                with connection, suppress(ConnectionError):
                    connection.recv(1 << 16)
                    connection.sendall(data)

            thread = Thread(target=answer)
            thread.start()
            stack.callback(thread.join)
            return f"http://127.0.0.1:{server.getsockname()[1]}/"

        yield serve
