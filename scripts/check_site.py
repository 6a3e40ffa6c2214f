"""Check a built documentation site: every link, anchor and picture resolves inside it, and no page
loads anything from another host.

    python scripts/check_site.py site
"""

import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"img": "src", "script": "src", "source": "src", "iframe": "src"}
"""Elements whose resource a browser fetches by itself, and the attribute that names it."""


@dataclass
class Page(HTMLParser):
    """What one HTML page links to, loads, and offers as anchors."""

    links: list[str] = field(default_factory=list)
    resources: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors.update(values[name] for name in ("id", "name") if name in values)
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag == "link" and values.get("rel") in {"stylesheet", "icon", "preload"}:
            self.resources.append(values.get("href", ""))
        if LOADED.get(tag, "") in values:
            self.resources.append(values[LOADED[tag]])


def parse_page(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def find_faults(site: Path) -> list[str]:
    """One line for each fault of each page below ``site``."""
    pages = {path: parse_page(path) for path in sorted(site.rglob("*.html"))}
    return [
        f"{path.relative_to(site)}: {fault}"
        for path, page in pages.items()
        if path.name != "404.html"  # its links are absolute: it is served at any address
        for fault in [*_outside(page), *_broken(path, page, pages)]
    ]


def _outside(page: Page) -> list[str]:
    return [f"loads {url} from elsewhere" for url in page.resources if urlsplit(url).netloc]


def _broken(path: Path, page: Page, pages: dict[Path, Page]) -> list[str]:
    """Links and resources of ``page`` that lead nowhere in the site."""
    faults = []
    for url in [*page.links, *page.resources]:
        parts = urlsplit(url)
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if not target.exists():
            faults.append(f"{url} leads nowhere")
        elif parts.fragment and not _has_anchor(pages.get(target), unquote(parts.fragment)):
            faults.append(f"{url} has no such anchor")
    return faults


def _has_anchor(page: Page | None, anchor: str) -> bool:
    return page is not None and (anchor in page.anchors or anchor == "__skip")


def main() -> None:
    site = Path(sys.argv[1]).resolve()
    count = len(list(site.rglob("*.html")))
    faults = find_faults(site)
    print("\n".join(faults) or f"{count} pages: every link, anchor and picture resolves")
    sys.exit(bool(faults) or count == 0)


if __name__ == "__main__":
    main()
