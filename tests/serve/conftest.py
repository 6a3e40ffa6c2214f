"""The server runs on Linux alone, as untrusted pictures are decoded there alone."""

import sys
from collections.abc import Iterator

import pytest

if sys.platform != "linux":
    collect_ignore = [
        *("http", "work"),
        *("test_openapi.py", "test_serve_process.py", "test_server_connections.py"),
    ]
else:
    import io

    from starlette.testclient import TestClient

    from served import MEMORY
    from subpixel.serve.app import make_app
    from subpixel.serve.http.access import Access
    from subpixel.serve.limits import ServerLimits
    from subpixel.serve.logs import JsonLog
    from subpixel.serve.service import Service, open_service
    from subpixel.upscaling.upscaler import Upscaler

    LIMITS = ServerLimits(
        max_body=1 << 20, max_pixels=100_000, max_output_pixels=1_000_000, max_frames=3
    )

    @pytest.fixture(scope="session")
    def log_text() -> io.StringIO:
        """What the service logs."""
        return io.StringIO()

    @pytest.fixture(scope="session")
    def service(log_text: io.StringIO) -> Iterator[Service]:
        """Of two bundled networks, with small limits."""
        with open_service(["fast", "auto"], Upscaler, LIMITS, MEMORY, JsonLog(log_text)) as opened:
            yield opened

    @pytest.fixture
    def client(service: Service) -> Iterator[TestClient]:
        """Asks the service, without a network between."""
        with TestClient(make_app(service, Access())) as client:
            yield client
