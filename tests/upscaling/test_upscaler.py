from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock

import numpy as np
import onnx
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from networks import BoxBlur, sub_pixel_network
from rounding import graph_bound, likely_bound
from subpixel import Upscaler, upscale
from subpixel.errors import MemoryLimitError, NetworkError, PictureError, UsageError
from subpixel.media.image_file import encode_picture, open_picture, read_picture, write_picture
from subpixel.media.picture import Header, Metadata, Picture
from subpixel.network.flatness import Flatness
from subpixel.network.network import Network
from subpixel.runtime.op import NetOp
from subpixel.spec import ModelSpec, Precision
from subpixel.system.machine_memory import resident
from subpixel.upscaling import pipeline
from subpixel.upscaling.choice.choose import NetworkChoice
from subpixel.zoo.manifest import DEFAULT_NETWORK, find_bundled


@pytest.fixture(scope="module")
def fast() -> Upscaler:
    return Upscaler(scale=3, device="cpu")


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (70, 61, 3), dtype=np.uint8)


@pytest.mark.slow
@given(height=st.integers(1, 60), width=st.integers(1, 60), tile=st.integers(29, 50))
@settings(max_examples=20)
def test_tiled_equals_whole_through_the_real_session(height: int, width: int, tile: int) -> None:
    image = np.random.default_rng(height).random((height, width, 3), dtype=np.float32)
    cut, whole = (Upscaler(scale=3, device="cpu", tile=side)(image) for side in (tile, 0))
    np.testing.assert_allclose(cut, whole, rtol=0, atol=_rounding())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("shape", [(9, 8), (9, 8, 1), (9, 8, 2), (9, 8, 3), (9, 8, 4)])
def test_an_array_comes_back_as_the_same_kind(
    fast: Upscaler, dtype: type, shape: tuple[int, ...]
) -> None:
    image = np.ones(shape, dtype)
    result = fast(image)
    assert result.dtype == dtype
    assert result.shape == (27, 24, *shape[2:])


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_a_pillow_image_comes_back_as_one(fast: Upscaler, mode: str) -> None:
    result = fast(Image.new(mode, (8, 9)))
    assert isinstance(result, Image.Image)
    assert (result.mode, result.size) == (mode, (24, 27))


def test_depths_agree(fast: Upscaler, noise: np.ndarray) -> None:
    """In fp32, which 16 bits and floats get in any case."""
    eight = Upscaler(scale=3, device="cpu", precision="fp32")(noise)
    sixteen = fast(noise.astype(np.uint16) * 257)
    floating = fast(noise.astype(np.float32) / 255)
    within = _rounding()
    assert np.abs(sixteen / 257 - eight).max() <= 0.5 + 0.5 / 257 + 255 * within
    np.testing.assert_allclose(floating, sixteen / 65535, rtol=0, atol=0.5 / 65535 + within)


@cache
def _rounding() -> float:
    """Of the default network at scale 3, on pixels of 0 to 1."""
    picture = np.random.default_rng(0).random((1, 3, 24, 24), dtype=np.float32)
    return likely_bound(onnx.load(find_bundled(DEFAULT_NETWORK, 3).path), picture)


@pytest.mark.parametrize("model", ["balanced", "balanced-int8"])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_flat_colours_stay_themselves(model: str, scale: int) -> None:
    """No colour shift: away from the border a flat picture keeps its colour within one step."""
    colours = np.array([[0, 0, 0], [255, 255, 255], [255, 0, 0], [12, 200, 99], [128, 128, 128]])
    upscaler = Upscaler(model, scale=scale, device="cpu")
    for colour in colours:
        flat = np.broadcast_to(colour.astype(np.uint8), (40, 40, 3))
        inner = upscaler(flat)[14 * scale : -14 * scale, 14 * scale : -14 * scale]
        assert np.abs(inner.astype(int) - colour).max() <= 1


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_network_of_8_bits_takes_8_bit_pictures_alone(channels: int) -> None:
    eight = Upscaler("fast-int8", scale=2, device="cpu")
    image = np.random.default_rng(0).integers(0, 256, (40, 33, channels), dtype=np.uint8)
    image[..., channels - 1] |= 255 * (channels in (2, 4))
    exact = Upscaler("fast", scale=2, device="cpu", precision="fp32")(image)
    assert psnr(eight(image), exact) > 25  # noise, the hardest there is
    for other in (image.astype(np.uint16) * 257, image.astype(np.float32) / 255):
        with pytest.raises(UsageError, match=f"this one is {other.dtype}; use model fast"):
            eight(other)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((a / 255 - b / 255) ** 2)))


def test_a_network_of_8_bits_gives_the_same_in_tiles() -> None:
    image = np.random.default_rng(0).integers(0, 256, (70, 81, 3), dtype=np.uint8)
    cut, whole = (Upscaler("fast-int8", device="cpu", tile=tile)(image) for tile in (33, 0))
    assert np.array_equal(cut, whole)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_batches_change_nothing(precision: Precision, channels: int) -> None:
    """To the bit, on the processor; also where part of the picture goes past the network."""
    image = np.random.default_rng(0).integers(0, 256, (150, 210, channels), dtype=np.uint8)
    image[:, :100] = 90
    for adaptive in (None, Flatness(0, 1.0)):
        one, three = (
            Upscaler(
                "fast",
                scale=2,
                device="cpu",
                precision=precision,
                tile=64,
                batch=batch,
                adaptive=adaptive,
            )(image)
            for batch in (1, 3)
        )
        assert np.array_equal(one, three)


def test_a_batch_is_as_many_tiles_in_one_run() -> None:
    runs: list[int] = []

    def counting(pixels: np.ndarray) -> np.ndarray:
        runs.append(len(pixels))
        return pixels

    spec = ModelSpec("same", scale=1, colour="rgb", interface="rgb", halo=0)
    upscaler = Upscaler(Network(counting, spec, "fake"), tile=10, batch=4)
    upscaler(np.zeros((20, 70, 3), np.uint8))
    assert runs == [3, 4, 3, 4]


@pytest.mark.parametrize(("batch", "fixed"), [(0, None), (-1, 1), (2, 1), (2, 2)])
def test_wrong_batches_are_refused(batch: int, fixed: int | None) -> None:
    spec = ModelSpec("same", scale=1, colour="rgb", interface="rgb", halo=0, fixed_batch=fixed)
    with pytest.raises(UsageError, match=f"batch is {batch}; "):
        Upscaler(Network(lambda pixels: pixels, spec, "fake"), batch=batch)


def test_a_picture_keeps_everything_but_its_size(fast: Upscaler) -> None:
    metadata = Metadata(icc=b"profile", orientation=6, resolution=(3.0, 3.0), delays_ms=(10, 20))
    frames = np.zeros((2, 5, 4, 4), np.uint16)
    larger = fast.picture(Picture(frames, metadata, bit_depth=12))
    assert larger.frames.shape == (2, 15, 12, 4)
    assert (larger.metadata, larger.bit_depth) == (metadata, 12)


def test_progress_runs_over_all_frames() -> None:
    seen: list[tuple[int, int]] = []
    picture = Picture(np.zeros((2, 40, 60, 3), np.uint8))
    Upscaler(scale=2, tile=40).picture(picture, lambda *now: seen.append(now))
    assert seen == [(done, len(seen)) for done in range(1, len(seen) + 1)]
    assert len(seen) > 2


@pytest.mark.slow
@pytest.mark.parametrize("size", [(24, 32), (10, 70), (64, 64)])
def test_a_network_of_fixed_size_and_batch_takes_any_picture(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    """The reference's own export is such a file. Its halo lets the tiles meet without a seam."""
    fixed, free = tmp_path / "fixed.onnx", tmp_path / "free.onnx"
    onnx.save(sub_pixel_network(1, 3, size=(24, 32), batch=2), fixed)
    onnx.save(sub_pixel_network(1, 3), free)
    image = np.random.default_rng(0).random((*size, 3), dtype=np.float32)
    result, expected = Upscaler(fixed)(image), Upscaler(free)(image)
    assert result.shape == expected.shape
    # where the picture was padded to the fixed size, its last row sees repeated pixels, not zeros
    inner = slice(None, -3)
    atol = graph_bound(sub_pixel_network(1, 3), image.transpose(2, 0, 1)[:, None])
    np.testing.assert_allclose(result[inner, inner], expected[inner, inner], rtol=0, atol=3 * atol)


def test_upscale_is_upscaler_in_one_call(noise: np.ndarray) -> None:
    assert np.array_equal(upscale(noise, scale=2), Upscaler(scale=2)(noise))


def test_wrong_tiles_are_refused() -> None:
    for tile in (8, 14):
        with pytest.raises(UsageError, match="at least 15 pixels"):
            Upscaler("fast", tile=tile)
    assert Upscaler("fast", tile=15)(np.zeros((30, 30, 3), np.uint8)).shape == (90, 90, 3)


class TestFiles:
    """From file to file in bands: as in memory, or not at all."""

    SPEC = ModelSpec("blur", scale=2, colour="rgb", interface="rgb", halo=2)

    def upscaler(self, op: NetOp | None = None) -> Upscaler:
        network = Network(op or BoxBlur(2, 2), self.SPEC, "fake", workers=2)
        return Upscaler(network, tile=24)

    @settings(max_examples=25)
    @given(
        st.integers(1, 150),
        st.integers(1, 90),
        st.integers(1, 4),
        st.integers(1, 2),
        st.sampled_from([np.uint8, np.uint16]),
        st.sampled_from([0.0, 0.5, 1.0]),
    )
    def test_as_in_memory(
        self,
        tmp_path_factory: pytest.TempPathFactory,
        height: int,
        width: int,
        channels: int,
        count: int,
        dtype: type,
        opaque: float,
    ) -> None:
        """To the bit, transparency and frames included."""
        folder = tmp_path_factory.mktemp("files")
        random = np.random.default_rng(height * width)
        white = np.iinfo(dtype).max
        frames = random.integers(0, white + 1, (count, height, width, channels)).astype(dtype)
        if channels in (2, 4):
            frames[..., -1][random.random(frames.shape[:3]) < opaque] = white
        picture = Picture(frames, bit_depth=frames.itemsize * 8)
        write_picture(picture, folder / "in.tif")
        upscaler = self.upscaler()
        losses = upscaler.file(open_picture(folder / "in.tif"), folder / "out.tif")
        assert losses == ()
        expected = upscaler.picture(picture).frames
        assert np.array_equal(read_picture(folder / "out.tif").frames, expected)
        assert np.array_equal(tifffile.imread(folder / "out.tif").reshape(-1), expected.reshape(-1))

    @pytest.mark.parametrize("problem", [NetworkError, KeyboardInterrupt])
    @pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
    def test_a_network_that_refuses_at_each_tile_in_turn(
        self, tmp_path: Path, suffix: str, problem: type[BaseException]
    ) -> None:
        """Nothing is written, and what was there stays."""
        source = tmp_path / "in.png"
        write_picture(Picture(np.zeros((1, 90, 40, 3), np.uint8)), source)
        target = tmp_path / f"out{suffix}"
        target.write_bytes(b"old")
        tiles = len(self.upscaler().plan(open_picture(source).header).tiles)
        assert tiles > 6
        for failing in range(tiles):
            upscaler = self.upscaler(Refusing(BoxBlur(2, 2), {failing}, problem))
            with pytest.raises(problem):
                upscaler.file(open_picture(source), target, overwrite=True)
            assert sorted(p.name for p in tmp_path.iterdir()) == ["in.png", target.name]
            assert target.read_bytes() == b"old"

    def test_memory_refused_at_each_tile_in_turn(self, tmp_path: Path) -> None:
        """The picture is started anew in smaller tiles, and comes out the same."""
        picture = Picture(np.random.default_rng(0).integers(0, 256, (1, 90, 40, 3), dtype=np.uint8))
        write_picture(picture, tmp_path / "in.png")
        expected = self.upscaler().picture(picture).frames
        tiles = len(self.upscaler().plan(picture.header).tiles)
        for failing in range(tiles):
            op = Refusing(BoxBlur(2, 2), {failing}, MemoryError)
            self.upscaler(op).file(picture, tmp_path / "out.png", overwrite=True)
            assert np.array_equal(read_picture(tmp_path / "out.png").frames, expected)
            assert max(op.areas[tiles:]) < op.areas[0]

    @pytest.mark.parametrize(("gigabytes", "at_once"), [(8, 3), (2, 1)])
    def test_where_memory_is_short_tiles_go_one_by_one(
        self, tmp_path: Path, gigabytes: int, at_once: int
    ) -> None:
        """A network that nothing is known of is taken to hold 1.3 GB for such a tile."""
        noise = np.random.default_rng(0).integers(0, 256, (1, 90, 250, 3), dtype=np.uint8)
        op = Refusing(BoxBlur(2, 2), set(), MemoryError)
        upscaler = Upscaler(Network(op, self.SPEC, "fake"), tile=100, batch=8)
        most = resident() + gigabytes * 10**9
        upscaler.file(Picture(noise), tmp_path / "out.png", max_memory=most)
        assert set(op.sizes) == {at_once}
        assert set(op.areas) == {90 * 86}
        expected = self.upscaler().picture(Picture(noise)).frames
        assert np.array_equal(read_picture(tmp_path / "out.png").frames, expected)

    def test_refused_memory_for_a_batch_is_asked_for_a_tile(self, tmp_path: Path) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (1, 90, 250, 3), dtype=np.uint8)
        op = Refusing(BoxBlur(2, 2), {0}, MemoryError)
        upscaler = Upscaler(Network(op, self.SPEC, "fake"), tile=100, batch=8)
        upscaler.file(Picture(noise), tmp_path / "out.png", max_memory=10**10)
        assert op.sizes[0] == 3
        assert set(op.sizes[1:]) == {1}

    def test_memory_refused_for_ever_is_said(self, tmp_path: Path) -> None:
        picture = Picture(np.zeros((1, 90, 40, 3), np.uint8))
        op = Refusing(BoxBlur(2, 2), set(range(1000)), MemoryError)
        with pytest.raises(MemoryLimitError, match="refused 4 times"):
            self.upscaler(op).file(picture, tmp_path / "out.png")
        assert list(tmp_path.iterdir()) == []

    def test_less_memory_than_the_smallest_tiles_take_is_refused(self, tmp_path: Path) -> None:
        picture = Picture(np.zeros((1, 9, 9, 3), np.uint8))
        with pytest.raises(MemoryLimitError, match=r"need at least .* and 1M are allowed"):
            self.upscaler().file(picture, tmp_path / "out.png", max_memory=10**6)
        assert list(tmp_path.iterdir()) == []

    def test_what_is_too_large_is_refused_before_a_pixel_is_read(self, tmp_path: Path) -> None:
        """Whether or not its network was chosen before, and with alpha, which is surveyed."""
        for channels in (3, 4):
            source = Unread(Header((1, 50, 50, channels), np.dtype(np.uint8)))
            choice = NetworkChoice("balanced", 0.0, "it was named")
            auto = Upscaler(scale=2, tuning=False)
            for upscaler, chosen in ((self.upscaler(), None), (auto, None), (auto, choice)):
                with pytest.raises(MemoryLimitError, match="need at least"):
                    upscaler.file(source, tmp_path / "out.png", max_memory=10**6, choice=chosen)
        assert list(tmp_path.iterdir()) == []

    def test_the_graph_is_read_once_for_all_pictures(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls: list[Network] = []

        def count(network: Network) -> float:
            calls.append(network)
            return 400.0

        monkeypatch.setattr(pipeline, "network_bytes_per_pixel", count)
        upscaler, picture = self.upscaler(), Picture(np.zeros((3, 90, 90, 3), np.uint8))
        for name in ("a.png", "b.tif"):
            most = resident() + (120 << 20)
            upscaler.file(picture, tmp_path / name, max_memory=most)
            upscaler.expect_room(picture, tmp_path / name, max_memory=most)
        assert len(calls) == 1

    def test_a_picture_damaged_further_down(self, tmp_path: Path) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (1, 300, 90, 3), dtype=np.uint8)
        data = encode_picture(Picture(noise), "a.png")
        (tmp_path / "in.png").write_bytes(data[: len(data) // 2])
        with pytest.raises(PictureError, match=r"in\.png can't be read"):
            self.upscaler().file(open_picture(tmp_path / "in.png"), tmp_path / "out.tif")
        assert [p.name for p in tmp_path.iterdir()] == ["in.png"]


@dataclass(frozen=True)
class Unread:
    """A source that has a header alone."""

    header: Header
    memory: int = 0

    def chunks(self) -> Iterator[np.ndarray]:
        raise AssertionError("no pixel is to be read")


class Refusing:
    """A network that raises at calls of these numbers, whichever thread they come from."""

    def __init__(self, op: NetOp, calls: set[int], problem: type[BaseException]) -> None:
        self._op, self._calls, self._problem = op, calls, problem
        self._lock = Lock()
        self.areas: list[int] = []
        self.sizes: list[int] = []

    def __call__(self, pixels: np.ndarray, /) -> np.ndarray:
        with self._lock:
            call = len(self.areas)
            self.areas.append(pixels.shape[2] * pixels.shape[3])
            self.sizes.append(len(pixels))
        if call in self._calls:
            raise self._problem("no")
        return self._op(pixels)


class TestAdaptive:
    def test_flat_parts_go_past_the_network(self) -> None:
        flat = np.full((200, 200, 3), 120, np.uint8)
        adaptive, plain = Upscaler("fast", adaptive=1), Upscaler("fast")
        result, expected = (upscaler(flat)[30:-30, 30:-30] for upscaler in (adaptive, plain))
        assert adaptive.tally.share == 1.0
        assert np.abs(result.astype(int) - expected).max() <= 1

    def test_where_nothing_is_flat_nothing_changes(self, noise: np.ndarray) -> None:
        adaptive = Upscaler("fast", adaptive=1)
        assert np.array_equal(adaptive(noise), Upscaler("fast")(noise))
        assert adaptive.tally.share == 0.0

    def test_what_was_measured_before_is_not_measured_again(self, noise: np.ndarray) -> None:
        op = Refusing(BoxBlur(2, 2), set(), MemoryError)
        spec = ModelSpec("blur", scale=2, colour="rgb", interface="rgb", halo=2)
        upscaler = Upscaler(Network(op, spec, "fake"), adaptive=Flatness(255, 9.0))
        assert upscaler.flatness == Flatness(255, 9.0)
        upscaler(noise)
        assert upscaler.tally.share == 1.0
        assert op.sizes == []

    @pytest.mark.parametrize("adaptive", [1, Flatness(1, 0.5)])
    def test_a_network_of_certain_sizes_is_refused(
        self, tmp_path: Path, adaptive: float | Flatness
    ) -> None:
        file = tmp_path / "fixed.onnx"
        onnx.save(sub_pixel_network(3, 2, size=(24, 32)), file)
        with pytest.raises(UsageError, match="leave adaptive out"):
            Upscaler(file, adaptive=adaptive)


def test_what_only_the_pixels_show_is_said_of_a_file(
    tmp_path: Path, fast: Upscaler, noise: np.ndarray
) -> None:
    """A palette that doesn't hold all colours is seen when the last row has passed."""
    losses = fast.file(Picture(noise[None]), tmp_path / "a.gif")
    assert [loss.what for loss in losses] == ["colours"]
