"""Groups stay whole, and the classes are parted no less evenly than scikit-learn parts them."""

import numpy as np
import pytest
import torch
from sklearn.model_selection import StratifiedGroupKFold

from lineage_lab.data.sets import ImageSet, split
from tests.rows import EVERYTHING


def grouped(seed: int, groups: int, classes: int, largest: int) -> ImageSet:
    """Groups of uneven sizes, each with a leaning of its own towards some classes."""
    generator = np.random.default_rng(seed)
    labels, numbers = [], []
    for group in range(groups):
        leaning = generator.dirichlet(np.full(classes, 0.5))
        size = int(generator.integers(1, largest + 1))
        labels += generator.choice(classes, size, p=leaning).tolist()
        numbers += [group] * size
    return ImageSet(
        images=torch.zeros(len(labels), 1, 1, 1, dtype=torch.uint8), labels=torch.tensor(labels),
        classes=tuple(f"c{i}" for i in range(classes)), name="grouped", licence="none",
        groups=torch.tensor(numbers), grouped_by="patient",
    )  # fmt: skip


def unevenness(labels: np.ndarray, chosen: np.ndarray, share: float = 0.25) -> float:
    """Root mean square over the classes of how far each one's share is from the one wanted."""
    counts = np.bincount(labels)
    found = np.bincount(labels[chosen], minlength=len(counts)) / counts
    return float(np.sqrt(((found - share) ** 2).mean()))


CASES = [(seed, groups, classes, largest) for seed in range(12 if EVERYTHING else 3)
         for groups, classes, largest in ((12, 2, 30), (40, 3, 12), (150, 8, 20))]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_groups_are_whole_and_classes_no_less_even_than_scikit_learns(
    case: tuple[int, int, int, int],
) -> None:
    data = grouped(*case)
    assert data.groups is not None
    labels, groups = data.labels.numpy(), data.groups.numpy()
    theirs = min(
        unevenness(labels, chosen)
        for _, chosen in StratifiedGroupKFold(4, shuffle=True, random_state=case[0]).split(
            labels, labels, groups
        )
    )  # the most even of its four folds
    train, val = split(data, seed=case[0])
    assert train.groups is not None
    assert val.groups is not None
    assert not set(train.groups.tolist()) & set(val.groups.tolist())
    assert len(train) + len(val) == len(data)
    mine = np.isin(groups, val.groups.numpy())
    assert unevenness(labels, mine) <= theirs + 1e-9


def test_the_seed_decides_which_groups(one_thread: None) -> None:
    data = grouped(0, 40, 3, 12)

    def chosen(seed: int) -> set[int]:
        return set(split(data, seed=seed)[1].groups.tolist())  # type: ignore[union-attr]

    assert chosen(1) == chosen(1)
    assert len({frozenset(chosen(seed)) for seed in range(5)}) > 1


def test_groups_may_be_given_by_name() -> None:
    data = grouped(1, 12, 2, 30)
    names = [f"patient {group}" for group in data.groups.tolist()]  # type: ignore[union-attr]
    bare = ImageSet(images=data.images, labels=data.labels, classes=data.classes, name="x",
                    licence="none")  # fmt: skip
    train, val = split(bare, seed=0, groups=names)
    assert train.grouped_by == "group"
    assert not set(train.groups.tolist()) & set(val.groups.tolist())  # type: ignore[union-attr]
    with pytest.raises(ValueError, match=f"{len(data)} images need as many groups, not 1"):
        split(bare, seed=0, groups=["x"])


@pytest.mark.fault("one-group")
def test_a_class_of_one_group_is_named() -> None:
    data = ImageSet(images=torch.zeros(6, 1, 1, 1, dtype=torch.uint8), name="x", licence="none",
                    labels=torch.tensor([0, 0, 0, 0, 1, 1]), classes=("a", "b"),
                    groups=torch.tensor([0, 0, 1, 1, 2, 2]), grouped_by="module")  # fmt: skip
    with pytest.raises(ValueError, match=r"grouped by module, the class 'b' can't be on both"):
        split(data, seed=0)


def test_groups_are_part_of_the_fingerprint() -> None:
    data = grouped(0, 12, 2, 5)
    bare = ImageSet(images=data.images, labels=data.labels, classes=data.classes, name="x",
                    licence="none")  # fmt: skip
    assert data.fingerprint != bare.fingerprint
