"""OpenModelDB's catalogue: its JSON, which is not trusted, → networks that can be searched.

The format is that of ``api/v1/models.json``: an object of models by ID. Unknown members are
ignored; an invalid entry doesn't affect the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from subpixel.errors import GalleryError, UsageError, one_line
from subpixel.strict_json import JsonError, parse_json
from subpixel.zoo.gallery.names import close_ids, is_sha256, is_valid_id, match_id

MAX_CATALOGUE_BYTES = 64 << 20
"""The size limit of the catalogue: OpenModelDB's is about 2 MB."""

MAX_WEIGHTS = 4 << 30
"""The size limit of weights in bytes; larger ones don't fit an ONNX file anyway."""

MAX_SCALE = 16

WEIGHT_TYPES = ("safetensors", "pth", "onnx")
"""The supported file types, the preferred one first: without pickle, with the original weights,
exported by somebody."""

BY_HAND = (
    "1drv.ms",
    "app.box.com",
    "docs.google.com",
    "drive.google.com",
    "dropbox.com",
    "gofile.io",
    "icedrive.net",
    "mediafire.com",
    "mega.co.nz",
    "mega.nz",
    "onedrive.live.com",
    "pan.baidu.com",
    "pixeldrain.com",
    "terabox.com",
    "workupload.com",
)
"""File hosts whose links lead to a page for a person, not to the file."""


@dataclass(frozen=True)
class Resource:
    """One file of a network."""

    type: str
    """``pth``, ``safetensors``, ``onnx`` or an unsupported type."""
    size: int | None
    """In bytes; None where the catalogue doesn't state it."""
    sha256: str | None
    """64 hexadecimal digits in lower case; None where the catalogue doesn't state it."""
    urls: tuple[str, ...]

    @property
    def is_usable(self) -> bool:
        """Whether its type is supported, and it can be verified."""
        return self.type in WEIGHT_TYPES and self.sha256 is not None

    @property
    def plain_urls(self) -> tuple[str, ...]:
        """The URLs of the file itself."""
        return tuple(url for url in self.urls if not _wants_a_person(url))

    @property
    def pages(self) -> tuple[str, ...]:
        """The URLs of pages for a person with a browser."""
        return tuple(url for url in self.urls if _wants_a_person(url))


@dataclass(frozen=True)
class CatalogueModel:
    """A network in the catalogue. All strings are printable and on one line."""

    id: str
    name: str
    authors: tuple[str, ...]
    licence: str | None
    """SPDX; None where the catalogue doesn't state it."""
    tags: tuple[str, ...]
    description: str
    architecture: str
    scale: int
    input_channels: int
    output_channels: int
    resources: tuple[Resource, ...]

    def matches(self, word: str) -> bool:
        """Whether ``word`` occurs in any of the strings, ignoring case."""
        texts = (self.id, self.name, *self.authors, self.licence or "", *self.tags)
        texts += (self.architecture, self.description, f"{self.scale}x", f"x{self.scale}")
        return any(word.lower() in text.lower() for text in texts)


@dataclass(frozen=True)
class Catalogue:
    """All networks by ID, and the faults of invalid entries."""

    models: Mapping[str, CatalogueModel]
    faults: Mapping[str, str]

    def search(self, words: Sequence[str]) -> tuple[CatalogueModel, ...]:
        """The networks that every one of ``words`` matches, by name."""
        models = sorted(self.models.values(), key=lambda model: model.id.lower())
        return tuple(model for model in models if all(map(model.matches, words)))

    def find(self, name: str) -> CatalogueModel:
        """The network that ``name`` means (:func:`~subpixel.zoo.gallery.names.match_id`).

        Raises :class:`UsageError` where there is none or several, and :class:`GalleryError` for an
        invalid entry.
        """
        if name in self.faults:
            raise GalleryError(f"the catalogue's entry {name} can't be used: {self.faults[name]}")
        return self.models[match_id(name, self.models)]

    def suggestions(self, word: str) -> list[str]:
        """Names that a mistyped ``word`` may mean."""
        return close_ids(word, self.models)


def parse_catalogue(data: bytes) -> Catalogue:
    """Parse the API's answer; raises :class:`GalleryError` where it is no catalogue."""
    try:
        content = parse_json(data, max_bytes=MAX_CATALOGUE_BYTES)
    except JsonError as error:  # truncated, not JSON, nested too deeply
        raise GalleryError(f"the catalogue is no JSON, or cut short: {one_line(error)}") from error
    if not isinstance(content, dict):
        raise GalleryError(f"the catalogue is a JSON {type(content).__name__}, not an object by ID")
    models: dict[str, CatalogueModel] = {}
    faults: dict[str, str] = {}
    for key, entry in content.items():
        try:
            models[key] = _parse_model(key, entry)
        except (TypeError, ValueError) as error:
            faults[_printable(key)] = str(error)
    if faults and not models:
        name, fault = next(iter(faults.items()))
        raise GalleryError(f"no entry of the catalogue can be used; {name}: {fault}")
    return Catalogue(models, faults)


def choose_resource(model: CatalogueModel, number: int | None = None) -> Resource:
    """The file ``number`` of ``model``, from 1, or the preferred one that has a plain link.

    Raises :class:`UsageError` for a number that doesn't exist, and :class:`GalleryError` for a file
    that can't be used, or only downloaded by a person.
    """
    if number is not None:
        if not 1 <= number <= len(model.resources):
            raise UsageError(f"{model.id} has no file {number}; it has 1 to {len(model.resources)}")
        candidates = [model.resources[number - 1]]
    else:
        candidates = sorted(filter(lambda r: r.is_usable, model.resources), key=_preference)
    if not candidates or not candidates[0].is_usable:
        raise GalleryError(f"{model.id} {_why_unusable(candidates or model.resources)}")
    resource = candidates[0]
    if not resource.plain_urls:
        raise GalleryError(_by_hand(model, resource))
    return resource


def _preference(resource: Resource) -> tuple[bool, int]:
    return not resource.plain_urls, WEIGHT_TYPES.index(resource.type)


def _why_unusable(resources: Sequence[Resource]) -> str:
    if any(resource.type in WEIGHT_TYPES for resource in resources):
        return "can't be verified: the catalogue doesn't state the sha256 of its file"
    types = ", ".join(sorted({resource.type for resource in resources})) or "none"
    return f"has no file that can be used, of {', '.join(WEIGHT_TYPES)}; it has {types}"


def _by_hand(model: CatalogueModel, resource: Resource) -> str:
    pages = " or ".join(resource.pages)
    if not pages:
        return f"the catalogue names no URL for {model.id}"
    return (
        f"{model.id} lies on a file host that wants a person: open {pages} in a browser, save the "
        f"file, then run subpixel models get {model.id} --from FILE"
    )


def _wants_a_person(url: str) -> bool:
    try:
        host = (urlsplit(url).hostname or "").lower().rstrip(".")
    except ValueError:  # an invalid IPv6 address, for example; opening it raises an error
        return False
    return any(host == name or host.endswith(f".{name}") for name in BY_HAND)


def _parse_model(key: str, entry: object) -> CatalogueModel:
    if not is_valid_id(key):
        raise ValueError("its ID is not of letters, digits and . _ + - alone, or too long")
    values = _expect_object(entry, "the entry")
    return CatalogueModel(
        id=key,
        name=_expect_text(values, "name"),
        authors=_parse_authors(values.get("author")),
        licence=None if values.get("license") is None else _expect_text(values, "license"),
        tags=tuple(_expect_texts(values.get("tags", []), "tags")),
        description=_expect_text(values, "description", default=""),
        architecture=_expect_text(values, "architecture"),
        scale=_expect_number(values, "scale", 1, MAX_SCALE),
        input_channels=_expect_number(values, "inputChannels", 1, 64),
        output_channels=_expect_number(values, "outputChannels", 1, 64),
        resources=tuple(
            _parse_resource(r) for r in _expect_list(values.get("resources"), "resources")
        ),
    )


def _parse_resource(entry: object) -> Resource:
    values = _expect_object(entry, "a resource")
    sha256 = values.get("sha256")
    if sha256 is not None:
        sha256 = _expect_text(values, "sha256").lower()
        if not is_sha256(sha256):
            raise ValueError("a resource's sha256 is not 64 hexadecimal digits")
    size = None if values.get("size") is None else _expect_number(values, "size", 1, MAX_WEIGHTS)
    urls = _expect_list(values.get("urls"), "urls")
    if not all(isinstance(url, str) and url.isascii() and url.isprintable() for url in urls):
        raise ValueError("a resource's urls are not all printable ASCII")
    return Resource(_expect_text(values, "type"), size, sha256, tuple(urls))


def _parse_authors(value: object) -> tuple[str, ...]:
    return tuple(_expect_texts([value] if isinstance(value, str) else value or [], "author"))


def _expect_object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{what} is no JSON object")
    return value


def _expect_list(value: object, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{what} is no JSON array")
    return value


def _expect_texts(value: object, what: str) -> list[str]:
    texts = _expect_list(value, what)
    if not all(isinstance(text, str) for text in texts):
        raise TypeError(f"{what} is not of texts alone")
    return [_printable(text) for text in texts]


def _expect_text(values: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = values.get(key, default)
    if not isinstance(value, str):
        raise TypeError(f"{key} is {type(value).__name__}, not text")
    return _printable(value)


def _expect_number(values: Mapping[str, Any], key: str, minimum: int, maximum: int) -> int:
    value = values.get(key)
    if type(value) is not int or not minimum <= value <= maximum:  # True is an int, too
        raise ValueError(f"{key} is {one_line(ValueError(value), 40)}, not {minimum} to {maximum}")
    return value


def _printable(text: str) -> str:
    """``text`` on one line, without control characters, which a terminal might execute."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
