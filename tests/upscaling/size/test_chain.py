"""Networks in turn: as one after the other with whole pictures between them, in little memory."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from networks import BoxBlur
from subpixel import TargetSize, Upscaler, upscale
from subpixel.errors import MemoryLimitError, UsageError
from subpixel.imaging.resample import LANCZOS
from subpixel.media.image_file import open_picture, read_picture, write_picture
from subpixel.media.picture import Header, Metadata, Picture
from subpixel.network.network import Network
from subpixel.runtime.op import Pixels
from subpixel.spec import ModelSpec
from subpixel.upscaling import memory
from subpixel.upscaling.pipeline import Pipeline
from subpixel.upscaling.rows.resampler import Resampler
from subpixel.upscaling.size.chain import NetworkChain

BLUR = ModelSpec("blur", scale=2, colour="rgb", interface="rgb", halo=2)


def _blur() -> Network:
    return Network(BoxBlur(2, 2), BLUR, "fake", workers=2)


def _noise(shape: tuple[int, ...], dtype: type = np.uint8) -> np.ndarray:
    random = np.random.default_rng(7)
    if dtype == np.float32:
        return random.random(shape, np.float32)
    return random.integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


def _resample(frames: np.ndarray, height: int, width: int) -> np.ndarray:
    stage, header = Resampler(height, width, LANCZOS), Header(frames.shape, frames.dtype)
    rows = np.concatenate(list(stage.run(header, iter(frames))))
    return rows.reshape(stage.header(header).shape)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 3])
def test_in_turn_is_one_after_the_other(dtype: type, channels: int, tmp_path: Path) -> None:
    """In tiles and bands, several frames, in memory and into a file: ×2 by itself three times, then
    down to 5.5."""
    upscaler = Upscaler(_blur(), tile=24)
    picture = Picture(_noise((2, 21, 30, channels), dtype), bit_depth=8 * dtype().itemsize)
    step = picture
    for _ in range(3):
        step = upscaler.picture(step)
    expected = _resample(step.frames, 116, 165)  # 115.5 is rounded up
    size = TargetSize(scale=5.5)
    assert np.array_equal(upscaler.picture(picture, size=size).frames, expected)
    if dtype != np.float32:
        upscaler.file(picture, tmp_path / "out.tif", size=size)
        assert np.array_equal(read_picture(tmp_path / "out.tif").frames, expected)


def test_no_filter_where_the_networks_meet_the_size() -> None:
    upscaler = Upscaler(_blur(), tile=24)
    picture = Picture(_noise((1, 20, 30, 3)))
    larger = upscaler.picture(upscaler.picture(picture))
    assert np.array_equal(upscaler.picture(picture, size=TargetSize(scale=4)).frames, larger.frames)
    way = upscaler.enlargement(picture.header, TargetSize(width=120))
    assert (way.scales, way.stages(picture.header, None), way.note) == ((2, 2), (), None)


def test_a_bundled_networks_scales_in_turn() -> None:
    image = _noise((20, 24, 3))
    by_two, by_three = (Upscaler("fast", scale=scale, tuning=False) for scale in (2, 3))
    expected = by_three(by_two(image))
    assert np.array_equal(
        upscale(image, model="fast", size=TargetSize(scale=6), tuning=False), expected
    )
    assert np.array_equal(by_two(image, size=TargetSize(width=144)), expected)
    assert by_two.at_scale(3) is by_two.at_scale(3)
    assert by_two.at_scale(2) is by_two


def test_hidden_colour_does_not_show_after_two_networks(tmp_path: Path) -> None:
    """A red disc on transparent green stays red all over, at its rim as well; what was opaque stays
    so."""
    frames = np.zeros((1, 40, 40, 4), np.uint8)
    frames[..., 1] = 255
    down, across = np.mgrid[:40, :40]
    frames[0, (down - 20) ** 2 + (across - 20) ** 2 < 150] = (255, 0, 0, 255)
    upscaler = Upscaler(_blur(), tile=24)
    for size in (TargetSize(scale=4), TargetSize(scale=3.3)):
        upscaler.file(Picture(frames), tmp_path / "out.png", size=size, overwrite=True)
        written = read_picture(tmp_path / "out.png").frames
        assert np.array_equal(written, upscaler.picture(Picture(frames), size=size).frames)
        visible = written[written[..., 3] > 8]
        assert (visible[:, 0] >= 250).all()
        assert (visible[:, 1] <= 5).all()
    frames[..., 3] = 255
    assert (upscaler.picture(Picture(frames), size=size).frames[..., 3] == 255).all()


def test_each_network_runs_once_for_a_picture_with_alpha(tmp_path: Path) -> None:
    """A survey of transparency between two networks would run the first one twice."""
    seen: list[int] = []

    def op(pixels: Pixels) -> Pixels:
        seen.append(pixels.shape[2] * pixels.shape[3])
        return BoxBlur(2, 2)(pixels)

    upscaler = Upscaler(Network(op, BLUR, "fake", workers=1), tile=0)
    picture = Picture(_noise((1, 20, 30, 4)))
    upscaler.file(picture, tmp_path / "out.png", size=TargetSize(scale=4))
    assert sorted(seen) == [600, 600, 2400, 2400], "colour and alpha, each once"


def test_a_smaller_picture_meets_no_network() -> None:
    def op(pixels: Pixels) -> Pixels:
        raise AssertionError(pixels.shape)

    upscaler = Upscaler(Network(op, BLUR, "fake", workers=1))
    picture = Picture(_noise((2, 20, 30, 3)))
    smaller = upscaler.picture(picture, size=TargetSize(width=15))
    assert np.array_equal(smaller.frames, _resample(picture.frames, 10, 15))
    same = upscaler.picture(picture, size=TargetSize(height=20))
    assert np.array_equal(same.frames, picture.frames)
    way = upscaler.enlargement(picture.header, TargetSize(width=15))
    assert way.note == "30 x 20 pixels become fewer, 15 x 10: no network is used"


def test_the_note_says_what_people_see() -> None:
    header = Header((1, 20, 30, 3), np.dtype(np.uint8), Metadata(orientation=6))
    note = Upscaler(_blur()).enlargement(header, TargetSize(height=30)).note
    assert note == "it has 20 x 30 pixels already: no network is used"


def test_a_network_that_does_not_enlarge_is_refused() -> None:
    spec = ModelSpec("clean", scale=1, colour="rgb", interface="rgb", halo=2)
    upscaler = Upscaler(Network(BoxBlur(1, 2), spec, "fake", workers=1))
    with pytest.raises(UsageError, match="needs a network that enlarges"):
        upscaler(_noise((9, 9, 3)), size=TargetSize(scale=2))


def test_scale_and_size_together_are_refused() -> None:
    with pytest.raises(UsageError, match="got scale and size"):
        upscale(_noise((9, 9, 3)), scale=2, size=TargetSize(width=20))


def test_a_window_of_the_middle_is_what_fill_keeps() -> None:
    picture = Picture(_noise((1, 20, 30, 3)))
    upscaler = Upscaler(_blur(), tile=0)
    larger = upscaler.picture(picture)
    whole = _resample(larger.frames, 34, 51)
    filled = upscaler.picture(picture, size=TargetSize(fill=(40, 34))).frames
    assert np.array_equal(filled, whole[:, :, 5:45])


def test_runs_are_reported_as_one() -> None:
    upscaler = Upscaler(_blur(), tile=24)
    picture = Picture(_noise((2, 60, 30, 3)))
    reports: list[tuple[int, int]] = []
    upscaler.picture(
        picture, lambda done, total: reports.append((done, total)), size=TargetSize(scale=4)
    )
    totals = {total for _, total in reports}
    assert reports[-1] == (max(totals), max(totals))
    assert len(totals) == 1
    assert all(a[0] <= b[0] for a, b in itertools.pairwise(reports))


def test_networks_in_turn_share_the_memory_that_is_allowed() -> None:
    """With exactly so much that both fit by their own account; with less it is said."""
    pipelines = [
        Pipeline(Upscaler("fast", scale=s)._pipeline(None, deep=False).network) for s in (2, 3)
    ]
    chain = NetworkChain(pipelines)
    header = Header((1, 3000, 2000, 3), np.dtype(np.uint8))
    held = max(pipeline.resident for pipeline in pipelines)
    for room in (400 << 20, 150 << 20, 60 << 20):
        limit = held + memory.SLACK + room
        plans = chain.fit(header, codecs=10 << 20, max_memory=limit, attempt=0)
        counts = [
            pipeline.memory(each, plan)
            for pipeline, each, plan in zip(pipelines, chain.headers(header), plans, strict=False)
        ]
        assert sum(counts) + (10 << 20) <= room
    with pytest.raises(MemoryLimitError, match="need at least"):
        chain.fit(header, codecs=0, max_memory=held + memory.SLACK + (1 << 20), attempt=0)
    with pytest.raises(MemoryLimitError, match="needs at least"):
        NetworkChain([]).fit(header, codecs=1 << 40, max_memory=1 << 30, attempt=0)


@pytest.mark.parametrize("turn", [1, 6])
def test_a_file_that_is_turned_keeps_its_tag(turn: int, tmp_path: Path) -> None:
    source, target = tmp_path / "in.tif", tmp_path / "out.tif"
    write_picture(Picture(_noise((1, 20, 30, 3)), Metadata(orientation=turn)), source)
    Upscaler(_blur(), tile=24).file(source, target, size=TargetSize(width=45))
    header = open_picture(target).header
    assert header.metadata.orientation == turn
    assert (header.height, header.width) == {1: (30, 45), 6: (45, 68)}[turn]
