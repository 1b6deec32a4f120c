"""More than 8 bits a channel: the values that a file really holds, and which of them is white.

Pillow gives 8 bits of a 16-bit colour image, reads signed bytes as unsigned ones, and inverts
"0 is white" at 8 bits only; here the values come out as they were stored.
"""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageFile import ImageFile

__all__ = ["NoRange", "Unread", "Wide", "by_tifffile", "no_page", "pages", "proposed", "wide"]

# Tags of TIFF 6.0, and of its supplements.
SUBFILE, BITS, PHOTOMETRIC, PLANAR, EXTRA, FORMAT = 254, 258, 262, 284, 338, 339
DEPTH, DNG = 32997, 50706
COLOUR_FILTER = 32803  # a camera's raw picture
RAW = (
    "it is a camera's raw picture, of which only a preview could be shown: develop it to TIFF or "
    "JPEG first"
)
VOLUME = "it is a volume in one page: save its slices as pages or as files"
REDUCED, MASK = 1, 4  # bits of SUBFILE
UNSIGNED, SIGNED = 1, 2  # values of FORMAT
ASSOCIATED = 1  # a value of EXTRA: the colours were multiplied by their alpha


class NoRange(ValueError):  # noqa: N818  (says what is missing)
    """A file holds numbers of which nobody said which is white.

    Attributes:
        low: Its smallest value.
        high: Its largest value.
        kind: The numbers, in words.
    """

    def __init__(self, low: float, high: float, kind: str) -> None:
        super().__init__(
            f"its pixels are {kind}, here from {low:g} to {high:g}, and which of them is white is "
            f"not known: state what is black and what is white, as by --range="
            f"{proposed(low, high)}, or save it with 8 or 16 bits a channel"
        )
        self.low, self.high, self.kind = low, high, kind


@dataclass(slots=True)
class Wide:
    """Values of an image of more than 8 bits.

    Attributes:
        values: ``[height, width]`` or ``[height, width, 3]``, of the file's own type.
        top: Largest value that the file can hold, which is its white; ``None`` where the file
            doesn't say.
        inverted: Whether 0 is white.
        alpha: Opacity from 0 to 1, ``float32 [height, width]``, or ``None``.
    """

    values: NDArray[Any]
    top: int | None
    inverted: bool = False
    alpha: NDArray[np.float32] | None = None

    @property
    def limits(self) -> tuple[float, float]:
        """Smallest and largest value; what is not finite apart."""
        values = self.values
        if values.dtype.kind == "f":
            values = values[np.isfinite(values)]
        return (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)

    @property
    def kind(self) -> str:
        """The numbers, in words."""
        bits = 8 * self.values.dtype.itemsize
        if self.values.dtype.kind == "f":
            return f"{bits}-bit floating-point numbers"
        return f"{bits}-bit {'' if self.values.dtype.kind == 'u' else 'signed '}integers"

    def to_eight(self, pixel_range: tuple[float, float] | None) -> Image.Image:
        """An image of 8 bits a channel: black to 0, white to 255, what lies beyond is cut.

        Args:
            pixel_range: The values that are black and white; ``None`` for the file's own.

        Returns:
            Of mode ``L``, ``RGB``, ``LA`` or ``RGBA``.

        Raises:
            NoRange: Neither the file nor the caller states a range.
        """
        if pixel_range is None:
            if self.top is None:
                raise NoRange(*self.limits, self.kind)
            pixel_range = (0.0, float(self.top))
        low, high = pixel_range
        values = self.values
        if values.dtype == np.uint16:
            table = _scaled(np.arange(65536, dtype=np.float64), low, high)
            eight = (255 - table if self.inverted else table)[values]
        else:
            eight = _scaled(values.astype(np.float64), low, high)
            if self.inverted:
                eight = 255 - eight
        if self.alpha is not None:
            alpha = np.rint(255 * self.alpha).astype(np.uint8)
            eight = np.dstack((eight, alpha))
        return Image.fromarray(eight)


def _scaled(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.uint8]:
    values -= low
    values *= 255 / (high - low)
    np.nan_to_num(values, copy=False, nan=0.0)
    return np.rint(np.clip(values, 0, 255, out=values), out=values).astype(np.uint8)


def proposed(low: float, high: float) -> str:
    """A range that holds such values: ``0:4095`` for what fits into 12 bits."""
    if low >= 0 and high == int(high) and high > 1:
        bits = next((bits for bits in (8, 10, 12, 14, 16) if high < 2**bits), 0)
        if bits:
            return f"0:{2**bits - 1}"
    if low >= 0 and high <= 1:
        return "0:1"
    return f"{low:.6g}:{high if high > low else low + 1:.6g}"


def pages(opened: Image.Image) -> list[int]:
    """Places of a TIFF file's whole pages; previews and masks are none.

    Args:
        opened: The file, whose first page is left in front.
    """
    found = []
    if not getattr(opened, "is_animated", False):
        return [0]
    for place in range(getattr(opened, "n_frames", 1)):
        opened.seek(place)
        tags: Any = getattr(opened, "tag_v2", {})
        if not int(tags.get(SUBFILE, 0) or 0) & (REDUCED | MASK):
            found.append(place)
    opened.seek(0)
    return found


def wide(opened: Image.Image) -> Wide | None:
    """The values of an image of more than 8 bits a channel, or of signed ones.

    Args:
        opened: As `PIL.Image.open` gives it, nothing decoded yet.

    Returns:
        The values, or ``None`` for a plain image of 8 bits.
    """
    if isinstance(opened, ImageFile) and opened.format == "TIFF":
        return _tiff(opened)
    if isinstance(opened, ImageFile) and opened.format == "PNG":
        return _png(opened)
    if opened.mode.startswith("I") or opened.mode == "F":
        known = opened.format in ("PPM", "JPEG2000") and opened.mode != "F"  # Pillow scales to 16
        return _own(opened, 65535 if known else None)
    return None


def _own(opened: Image.Image, top: int | None) -> Wide:
    opened.load()
    values = np.asarray(opened)
    if top == 65535:
        values = values.astype(np.uint16)
    return Wide(values, top)


def _raw(opened: ImageFile, mode: str, raw: str) -> NDArray[np.uint8]:
    """Decode with another unpacking of bytes than Pillow would choose."""
    tiles: list[Any] = list(opened.tile)
    opened.tile = [
        tile._replace(args=raw if isinstance(tile.args, str) else (raw, *tile.args[1:]))
        for tile in tiles
    ]
    opened._mode = mode
    opened.load()
    return np.array(opened)


def _both(opened: ImageFile, mode: str) -> NDArray[np.uint16]:
    """16-bit samples that lie side by side: Pillow gives one byte of each, so it is asked twice.

    Which byte comes first differs with the file and the decoder; the raw mode says it.
    """
    assert opened.filename
    tile: Any = opened.tile[0]
    raw = tile.args if isinstance(tile.args, str) else tile.args[0]
    high = {"B": "B", "L": "L", "N": "L" if sys.byteorder == "little" else "B"}[raw[-1]]
    first = _raw(opened, mode, f"{mode};16{high}").astype(np.uint16) << 8
    again: ImageFile
    with Image.open(opened.filename, formats=(opened.format or "",)) as again:
        again.seek(opened.tell())
        first |= _raw(again, mode, f"{mode};16{'L' if high == 'B' else 'B'}")
    return first.astype(np.uint16)


def _opacity(values: NDArray[np.uint16]) -> NDArray[np.float32]:
    share: NDArray[np.float32] = (values / np.float32(65535)).astype(np.float32)
    return share


def _png(opened: ImageFile) -> Wide | None:
    raw = str(opened.tile[0].args) if opened.tile else ""
    if ";16" not in raw:
        return None
    clear = opened.info.get("transparency")
    if raw.startswith("I"):
        opened.load()
        values = np.asarray(opened).astype(np.uint16)
        visible = None if not isinstance(clear, int) else values != clear
    elif raw.startswith("LA"):
        four = _raw(opened, "RGBA", "RGBA").astype(np.uint16)
        both = (four[..., ::2] << 8 | four[..., 1::2]).astype(np.uint16)
        return Wide(both[..., 0], 65535, alpha=_opacity(both[..., 1]))
    elif raw.startswith("RGBA"):
        values = _both(opened, "RGBA")
        return Wide(values[..., :3], 65535, alpha=_opacity(values[..., 3]))
    else:
        values = _both(opened, "RGB")
        visible = None if not isinstance(clear, tuple) else (values != clear).any(axis=2)
    return Wide(values, 65535, alpha=None if visible is None else visible.astype(np.float32))


def _tiff(opened: ImageFile) -> Wide | None:
    tags: Any = getattr(opened, "tag_v2", {})
    photometric = tags.get(PHOTOMETRIC, 1)
    if DNG in tags or photometric == COLOUR_FILTER or int(tags.get(SUBFILE, 0) or 0) & REDUCED:
        raise ValueError(RAW)
    bits, signs = tags.get(BITS, (1,)), tags.get(FORMAT, (UNSIGNED,))
    if int(tags.get(DEPTH, 1) or 1) > 1:
        raise ValueError(VOLUME)
    inverted = photometric == 0
    top = 2 ** bits[0] - 1 if signs[0] == UNSIGNED and bits[0] <= 16 else None
    if max(bits) <= 8:
        if signs[0] != SIGNED or bits[0] != 8 or opened.mode != "L":
            return None
        opened.load()
        values = np.asarray(opened)
        if inverted:  # which Pillow has undone, as of unsigned bytes
            values = 255 - values
        return Wide(values.view(np.int8), None, inverted)
    if opened.mode in ("RGB", "RGBA", "RGBX") and len(opened.tile) and bits[0] == 16:
        if tags.get(PLANAR, 1) != 1 or "16" not in str((opened.tile[0].args or "")[0:1]):
            raise Unread
        mode = "RGBA" if len(bits) == 4 else "RGB"
        wide_values = _both(opened, mode)
        if mode == "RGB" or opened.mode == "RGBX":
            return Wide(wide_values[..., :3], top)
        return _veiled(wide_values[..., :3], wide_values[..., 3], tags.get(EXTRA, (0,))[0])
    if not (opened.mode.startswith("I") or opened.mode == "F"):
        raise Unread
    opened.load()
    values = np.asarray(opened)
    if opened.mode == "I" and signs[0] == UNSIGNED and bits[0] == 32:
        values = values.view(np.uint32)
    elif opened.mode == "I" and bits[0] == 16:
        values = values.astype(np.int16)
    elif opened.mode.startswith("I;16"):
        values = values.astype(np.uint16)
    return Wide(values, top, inverted)


class Unread(ValueError):  # noqa: N818
    """Pillow would give wrong values, or none."""


def by_tifffile(path: Any, page: int | None) -> tuple[Wide, int]:
    """The values of a TIFF file of a kind that Pillow does not read, such as 64-bit floats.

    Args:
        path: The file.
        page: Which of its whole pages, from 1; ``None`` for the first.

    Returns:
        The values, and the number of pages.

    Raises:
        ModuleNotFoundError: tifffile is not installed.
        ValueError: The page is too large, or of no kind that is an image.
    """
    import tifffile

    with tifffile.TiffFile(path) as file:
        every: list[Any] = [
            one for one in file.pages if not int(getattr(one, "subfiletype", 0)) & (REDUCED | MASK)
        ]
        if (page or 1) > len(every):
            raise ValueError(no_page(page or 1, len(every)) if every else RAW)
        found = every[(page or 1) - 1]
        if int(found.photometric) == COLOUR_FILTER:
            raise ValueError(RAW)
        limit = Image.MAX_IMAGE_PIXELS
        if limit and found.size > 4 * limit:
            raise Image.DecompressionBombError(f"{found.shape} values")
        if getattr(found, "imagedepth", 1) > 1:
            raise ValueError(VOLUME)
        values = found.asarray()
        if values.ndim == 3 and found.planarconfig == 2:
            values = np.moveaxis(values, 0, -1)
        extra = tuple(int(one) for one in found.extrasamples or ())
        inverted = int(found.photometric) == 0
    kind = values.dtype
    if kind.kind not in "iuf":
        raise ValueError(f"its pixels are of the type {kind}, which is no grey or colour")
    values = np.ascontiguousarray(values, dtype=kind.newbyteorder("="))
    top = 2 ** (8 * kind.itemsize) - 1 if kind.kind == "u" and kind.itemsize <= 2 else None
    if values.ndim == 3:
        colours = values.shape[2] - len(extra)
        if colours not in (1, 3):
            raise ValueError(f"it has {values.shape[2]} channels: save three of them, or one")
        grey_or_colour = values[..., :3] if colours == 3 else values[..., 0]
        if extra and kind == np.uint16:
            return _veiled(grey_or_colour, values[..., colours], extra[0], inverted), len(every)
        values = grey_or_colour
    return Wide(values, top, inverted), len(every)


def no_page(page: int, pages: int) -> str:
    """Words for a page that is not there."""
    return f"page {page} was asked for, and it has {pages} page{'s' * (pages > 1)}"


def _veiled(
    values: NDArray[np.uint16], opacity: NDArray[np.uint16], extra: int, inverted: bool = False
) -> Wide:
    """16-bit values with their opacity, by which they may have been multiplied."""
    alpha = _opacity(opacity)
    if extra == ASSOCIATED:
        whole = np.maximum(alpha, 1 / 65535)
        whole = whole[..., None] if values.ndim == 3 else whole
        values = np.minimum(np.rint(values / whole), 65535).astype(np.uint16)
    return Wide(values, 65535, inverted, alpha if extra in (ASSOCIATED, 2) else None)
