"""The server's routes, in one list."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from subpixel.serve.http.access import Access
from subpixel.serve.http.bodies import BodyReader
from subpixel.serve.http.facts import FactRoutes
from subpixel.serve.http.failures import explain_http_failure
from subpixel.serve.http.gate import Gate
from subpixel.serve.http.inference import InferenceRoutes
from subpixel.serve.http.page import make_page_route
from subpixel.serve.http.pictures import PictureRoute
from subpixel.serve.service import Service


def make_app(service: Service, access: Access, page: Path | None = None) -> Starlette:
    """The ASGI application; ``page`` is a folder with what people see at ``/``.

    Raises :class:`~subpixel.errors.UsageError` for a folder without a page.
    """
    app = Starlette(
        routes=[*_list_routes(service), make_page_route(page)],
        middleware=[Middleware(Gate, service=service, access=access)],
        exception_handlers={HTTPException: _answer_fault},
    )
    app.router.redirect_slashes = False  # to http://HOST, also where a proxy speaks TLS
    return app


def _list_routes(service: Service) -> list[BaseRoute]:
    bodies = BodyReader(service.limits, service.bodies)
    facts, pictures = FactRoutes(service), PictureRoute(service, bodies)
    tensors = InferenceRoutes(service, bodies)
    model = "/v2/models/{model}"
    versioned = model + "/versions/{version}"
    return [
        Route("/v1/upscale", pictures, methods=["POST"]),
        Route("/v1/models", facts.models, methods=["GET"]),
        Route("/health/live", facts.live, methods=["GET"]),
        Route("/health/ready", facts.ready, methods=["GET"]),
        Route("/metrics", facts.metrics, methods=["GET"]),
        Route("/openapi.json", facts.interface, methods=["GET"]),
        Route("/v2", tensors.server, methods=["GET"]),
        Route("/v2/health/live", facts.live, methods=["GET"]),
        Route("/v2/health/ready", facts.ready, methods=["GET"]),
        *(
            route
            for place in (model, versioned)
            for route in (
                Route(place, tensors.model, methods=["GET"]),
                Route(f"{place}/ready", tensors.model_ready, methods=["GET"]),
                Route(f"{place}/infer", tensors.infer, methods=["POST"]),
            )
        ),
    ]


async def _answer_fault(_request: Request, error: Exception) -> Response:
    return explain_http_failure(error).answer()
