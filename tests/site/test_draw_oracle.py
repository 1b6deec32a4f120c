"""LeNet-5 in the page's JavaScript against the package, in a real Chromium: the same numbers.

The weights of both are those that the page loads; the digits are real and held out.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page

from lineage_lab.data.sets import split_digits
from lineage_lab.models.lenet import C3_TABLE, LeNet5, normalize_ink
from tests.site.browser import CHROMIUM, CODED, coded, decoded

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

NEAR = 5e-5
SHARE = 2e-6  # of what a distance is made of: some 16 roundings of fp32
LAYERS = {"C1": "S2", "S2": "C3", "C3": "S4", "S4": "C5", "C5": "F6", "F6": "output"}
FORWARD = """async ([home, text]) => {
  const { coded, decoded } = CODED;
  const all = decoded(text), pictures = [];
  for (let i = 0; i < all.length; i += 1024) pictures.push([...all.subarray(i, i + 1024)]);
  const { forward, unpack } = await import(home + 'assets/lenet5.js');
  const at = home + 'generated/digit/data/lenet5.';
  const { arrays, table } = await (await fetch(at + 'json')).json();
  const weights = unpack(arrays, await (await fetch(at + 'bin')).arrayBuffer());
  return pictures.map((picture) => Object.fromEntries(
    Object.entries(forward(weights, table, picture)).map(([name, values]) => [name, coded(values)])));
}""".replace("CODED", CODED)
LIKE = """async ([home, text, side]) => {
  const { coded, decoded } = CODED;
  const { likeMnist } = await import(home + 'assets/lenet5.js');
  const all = decoded(text), found = [];
  for (let i = 0; i < all.length; i += side * side)
    found.push(...likeMnist(Uint8Array.from(all.subarray(i, i + side * side)), side));
  return coded(found);
}""".replace("CODED", CODED)


@pytest.fixture(scope="module")
def facts(built_site: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (built_site / "generated" / "digit" / "data" / "lenet5.json").read_text(encoding="utf-8")
    )
    return found


@pytest.fixture(scope="module")
def model(built_site: Path, facts: dict[str, Any]) -> LeNet5:
    """The package's network with the numbers that the page is served, by their names."""
    file = built_site / "generated" / "digit" / "data" / "lenet5.bin"
    numbers = torch.from_numpy(np.frombuffer(file.read_bytes(), "<f4").copy())
    state, start = {}, 0
    for array in facts["arrays"]:
        size = int(np.prod(array["shape"]))
        state[array["name"]] = numbers[start : start + size].view(array["shape"])
        start += size
    assert start == len(numbers)
    network = LeNet5()
    network.load_state_dict(state)
    return network.eval()


@pytest.fixture(scope="module")
def page(browser: Browser, home: str) -> Iterator[Page]:
    opened = browser.new_page()
    opened.goto(home + "try/draw-a-digit/")
    yield opened
    opened.close()


def by_torch(model: LeNet5, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
    """What each layer hands on, and the distances, one line a picture."""
    found: dict[str, torch.Tensor] = {}
    hooks = [
        getattr(model, after).register_forward_pre_hook(
            lambda _, inputs, layer=layer: found.update({layer: inputs[0].flatten(1)})
        )
        for layer, after in LAYERS.items()
    ]
    with torch.no_grad():
        found["distances"] = model.distances(normalize_ink(pictures))
    for hook in hooks:
        hook.remove()
    return found


def compared(page: Page, home: str, model: LeNet5, pictures: torch.Tensor) -> dict[str, float]:
    """The largest difference in each layer; in a distance, as a share of what it is made of.

    It is |x|² + |w|² less 2 x·w, numbers of some 300: fp32 knows the rest to about 1e-4.
    """
    answers = page.evaluate(FORWARD, [home, coded(pictures)])
    expected = by_torch(model, pictures)
    assert set(expected) <= set(answers[0])
    made_of = {"distances": expected["F6"].square().sum(dim=1, keepdim=True) + 84}
    found = {}
    for name, values in expected.items():
        theirs = torch.from_numpy(np.stack([decoded(a[name]) for a in answers]))
        found[name] = ((theirs - values).abs() / made_of.get(name, 1)).max().item()
    assert found["distances"] < SHARE, found
    return found


def test_every_map_and_distance_of_200_real_digits_is_the_packages(
    page: Page, home: str, model: LeNet5
) -> None:
    _, (images, labels) = split_digits(0)
    assert labels[::5].bincount().tolist() == [20] * 10
    worst = compared(page, home, model, images[::5])
    assert max(worst.values()) < NEAR, worst


def test_so_is_that_of_noise_of_paper_and_of_ink(page: Page, home: str, model: LeNet5) -> None:
    random = torch.Generator().manual_seed(8)
    noise = torch.randint(0, 256, (40, 1, 32, 32), generator=random, dtype=torch.uint8)
    sparse = noise * (noise > 230)
    plain = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 1, 32, 32)
    worst = compared(page, home, model, torch.cat((noise, sparse, plain)))
    assert max(worst.values()) < NEAR, worst


def test_what_the_page_says_of_the_network_is_so(facts: dict[str, Any], model: LeNet5) -> None:
    _, (images, labels) = split_digits(0)
    with torch.no_grad():
        nearest, answers = model.distances(normalize_ink(images)).min(dim=1)
    wrong, far = answers != labels, nearest > facts["facts"]["limit"]
    assert facts["facts"] == {
        "digits": 1000,
        "right": int((~wrong).sum()),
        "limit": pytest.approx(torch.quantile(nearest, 0.95).item(), abs=0.051),
        "silent": int(far.sum()),
        "silent_wrong": int((far & wrong).sum()),
        "median": pytest.approx(nearest.median().item(), abs=0.051),
    }
    assert facts["facts"]["right"] > 960
    assert facts["table"] == [list(row) for row in C3_TABLE]
    assert [s["label"] for s in facts["samples"][:10]] == list(range(10))
    assert all(s["answer"] != s["label"] for s in facts["samples"][10:])


# --- From a drawing to a picture.
def like_mnist(drawing: np.ndarray) -> np.ndarray:
    """The same with no arithmetic of shares: enlarge until the cells are whole, then average."""
    rows, columns = np.nonzero(drawing)
    inked = drawing[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].astype(float)
    size = np.array(inked.shape)
    height, width = np.maximum(1, np.floor(size * 20 / size.max() + 0.5).astype(int))
    large = inked.repeat(height, axis=0).repeat(width, axis=1)
    small = large.reshape(height, size[0], width, size[1]).mean(axis=(1, 3))
    place = np.mgrid[:height, :width] + 0.5
    down, across = (place * small).sum(axis=(1, 2)) / small.sum()
    top = int(np.clip(np.ceil(14 - down), 0, 28 - height))
    left = int(np.clip(np.ceil(14 - across), 0, 28 - width))
    out = np.zeros((28, 28))
    out[top : top + height, left : left + width] = small
    return out


def strokes(seed: int, side: int = 280) -> np.ndarray:
    """A few thick lines somewhere, as somebody draws them."""
    random = np.random.default_rng(seed)
    image = Image.new("L", (side, side))
    draw = ImageDraw.Draw(image)
    corner, size = random.integers(20, 120, 2), random.integers(40, 140, 2)
    for _ in range(3):
        points = corner + random.random((4, 2)) * size
        draw.line([tuple(map(float, p)) for p in points], fill=255, width=22, joint="curve")
    return np.asarray(image)


def like(page: Page, home: str, drawings: np.ndarray) -> np.ndarray:
    """What the page makes of drawings ``[n, side, side]``: ``[n, 28, 28]``."""
    found = decoded(page.evaluate(LIKE, [home, coded(drawings), drawings.shape[-1]]))
    return found.reshape(-1, 28, 28)


def test_a_drawing_is_fitted_and_centred_as_numpy_does_it(page: Page, home: str) -> None:
    drawings = [strokes(seed) for seed in range(10)]
    found = like(page, home, np.stack(drawings))
    for drawing, picture in zip(drawings, found, strict=True):
        assert np.abs(picture - like_mnist(drawing)).max() <= 0.5001


def test_known_strokes_fill_the_20_pixels_and_stand_in_the_middle(page: Page, home: str) -> None:
    bar = np.zeros((280, 280), np.uint8)
    bar[10:110, 200:220] = 255  # 100 high, 20 wide, in a corner: a fifth of it is 20 by 4
    dot = np.zeros((280, 280), np.uint8)
    dot[279, 0] = 7  # one pale pixel grows to 20 by 20
    heavy = np.zeros((280, 280), np.uint8)
    heavy[40:240, 40:60] = 255  # all of the mass at the left: 20 pixels from 14 on would not fit
    heavy[40, 60:240] = 1
    blank = np.zeros((280, 280), np.uint8)
    found = like(page, home, np.stack((bar, dot, heavy, blank)))
    expected = np.zeros((4, 28, 28))
    expected[0, 4:24, 12:16] = 255
    expected[1, 4:24, 4:24] = 7
    expected[2, 4:24, 8:10] = 255
    assert np.array_equal(found, expected)


def test_a_real_digit_of_mnist_stays_as_it_is(page: Page, home: str) -> None:
    """The way is MNIST's own: what its authors fitted and centred is there already."""
    _, (images, _) = split_digits(0)
    digits = images[:, 0, 2:30, 2:30].numpy()
    found = like(page, home, digits)
    assert (found != digits).any(axis=(1, 2)).sum() <= 1
