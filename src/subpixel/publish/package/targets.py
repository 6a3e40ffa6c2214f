"""The platforms that a network is packed for: one row each.

The command line's help reads this table: what converts networks is imported when it is called.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from subpixel.errors import UsageError

if TYPE_CHECKING:
    import onnx

OWN_TEMPLATES = "subpixel.publish.package.templates"


@dataclass(frozen=True)
class Target:
    """A platform, and what a package for it consists of beside the golden picture."""

    name: str
    purpose: str
    """One line, for ``--help``."""
    templates: tuple[str, ...]
    """Folders of files that are filled and copied (:mod:`subpixel.publish.package.templates`), by
    the dotted name of the package that holds each; a later one's files take precedence."""
    network: str = "network.onnx"
    """Where the network goes; ``${slug}`` is its name."""
    data: str = "."
    """The folder of the golden picture and its facts."""
    convert: "Callable[[onnx.ModelProto], bytes]" = lambda model: model.SerializeToString()
    """The network's file."""
    reports: "Callable[[onnx.ModelProto], Mapping[str, str]]" = lambda model: {}
    """Texts about the network, by file name."""
    finish: Callable[[Path, Path], None] = lambda folder, network: None
    """Writes what templates can't say into the folder, which holds all the rest already; gets the
    network's file in it, too."""


def _own(*folders: str) -> tuple[str, ...]:
    return tuple(f"{OWN_TEMPLATES}.{folder}" for folder in folders)


def _to_ort_format(model: "onnx.ModelProto") -> bytes:
    from subpixel.graph.mobile import to_ort_format

    return to_ort_format(model)


def _usability(model: "onnx.ModelProto") -> Mapping[str, str]:
    from subpixel.graph.mobile import check_mobile_usability

    return {"usability.txt": check_mobile_usability(model)}


def _write_web_page(folder: Path, network: Path) -> None:
    from subpixel.serve.page_files import HEADERS, write_page

    write_page(folder, [network])
    headers = json.dumps(HEADERS, indent=1)
    (folder / "headers.json").write_text(headers + "\n", encoding="utf-8")


REPOSITORY = "repository/${slug}/1/model.onnx"
"""Where Triton looks for version 1 of a network."""

SERVED = ("pictures", "client", "repository")
"""Triton's own form of a network, and a client for any server of the protocol that it speaks."""

PACKAGE_TARGETS: tuple[Target, ...] = (
    Target(
        "web",
        "a page for any server of files; pictures stay in the browser",
        _own("web"),
        network="networks/${slug}.onnx",
        finish=_write_web_page,
    ),
    Target("node", "Node.js, with onnxruntime-node", _own("node")),
    Target(
        "mobile",
        "Android and iOS: ORT format, Kotlin and Swift samples",
        _own("pictures", "python", "mobile"),
        network="network.ort",
        convert=_to_ort_format,
        reports=_usability,
    ),
    Target(
        "azureml",
        "a managed online endpoint of Azure Machine Learning",
        _own("pictures", "python", "azureml"),
        network="model/network.onnx",
        data="model",
    ),
    Target("kserve", "KServe on Kubernetes", _own(*SERVED, "kserve"), network=REPOSITORY),
    Target("triton", "NVIDIA Triton Inference Server", _own(*SERVED, "triton"), network=REPOSITORY),
    Target("docker", "a container image, on the processor", _own("pictures", "python", "docker")),
)
"""Another platform is another row."""


def find_target(name: str) -> Target:
    """The row ``name``; raises :class:`UsageError`, naming what there is, for another."""
    for target in PACKAGE_TARGETS:
        if target.name == name:
            return target
    names = ", ".join(target.name for target in PACKAGE_TARGETS)
    raise UsageError(f"no target is called {name!r}; there are {names}")
