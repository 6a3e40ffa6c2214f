"""The interface in OpenAPI 3.1, as data; ``tests/serve`` holds it against the routes."""

from collections.abc import Sequence
from typing import Any

from subpixel import __version__
from subpixel.media.formats.registry import FORMATS
from subpixel.serve.limits import ServerLimits
from subpixel.serve.work.inference_protocol import MAX_TENSOR_NAME, MAX_TENSORS
from subpixel.serve.work.tensors import PICTURE_DATATYPES
from subpixel.upscaling.size.target_size import MAX_FACTOR

Json = dict[str, Any]


def describe_interface(
    models: Sequence[str], tensor_models: Sequence[str], limits: ServerLimits
) -> Json:
    """The whole description, for a server of these networks, which clients of tensors name
    ``tensor_models``."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "subpixel",
            "version": __version__,
            "description": "Enlarges pictures with super-resolution networks.",
        },
        "paths": {
            "/": {"get": _describe_get("The page for people.", "text/html")},
            "/v1/upscale": {"post": _describe_upscale(models, limits)},
            "/v1/models": {"get": _read_json("The networks.", _MODELS)},
            "/health/live": {"get": _read_json("Whether the server answers.", {"status": "live"})},
            "/health/ready": {"get": _describe_ready()},
            "/metrics": {"get": _describe_get("Metrics, for Prometheus.", "text/plain")},
            "/openapi.json": {"get": _read_json("This description.", {"openapi": "3.1.0"})},
            **_describe_tensors(tensor_models),
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "Error": {
                    "type": "object",
                    "required": ["error"],
                    "properties": {"error": {"type": "string"}},
                }
            },
        },
        "security": [{}, {"token": []}],
    }


_MODELS = {
    "models": [
        {
            "name": "auto",
            "scales": [2, 3, 4],
            "default": True,
            "provider": "CPUExecutionProvider",
        }
    ]
}

_FAULTS = {
    "400": "A parameter or the body is not as it should be.",
    "401": "The token is missing or wrong.",
    "403": "A page of another site asks.",
    "408": "The body comes too slowly.",
    "413": "The body, the picture or its result is too large.",
    "415": "The body is packed; Accept-Encoding says that none may be.",
    "421": "The server isn't called so.",
    "422": "The picture can't be read, or its result not written.",
    "429": "Too much is asked at a time; Retry-After says when to try again.",
    "500": "The server failed.",
    "503": "The server lacks memory, the work took too long, or too many connections are open.",
}
_COMMON = ("401", "403", "421", "500", "503")


def _describe_faults(*statuses: str) -> Json:
    content = _json_content({"$ref": "#/components/schemas/Error"}, {"error": "the picture …"})
    return {
        status: {"description": _FAULTS[status], "content": content}
        for status in sorted({*statuses, *_COMMON})
    }


def _json_content(schema: Json, example: object) -> Json:
    return {"application/json": {"schema": schema, "example": example}}


def _describe_get(text: str, media_type: str) -> Json:
    content = {media_type: {"schema": {"type": "string"}}}
    answer = {"description": text, "content": content}
    return {"summary": text, "responses": {"200": answer, **_describe_faults()}}


def _read_json(text: str, example: object) -> Json:
    answer = {"description": text, "content": _json_content({"type": "object"}, example)}
    return {"summary": text, "responses": {"200": answer, **_describe_faults()}}


def _describe_ready() -> Json:
    example = {
        "status": "ready",
        "version": __version__,
        "providers": {"auto": "CPUExecutionProvider"},
    }
    described = _read_json("Whether requests are taken, and what really computes.", example)
    end = {**example, "status": "draining"}
    content = _json_content({"type": "object"}, end)
    described["responses"]["503"] = {"description": "The end has come.", "content": content}
    return described


def _describe_upscale(models: Sequence[str], limits: ServerLimits) -> Json:
    binary = {"schema": {"type": "string", "format": "binary"}}
    file = {"type": "string", "format": "binary"}
    parameters = _list_parameters(models)
    texts = {
        row["name"]: {**row["schema"], "description": row["description"]} for row in parameters
    }
    properties = {"file": file, **texts}
    form = {"type": "object", "required": ["file"], "properties": properties}
    return {
        "summary": "Enlarge a picture.",
        "description": (
            f"Up to {limits.max_body:,} bytes, {limits.max_pixels:,} pixels and "
            f"{limits.max_frames:,} frames, and {limits.max_output_pixels:,} pixels of the result. "
            "With Accept: text/event-stream the answer is events: progress, then data (pieces of "
            "base64), then done; or error. At most one of scale, width and height is taken."
        ),
        "parameters": parameters,
        "requestBody": {
            "required": True,
            "content": {
                "application/octet-stream": binary,
                "image/*": binary,
                "multipart/form-data": {"schema": form},
            },
        },
        "responses": {"200": _describe_response(binary), **_describe_faults(*_FAULTS)},
    }


def _describe_response(binary: Json) -> Json:
    headers = {
        "X-Subpixel-Size": ("Width and height, upright.", "1920x1080"),
        "X-Subpixel-Network": ("The network that it went through.", "balanced"),
        "X-Subpixel-Losses": ("What the file doesn't hold of what was sent.", "exif"),
    }
    events = (
        'event: progress\ndata: {"done": 1, "total": 2}\n\nevent: data\ndata: iVBORw0K\n\n'
        'event: done\ndata: {"type": "image/png", "size": 6}\n\n'
    )
    return {
        "description": "The larger picture.",
        "headers": {
            name: {"description": text, "schema": {"type": "string"}, "example": example}
            for name, (text, example) in headers.items()
        },
        "content": {
            "image/*": binary,
            "text/event-stream": {"schema": {"type": "string"}, "example": events},
        },
    }


def _list_parameters(models: Sequence[str]) -> list[Json]:
    side: Json = {"type": "integer", "minimum": 1}
    formats = [suffix[1:] for form in FORMATS for suffix in form.suffixes]
    factor = {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_FACTOR}
    rows: tuple[tuple[str, str, Json, object], ...] = (
        ("model", "The network.", {"type": "string", "enum": list(models)}, models[0]),
        ("scale", "How many times as large; or width, or height.", factor, 2),
        ("width", "The width of the result in pixels.", side, 1920),
        ("height", "The height of the result in pixels.", side, 1080),
        (
            "format",
            "Of the result; as sent by default.",
            {"type": "string", "enum": formats},
            "png",
        ),
        ("quality", "1 to 100, of a lossy format.", {**side, "maximum": 100}, 90),
        ("lossless", "WebP, AVIF, HEIC and JPEG XL without loss.", {"type": "boolean"}, False),
        ("strict", "Refuse a result that loses anything.", {"type": "boolean"}, False),
    )
    return [
        {"name": name, "in": "query", "description": text, "schema": schema, "example": example}
        for name, text, schema, example in rows
    ]


def _describe_tensors(models: Sequence[str]) -> Json:
    """The Open Inference Protocol, version 2."""
    server = {"name": "subpixel", "version": __version__, "extensions": ["binary_tensor_data"]}
    paths: Json = {
        "/v2": {"get": _read_json("The server.", server)},
        "/v2/health/live": {"get": _read_json("Whether it answers.", {"status": "live"})},
        "/v2/health/ready": {"get": _describe_ready()},
    }
    for versioned in ("", "/versions/{version}"):
        place, names = f"/v2/models/{{model}}{versioned}", ["model"]
        names += ["version"] if versioned else []
        parameters = [_path_parameter(name, models) for name in names]
        paths[place] = {"get": _read_json("A network.", _MODEL)}
        paths[f"{place}/ready"] = {"get": _describe_model_ready()}
        paths[f"{place}/infer"] = {"post": _describe_inference()}
        for path in (place, f"{place}/ready", f"{place}/infer"):
            paths[path]["parameters"] = parameters
            for described in (value for key, value in paths[path].items() if key != "parameters"):
                content = _json_content({"$ref": "#/components/schemas/Error"}, {"error": "…"})
                none = {"description": "There is no such network.", "content": content}
                described["responses"]["404"] = none
    return paths


_MODEL = {
    "name": "balanced-x2",
    "versions": ["1"],
    "platform": "subpixel",
    "inputs": [{"name": "image", "datatype": "UINT8", "shape": [-1, -1, -1, -1]}],
    "outputs": [{"name": "upscaled", "datatype": "UINT8", "shape": [-1, -1, -1, -1]}],
}


def _path_parameter(name: str, models: Sequence[str]) -> Json:
    values = ["1"] if name == "version" else list(models)
    schema = {"type": "string", "enum": values}
    return {"name": name, "in": "path", "required": True, "schema": schema, "example": values[0]}


def _describe_model_ready() -> Json:
    return {
        "summary": "Whether a network is ready; opens it.",
        "responses": {"200": {"description": "It is."}, **_describe_faults()},
    }


_TEXT = {"type": "string", "maxLength": MAX_TENSOR_NAME}

_REQUEST = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": _TEXT,
        "inputs": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": {
                "type": "object",
                "required": ["name", "datatype", "shape"],
                "properties": {
                    "name": {"const": "image"},
                    "datatype": {"enum": list(PICTURE_DATATYPES)},
                    "shape": {
                        "type": "array",
                        "minItems": 4,
                        "maxItems": 4,
                        "items": {"type": "integer", "minimum": 1},
                    },
                    "data": {"type": "array", "items": {"type": ["number", "array"]}},
                    "parameters": {
                        "type": "object",
                        "properties": {"binary_data_size": {"type": "integer", "minimum": 1}},
                    },
                },
            },
        },
        "outputs": {
            "type": "array",
            "maxItems": MAX_TENSORS,
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"const": "upscaled"},
                    "parameters": {
                        "type": "object",
                        "properties": {"binary_data": {"type": "boolean"}},
                    },
                },
            },
        },
        "parameters": {
            "type": "object",
            "properties": {"binary_data_output": {"type": "boolean"}},
        },
    },
}


def _describe_inference() -> Json:
    image = {"name": "image", "datatype": "UINT8", "shape": [1, 1, 2, 1], "data": [0, 255]}
    answer = {
        "model_name": "balanced-x2",
        "model_version": "1",
        "outputs": [{**image, "name": "upscaled", "shape": [1, 2, 4, 1], "data": [0] * 8}],
    }
    content = _json_content({"type": "object"}, answer)
    content["application/octet-stream"] = {"schema": {"type": "string", "format": "binary"}}
    asked = _json_content(_REQUEST, {"inputs": [image]})
    return {
        "summary": "Enlarge pictures as tensors: (pictures, height, width, channels).",
        "requestBody": {"required": True, "content": asked},
        "responses": {
            "200": {"description": "The larger pictures.", "content": content},
            **_describe_faults("400", "408", "413", "429", "503"),
        },
    }
