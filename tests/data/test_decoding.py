"""Hostile images: each is read rightly, or refused with its path, within stated memory and time."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data as photographs
from torchvision.io import decode_image

from lineage_lab.data.decoding import FORMATS, Unreadable, decode
from lineage_lab.data.sets import Preprocessing, read_image

# torchvision's decoder is the oracle; its successor is no part of torchvision.
pytestmark = pytest.mark.filterwarnings("ignore:The image decoding:DeprecationWarning")

WAVE = (np.linspace(0, 255, 64)[None] * np.linspace(0, 1, 64)[:, None]).astype(np.uint8)


def read(path: Path, size: int = 8, mode: str = "RGB") -> np.ndarray:
    return decode(path, size=size, mode=mode)


def test_a_plain_image_is_what_torchvision_decodes(tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    Image.fromarray(photographs.chelsea()[:300, :300]).save(path)
    assert np.array_equal(read(path, 300), decode_image(str(path)).numpy())


@pytest.mark.fault("sixteen-bit")
def test_sixteen_bits_are_scaled_and_not_cut_off(tmp_path: Path) -> None:
    wide = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    expected = np.rint(wide / 257)
    for name in ("16.png", "16.tif"):
        Image.fromarray(wide).save(tmp_path / name)
        assert np.array_equal(read(tmp_path / name, 64, "L")[0], expected)
    theirs = decode_image(str(tmp_path / "16.png"), mode="RGB").numpy()  # uint16
    assert np.array_equal(read(tmp_path / "16.png", 64), np.rint(theirs / 257))
    (tmp_path / "12.pgm").write_bytes(b"P5 2 1 4095\n" + bytes([0x08, 0x00, 0x0F, 0xFF]))
    image = read(tmp_path / "12.pgm", 1, "L")
    assert image.item() == pytest.approx((2048 / 4095 * 255 + 255) / 2, abs=1)


@pytest.mark.fault("float-image")
@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_numbers_without_a_known_range_are_refused(kind: type, tmp_path: Path) -> None:
    Image.fromarray(WAVE.astype(kind)).save(tmp_path / "x.tif")
    with pytest.raises(Unreadable, match=r"x\.tif can't be read .* save it with 8 or 16 bits"):
        read(tmp_path / "x.tif")


@pytest.mark.fault("cmyk")
def test_cmyk_is_converted_by_ink(tmp_path: Path) -> None:
    ink = np.stack([WAVE, WAVE.T, 255 - WAVE, WAVE // 2], axis=-1)
    Image.frombytes("CMYK", (64, 64), ink.tobytes()).save(tmp_path / "x.tif")
    left = 255 - ink.astype(float)
    expected = left[..., :3] * left[..., 3:] / 255
    assert np.abs(read(tmp_path / "x.tif", 64).transpose(1, 2, 0) - expected).max() <= 1


@pytest.mark.fault("alpha")
@pytest.mark.fault("palette")
def test_what_is_transparent_is_laid_on_white(tmp_path: Path) -> None:
    alpha = WAVE.T.astype(float) / 255
    colour = np.stack([WAVE, 255 - WAVE, WAVE.T], axis=-1)
    image = Image.fromarray(np.concatenate([colour, WAVE.T[..., None]], axis=-1))
    expected = colour * alpha[..., None] + 255 * (1 - alpha[..., None])
    for ending in ("png", "tif"):
        image.save(tmp_path / f"x.{ending}")
        found = read(tmp_path / f"x.{ending}", 64).transpose(1, 2, 0)
        assert np.abs(found - expected).max() <= 1
    image.convert("LA").save(tmp_path / "grey.png")
    grey = expected @ (0.299, 0.587, 0.114)
    assert np.abs(read(tmp_path / "grey.png", 64, "L")[0] - grey).max() < 2
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([9, 9, 9, 10, 200, 30])
    palette.save(tmp_path / "p.png", transparency=1)
    assert read(tmp_path / "p.png").min() == 255
    palette.save(tmp_path / "opaque.png")
    assert read(tmp_path / "opaque.png")[:, 0, 0].tolist() == [10, 200, 30]


@pytest.mark.fault("animated")
@pytest.mark.parametrize("ending", ["gif", "png", "webp", "tif"])
def test_the_first_frame_of_an_animation_is_taken(ending: str, tmp_path: Path) -> None:
    red, blue = (Image.new("RGB", (16, 16), colour) for colour in ("red", "blue"))
    red.save(tmp_path / f"x.{ending}", save_all=True, append_images=[blue])
    assert read(tmp_path / f"x.{ending}")[:, 4, 4].tolist() == pytest.approx([255, 0, 0], abs=2)


@pytest.mark.fault("exif")
@pytest.mark.parametrize("orientation", range(1, 9))
def test_each_exif_orientation_is_followed_as_torchvision_does(
    orientation: int, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(photographs.chelsea()[:96, :96]).save(tmp_path / "x.png", exif=exif)
    theirs = decode_image(str(tmp_path / "x.png"), apply_exif_orientation=True).numpy()
    assert np.array_equal(read(tmp_path / "x.png", 96), theirs)


def test_broken_exif_data_turn_nothing(tmp_path: Path) -> None:
    plain = Image.fromarray(WAVE)
    plain.save(tmp_path / "x.png", exif=b"Exif\0\0nonsense")
    assert np.array_equal(read(tmp_path / "x.png", 64, "L")[0], WAVE)


def test_a_large_jpeg_is_decoded_smaller_with_the_same_result_to_the_eye(tmp_path: Path) -> None:
    photo = Image.fromarray(photographs.astronaut()).resize((1200, 1200), Image.Resampling.BICUBIC)
    photo.save(tmp_path / "x.jpg", quality=92)
    small = read(tmp_path / "x.jpg", 128).astype(int)
    with Image.open(tmp_path / "x.jpg") as opened:
        Image.fromarray(np.asarray(opened.convert("RGB"))).save(tmp_path / "x.png")
    whole = read(tmp_path / "x.png", 128).astype(int)
    assert np.abs(small - whole).mean() < 1  # of 255
    assert np.array_equal(small, read(tmp_path / "x.jpg", 128))


def jpeg() -> bytes:
    file = io.BytesIO()
    Image.fromarray(photographs.chelsea()).save(file, "jpeg")
    return file.getvalue()


def png(width: int, height: int) -> bytes:
    """A picture of so many black pixels; the header is all that differs from a small one."""
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    lines = zlib.compress(bytes(100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


@pytest.mark.fault("cut-image")
@pytest.mark.fault("empty-image")
@pytest.mark.fault("no-image")
@pytest.mark.fault("bomb")
@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "it is empty (0 bytes)"),
        (b"not an image", "it is none of BMP, GIF"),
        (jpeg()[: len(jpeg()) // 2], "truncated"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "it is none of"),
        (png(10_000, 10_000), "it has too many pixels"),
        (png(100_000, 100_000), "it has too many pixels"),
        (png(64, 64), "truncated"),
    ],
    ids=["empty", "text", "truncated", "postscript", "large", "bomb", "short"],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_what_is_no_whole_image_is_refused_with_path_and_cause(
    content: bytes, cause: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(content)
    with pytest.raises(Unreadable) as error:
        read(path)
    assert str(error.value).startswith(f"{path} can't be read as an image: ")
    assert cause in str(error.value)
    assert "Replace the file or take it out" in str(error.value)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.fault("fifo")
@pytest.mark.parametrize(
    ("make", "cause"),
    [
        (fifo, "no regular file"),
        (loop, "Too many levels of symbolic links"),
        (Path.mkdir, "no regular file"),
        (lambda path: None, "No such file"),
        (lambda path: path.symlink_to("/dev/zero"), "no regular file"),
    ],
    ids=["fifo", "loop", "folder", "missing", "device"],
)
def test_only_regular_files_are_opened(
    make: Callable[[Path], object], cause: str, tmp_path: Path
) -> None:
    make(tmp_path / "x.png")
    with pytest.raises(Unreadable, match=cause):  # opened, the pipe would wait for ever
        read(tmp_path / "x.png")


def test_a_cut_or_flipped_file_never_raises_anything_else(tmp_path: Path) -> None:
    """Every format, cut anywhere and with bytes changed: pixels, or the one error."""
    generator = np.random.default_rng(0)
    image = Image.fromarray(photographs.chelsea()[:40, :40])
    path = tmp_path / "x"
    refused = 0
    for name in FORMATS:
        file = io.BytesIO()
        image.save(file, name)
        whole = file.getvalue()
        for trial in range(60):
            broken = bytearray(whole[: generator.integers(1, len(whole))] if trial % 2 else whole)
            for place in generator.integers(0, min(len(broken), 200), 3):
                broken[place] = generator.integers(256)
            path.write_bytes(broken)
            try:
                assert read(path).shape == (3, 8, 8)
            except Unreadable:
                refused += 1
    assert refused > 60


MEASURE = """
import resource, sys, time
from pathlib import Path
from lineage_lab.data.decoding import Unreadable, decode

decode(Path(sys.argv[2]), size=224, mode="RGB")
Path("/proc/self/clear_refs").write_text("5")
def resident(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024
before, start = resident("VmRSS"), time.perf_counter()
try:
    decode(Path(sys.argv[1]), size=224, mode="RGB")
except Unreadable:
    pass
print(resident("VmHWM") - before, time.perf_counter() - start)
"""


def strip(path: Path) -> None:
    Image.new("RGB", (1, 20_000), "red").save(path, "png")


def bomb(path: Path) -> None:
    path.write_bytes(png(60_000, 60_000))


def largest(path: Path) -> None:
    Image.new("RGB", (9000, 9000), "red").save(path, "png", compress_level=1)


def photo(path: Path) -> None:
    Image.new("RGB", (9000, 9000), "red").save(path, "jpeg")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("make", "mebibytes"), [(strip, 20), (bomb, 20), (largest, 400), (photo, 60)]
)
def test_memory_and_time_of_the_worst_are_bounded(
    make: Callable[[Path], None], mebibytes: float, tmp_path: Path
) -> None:
    make(tmp_path / "x")
    strip(tmp_path / "first.png")
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, tmp_path / "x", tmp_path / "first.png"],
        capture_output=True,
        text=True,
        check=True,
    )
    memory, seconds = map(float, done.stdout.split())
    assert memory < mebibytes
    assert seconds < 10


@pytest.mark.fault("strip")
def test_a_strip_gives_its_middle(tmp_path: Path) -> None:
    tall = np.zeros((20_000, 1, 3), np.uint8)
    tall[10_000:] = 200
    tall[9_999:10_001] = 77
    Image.fromarray(tall).save(tmp_path / "tall.png")
    Image.fromarray(tall.transpose(1, 0, 2)).save(tmp_path / "wide.png")
    assert np.unique(read(tmp_path / "tall.png", 224)).tolist() == [77]
    assert np.unique(read(tmp_path / "wide.png", 224)).tolist() == [77]


def test_read_image_gives_the_channels_and_the_size_asked_for(tmp_path: Path) -> None:
    Image.fromarray(photographs.chelsea()).save(tmp_path / "x.jpg")
    colour = Preprocessing(size=24, mean=(0.5,) * 3, std=(0.5,) * 3)
    assert read_image(tmp_path / "x.jpg", colour).shape == (3, 24, 24)
    grey = Preprocessing(size=24, mean=(0.5,), std=(0.5,), channels=1)
    image = read_image(tmp_path / "x.jpg", grey)
    assert (image.shape, image.dtype) == ((1, 24, 24), torch.uint8)
