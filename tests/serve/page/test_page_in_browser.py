"""The page in Chromium: photos go in as a visitor's do, and come out as Python computes them."""

import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image, ImageCms

import subpixel
from networks import sub_pixel_network
from page_server import serve_folder
from subpixel import Upscaler
from subpixel.errors import ProviderError
from subpixel.graph.metadata import with_spec
from subpixel.serve.page_files import HEADERS, list_page_networks, write_page
from subpixel.serve.vendor import PAGE
from subpixel.spec import ModelSpec, Precision

pytestmark = pytest.mark.slow
sync_api = pytest.importorskip("playwright.sync_api", reason="needs the extra test-page")
Browser, Page, Playwright = sync_api.Browser, sync_api.Page, sync_api.Playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SOFTWARE_GPU = (
    "--enable-unsafe-webgpu",
    "--use-webgpu-adapter=swiftshader",
    "--enable-unsafe-swiftshader",
    "--enable-features=Vulkan",
    "--use-vulkan=swiftshader",
)
CACHE_NAMES = "caches.keys().then((names) => names.sort())"
FOCUS = "document.activeElement.id"
OWN = ModelSpec("own", 3, "luma", "luma", halo=1)
PATIENCE = 540_000
"""Milliseconds for one photo: machines are shared."""
DONE = 'body[data-state="done"], body[data-state="failed"], body[data-state="cancelled"]'


@pytest.fixture(scope="module")
def page_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (PAGE / "vendor").is_dir() and shutil.which("npm") is None:
        pytest.skip("needs npm, or `make page` run before")
    folder = tmp_path_factory.mktemp("page")
    try:
        write_page(folder, list_page_networks())
    except ProviderError as error:
        if _has_registry():
            raise
        pytest.skip(f"needs npm's registry: {error}")
    return folder


def _has_registry() -> bool:
    try:
        socket.create_connection(("registry.npmjs.org", 443), timeout=10).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_api.sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    with _launch(playwright) as browser:
        yield browser


@contextmanager
def _launch(playwright: Playwright, *arguments: str) -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"needs one of {', '.join(BROWSERS)}")
    alone = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    browser = playwright.chromium.launch(executable_path=program, args=[*alone, *arguments])
    try:
        yield browser
    finally:
        browser.close()


@dataclass(frozen=True)
class Visit:
    """A tab that shows the page."""

    tab: Page

    def choose(self, **choices: str) -> None:
        for name, value in choices.items():
            if name == "scale":
                self.tab.check(f'input[name="scale"][value="{value}"]', force=True)
            else:
                self.tab.select_option(f"#{name}", value)

    def enlarge(self, file: Path) -> bytes:
        """What is downloaded for ``file``."""
        self.add(file)
        assert self.wait() == "done", self.tab.inner_text("#problem")
        return self.download()

    def add(self, *files: Path) -> None:
        self.tab.set_input_files("#files", [str(file) for file in files])
        self.tab.wait_for_selector(f'#name:text-is("{files[0].name}")')

    def wait(self) -> str:
        self.tab.wait_for_selector(DONE, timeout=PATIENCE)
        return str(self.tab.get_attribute("body", "data-state"))

    def download(self) -> bytes:
        with self.tab.expect_download() as download:
            self.tab.click("#download")
        return Path(download.value.path()).read_bytes()

    def text(self, selector: str) -> str:
        return str(self.tab.inner_text(selector))


@contextmanager
def visit(browser: Browser, url: str, **options: object) -> Iterator[Visit]:
    """The page at ``url``, ready; any error in it fails the test."""
    context = browser.new_context(**{"service_workers": "block"} | options)
    tab = context.new_page()
    errors: list[str] = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto(url)
    tab.wait_for_selector("body[data-ready]")
    try:
        yield Visit(tab)
        assert errors == []
    finally:
        context.close()


@pytest.fixture
def opened(browser: Browser, page_folder: Path) -> Iterator[Visit]:
    with serve_folder(page_folder, HEADERS) as url, visit(browser, url) as page:
        yield page


def photo(width: int, height: int) -> Image.Image:
    """A part of the photograph that the package holds."""
    (file,) = Path(subpixel.__file__).parent.rglob("photo.jpg")
    image = Image.open(io.BytesIO(file.read_bytes())).convert("RGB")
    return image.resize((width, height), Image.Resampling.LANCZOS, image.getbbox())


def with_holes(image: Image.Image) -> Image.Image:
    """With alpha from nothing to full."""
    result = image.copy()
    alpha = Image.radial_gradient("L").resize(image.size)
    result.putalpha(alpha.point([min(max(3 * (value - 60), 0), 255) for value in range(256)]))
    return result


def python_s(
    model: str, scale: int, samples: np.ndarray, precision: Precision | None = None
) -> np.ndarray:
    return Upscaler(model, scale=scale, device="cpu", tuning=False, precision=precision)(samples)


def pixels_of(content: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(content)))


def sha256(samples: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(samples).tobytes()).hexdigest()


@pytest.mark.parametrize("headers", [HEADERS, {}], ids=["threads", "one thread"])
def test_a_dropped_photo_has_python_s_sha256(
    headers: Mapping[str, str], browser: Browser, page_folder: Path, tmp_path: Path
) -> None:
    """Larger than a tile, by the network that the file's own quality asks for."""
    file = tmp_path / "photo.jpg"
    photo(470, 330).save(file, quality=92)
    with serve_folder(page_folder, headers) as url, visit(browser, url) as page:
        page.choose(format="png", scale="2")
        transfer = page.tab.evaluate_handle(
            "(bytes) => { const t = new DataTransfer();"
            "t.items.add(new File([new Uint8Array(bytes)], 'photo.jpg', {type: 'image/jpeg'}));"
            "return t; }",
            list(file.read_bytes()),
        )
        page.tab.dispatch_event("#drop", "drop", {"dataTransfer": transfer})
        assert page.wait() == "done", page.text("#problem")
        result, facts = pixels_of(page.download()), page.text("#facts")
        cores = page.tab.evaluate("navigator.hardwareConcurrency")
    assert "denoise-50-int8 (a JPEG of quality 92, by its tables)" in facts
    assert ("one thread" in facts) == (headers == {} or cores == 1)
    assert sha256(result) == sha256(python_s("denoise-50", 2, pixels_of(file.read_bytes())))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_every_factor(scale: int, opened: Visit, tmp_path: Path) -> None:
    file = tmp_path / "photo.png"
    photo(120, 90).save(file)
    opened.choose(network="balanced", scale=str(scale))
    result = pixels_of(opened.enlarge(file))
    expected = python_s("balanced", scale, pixels_of(file.read_bytes()))
    assert sha256(result) == sha256(expected)


KINDS: Mapping[str, Callable[[Image.Image, Path], None]] = {
    "grey.png": lambda image, file: image.convert("L").save(file),
    "alpha.png": lambda image, file: with_holes(image).save(file),
    "grey_alpha.png": lambda image, file: with_holes(image).convert("LA").save(file),
    "palette.png": lambda image, file: image.quantize(100).save(file),
    "quality_60.jpg": lambda image, file: image.save(file, quality=60),
    "progressive.jpg": lambda image, file: image.save(file, quality=90, progressive=True),
    "grey.jpg": lambda image, file: image.convert("L").save(file, quality=90),
    "lossy.webp": lambda image, file: image.save(file, quality=80),
    "plain.webp": lambda image, file: image.save(file, lossless=True),
    "alpha.webp": lambda image, file: with_holes(image).save(file, lossless=True, exact=True),
}
"""Pictures that go in. What is lossy comes out of every decoder alike."""


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_picture_has_python_s_sha256(
    name: str, opened: Visit, tmp_path: Path
) -> None:
    file = tmp_path / name
    KINDS[name](photo(150, 101), file)
    opened.choose(network="fast", scale="2", format="png")
    result = pixels_of(opened.enlarge(file))
    image = Image.open(io.BytesIO(file.read_bytes()))
    samples = np.array(image.convert("RGB") if image.mode == "P" else image)
    assert sha256(result) == sha256(python_s("fast", 2, samples))


def test_sixteen_bits_are_within_a_code_of_float32(opened: Visit, tmp_path: Path) -> None:
    file = tmp_path / "deep.png"
    samples = np.array(photo(90, 70).convert("L")).astype(np.uint16) * 257
    Image.fromarray(samples).save(file)
    opened.choose(network="fast", scale="2")
    result = pixels_of(opened.enlarge(file)).astype(int)
    expected = python_s("fast", 2, samples).astype(int)
    assert abs(result - expected).max() <= 257


def test_float32_is_within_a_code(opened: Visit, tmp_path: Path) -> None:
    file = tmp_path / "photo.png"
    photo(90, 70).save(file)
    opened.choose(network="balanced", scale="2", compute="float")
    result = pixels_of(opened.enlarge(file)).astype(int)
    expected = python_s("balanced", 2, pixels_of(file.read_bytes()), precision="fp32")
    assert abs(result - expected.astype(int)).max() <= 1


def test_a_graphics_card_is_within_a_code(
    playwright: Playwright, page_folder: Path, tmp_path: Path
) -> None:
    """On SwiftShader, which computes what a card would."""
    file = tmp_path / "photo.png"
    photo(64, 48).save(file)
    with (
        serve_folder(page_folder, HEADERS) as url,
        _launch(playwright, *SOFTWARE_GPU) as browser,
        visit(browser, url) as page,
    ):
        if not page.tab.query_selector('#compute option[value="gpu"]'):
            pytest.skip("this browser has no WebGPU adapter, not even SwiftShader")
        page.choose(network="fast", scale="2", compute="gpu")
        result = pixels_of(page.enlarge(file)).astype(int)
        assert "graphics card" in page.text("#facts")
    expected = python_s("fast", 2, pixels_of(file.read_bytes()), precision="fp32")
    assert abs(result - expected.astype(int)).max() <= 1


def test_a_jpeg_stays_one_and_keeps_what_it_says(opened: Visit, tmp_path: Path) -> None:
    """Turned by EXIF: stored as it was, and upright on the screen."""
    file, profile = tmp_path / "turned.jpg", ImageCms.createProfile("sRGB")
    icc = ImageCms.ImageCmsProfile(profile).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    photo(120, 80).save(file, quality=95, icc_profile=icc, exif=exif)
    opened.choose(network="balanced", scale="2")
    larger = Image.open(io.BytesIO(opened.enlarge(file)))
    assert (larger.format, larger.size) == ("JPEG", (240, 160))
    assert larger.info["icc_profile"] == icc
    assert larger.getexif()[0x0112] == 6
    expected = python_s("balanced", 2, pixels_of(file.read_bytes()))
    assert abs(np.array(larger).astype(float) - expected).mean() < 2  # what quality 95 costs
    seen = opened.tab.evaluate(
        "[...document.querySelectorAll('#viewer img')]"
        ".map((image) => [image.naturalWidth, image.naturalHeight])"
    )
    assert seen == [[80, 120], [160, 240]]
    assert opened.text("#sizes") == "80 × 120 → 160 × 240"
    assert "160 × 240 pixels" in str(opened.tab.text_content("#spoken"))


def test_a_webp_stays_one(opened: Visit, tmp_path: Path) -> None:
    file = tmp_path / "photo.webp"
    exif = Image.Exif()
    exif[0x0112] = 8
    photo(120, 80).save(file, lossless=True, exif=exif)
    opened.choose(network="fast", scale="2")
    content = opened.enlarge(file)
    larger = Image.open(io.BytesIO(content))
    assert (larger.format, larger.getexif()[0x0112]) == ("WEBP", 8)
    assert opened.text("#sizes") == "80 × 120 → 160 × 240"
    expected = python_s("fast", 2, pixels_of(file.read_bytes()))
    assert sha256(pixels_of(content)) == sha256(expected)


@pytest.mark.parametrize(("source", "target"), [("jpeg", "png"), ("png", "webp"), ("webp", "jpeg")])
def test_profile_and_exif_pass_to_another_format(
    source: str, target: str, opened: Visit, tmp_path: Path
) -> None:
    file = tmp_path / f"photo.{source}"
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    photo(60, 40).save(file, icc_profile=icc, exif=exif)
    opened.choose(network="fast", scale="2", format=target)
    larger = Image.open(io.BytesIO(opened.enlarge(file)))
    assert (larger.format, larger.size) == (target.upper(), (120, 80))
    assert larger.info["icc_profile"] == icc
    assert larger.getexif()[0x010F] == "Maker"


def test_a_photo_is_pasted(opened: Visit, tmp_path: Path) -> None:
    file = tmp_path / "photo.png"
    photo(60, 40).save(file)
    opened.choose(network="fast", scale="2")
    opened.tab.evaluate(
        "(bytes) => { const clipboardData = new DataTransfer();"
        "clipboardData.items.add(new File([new Uint8Array(bytes)], 'image.png'));"
        "document.body.dispatchEvent("
        "new ClipboardEvent('paste', { clipboardData, bubbles: true })); }",
        list(file.read_bytes()),
    )
    assert opened.wait() == "done"
    assert pixels_of(opened.download()).shape == (80, 120, 3)


def test_what_a_browser_cannot_keep_is_said(opened: Visit, tmp_path: Path) -> None:
    file = tmp_path / "moving.gif"
    frames = [photo(60, 40).quantize(64), photo(60, 40).rotate(180).quantize(64)]
    frames[0].save(file, save_all=True, append_images=frames[1:])
    opened.choose(network="fast", scale="2")
    assert Image.open(io.BytesIO(opened.enlarge(file))).format == "PNG"
    assert "can't write GIF; the result is a PNG" in opened.text("#losses")


def test_damaged_files_are_named_and_the_others_go_on(opened: Visit, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("text.jpg", "empty.png", "cut.png", "good.png")]
    photo(60, 40).save(files[3])
    files[0].write_text("no picture")
    files[1].write_bytes(b"")
    files[2].write_bytes(files[3].read_bytes()[:900])
    opened.choose(network="fast", scale="2")
    opened.add(*files)
    opened.tab.wait_for_selector('.thumb:has-text("Ready")', timeout=PATIENCE)
    messages = {}
    for file in files[:3]:
        opened.tab.click(f'.thumb[aria-label^="{file.name}"]')
        messages[file.name] = opened.text("#problem")
    assert "can't decode the picture" in messages["text.jpg"]
    assert "The file is empty" in messages["empty.png"]
    assert "damaged or cut off" in messages["cut.png"]


def test_cancelling_ends_between_tiles_and_the_next_goes_on(opened: Visit, tmp_path: Path) -> None:
    large, small = tmp_path / "large.png", tmp_path / "small.png"
    photo(2000, 1500).save(large)
    photo(60, 40).save(small)
    opened.choose(network="fast", scale="2")
    opened.add(large, small)
    opened.tab.wait_for_selector('#left:has-text("left")', timeout=PATIENCE)  # a tile is done
    said = opened.tab.evaluate(
        "() => { const [cancel, left, spoken] = ['cancel', 'left', 'spoken']"
        ".map((id) => document.getElementById(id)); cancel.focus(); cancel.click();"
        "return [left.textContent, spoken.textContent, document.activeElement === cancel]; }"
    )
    assert said == ["Cancelling…", "Cancelling…", True]
    assert opened.wait() == "cancelled"
    assert opened.tab.evaluate(FOCUS) == "again"
    opened.tab.click('.thumb[aria-label^="small.png"]')
    assert opened.wait() == "done"
    opened.tab.click('.thumb[aria-label^="large.png"]')
    opened.tab.click("#again")
    opened.tab.wait_for_selector('#left:has-text("left")', timeout=PATIENCE)  # it runs again
    assert opened.tab.evaluate(FOCUS) == "cancel"


def test_a_failed_photo_can_be_tried_again(opened: Visit, tmp_path: Path) -> None:
    file = tmp_path / "text.jpg"
    file.write_text("no picture")
    opened.add(file)
    assert opened.wait() == "failed"
    opened.tab.click("#again")
    assert opened.wait() == "failed"
    assert opened.tab.is_visible("#again")


@pytest.mark.parametrize(
    "event",
    [
        "new DragEvent('drop', { dataTransfer: data,",
        "new ClipboardEvent('paste', { clipboardData: data,",
    ],
    ids=["drop", "paste"],
)
def test_links_and_text_are_refused_in_a_line(event: str, opened: Visit) -> None:
    opened.tab.evaluate(
        "() => { const data = new DataTransfer();"
        "data.setData('text/plain', 'https://example.org/photo.jpg');"
        f"document.body.dispatchEvent({event} bubbles: true, cancelable: true }})); }}"
    )
    assert "Only picture files are taken" in opened.text("#notice")


def test_another_factor_is_computed_when_it_is_asked_for(opened: Visit, tmp_path: Path) -> None:
    file = tmp_path / "photo.png"
    photo(60, 40).save(file)
    opened.choose(network="fast", scale="2")
    assert pixels_of(opened.enlarge(file)).shape == (80, 120, 3)
    opened.choose(scale="4")
    opened.tab.click("#again")
    opened.tab.wait_for_selector('#sizes:has-text("240 × 160")', timeout=PATIENCE)
    assert pixels_of(opened.download()).shape == (160, 240, 3)


def test_offline_after_the_first_visit_and_then_with_threads(
    browser: Browser, page_folder: Path, tmp_path: Path
) -> None:
    """Served without any header, then not at all; a factor that the first visit needn't have."""
    file = tmp_path / "photo.png"
    photo(60, 40).save(file)
    context = browser.new_context()
    tab = context.new_page()
    with serve_folder(page_folder, {}) as url:
        tab.goto(url)
        tab.evaluate("navigator.serviceWorker.ready.then(() => 0)")
        assert tab.evaluate("crossOriginIsolated") is False
        tab.wait_for_selector('#offline:text-matches("^Works offline[.;]")', timeout=PATIENCE)
    tab.reload()
    tab.wait_for_selector("body[data-ready]")
    page = Visit(tab)
    page.choose(network="balanced", scale="4")
    result = pixels_of(page.enlarge(file))
    assert tab.evaluate("crossOriginIsolated") is True
    context.close()
    assert sha256(result) == sha256(python_s("balanced", 4, pixels_of(file.read_bytes())))


@pytest.mark.usefixtures("page_folder")  # skips where nothing can be fetched
def test_a_page_of_one_network_of_one_s_own(browser: Browser, tmp_path: Path) -> None:
    """A luma network of float32, of one scale; its page has nothing else to choose from."""
    file, network = tmp_path / "photo.png", tmp_path / "own.onnx"
    photo(90, 70).save(file)
    onnx.save(with_spec(sub_pixel_network(scale=3), OWN), network)
    write_page(tmp_path / "page", [network])
    with serve_folder(tmp_path / "page", HEADERS) as url, visit(browser, url) as page:
        assert page.tab.locator("#network option").all_inner_texts() == ["own"]
        result = pixels_of(page.enlarge(file)).astype(int)
    expected = Upscaler(network, device="cpu")(pixels_of(file.read_bytes())).astype(int)
    assert abs(result - expected).max() <= 1


def test_a_new_version_takes_the_place_of_the_old_one(
    browser: Browser, page_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "page"
    shutil.copytree(page_folder, folder)
    context = browser.new_context()
    tab = context.new_page()
    with serve_folder(folder, {}) as url:
        tab.goto(url)
        tab.evaluate("navigator.serviceWorker.ready.then(() => 0)")
        (before,) = tab.evaluate(CACHE_NAMES)
        index = (folder / "index.html").read_text(encoding="utf-8")
        (folder / "index.html").write_text(index.replace("Make photos", "Make all"), "utf-8")
        release = (folder / "release.js").read_text(encoding="utf-8")
        release = release.replace(before.removeprefix("subpixel-"), "0123456789abcdef")
        (folder / "release.js").write_text(release, "utf-8")
        tab.reload()  # which is what makes a browser look for a new worker
        for _ in range(100):
            names = tab.evaluate(CACHE_NAMES)
            if names == ["subpixel-0123456789abcdef"]:
                break
            tab.wait_for_timeout(200)
        assert names == ["subpixel-0123456789abcdef"]
        tab.reload()
        assert tab.inner_text("h1") == "Make all larger"
    context.close()


PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
DESKTOP = {"viewport": {"width": 1280, "height": 860}}


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("device", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_and_nothing_is_cut_off(
    device: dict[str, Any], colours: str, browser: Browser, page_folder: Path, tmp_path: Path
) -> None:
    files = [tmp_path / name for name in ("photo.png", "text.jpg")]
    photo(300, 200).save(files[0])
    files[1].write_text("no picture")
    axe = _find_axe(page_folder)
    with (
        serve_folder(page_folder, HEADERS) as url,
        visit(browser, url, color_scheme=colours, **device) as page,
    ):
        page.tab.evaluate(axe)
        faults = {"empty": _ask_axe(page)}
        page.choose(network="fast", scale="2")
        page.add(*files)
        faults["running"] = _ask_axe(page)
        page.wait()
        page.tab.wait_for_selector('.thumb:has-text("Failed")', timeout=PATIENCE)
        faults["done"] = _ask_axe(page)
        page.tab.click('[data-zoom="full"]')
        page.tab.click('[data-zoom="in"]')
        faults["zoomed"] = _ask_axe(page)
        page.tab.click('.thumb:has-text("Failed")')
        faults["failed"] = _ask_axe(page)
        widths = page.tab.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert {state: found for state, found in faults.items() if found} == {}
    assert widths[0] <= widths[1], "the page scrolls sideways"


def _find_axe(page_folder: Path) -> str:
    """axe-core of the lock file, by npm; the test is skipped without it."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("needs npm, for axe-core")
    folder = page_folder.parent / "axe"
    if not folder.is_dir():
        folder.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(PAGE / name, folder / name)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"npm could not fetch axe-core: {done.stderr.strip()}")
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def _ask_axe(page: Visit) -> list[str]:
    report = page.tab.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [f"{fault['id']}: {fault['nodes'][0]['html'][:200]}" for fault in report["violations"]]


def test_by_keyboard_alone(opened: Visit, tmp_path: Path) -> None:
    file = tmp_path / "photo.png"
    photo(60, 40).save(file)
    tab = opened.tab
    # Playwright turns its hold on file choosers on without waiting until it is: early, then.
    tab.on("filechooser", lambda chooser: None)
    tab.focus("#choose")
    with tab.expect_file_chooser() as chooser:
        tab.keyboard.press("Enter")
    chooser.value.set_files(str(file))
    assert opened.wait() == "done"
    tab.wait_for_selector('#spoken:has-text("photo.png is ready")', state="attached")
    tab.focus("img-comparison-slider")
    for _ in range(5):
        tab.keyboard.press("ArrowRight")
    assert tab.get_attribute("img-comparison-slider", "aria-valuenow") == "60"
    assert tab.evaluate("document.querySelector('img-comparison-slider').value") == 60
    tab.focus("#download")
    with tab.expect_download():
        tab.keyboard.press("Enter")


def test_twelve_megapixels_leave_the_page_alive(
    opened: Visit, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """The longest task of the main thread is a figure to look at, not a bound."""
    file = tmp_path / "large.jpg"
    photo(4000, 3000).save(file, quality=92)
    opened.tab.evaluate(
        "window.tasks = [0]; new PerformanceObserver((list) => window.tasks.push("
        "...list.getEntries().map((e) => e.duration))).observe({ type: 'longtask' })"
    )
    opened.choose(network="fast", scale="2")
    opened.add(file)
    opened.tab.wait_for_selector('#left:has-text("left")', timeout=PATIENCE)
    opened.tab.click(".brand", trial=True)  # it answers
    larger = Image.open(io.BytesIO(opened.download() if opened.wait() == "done" else b""))
    assert (larger.format, larger.size) == ("JPEG", (8000, 6000))
    longest = opened.tab.evaluate("Math.max(...window.tasks)")
    record_property("longest main-thread task, ms", longest)


def test_the_first_visit_transfers_less_than_four_megabytes(page_folder: Path) -> None:
    """Of the default network, with Brotli as servers of files compress once."""
    brotli = pytest.importorskip("brotli")
    text = (page_folder / "release.js").read_text(encoding="utf-8")
    files = json.loads(text.removeprefix("self.RELEASE = ").removesuffix(";\n"))["files"]
    names = [*files, "service_worker.js", "release.js"]
    contents = [(page_folder / name).read_bytes() for name in names]
    sizes = [len(brotli.compress(content, quality=9)) for content in contents]
    assert sum(sizes) < 4_000_000, dict(zip(names, sizes, strict=True))
