"""Hostile images, made here: name -> bytes, and how each is shown (empty: it is refused)."""

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image, PngImagePlugin

RED = Image.new("RGB", (400, 300), "red")
NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (300, 400, 3), np.uint8))


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *, bits: int = 8, colour: int = 2, interlace: int = 0,
        lines: bytes = b"", before: bytes = b"") -> bytes:  # fmt: skip
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlace)
    body = chunk(b"IHDR", head) + before + chunk(b"IDAT", lines or zlib.compress(bytes(100)))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def small_png(before: bytes) -> bytes:
    return png(8, 8, before=before, lines=zlib.compress((b"\0" + b"\xff\0\0" * 8) * 8))


def text_bomb() -> bytes:
    return small_png(chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(70_000_000))))


def profile_bomb() -> bytes:
    return small_png(chunk(b"iCCP", b"profile\0\0" + zlib.compress(bytes(70_000_000))))


def bad_huffman() -> bytes:
    whole = bytearray(saved(NOISE, "jpeg"))
    place = whole.index(b"\xff\xc4")
    whole[place + 5 : place + 21] = b"\xff" * 16
    return bytes(whole)


def progressive_cut() -> bytes:
    whole = saved(NOISE, "jpeg", progressive=True)
    return whole[: len(whole) // 2]


def empty_frame() -> bytes:
    return (b"GIF89a" + struct.pack("<HHBBB", 0, 0, 0, 0, 0)
            + b"," + struct.pack("<HHHHB", 0, 0, 0, 0, 0) + b"\x02\x00;")  # fmt: skip


def tile_bomb() -> bytes:
    """Says tiles of 65,536 × 65,536 for a picture of 64 × 64."""
    tags = ((256, 4, 64), (257, 4, 64), (258, 3, 8), (259, 3, 1), (262, 3, 1), (277, 3, 1),
            (322, 4, 65536), (323, 4, 65536), (324, 4, 200), (325, 4, 4096))  # fmt: skip
    body = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    head = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + body + bytes(4)
    return head.ljust(200, b"\0") + bytes(4096)


def upside_down() -> bytes:
    """A BMP whose height is negative: its lines go from the top down. The top half is red."""
    lines = [b"\0\0\xff" * 8] * 4 + [b"\xff\0\0" * 8] * 4
    return (b"BM" + struct.pack("<IHHI", 54 + 192, 0, 0, 54)
            + struct.pack("<IiiHHIIiiII", 40, 8, -8, 1, 24, 0, 192, 0, 0, 0, 0)
            + b"".join(lines))  # fmt: skip


def absurd_exif() -> bytes:
    entry = struct.pack("<HHII", 0x0112, 4, 0xFFFFFFFF, 0xFFFFFFF0)
    block = b"Exif\0\0II*\0" + struct.pack("<I", 8) + struct.pack("<H", 0xFFFF) + entry
    return saved(RED, "jpeg", exif=block)


def many_texts() -> bytes:
    info = PngImagePlugin.PngInfo()
    for number in range(5000):
        info.add_text(f"key{number}", "x" * 1000)
    return saved(RED, "png", pnginfo=info)


def exif(orientation: int) -> Image.Exif:
    found = Image.Exif()
    found[0x0112] = orientation
    return found


def wide() -> Image.Image:
    return Image.fromarray(np.linspace(0, 65535, 120_000).astype(np.uint16).reshape(300, 400))


def veiled() -> Image.Image:
    image = RED.convert("RGBA")
    image.putalpha(128)
    return image


SHOWN: dict[str, tuple[Callable[[], bytes], str]] = {
    "16 bits a channel, PNG": (lambda: saved(wide(), "png"), "scaled to 8 bits, not cut off"),
    "CMYK, JPEG": (lambda: saved(RED.convert("CMYK"), "jpeg"), "converted by the plain formula"),
    "palette, PNG": (lambda: saved(RED.convert("P"), "png"), "colours looked up"),
    "transparent, PNG": (lambda: saved(veiled(), "png"), "laid on white"),
    "animated WebP": (
        lambda: saved(RED, "webp", save_all=True, append_images=[NOISE]), "its first frame"),
    "turned by EXIF": (lambda: saved(NOISE, "jpeg", exif=exif(6)), "turned upright"),
    "1 × 20,000 pixels": (
        lambda: saved(Image.new("RGB", (1, 20_000), "red"), "png"), "its middle square"),
    "9,000 × 9,000 pixels, PNG": (
        lambda: saved(Image.new("RGB", (9000, 9000), "red"), "png", compress_level=1), "whole"),
    "9,000 × 9,000 pixels, JPEG": (
        lambda: saved(Image.new("RGB", (9000, 9000), "red"), "jpeg"), "decoded at an eighth"),
    "PNG named .jpg": (lambda: saved(RED, "png"), "by its content"),
    "BMP from the top down": (upside_down, "the right way up"),
    "absurd EXIF": (absurd_exif, "not turned"),
    "5,000 text chunks": (many_texts, "the texts are passed over"),
}  # fmt: skip
REFUSED: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "text": lambda: b"not an image",
    "truncated JPEG": lambda: saved(NOISE, "jpeg")[:20_000],
    "float TIFF": lambda: saved(Image.new("F", (400, 300)), "tiff"),
    "bomb: 60,000 × 60,000 said": lambda: png(60_000, 60_000),
    "30,000 × 30,000 of 1 bit, interlaced": lambda: png(
        30_000, 30_000, bits=1, colour=0, interlace=1),
    "PNG with a text of 70 MB, packed": text_bomb,
    "PNG, colour profile of 70 MB, packed": profile_bomb,
    "PostScript": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "icon (ICO)": lambda: saved(RED.resize((32, 32)), "ico"),
    "JPEG, bad Huffman table": bad_huffman,
    "progressive JPEG, cut in the middle": progressive_cut,
    "GIF of 0 × 0": empty_frame,
    "TIFF, tiles of 65,536 × 65,536": tile_bomb,
}  # fmt: skip
