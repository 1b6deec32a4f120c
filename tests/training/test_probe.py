"""The linear probe: its head against scikit-learn's, its features against the network's own."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from lineage_lab.data import ImageSet, cache
from lineage_lab.registry import create_model
from lineage_lab.training import features as body_features
from lineage_lab.training.features import BLOCK, WAYS, Body, features
from lineage_lab.training.loss import balanced_weights
from lineage_lab.training.probe import PENALTIES, choose_penalty, fit_head, folds, probe
from lineage_lab.training.recipe import Recipe
from lineage_lab.using.predictor import Predictor

CPU = torch.device("cpu")
GREY = {"mean": (0.13,), "std": (0.31,)}
PLAIN = Recipe(device="cpu")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LINEAGE_LAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def rows(classes: int, count: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    numbers = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % classes
    centres = torch.randn(classes, width, generator=numbers)
    x = centres[labels] + 2 * torch.randn(count, width, generator=numbers)
    return x * torch.logspace(-2, 2, width), labels


def network(classes: int = 10) -> nn.Module:
    torch.manual_seed(0)
    model = create_model("resnet20_cifar", num_classes=classes)
    return model.eval()


def coloured(data: ImageSet) -> ImageSet:
    return replace(data, images=data.images.expand(-1, 3, -1, -1).contiguous())


COLOUR = {"mean": (0.13, 0.14, 0.15), "std": (0.31, 0.32, 0.33)}


@pytest.mark.parametrize("penalty", [1e-4, 1e-2, 1.0])
@pytest.mark.parametrize(
    ("classes", "count", "width", "weighted"),
    [(2, 60, 20, False), (2, 61, 80, True), (5, 90, 30, True), (30, 20, 12, False)],
    ids=["two classes", "fewer rows than features", "weights", "more classes than rows"],
)
def test_the_head_is_scikit_learns(
    classes: int, count: int, width: int, weighted: bool, penalty: float
) -> None:
    x, labels = rows(classes, count, width)
    x[:, 3] = 7.0  # one feature is constant
    weights = None
    if weighted:
        counts = labels.bincount(minlength=classes).tolist()
        weights = balanced_weights(counts)[labels].double()
    head = fit_head(x, labels, classes=classes, penalty=penalty, weights=weights)
    theirs = make_pipeline(
        StandardScaler(), LogisticRegression(C=penalty, tol=1e-10, max_iter=20_000)
    )
    theirs.fit(
        x.double().numpy(),
        labels.numpy(),
        logisticregression__sample_weight=None if weights is None else weights.numpy(),
    )
    wanted = theirs.decision_function(x.double().numpy())
    known = labels.unique()
    found = head(x)[:, known].numpy()
    if classes == 2:
        found, wanted = found[:, 1] - found[:, 0], wanted
    else:
        found = found - found.mean(1, keepdims=True)
        wanted = wanted - wanted.mean(1, keepdims=True)
    if len(known) == classes:
        np.testing.assert_allclose(found, wanted, atol=1e-4)
    else:  # scikit-learn does not know the classes without rows
        assert (head(x).argmax(1) == labels).double().mean() >= theirs.score(x, labels)
        assert set(head(x).argmax(1).tolist()) <= set(known.tolist())


def test_folds_keep_classes_even_and_groups_whole(digits) -> None:
    train = digits[0]
    plain = folds(train, seed=0)
    for label in range(10):
        counts = np.bincount(plain[train.labels.numpy() == label], minlength=3)
        assert counts.max() - counts.min() <= 1
    assert (folds(train, seed=1) != plain).any()
    groups = torch.arange(len(train)) // 7
    grouped = folds(replace(train, groups=groups), seed=0)
    for number in groups.unique():
        assert len(set(grouped[groups.numpy() == int(number)])) == 1
    sizes = np.bincount(grouped)
    assert len(sizes) == 3
    assert sizes.min() > 0.8 * sizes.max()


@pytest.mark.parametrize("strength", [0.1, 1.0, 10.0])
def test_the_penalty_is_the_one_that_helps_on_other_images(strength: float) -> None:
    x, labels = rows(4, 200, 50)
    x = x / torch.logspace(-2, 2, 50)
    x += (strength - 1) * torch.eye(4).repeat(50, 13)[:, :50]
    fold = torch.arange(200) // 4 % 3
    scores = []
    for penalty in PENALTIES:
        theirs = make_pipeline(StandardScaler(), LogisticRegression(C=penalty, max_iter=10_000))
        gaps = []
        for number in range(3):
            theirs.fit(x[fold != number].numpy(), labels[fold != number].numpy())
            chances = theirs.predict_proba(x[fold == number].numpy())
            gaps.append(((chances - np.eye(4)[labels[fold == number]]) ** 2).sum())
        scores.append(sum(gaps))
    wanted = PENALTIES[int(np.argmin(scores))]
    assert choose_penalty(x, labels, fold, classes=4) == wanted
    assert choose_penalty(x, labels, torch.zeros(200, dtype=torch.int64), classes=4) in PENALTIES


@pytest.mark.parametrize("way", WAYS)
def test_each_way_gives_the_networks_own_features(way: str, digits) -> None:
    model, data = network(), coloured(digits[0].take(torch.arange(21)))
    inputs: list[torch.Tensor] = []
    model.head.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    x = data.images.float() / 255
    with torch.no_grad():
        model((x - torch.tensor(COLOUR["mean"]).view(1, 3, 1, 1))
              / torch.tensor(COLOUR["std"]).view(1, 3, 1, 1))  # fmt: skip
    body = Body.of(network(), data.images[:16], device=CPU, way=way, **COLOUR)
    torch.testing.assert_close(features(body, data), inputs[0], atol=1e-4, rtol=1e-4)


def test_a_fold_that_changes_the_features_is_refused(digits) -> None:
    class Twice(nn.Module):
        """The convolution's output goes past the norm too: no fold can be right."""

        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)
            self.head = nn.Linear(4, 10)
            nn.init.normal_(self.norm.bias)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.conv(x)
            out: torch.Tensor = self.head((x + self.norm(x)).mean((2, 3)))
            return out

    model, few = Twice().eval(), digits[0].images[:16]
    with pytest.raises(ValueError, match="'folded' differ from the network's own by"):
        Body.of(model, few, device=CPU, way="folded", **GREY)
    assert Body.of(model, few, device=CPU, **GREY).way == "eager"


def test_a_network_that_does_not_end_in_its_head_is_refused(digits) -> None:
    class Pools(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(32, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.head(x).mean((1, 2))
            return out

    with pytest.raises(ValueError, match="does not end in the linear layer 'head'"):
        probe(Pools(), *digits, PLAIN, **GREY)


def test_without_the_extra_the_way_is_said(
    digits, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(body_features, "find_spec", lambda name: None)
    monkeypatch.setattr(body_features, "EXPORT_SECONDS", 0.0)
    with pytest.raises(ModuleNotFoundError, match='the way "onnx" needs the extra export: pip'):
        probe(create_model("lenet5_modern"), *digits, PLAIN, way="onnx", **GREY)
    with caplog.at_level(logging.INFO):
        found = probe(create_model("lenet5_modern"), *digits, PLAIN, **GREY)
    assert found.way in ("eager", "folded")
    assert "ONNX Runtime may be several times as fast" in caplog.text


def test_a_pass_that_was_stopped_goes_on(digits, monkeypatch: pytest.MonkeyPatch) -> None:
    train, val = digits
    assert len(train) > BLOCK

    def stop(done: int, total: int) -> None:
        assert total == len(train) + len(val)
        if done > BLOCK:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        probe(create_model("lenet5_modern"), train, val, PLAIN, on_images=stop, **GREY)
    torch.manual_seed(0)
    model = create_model("lenet5_modern")
    whole = probe(model, train, val, PLAIN, **GREY)
    assert whole.passed == len(train) + len(val)  # of other weights
    torch.manual_seed(0)
    monkeypatch.setattr(cache, "check_whole", lambda _: None)
    again = probe(create_model("lenet5_modern"), train, val, PLAIN, **GREY)
    assert again.passed == 0
    assert again.validation.answers == whole.validation.answers
    changed = train.images.clone()
    changed[0] = 255 - changed[0]
    torch.manual_seed(0)
    other = replace(train, images=changed, pixels="")
    assert probe(create_model("lenet5_modern"), other, val, PLAIN, **GREY).passed == len(train)


def test_what_was_done_before_a_stop_is_kept(digits) -> None:
    train = digits[0]
    model = create_model("lenet5_modern")

    def stop(images: int) -> None:
        seen.append(images)
        if sum(seen) > BLOCK:
            raise KeyboardInterrupt

    seen: list[int] = []
    body = Body.of(model, train.images[:16], device=CPU, way="eager", **GREY)
    with pytest.raises(KeyboardInterrupt):
        features(body, train, on_images=stop)
    rest: list[int] = []
    features(body, train, on_images=rest.append)
    assert sum(rest) == len(train) - BLOCK


def test_kept_features_that_changed_are_computed_again(
    digits, own_cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train = digits[0]
    body = Body.of(create_model("lenet5_modern"), train.images[:16], device=CPU, way="eager",
                   **GREY)  # fmt: skip
    whole = features(body, train)
    file = min(own_cache.glob("features/*"))
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content)
    passed: list[int] = []
    with caplog.at_level(logging.WARNING):
        assert torch.equal(features(body, train, on_images=passed.append), whole)
    assert passed
    assert "has changed since it was written: it is computed again" in caplog.text


def test_kept_features_are_bounded(
    digits, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body_features, "MOST", 150_000)
    for seed in range(3):
        torch.manual_seed(seed)
        body = Body.of(create_model("lenet5_modern"), digits[0].images[:16], device=CPU,
                       way="eager", **GREY)  # fmt: skip
        features(body, digits[0])
    assert 0 < sum(f.stat().st_size for f in own_cache.glob("features/*")) <= 150_000


def test_the_kept_network_is_an_ordinary_one(digits, tmp_path: Path) -> None:
    train, val = digits
    model = create_model("lenet5_modern")
    found = probe(model, train, val, PLAIN, name="lenet5_modern", folder=tmp_path / "run", **GREY)
    loaded = Predictor.load(tmp_path / "run" / "best.ckpt")
    with torch.no_grad():
        scores = loaded.model(loaded.prepare(val.images))
    assert tuple(scores.argmax(1).tolist()) == found.validation.answers
    np.testing.assert_allclose(scores.softmax(1), found.validation.probabilities, atol=1e-5)
    assert found.validation.accuracy > 0.5  # of ten classes, by a body with random weights
    with pytest.raises(FileExistsError, match="holds a run already"):
        probe(model, train, val, PLAIN, folder=tmp_path / "run", **GREY)


def test_mirror_images_are_views_of_the_same_images(digits) -> None:
    train, val = (replace(part, flips="both") for part in digits)
    found = probe(create_model("lenet5_modern"), train, val, PLAIN, mirrors=True, **GREY)
    assert found.passed == 4 * len(train) + len(val)
    assert found.images == len(train)


def test_five_classes_with_eight_images_each(digits) -> None:
    train, val = digits
    few = torch.cat([(train.labels == label).nonzero().flatten()[:8] for label in range(5)])
    found = probe(create_model("lenet5_modern"), train.take(few), val, PLAIN, **GREY)
    assert set(found.validation.answers) <= set(range(5))
