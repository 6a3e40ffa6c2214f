"""``subpixel models search``, ``get`` and ``remove``: other people's networks."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from subpixel.cli.options.choices import (
    EXTRA_ARCHITECTURES,
    FILE,
    JSON,
    OVERWRITE,
    TIME_LIMIT_OPTION,
)
from subpixel.cli.options.completion import complete_gallery_network
from subpixel.cli.options.number_types import WholeNumber
from subpixel.cli.output import print_json, print_table, progress
from subpixel.cli.streams import print_line
from subpixel.errors import GalleryError, SubpixelError
from subpixel.system.files.hashing import hash_file
from subpixel.zoo.gallery import store
from subpixel.zoo.gallery.catalogue import CatalogueModel, Resource, choose_resource
from subpixel.zoo.gallery.catalogue_cache import DEFAULT_GALLERY, Answer, ask_catalogue
from subpixel.zoo.gallery.licences import UNKNOWN_LICENCE, is_permissive

MODEL_COLUMNS = ("name", "scale", "architecture", "licence", "authors", "file", "how", "here")
FILE_COLUMNS = ("number", "type", "bytes", "sha256", "URLs")


def _gallery(command: Callable[..., Any]) -> Callable[..., Any]:
    """Where the catalogue is asked for."""
    where = click.option(
        "--gallery",
        envvar="SUBPIXEL_GALLERY_URL",
        default=DEFAULT_GALLERY,
        show_default=True,
        metavar="URL",
        help="Ask there; SUBPIXEL_GALLERY_URL in the environment says the same.",
    )
    offline = click.option("--offline", is_flag=True, help="Ask nobody: the catalogue as last got.")
    return where(offline(command))


@click.command(no_args_is_help=True)
@click.argument("words", nargs=-1, required=True, metavar="WORD...")
@_gallery
@JSON
def search(words: tuple[str, ...], gallery: str, offline: bool, as_json: bool) -> int:
    """Search the catalogue of OpenModelDB for networks that match every WORD.

    Name, authors, tags, architecture, licence, description and scale (x4) are searched.
    """
    answer = _ask_gallery(gallery, offline)
    models = answer.catalogue.search(words)
    if as_json:
        print_json([_model_facts(model) for model in models])
    elif models:
        here = {entry.id for entry in store.entries()[0]}
        title = f"Networks that match {' '.join(words)}"
        print_table(
            title, MODEL_COLUMNS, [_model_cells(model, model.id in here) for model in models]
        )
    else:
        near = ", ".join(answer.catalogue.suggestions(" ".join(words)))
        hint = f"; similar names: {near}" if near else ""
        print_line(f"none of {len(answer.catalogue.models)} networks matches{hint}", err=True)
    return 0 if models else 1


@click.command(no_args_is_help=True)
@click.argument("name")
@click.option(
    "--accept-licence",
    "accepted",
    multiple=True,
    metavar="LICENCE",
    help="Agree to this licence, by its name; permissive ones need no agreement.",
)
@click.option("--list-files", is_flag=True, help="List the network's files, and get none.")
@click.option(
    "--file",
    "number",
    type=WholeNumber(min=1),
    help="This one of its files (see --list-files). [default: safetensors, else pth, else onnx]",
)
@click.option(
    "--from",
    "local",
    type=FILE,
    metavar="FILE",
    help="Take this file, which you have downloaded yourself; it must be the catalogue's.",
)
@EXTRA_ARCHITECTURES
@TIME_LIMIT_OPTION
@OVERWRITE
@_gallery
@JSON
def get(
    name: str,
    accepted: tuple[str, ...],
    list_files: bool,
    number: int | None,
    local: Path | None,
    extra_architectures: bool,
    time_limit: float,
    overwrite: bool,
    gallery: str,
    offline: bool,
    as_json: bool,
) -> None:
    """Get a network of OpenModelDB: download, verify, export, prove and keep it.

    NAME is its name, or what no other name begins with or holds. Weights are exported and compared
    with PyTorch as `subpixel export` does it. Afterwards `--model NAME` knows it, without PyTorch.
    """
    from subpixel.publish.gallery import GalleryOrder, obtain

    answer = _ask_gallery(gallery, offline)
    model = answer.catalogue.find(name)
    if list_files:
        _print_files(model, as_json)
        return
    if (entry := _find_here(model, overwrite)) is not None:
        _print_entry(entry, as_json, "is here already; --overwrite gets it again")
        return
    resource = _of_file(model, local) if local else choose_resource(model, number)
    if not as_json:
        _print_choice(model, resource)
    order = GalleryOrder(model, resource, answer.url, accepted, extra_architectures, time_limit)
    with progress() as report:
        entry = obtain(order, local, report)
    _print_entry(entry, as_json, "is here")


@click.command(no_args_is_help=True)
@click.argument("name", shell_complete=complete_gallery_network)
def remove(name: str) -> None:
    """Remove a network that was got from the gallery, by its whole name."""
    store.remove_network(name)
    print_line(f"removed   {name}")


def _ask_gallery(gallery: str, offline: bool) -> Answer:
    answer = ask_catalogue(gallery, offline=offline)
    if answer.offline is not None:
        print_line(
            f"subpixel: offline, {answer.offline}; this is the catalogue of {answer.date}", err=True
        )
    if faults := len(answer.catalogue.faults):
        print_line(f"subpixel: entries of the catalogue that can't be read: {faults}", err=True)
    return answer


def _find_here(model: CatalogueModel, overwrite: bool) -> store.Entry | None:
    """The network that is here under the name; damaged ones must be overwritten."""
    entry = None if overwrite else store.find_entry(model.id)
    if entry is not None:
        if entry.id != model.id:
            raise SubpixelError(
                f"{entry.id} is here, and file systems may take {model.id} for the same name; "
                f"remove it first: subpixel models remove {entry.id}"
            )
        store.verify_entry(entry)
    return entry


def _of_file(model: CatalogueModel, file: Path) -> Resource:
    """The resource that ``file`` is, by its sha256."""
    if not file.is_file():
        raise GalleryError(f"{file}: there is no such file")
    digest = hash_file(file)
    for resource in model.resources:
        if resource.sha256 == digest and resource.is_usable:
            return resource
    digests = ", ".join(f"{(r.sha256 or 'unknown')[:16]}… ({r.type})" for r in model.resources)
    raise GalleryError(
        f"{file} is not what the catalogue lists for {model.id}: its sha256 is {digest[:16]}…, "
        f"listed are {digests or 'none'}"
    )


def _print_files(model: CatalogueModel, as_json: bool) -> None:
    if as_json:
        print_json(_model_facts(model)["resources"])
        return
    rows = [_file_cells(i, r) for i, r in enumerate(model.resources, 1)]
    print_table(f"Files of {model.id}", FILE_COLUMNS, rows)


def _file_cells(number: int, resource: Resource) -> tuple[str, ...]:
    size = "unknown" if resource.size is None else f"{resource.size:,}"
    sha256 = "unknown" if resource.sha256 is None else f"{resource.sha256[:16]}…"
    urls = [*resource.plain_urls, *(f"{page} (in a browser)" for page in resource.pages)]
    return str(number), resource.type, size, sha256, "\n".join(urls)


def _print_choice(model: CatalogueModel, resource: Resource) -> None:
    others = len(model.resources) - 1
    size = "of unknown size" if resource.size is None else f"{resource.size:,} bytes"
    more = f", one of {others + 1} (--list-files)" if others else ""
    print_line(
        f"network   {model.id}, {model.architecture} x{model.scale}, by {_join_authors(model)}"
    )
    print_line(f"licence   {_describe_licence(model)}")
    print_line(f"file      {resource.type}, {size}{more}")


def _print_entry(entry: store.Entry, as_json: bool, state: str) -> None:
    if as_json:
        print_json({**asdict(entry), "path": entry.path})
        return
    report = entry.report
    print_line(f"from      {entry.source}")
    print_line(f"verified  sha256 {entry.weights_sha256}")
    print_line(f"made      {report['way']}")
    for fact in report.get("limits", ()):
        print_line(f"takes     {fact}")
    if report.get("summary"):
        print_line(f"compared  {report['summary']}")
    print_line(f"kept      {entry.path}")
    print_line(f"{entry.id} {state}: subpixel upscale photo.jpg --model {entry.id}")


def _join_authors(model: CatalogueModel) -> str:
    return ", ".join(model.authors) or "an unknown author"


def _describe_licence(model: CatalogueModel) -> str:
    name = model.licence or UNKNOWN_LICENCE
    return f"{name} ({'permissive' if is_permissive(model.licence) else 'to be agreed to'})"


def _model_facts(model: CatalogueModel) -> dict[str, Any]:
    return {**asdict(model), "permissive": is_permissive(model.licence)}


def _model_cells(model: CatalogueModel, is_here: bool) -> tuple[str, ...]:
    usable = [r for r in model.resources if r.is_usable]
    plain = any(resource.plain_urls for resource in usable)
    return (
        model.id,
        f"x{model.scale}",
        model.architecture,
        _describe_licence(model),
        _join_authors(model),
        ", ".join(f"{r.type} {_megabytes(r)}" for r in usable) or "none that can be used",
        "get" if plain else "by hand" if usable else "—",
        "yes" if is_here else "",
    )


def _megabytes(resource: Resource) -> str:
    return "? MB" if resource.size is None else f"{resource.size / 1e6:.1f} MB"
