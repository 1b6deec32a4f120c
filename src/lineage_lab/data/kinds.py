"""What a file is, by its first bytes: an image, or something else that is called one.

Nothing is decoded here. A file with an ending of `ENDINGS` is taken for an image whatever it
holds, so that a broken one is refused and not passed over; any other file is an image if its
first bytes say so.
"""

import re
import stat
from pathlib import Path

from lineage_lab.files import one_line

__all__ = ["ENDINGS", "content", "hint", "is_image", "is_narrow", "shown"]

ENDINGS = frozenset(
    {
        *(".avif", ".bmp", ".dcm", ".gif", ".heic", ".heif", ".hif", ".j2k", ".jfif", ".jp2"),
        *(".jpe", ".jpeg", ".jpf", ".jpg", ".jpx", ".mpo", ".pbm", ".pgm", ".pjpeg", ".png"),
        *(".pnm", ".ppm", ".tif", ".tiff", ".webp"),
    }
)
HEAD = 512  # bytes that are looked at

# First bytes, and what they are the beginning of.
_IMAGES = (
    (re.compile(rb"\xff\xd8\xff"), "JPEG"),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "PNG"),
    (re.compile(rb"GIF8[79]a"), "GIF"),
    (re.compile(rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.S), "BMP"),
    (re.compile(rb"II[*+]\0|MM\0[*+]"), "TIFF"),
    (re.compile(rb"RIFF.{4}WEBP", re.S), "WEBP"),
    (re.compile(rb"P[1-6]\s+(#.*\n\s*)*\d+\s"), "PPM"),
    (re.compile(rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51"), "JPEG2000"),
    (re.compile(rb".{4}ftypavi[fs]", re.S), "AVIF"),
    (re.compile(rb".{4}ftyp(hei[cxms]|hev[cmxs]|mif1|msf1)", re.S), "HEIF"),
    (re.compile(rb".{128}DICM", re.S), "DICOM"),
)
_OTHERS = {
    rb"version https://git-lfs": (
        "a pointer of Git LFS, whose image was never fetched: run git lfs pull"
    ),
    rb"(?i)\s*(<!doctype html|<html)": (
        "a web page: a download was answered with an error. Download it again"
    ),
    rb"(?s)\s*(<\?xml.{0,300})?<svg": "a drawing (SVG): save it as PNG",
    rb"8BPS": "a file of Photoshop (PSD): save it as PNG or TIFF",
    rb"\0\0\0\x0cJXL |\xff\x0a": (
        "JPEG XL, which Pillow does not read: convert it to PNG or JPEG, by djxl say"
    ),
    rb"\x93NUMPY": "an array of NumPy: save it as TIFF or PNG",
    rb"\x89HDF\r\n": "an HDF5 file: save its images as TIFF or PNG",
    rb"(?s).{344}n[i+]1\0": "a volume (NIfTI): save its slices as TIFF or PNG",
    rb"%PDF": "a PDF: save its pages as PNG",
    rb"PK\x03\x04|\x1f\x8b|7z\xbc\xaf|Rar!": "an archive: unpack it",
}


def shown(path: Path | str) -> str:
    """A path on one line: line breaks and the like are written out as their codes."""
    return one_line(str(path))


def _head(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would keep the reader waiting
            return b""
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError:
        return b""


def content(path: Path) -> str:
    """Name of the image format that a file begins as; empty if it begins as none."""
    head = _head(path)
    return next((name for pattern, name in _IMAGES if pattern.match(head)), "")


def is_image(path: Path) -> bool:
    """Whether a file counts as an image: by its ending, else by its first bytes."""
    return path.suffix.lower() in ENDINGS or bool(content(path))


def is_narrow(path: Path) -> bool:
    """Whether a file's first bytes tell that it has one page of 8 bits a channel at most."""
    head = _head(path)
    if head.startswith(b"\x89PNG"):
        return head[24:25] != b"\x10"
    return next((name for pattern, name in _IMAGES if pattern.match(head)), "") not in (
        "TIFF",
        "JPEG2000",
        "PPM",
    )


def hint(path: Path) -> str:
    """What a file that no decoder knows is instead, and what to do; empty if that is unknown."""
    head = _head(path)
    return next((words for pattern, words in _OTHERS.items() if re.match(pattern, head)), "")
