"""One image file to pixels, whatever the file holds: decoded rightly, or refused with its path.

What is done, and in this order:

1. Only a regular file is opened; a pipe or a device would keep the reader waiting. Only the
   formats of `FORMATS` are tried: none of them runs another program. HEIC needs the extra
   ``heif``.
2. More pixels than Pillow's own limit (``PIL.Image.MAX_IMAGE_PIXELS``) are refused before
   any is decoded.
3. A JPEG of more than twice the size asked for is decoded at a half, a quarter or an eighth
   (libjpeg's scaled decoding); what is left has at least twice the pixels that are needed.
4. The first frame of an animation is taken. Of a TIFF file with several pages the page that
   `Reading` states is taken, else the first; a first page of one single value is refused.
5. More than 8 bits a channel are scaled to 8, not cut off: 0 is black, and the largest value
   that the file can hold is white, unless `Reading` states a range. Numbers without a known
   range (floats, signed and 32-bit integers) are refused without one. What is transparent is
   laid on white. CMYK is converted by Pillow's formula; colour profiles are not applied.
6. The image is turned as its EXIF data say; the middle square is cut out and scaled with
   Pillow's antialiased bilinear filter.
"""

import io
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from lineage_lab.data import scans
from lineage_lab.data.kinds import ENDINGS, content, hint, shown

__all__ = ["ENDINGS", "Facts", "Reading", "Unreadable", "decode", "fit", "inspect", "shown"]

# Raise it when the same file would give other pixels: cached pixels are then decoded again.
VERSION = 3

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP", "AVIF", "JPEG2000")
# Where Pillow looks for a file's orientation; TIFF has it among its tags.
ORIENTED = {"exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp"}
WHITE = (255, 255, 255, 255)
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
DICOM = (
    "it is DICOM, a medical file: convert it to 16-bit PNG, all files by the same window, as with "
    "DCMTK's dcmj2pnm +on2 +Ww CENTRE WIDTH IN.dcm OUT.png"
)


class Unreadable(ValueError):  # noqa: N818  (says what is so)
    """A file that is no image, or none that can be read rightly; the message has its path.

    Attributes:
        limits: Smallest and largest value, if a stated range is all that is missing.
    """

    limits: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How files are read where they don't say so themselves; kept with a checkpoint.

    Attributes:
        pixel_range: Values that are black and white in files of more than 8 bits a channel;
            ``None`` for the file's own. Files of 8 bits are read as they are.
        page: Page of a TIFF file with several, from 1; ``None`` for the first.

    Raises:
        ValueError: The values fit no image.
    """

    pixel_range: tuple[float, float] | None = None
    page: int | None = None

    def __post_init__(self) -> None:
        if self.pixel_range is not None:
            low, high = self.pixel_range
            if not -np.inf < low < high < np.inf:
                raise ValueError(
                    f"the range must be two numbers, black below white, such as 0:4095: "
                    f"{low:g}:{high:g}"
                )
        if self.page is not None and self.page < 1:
            raise ValueError(f"pages are counted from 1: {self.page}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a decoded file was.

    Attributes:
        pages: Number of its pages.
        limits: Smallest and largest value of one with more than 8 bits, else ``None``.
        top: Largest value that such a file can hold; 0 if it doesn't say.
    """

    pages: int = 1
    limits: tuple[float, float] | None = None
    top: int = 0


DEFAULT = Reading()


def decode(path: Path, *, size: int, mode: str, reading: Reading = DEFAULT) -> NDArray[np.uint8]:
    """Decode one file.

    Args:
        path: A regular file, or a link to one.
        size: Side of the square, in pixels.
        mode: ``RGB``, or ``L`` for grey.
        reading: What the file doesn't say itself.

    Returns:
        ``uint8 [channels, size, size]``.

    Raises:
        Unreadable: It is no image that can be read; the message gives the path and the cause.
    """
    return fit(inspect(path, size=size, reading=reading, mode=mode)[0], size)


def inspect(
    path: Path,
    *,
    size: int,
    mode: str,
    reading: Reading = DEFAULT,
    data: bytes | None = None,
    rough: bool = False,
) -> tuple[Image.Image, Facts]:
    """The whole image of a file, of 8 bits a channel, and what the file was.

    Args:
        path: As for `decode`.
        size: Side that it will be scaled to; a JPEG may come with fewer pixels than it has.
        mode: As for `decode`.
        reading: As for `decode`.
        data: Bytes of the file, if they were read already.
        rough: Whether a JPEG may come smaller and in grey from the decoder itself, which is
            quicker and not what `decode` gives; to look at it, not to learn from it.

    Returns:
        An image of this mode, and facts.

    Raises:
        Unreadable: As by `decode`.
    """
    try:
        return _inspect(path, size, mode, reading, data, rough)
    except Exception as error:  # decoders raise whatever a hostile file leads them to
        wrapped = Unreadable(
            f"{shown(path)} can't be read as an image: {_cause(error, path)}. Replace the file or "
            "take it out of the folder"
        )
        if isinstance(error, scans.NoRange):
            wrapped.limits = (error.low, error.high)
        raise wrapped from error


def _inspect(
    path: Path, size: int, mode: str, reading: Reading, data: bytes | None, rough: bool
) -> tuple[Image.Image, Facts]:
    if data is None:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is no regular file, but a folder, a pipe or a device")
    if not (status.st_size if data is None else len(data)):
        raise ValueError("it is empty (0 bytes)")
    try:
        opened = Image.open(path if data is None else io.BytesIO(data), formats=FORMATS)
        opened.filename = os.fspath(path)
    except UnidentifiedImageError:
        kind = content(path)
        if kind == "TIFF":  # of a kind that Pillow does not know
            return _exotic(path, mode, reading)
        if kind != "HEIF" or not _heif():
            raise
        opened = Image.open(path, formats=("HEIF",))
    with opened:
        limit = Image.MAX_IMAGE_PIXELS
        if limit and opened.width * opened.height > limit:
            raise Image.DecompressionBombError(_too_large(opened.width, opened.height))
        places = scans.pages(opened) if opened.format == "TIFF" else [0]
        page = reading.page or 1
        if opened.format == "TIFF" and len(places) > 1:
            if page > len(places):
                raise ValueError(scans.no_page(page, len(places)))
            opened.seek(places[page - 1])
        asked = len(places) > 1 and reading.page is None
        try:
            values = scans.wide(opened)
        except scans.Unread:
            return _exotic(path, mode, reading)
        if values is None:
            if rough:
                opened.draft(mode, (size, size))
            else:
                opened.draft(None, (2 * size, 2 * size))  # does nothing but for JPEG
            opened.load()
            if opened.format == "TIFF" or not ORIENTED.isdisjoint(opened.info):
                with suppress(Exception):  # broken EXIF data turn nothing
                    ImageOps.exif_transpose(opened, in_place=True)
            if asked and _is_flat(opened):
                raise ValueError(_which_page(len(places)))
            return _on_white(opened, mode), Facts(pages=len(places))
        turn = None
        with suppress(Exception):
            turn = _TURNS.get(opened.getexif().get(0x0112, 1))
    return _narrowed(values, turn, len(places), asked, mode, reading)


def _exotic(path: Path, mode: str, reading: Reading) -> tuple[Image.Image, Facts]:
    if find_spec("tifffile") is None:
        raise ModuleNotFoundError(
            "it is a TIFF file of a kind that Pillow does not read, and tifffile does: pip install "
            '"lineage-lab[scans]"'
        )
    values, pages = scans.by_tifffile(path, reading.page)
    return _narrowed(values, None, pages, pages > 1 and reading.page is None, mode, reading)


def _narrowed(
    values: scans.Wide,
    turn: Image.Transpose | None,
    pages: int,
    asked: bool,
    mode: str,
    reading: Reading,
) -> tuple[Image.Image, Facts]:
    """More than 8 bits to 8."""
    low, high = values.limits
    if asked and low == high:
        raise ValueError(_which_page(pages))
    image = values.to_eight(reading.pixel_range)
    if turn is not None:
        image = image.transpose(turn)
    facts = Facts(pages=pages, limits=(low, high), top=values.top or 0)
    return _on_white(image, mode), facts


def _which_page(pages: int) -> str:
    return (
        f"it has {pages} pages, and the first is of one single value: state which page is the "
        f"picture, as by --page {pages // 2 + 1}"
    )


def _is_flat(image: Image.Image) -> bool:
    """Whether it is black, white or one grey."""
    found: Any = image.getextrema()
    bands = found if isinstance(found[0], tuple) else (found,)
    return len({value for band in bands[:3] for value in band}) == 1


def fit(image: Image.Image, size: int) -> NDArray[np.uint8]:
    """The middle square of an image, scaled.

    Args:
        image: Of mode ``RGB`` or ``L``.
        size: Side in pixels.

    Returns:
        ``uint8 [channels, size, size]``.
    """
    image = ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)
    pixels = np.array(image, dtype=np.uint8)  # a copy: torch takes no read-only memory
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _on_white(image: Image.Image, mode: str) -> Image.Image:
    """``RGB`` or ``L`` from any mode of 8 bits."""
    if image.mode in ("F", "I"):
        raise ValueError(f"its pixels have the mode {image.mode}, which is not known here")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, WHITE), image)
    # Pillow would copy an image that is of this mode already.
    return image if image.mode == mode else image.convert(mode)


def _heif() -> bool:
    """Whether HEIC can be read; Pillow is told how."""
    if "HEIF" not in Image.OPEN:
        if find_spec("pillow_heif") is None:
            return False
        import pillow_heif

        pillow_heif.register_heif_opener()
    return True


def _too_large(width: int, height: int) -> str:
    return f"{width} × {height} pixels"


def _cause(error: Exception, path: Path) -> str:
    if isinstance(error, UnidentifiedImageError):
        return _unknown(path)
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return (
            f"it has too many pixels ({error}); Pillow takes {Image.MAX_IMAGE_PIXELS:,} at most, "
            "against files made to fill the memory. Save it smaller"
        )
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    words = str(error).rstrip(".") or type(error).__name__
    if "truncated" in words.lower() or "broken data stream" in words:
        return f"it is cut short or damaged ({words})"
    if "MAX_TEXT" in words:
        return "the text or the colour profile inside it is too large: save it without its metadata"
    return words


def _unknown(path: Path) -> str:
    kind = content(path)
    if kind == "DICOM":
        return DICOM
    if kind == "HEIF" and find_spec("pillow_heif") is None:
        return (
            "it is HEIC, as telephones write it, which needs one more package: pip install "
            '"lineage-lab[heif]" (from the repository: pip install -e ".[heif]")'
        )
    if kind in (*FORMATS, "HEIF"):
        return f"it begins as {kind} does, and is damaged or of a kind that Pillow does not read"
    if words := hint(path):
        return f"it is {words}"
    return f"it is none of {', '.join(FORMATS)}"
