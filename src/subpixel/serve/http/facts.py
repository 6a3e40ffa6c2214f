"""What the server says of itself: networks, health, metrics, its interface."""

from dataclasses import asdict, dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from subpixel import __version__
from subpixel.serve.metrics import CONTENT_TYPE
from subpixel.serve.openapi import describe_interface
from subpixel.serve.service import Service
from subpixel.serve.work.tensors import list_models


@dataclass(frozen=True, eq=False)
class FactRoutes:
    """Answers for all requests."""

    service: Service

    async def live(self, _request: Request) -> Response:
        """200 as long as there is an answer."""
        return JSONResponse({"status": "live"})

    async def ready(self, _request: Request) -> Response:
        """200 while requests are taken, and what really computes them; 503 at the end."""
        state = "draining" if self.service.state.draining else "ready"
        providers = self.service.networks.providers
        body = {"status": state, "version": __version__, "providers": providers}
        return JSONResponse(body, 503 if self.service.state.draining else 200)

    async def models(self, _request: Request) -> Response:
        """The networks."""
        networks = self.service.networks.list()
        return JSONResponse({"models": [asdict(each) for each in networks]})

    async def metrics(self, _request: Request) -> Response:
        """For Prometheus."""
        return Response(self.service.metrics.text(), media_type=CONTENT_TYPE)

    async def interface(self, _request: Request) -> Response:
        """The description in OpenAPI."""
        networks, limits = self.service.networks, self.service.limits
        names = list(list_models(networks))
        return JSONResponse(describe_interface(networks.names, names, limits))
