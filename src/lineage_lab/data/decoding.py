"""One image file to pixels, whatever the file holds: decoded rightly, or refused with its path.

What is done, and in this order:

1. Only a regular file is opened; a pipe or a device would keep the reader waiting. Only the
   formats of `FORMATS` are tried: none of them runs another program.
2. More pixels than Pillow's own limit (``PIL.Image.MAX_IMAGE_PIXELS``) are refused before
   any is decoded.
3. A JPEG of more than twice the size asked for is decoded at a half, a quarter or an eighth
   (libjpeg's scaled decoding); what is left has at least twice the pixels that are needed.
4. The first frame is taken, and turned as its EXIF data say.
5. 16 bits a channel are scaled to 8, not cut off. Numbers without a known range (floats,
   32-bit integers) are refused. What is transparent is laid on white. CMYK is converted by
   Pillow's formula; colour profiles are not applied.
6. The middle square is cut out and scaled with Pillow's antialiased bilinear filter.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

__all__ = ["ENDINGS", "Unreadable", "decode", "fit", "shown"]

# Raise it when the same file would give other pixels: cached pixels are then decoded again.
VERSION = 2

ENDINGS = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
WHITE = (255, 255, 255, 255)


class Unreadable(ValueError):  # noqa: N818  (says what is so)
    """A file that is no image, or none that can be read rightly; the message has its path."""


def shown(path: Path) -> str:
    """A path on one line: line breaks and the like are written out as their codes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(path))


def decode(path: Path, *, size: int, mode: str) -> NDArray[np.uint8]:
    """Decode one file.

    Args:
        path: A regular file, or a link to one.
        size: Side of the square, in pixels.
        mode: ``RGB``, or ``L`` for grey.

    Returns:
        ``uint8 [channels, size, size]``.

    Raises:
        Unreadable: It is no image that can be read; the message gives the path and the cause.
    """
    try:
        return _decode(path, size, mode)
    except Exception as error:  # decoders raise whatever a hostile file leads them to
        raise Unreadable(
            f"{shown(path)} can't be read as an image: {_cause(error)}. Replace the file or take "
            "it out of the folder"
        ) from error


def _decode(path: Path, size: int, mode: str) -> NDArray[np.uint8]:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is no regular file, but a folder, a pipe or a device")
    if status.st_size == 0:
        raise ValueError("it is empty (0 bytes)")
    with Image.open(path, formats=FORMATS) as opened:
        limit = Image.MAX_IMAGE_PIXELS
        if limit and opened.width * opened.height > limit:
            raise Image.DecompressionBombError(_too_large(opened.width, opened.height))
        opened.draft(None, (2 * size, 2 * size))  # does nothing but for JPEG
        opened.load()
        with suppress(Exception):  # broken EXIF data turn nothing
            ImageOps.exif_transpose(opened, in_place=True)
        return fit(_eight_bits(opened, mode), size)


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


def _eight_bits(image: Image.Image, mode: str) -> Image.Image:
    """``RGB`` or ``L`` from any mode of Pillow's."""
    sixteen = image.mode.startswith("I;16") or (
        # Pillow holds a portable grey map of more than 8 bits, scaled to 16, as 32-bit integers.
        image.mode == "I" and getattr(image, "format", None) in ("PNG", "PPM")
    )
    if sixteen:  # Pillow's own conversion would cut off at 255
        wide = np.asarray(image).astype(np.uint32)
        image = Image.fromarray(((wide + 128) // 257).astype(np.uint8))
    elif image.mode in ("F", "I"):
        kind = "floating-point numbers" if image.mode == "F" else "32-bit integers"
        raise ValueError(
            f"its pixels are {kind}, and which of them is white is not known: save it with 8 or "
            "16 bits a channel"
        )
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, WHITE), image)
    # Pillow would copy an image that is of this mode already.
    return image if image.mode == mode else image.convert(mode)


def _too_large(width: int, height: int) -> str:
    return f"{width} × {height} pixels"


def _cause(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return f"it is none of {', '.join(FORMATS)}"
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
