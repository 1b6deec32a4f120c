"""More than 8 bits: every value as it was stored, and 256 levels by the range that holds them."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from lineage_lab.data.decoding import Reading, Unreadable, decode, inspect
from lineage_lab.data.listing import Source
from lineage_lab.data.sets import Preprocessing, check, load, read_image
from tests.faults.hostile import chunk

RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)
COLOUR = np.stack([RAMP, 4095 - RAMP, RAMP.T], axis=-1)
TWELVE = Reading(pixel_range=(0, 4095))


def read(path: Path, mode: str = "L", reading: Reading = TWELVE, size: int = 64) -> np.ndarray:
    return decode(path, size=size, mode=mode, reading=reading)


def scaled(values: np.ndarray, low: float = 0, high: float = 4095) -> np.ndarray:
    return np.rint((values.astype(float) - low) / (high - low) * 255).clip(0, 255)


def png(values: np.ndarray, colour: int, before: bytes = b"") -> bytes:
    """A PNG of 16 bits a channel, of which Pillow writes grey ones alone."""
    height, width = values.shape[:2]
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values.reshape(height, -1))
    head = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    body = chunk(b"IHDR", head) + before + chunk(b"IDAT", zlib.compress(lines))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def test_twelve_bits_in_sixteen_keep_256_levels_by_a_stated_range(tmp_path: Path) -> None:
    Image.fromarray(RAMP).save(tmp_path / "x.tif")
    Image.fromarray(RAMP).save(tmp_path / "x.png")
    for name in ("x.tif", "x.png"):
        found = read(tmp_path / name)
        assert len(np.unique(found)) == 256
        assert np.array_equal(found[0], scaled(RAMP))
        assert len(np.unique(read(tmp_path / name, reading=Reading()))) == 17


GREYS = {
    "uint16": {},
    "big-endian": {"byteorder": ">"},
    "compressed": {"compression": "zlib"},
    "big-endian, compressed": {"byteorder": ">", "compression": "zlib"},
    "with a predictor": {"compression": "zlib", "predictor": 2},
    "BigTIFF": {"bigtiff": True},
    "tiles": {"tile": (32, 32)},
}


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
@pytest.mark.parametrize("kind", GREYS)
def test_grey_tiff_whatever_its_order_and_which_end_is_white(
    kind: str, photometric: str, tmp_path: Path
) -> None:
    tifffile.imwrite(tmp_path / "x.tif", RAMP, photometric=photometric, **GREYS[kind])
    wanted = scaled(RAMP)
    found = read(tmp_path / "x.tif")[0]
    assert np.array_equal(found, wanted if photometric == "minisblack" else 255 - wanted)


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "kind",
    ["int8", "int16", "int32", "uint32", "float16", "float32", "float64"],
)
def test_numbers_without_a_range_are_refused_and_read_with_one(
    kind: str, order: str, photometric: str, tmp_path: Path
) -> None:
    values = (RAMP // 16 - (128 if kind == "int8" else 0)).astype(kind)
    if kind == "uint32":
        values = RAMP.astype(kind) * 1_000_000  # above what a signed number holds
    low, high = float(values.min()), float(values.max())
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, values, photometric=photometric, byteorder=order)
    with pytest.raises(
        Unreadable, match=r"x\.tif can't be read .* --range=.* save it with 8"
    ) as told:
        read(path, reading=Reading())
    assert told.value.limits == (low, high)
    found = read(path, reading=Reading(pixel_range=(low, high)))[0]
    wanted = scaled(values, low, high)
    assert np.array_equal(found, wanted if photometric == "minisblack" else 255 - wanted)


def test_what_is_not_finite_is_black_and_what_lies_beyond_is_cut(tmp_path: Path) -> None:
    values = RAMP.astype(np.float32)
    values[0, :3] = np.nan, np.inf, -np.inf
    tifffile.imwrite(tmp_path / "x.tif", values, photometric="minisblack")
    found = read(tmp_path / "x.tif", reading=Reading(pixel_range=(1000, 2000)))[0]
    assert found[0, :3].tolist() == [0, 255, 0]
    assert (found.min(), found.max()) == (0, 255)
    assert np.array_equal(found[1:], scaled(RAMP, 1000, 2000)[1:])


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"byteorder": ">"},
        {"compression": "zlib"},
        {"byteorder": ">", "compression": "zlib"},
        {"planarconfig": "separate"},
    ],
    ids=str,
)
def test_sixteen_bit_colour_tiff(said: dict[str, object], tmp_path: Path) -> None:
    values = COLOUR.transpose(2, 0, 1) if "planarconfig" in said else COLOUR
    tifffile.imwrite(tmp_path / "x.tif", values, photometric="rgb", **said)
    assert np.array_equal(read(tmp_path / "x.tif", "RGB").transpose(1, 2, 0), scaled(COLOUR))


@pytest.mark.parametrize("where", ["png", "tif", "tif, multiplied"])
def test_sixteen_bit_colour_with_its_alpha_is_laid_on_white(where: str, tmp_path: Path) -> None:
    alpha = np.where(RAMP.T > 2000, 65535, 0).astype(np.uint16)
    stored = np.where(alpha[..., None] > 0, COLOUR, 0) if "multiplied" in where else COLOUR
    values = np.dstack((stored, alpha)).astype(np.uint16)
    path = tmp_path / "x"
    if where == "png":
        path.write_bytes(png(values, 6))
    else:
        kind = "assocalpha" if "multiplied" in where else "unassalpha"
        tifffile.imwrite(path, values, photometric="rgb", extrasamples=[kind])
    wanted = np.where(alpha[..., None] > 0, scaled(COLOUR), 255)
    assert np.abs(read(path, "RGB").transpose(1, 2, 0) - wanted).max() <= 1


def test_png_of_sixteen_bits_in_all_its_kinds(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(png(COLOUR, 2))
    assert np.array_equal(read(path, "RGB").transpose(1, 2, 0), scaled(COLOUR))
    clear = COLOUR[3, 4]
    path.write_bytes(png(COLOUR, 2, chunk(b"tRNS", struct.pack(">HHH", *clear))))
    found = read(path, "RGB").transpose(1, 2, 0)
    assert found[3, 4].tolist() == [255, 255, 255]
    assert np.array_equal(found[4:], scaled(COLOUR)[4:])
    path.write_bytes(png(RAMP, 0, chunk(b"tRNS", struct.pack(">H", 7))))
    assert read(path)[0, 0, :9].tolist() == [*scaled(RAMP)[0, :7], 255, scaled(RAMP)[0, 8]]
    alpha = np.full_like(RAMP, 65535)
    alpha[:32] = 0
    path.write_bytes(png(np.dstack((RAMP, alpha)), 4))
    assert np.array_equal(read(path)[0, 32:], scaled(RAMP)[32:])
    assert read(path)[0, :32].min() == 255


def test_the_files_own_bits_are_its_range(tmp_path: Path) -> None:
    """12 bits packed, as scanners write them: the file itself says that 4095 is white."""
    bits = np.unpackbits(RAMP.astype(">u2").view(np.uint8).reshape(64, 64, 2), axis=2)[..., 4:]
    strip = np.packbits(bits.reshape(64, -1), axis=1).tobytes()
    tags = ((256, 4, 64), (257, 4, 64), (258, 3, 12), (259, 3, 1), (262, 3, 1), (273, 4, 200),
            (277, 3, 1), (278, 4, 64), (279, 4, len(strip)))  # fmt: skip
    body = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    head = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + body + bytes(4)
    (tmp_path / "x.tif").write_bytes(head.ljust(200, b"\0") + strip)
    assert np.array_equal(read(tmp_path / "x.tif", reading=Reading())[0], scaled(RAMP))


@pytest.mark.fault("pages")
def test_a_page_is_stated_or_the_first_that_shows_something(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    pages = np.stack([0 * RAMP, RAMP, RAMP.T])
    tifffile.imwrite(path, pages, photometric="minisblack")
    with pytest.raises(Unreadable, match=r"has 3 pages, and the first is of one .* --page 2"):
        read(path)
    assert np.array_equal(read(path, reading=Reading(page=3, pixel_range=(0, 4095)))[0],
                          scaled(RAMP.T))  # fmt: skip
    with pytest.raises(Unreadable, match="page 4 was asked for, and it has 3 pages"):
        read(path, reading=Reading(page=4))
    tifffile.imwrite(path, pages[1:], photometric="minisblack", byteorder=">")
    assert np.array_equal(read(path)[0], scaled(RAMP))
    assert inspect(path, size=8, mode="L")[1].pages == 2
    tifffile.imwrite(path, pages.astype(np.float64), photometric="minisblack")
    reading = Reading(page=2, pixel_range=(0, 4095))
    assert np.array_equal(read(path, reading=reading)[0], scaled(RAMP))
    with tifffile.TiffWriter(path) as file:  # a preview is no page
        file.write(RAMP, photometric="minisblack")
        file.write(RAMP[::2, ::2], photometric="minisblack", subfiletype=1)
    assert inspect(path, size=8, mode="L")[1].pages == 1


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"photometric": 32803}, "a camera's raw picture"),
        ({"photometric": "minisblack", "subfiletype": 1}, "a camera's raw picture"),
    ],
)
def test_raw_pictures_are_refused(said: dict[str, object], words: str, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", RAMP.astype(np.uint8), **said)
    with pytest.raises(Unreadable, match=words):
        read(tmp_path / "x.tif")


def test_a_volume_in_one_page_is_refused(tmp_path: Path) -> None:
    stack = np.stack([0 * RAMP, RAMP])
    tifffile.imwrite(tmp_path / "x.tif", stack, photometric="minisblack", volumetric=True,
                     tile=(1, 64, 64))  # fmt: skip
    with pytest.raises(Unreadable, match="it is a volume in one page"):
        read(tmp_path / "x.tif")


@pytest.mark.parametrize("name", ["AVIF", "JPEG2000", "HEIF"])
def test_newer_formats_are_read(name: str, tmp_path: Path) -> None:
    if name == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    Image.new("RGB", (64, 64), "red").save(tmp_path / "x.jpg", name)
    assert read(tmp_path / "x.jpg", "RGB")[:, 9, 9].tolist() == pytest.approx([255, 0, 0], abs=3)


@pytest.mark.fault("heic")
@pytest.mark.fault("dicom")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (bytes(128) + b"DICM" + bytes(99), "it is DICOM, a medical file: convert it to 16-bit PNG"),
        (bytes([0, 0, 0, 24]) + b"ftypheic" + bytes(99), r"it is HEIC.*lineage-lab\[heif\]"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "run git lfs pull"),
        (b"<!DOCTYPE html><html>404</html>", "it is a web page: a download was answered"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "it is a drawing"),
        (b"8BPS\0\x01", "it is a file of Photoshop"),
        (b"\xff\x0a" + bytes(9), "it is JPEG XL"),
        (b"%PDF-1.7", "it is a PDF"),
        (b"PK\x03\x04", "it is an archive"),
    ],
    ids=lambda value: str(value)[:16],
)
def test_what_is_something_else_is_told_with_the_way_out(
    content: bytes, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lineage_lab.data.decoding._heif", lambda: False)
    monkeypatch.setattr("lineage_lab.data.decoding.find_spec", lambda name: None)
    (tmp_path / "x.jpg").write_bytes(content)
    with pytest.raises(Unreadable, match=words):
        read(tmp_path / "x.jpg")


@pytest.fixture
def scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LINEAGE_LAB_CACHE", str(tmp_path / "cache"))
    for number in range(4):
        for name in "ab":
            (tmp_path / "set" / name).mkdir(parents=True, exist_ok=True)
            file = tmp_path / "set" / name / f"{number}.tif"
            tifffile.imwrite(file, np.roll(RAMP, 99 * number + ord(name)), photometric="minisblack")
    return tmp_path / "set"


@pytest.mark.fault("partial-range")
def test_a_set_that_keeps_few_levels_is_refused_with_the_rule_and_read_by_it(scans: Path) -> None:
    words = "values from 0 to 4095 of 65,535, so only 17 of 256 grey levels are kept"
    with pytest.raises(ValueError, match=words) as told:
        load(scans, size=64)
    assert "--range 0:4095 keeps them all" in str(told.value)
    assert words in str(check(scans))
    stated = Source(scans, reading=TWELVE)
    assert check(stated).ok
    found = load(stated, size=64)
    assert len(found.images[0].unique()) == 256
    as_sixteen = load(Source(scans, reading=Reading(pixel_range=(0, 65535))), size=64)
    assert len(as_sixteen.images[0].unique()) == 17
    how = Preprocessing(size=64, mean=(0.5,) * 3, std=(0.5,) * 3, pixel_range=(0, 4095))
    assert Preprocessing.from_dict(how.to_dict()) == how
    assert (read_image(scans / "a" / "0.tif", how) == found.images[0]).all()


@pytest.mark.fault("no-range")
def test_a_set_of_floats_is_told_the_range_that_holds_them_all(scans: Path) -> None:
    for number, file in enumerate(sorted((scans / "a").iterdir())):
        tifffile.imwrite(file, (RAMP / 4095 - number).astype(np.float32), photometric="minisblack")
    with pytest.raises(ValueError, match=r"no known range: .* from -3 to 1\. .*--range=-3:1"):
        load(scans, size=64)
    assert "--range=-3:1 reads them all" in str(check(scans))


def test_a_range_that_is_none_is_refused() -> None:
    for low, high in ((1, 1), (2, 1), (0, float("inf")), (float("nan"), 1)):
        with pytest.raises(ValueError, match="two numbers, black below white"):
            Reading(pixel_range=(low, high))
    with pytest.raises(ValueError, match="pages are counted from 1"):
        Reading(page=0)
    with pytest.raises(ValueError, match="two numbers"):
        Preprocessing(size=8, mean=(0.5,) * 3, std=(0.5,) * 3, pixel_range=(1.0, 0.0))


def test_bytes_are_read_as_before_whatever_the_range(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.fromarray((RAMP // 16).astype(np.uint8)).save(file, "png")
    (tmp_path / "x.png").write_bytes(file.getvalue())
    assert np.array_equal(read(tmp_path / "x.png")[0], RAMP // 16)
