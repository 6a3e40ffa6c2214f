"""The Open Inference Protocol's routes, for tritonclient and KServe's clients."""

from dataclasses import dataclass
from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from subpixel import __version__
from subpixel.serve.http.bodies import BodyReader
from subpixel.serve.http.waiting import await_result
from subpixel.serve.service import Service
from subpixel.serve.work.inference_protocol import MAX_JSON
from subpixel.serve.work.tensors import (
    INPUT,
    OUTPUT,
    VERSION,
    TensorBody,
    TensorModel,
    list_models,
)
from subpixel.serve.work.whole_numbers import read_whole_number

JSON_SIZE = "Inference-Header-Content-Length"


@dataclass(frozen=True, eq=False)
class InferenceRoutes:
    """Answers for all requests."""

    service: Service
    bodies: BodyReader

    async def server(self, _request: Request) -> Response:
        """What the server is."""
        extensions = ["binary_tensor_data"]
        return JSONResponse({"name": "subpixel", "version": __version__, "extensions": extensions})

    async def model(self, request: Request) -> Response:
        """What a network takes and gives."""
        name, _ = self._find(request)
        return JSONResponse(
            {
                "name": name,
                "versions": [VERSION],
                "platform": "subpixel",
                "inputs": [_describe_tensor(INPUT)],
                "outputs": [_describe_tensor(OUTPUT)],
            }
        )

    async def model_ready(self, request: Request) -> Response:
        """Opens the network where it isn't open."""
        _, model = self._find(request)
        await run_in_threadpool(self.service.networks.get, model.network)
        return Response()

    async def infer(self, request: Request) -> Response:
        """Tensors in, tensors out."""
        name, model = self._find(request)
        async with self.bodies.read(request) as packed:
            coding, size = request.headers.get("content-encoding"), _json_size(request)
            asked = TensorBody(packed, coding, size)
            work = partial(self.service.tensors.infer, name, model, asked)
            job = self.service.queue.submit(work, self.service.limits.seconds)
            message = (await await_result(job, request.receive)).message
        if message.json_size is None:
            return Response(message.body, media_type="application/json")
        headers = {JSON_SIZE: str(message.json_size)}
        return Response(message.body, headers=headers, media_type="application/octet-stream")

    def _find(self, request: Request) -> tuple[str, TensorModel]:
        """The network of a request's path; raises :class:`HTTPException` where there is none."""
        name, version = request.path_params["model"], request.path_params.get("version", VERSION)
        model = list_models(self.service.networks).get(name)
        if model is None or version != VERSION:
            raise HTTPException(404, f"there is no such model; {VERSION} is the version of all")
        return name, model


def _describe_tensor(name: str) -> dict[str, object]:
    return {"name": name, "datatype": "UINT8", "shape": [-1, -1, -1, -1]}


def _json_size(request: Request) -> int | None:
    text = request.headers.get(JSON_SIZE)
    if text is None:
        return None
    size = read_whole_number(text, MAX_JSON)
    if size is None or size > MAX_JSON:
        raise HTTPException(400, f"{JSON_SIZE} is a whole number of up to {MAX_JSON}")
    return size
