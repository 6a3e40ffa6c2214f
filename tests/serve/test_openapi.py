"""The description of the interface, against the routes and the answers."""

import json
import re
from pathlib import Path

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from subpixel.serve.app import make_app
from subpixel.serve.http.access import Access
from subpixel.serve.openapi import describe_interface
from subpixel.serve.service import Service
from subpixel.serve.work.options import OPTION_NAMES, read_options


def test_every_route_is_described_and_no_other(service: Service) -> None:
    routes = {
        (route.path, method)
        for route in make_app(service, Access()).routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    paths = describe_interface(["fast"], ["fast"], service.limits)["paths"]
    described = {
        (path, method.upper())
        for path, item in paths.items()
        for method in item
        if method != "parameters"
    }
    assert described == routes


def test_parameters_are_those_that_are_read(service: Service) -> None:
    upscale = describe_interface(["fast"], ["fast"], service.limits)["paths"]["/v1/upscale"]["post"]
    assert [row["name"] for row in upscale["parameters"]] == list(OPTION_NAMES)
    for row in upscale["parameters"]:
        read_options({row["name"]: str(row["example"]).lower()})
        for value in row["schema"].get("enum", ()):
            read_options({row["name"]: value})


def test_form_has_the_parameters_too(service: Service) -> None:
    upscale = describe_interface(["fast"], ["fast"], service.limits)["paths"]["/v1/upscale"]["post"]
    form = upscale["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert list(form["properties"]) == ["file", *OPTION_NAMES]
    for row in upscale["parameters"]:
        assert form["properties"][row["name"]].items() >= row["schema"].items()


def test_path_parameters_are_named(service: Service) -> None:
    for path, item in describe_interface(["fast"], ["fast"], service.limits)["paths"].items():
        names = [row["name"] for row in item.get("parameters", ())]
        assert names == re.findall(r"{(\w+)}", path)


def test_every_reference_is_there(service: Service) -> None:
    whole = describe_interface(["fast"], ["fast"], service.limits)
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(whole)):
        place = whole
        for part in reference.split("/"):
            place = place[part]


def test_answers_have_described_statuses(client: TestClient, service: Service) -> None:
    paths = describe_interface(service.networks.names, ["fast"], service.limits)["paths"]
    for path, item in paths.items():
        for method, described in ((m, d) for m, d in item.items() if m != "parameters"):
            url = path.format(model="fast", version="1")
            for content in (b"", b"{}"):
                answer = client.request(method, url, content=content)
                assert str(answer.status_code) in described["responses"], (url, answer.text)


def test_page_of_the_site_names_all(service: Service) -> None:
    page = Path(__file__).parents[2] / "docs" / "server.md"
    if not page.is_file():
        pytest.skip("needs the repository")
    text = page.read_text(encoding="utf-8")
    for path in describe_interface(["fast"], ["fast"], service.limits)["paths"]:
        assert path.replace("/versions/{version}", "").replace("{model}", "MODEL") in text, path
    for name in OPTION_NAMES:
        assert f"`{name}`" in text
