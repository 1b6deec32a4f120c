"""Three parts, and groups that no split parts."""

import numpy as np
import pytest
import torch

from lineage_lab.data.named import blocks_of_rows, listing
from lineage_lab.data.sets import ImageSet, numbered, split


def places(
    labels: list[int], groups: tuple[str, ...] = (), *, validation: int = 0, classes: int = 2
) -> ImageSet:
    """A set whose images are their own places."""
    return ImageSet(
        images=torch.arange(len(labels)).view(-1, 1, 1, 1),
        labels=torch.tensor(labels),
        classes=tuple("abc"[:classes]),
        name="places",
        licence="none",
        groups=numbered(groups) if groups else None,
        grouped_by="block" if groups else "",
        validation=validation,
    )


@pytest.fixture(scope="module")
def cells() -> ImageSet:
    pytest.importorskip("elpv_dataset")
    found = listing("elpv")
    return places(list(found.labels), found.groups)


def test_elpv_has_as_many_blocks_of_each_kind_as_its_authors_state_modules() -> None:
    """Deitsch 2019, section 4.1: 18 modules are monocrystalline, 26 polycrystalline."""
    pytest.importorskip("elpv_dataset")
    found = listing("elpv")
    kinds = dict(zip(found.groups, found.kinds, strict=True))
    assert sorted(kinds.values()) == ["mono"] * 18 + ["poly"] * 26
    sizes = np.unique(found.groups, return_counts=True)[1]
    assert 48 <= sizes.min() <= sizes.max() <= 72
    # Neighbouring rows, each block in one piece.
    changes = sum(a != b for a, b in zip(found.groups, found.groups[1:], strict=False))
    assert changes == 43
    for cells_, blocks in ((30, 88), (130, 20)):
        assert len(set(blocks_of_rows(found.kinds, cells=cells_))) == blocks


@pytest.mark.parametrize("seed", range(5))
def test_three_parts_keep_groups_whole_and_classes_even(cells: ImageSet, seed: int) -> None:
    parts = split(cells, seed=seed, test=0.2)
    assert len(parts) == 3
    indices = torch.cat([part.images.flatten() for part in parts])
    assert indices.sort().values.tolist() == list(range(len(cells)))
    owners = [set(part.groups.tolist()) for part in parts if part.groups is not None]
    assert sum(map(len, owners)) == len(set.union(*owners)) == 44
    for part, wanted in zip(parts, (0.6, 0.2, 0.2), strict=True):
        assert len(part) / len(cells) == pytest.approx(wanted, abs=0.02)
        assert part.labels.float().mean() == pytest.approx(
            cells.labels.float().mean().item(), abs=0.02
        )


def test_without_groups_a_split_is_image_by_image(cells: ImageSet) -> None:
    train, val = split(cells, seed=0, groups=())
    assert train.groups is not None
    assert set(train.groups.tolist()) & set(val.groups.tolist())
    assert [len(train), len(val)] == [1968, 656]


def test_a_validation_part_of_the_set_s_own_stays_and_the_test_part_is_from_the_rest() -> None:
    data = places([0, 1] * 50, validation=20)
    train, val, test = split(data, seed=0, test=0.25)
    assert val.images.flatten().tolist() == list(range(80, 100))
    assert (len(train), len(test)) == (60, 20)
    assert not set(train.images.flatten().tolist()) & set(test.images.flatten().tolist())


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_class_is_in_each_part_or_the_split_is_refused(number: int) -> None:
    data = places([0] * 20 + [1] * number)
    if number < 3:
        with pytest.raises(ValueError, match=r"'b' has .* too few for .* one to test on"):
            split(data, seed=0, test=0.2)
        return
    assert all((part.labels == 1).any() for part in split(data, seed=0, test=0.2))


def test_a_class_in_one_group_only_is_refused_by_name() -> None:
    data = places([0] * 20 + [1] * 4, tuple(f"g{i // 4}" for i in range(24)))
    with pytest.raises(ValueError, match=r"'b' can't be on both sides .* too few groups"):
        split(data, seed=0)


@pytest.mark.parametrize("wrong", [{"test": 0.0}, {"test": 1.0}, {"groups": ["x"]}])
def test_wrong_arguments_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"between 0 and 1|as many groups"):
        split(places([0, 1] * 10), seed=0, **wrong)  # type: ignore[call-overload]
