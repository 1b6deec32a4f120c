"""What a fine-tune starts from: how its images are scaled, and how often its file is read."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from lineage_lab import registry
from lineage_lab.models.lenet import normalize_ink
from lineage_lab.training.batches import Prepare
from lineage_lab.training.pretrained import starting_point
from lineage_lab.weights import download


@pytest.mark.parametrize("name", ["lenet5", "lenet5_modern"])
def test_lenets_images_are_scaled_as_in_its_paper(name: str) -> None:
    start = starting_point(name, random=True)
    ink = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    prepare = Prepare(start.mean, start.std, torch.device("cpu"))
    torch.testing.assert_close(prepare(ink), normalize_ink(ink))


def test_another_network_for_grey_images_is_not_scaled_as_lenet(monkeypatch) -> None:
    grey = replace(registry.entry("resnet18"), input_size=(1, 28, 28))
    monkeypatch.setattr(registry, "entry", lambda name: grey)
    start = starting_point("resnet18", random=True)
    assert (start.mean, start.std) == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are hashed from here on."""
    names: list[str] = []
    real = hashlib.file_digest

    def noted(file: Any, *arguments: Any, **options: Any) -> Any:
        names.append(Path(file.name).name)
        return real(file, *arguments, **options)

    monkeypatch.setattr(hashlib, "file_digest", noted)
    monkeypatch.setattr(download, "_HASHES", {})
    return names


def test_a_weights_file_is_hashed_once_a_process(hashed: list[str]) -> None:
    start = starting_point("efficientnet_lite0")
    for seed in range(2):
        start.model(2, seed=seed)
    assert hashed == ["efficientnet-lite0-57934424.pth"]


def test_a_file_that_changed_is_hashed_again(hashed: list[str], tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    file.write_bytes(b"a" * 1000)
    os.utime(file, (1, 1))
    first = download.sha256_of(file)
    assert download.sha256_of(file) == first
    assert len(hashed) == 1
    file.write_bytes(b"b" * 1000)  # as long as before
    assert download.sha256_of(file) == hashlib.sha256(b"b" * 1000).hexdigest()
    other = tmp_path / "other.pth"
    other.write_bytes(b"c" * 1000)
    os.utime(other, (1, 1))
    os.utime(file, (1, 1))
    other.replace(file)
    assert download.sha256_of(file) == hashlib.sha256(b"c" * 1000).hexdigest()


def test_a_file_that_was_written_just_now_is_not_remembered(
    hashed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two changes within a tick of the clock have the same time."""
    file = tmp_path / "weights.pth"
    file.write_bytes(b"a")
    monkeypatch.setattr(download.time, "time_ns", lambda: file.stat().st_mtime_ns)
    assert download.sha256_of(file) == download.sha256_of(file)
    assert len(hashed) == 2
