"""Comparisons to show on a page, made as the package makes them: usual, extreme and random ones."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from lineage_lab.comparing.results import Comparison
from lineage_lab.comparing.runs import RANDOM, Row
from lineage_lab.training.history import Epoch, History

MACHINE = {"processor": "P", "cores": "2", "threads": "2", "gpu": "none", "torch": "2.9",
           "python": "3.12", "date": "2026-01-01"}  # fmt: skip
RECIPE = {"epochs": 1, "minutes": None, "head_epochs": 0, "lr": 0.001, "precision": "fp32"}


def run(seed: int, accuracy: float, seconds: float, **changes: Any) -> History:
    """Without single answers, as in the page's copy of the reference, unless they are given."""
    return History(
        **{
            "seed": seed,
            "val_accuracy": accuracy,
            "truth": (),
            "answers": (),
            "losses": (1.5, 0.25),
            "epochs": (Epoch(train_loss=0.875, val_accuracy=accuracy, seconds=seconds),),
            "train_seconds": seconds,
            "warmup_seconds": 1.0,
            "images_trained": 1968,
            "peak_memory": 3 * 2**29,
            "memory_kind": "resident",
            "energy_joules": None,
            "device": "cpu",
            "precision": "fp32",
            "memory_format": "contiguous",
            "compiled": False,
            "provenance": MACHINE,
        }
        | changes
    )


def row(name: str, *runs: History, **changes: Any) -> Row:
    return Row(
        **{
            "name": name,
            "weights": "imagenet",
            "weights_file": f"{name}.pth (a package)",
            "sha256": "ab" * 32,
            "parameters": 25_557_032,
            "macs": 4_089_184_256,
            "input_size": (3, 224, 224),
            "fingerprint": "0123456789abcdef",
            "recipe": RECIPE,
            "runs": runs,
        }
        | changes
    )


def comparison(*rows: Row, limit: int | None = None, **data: Any) -> Comparison:
    about = {"name": "shapes", "licence": "CC0", "classes": ["disc", "square"], "train": 1968,
             "val": 656, "drawn_by_seed": True}  # fmt: skip
    return Comparison(rows=rows, data=about | data, limit=limit)


def answered(seed: int, truth: tuple[int, ...], right: float, seconds: float, draw: random.Random,
             **changes: Any) -> History:  # fmt: skip
    """A run whose single answers are recorded, about so many of them right."""
    answers = tuple(t if draw.random() < right else 1 - t for t in truth)
    accuracy = sum(t == a for t, a in zip(truth, answers, strict=True)) / len(truth)
    return run(seed, accuracy, seconds, truth=truth, answers=answers, **changes)


def drawn(number: int) -> Comparison:
    """A random one: any number of rows and seeds, any size of number that a run can have."""
    draw = random.Random(number)
    rows, seeds, images = draw.randint(1, 6), draw.randint(1, 5), draw.choice((4, 40, 400))
    own = draw.random() < 0.3
    spread = draw.choice((0.1, 1, 3))
    truths = [tuple(draw.randint(0, 1) for _ in range(images)) for _ in range(seeds)]
    found = []
    for index in range(rows):
        level, base = draw.random(), 10 ** draw.uniform(-2, 5)
        runs = []
        for seed in range(seeds):
            seconds = base * 10 ** draw.uniform(-spread / 3, spread / 3)
            measured = {
                "images_trained": draw.randint(0, 10**7),
                "peak_memory": draw.choice((None, draw.randint(0, 2**40))),
                "energy_joules": draw.choice((None, draw.uniform(0, 1e7))) if own else None,
                "precision": draw.choice(("fp32", "bf16")),
            }
            made = (
                answered(seed, truths[seed], level, seconds, draw, **measured)
                if number % 3
                else run(seed, draw.choice((level, round(level, 3), 0.0, 1.0)), seconds, **measured)
            )
            runs.append(made)
        recipe = RECIPE | ({"lr": 0.01, "minutes": draw.choice((0.5, 90, 1e7))} if own else {})
        name = draw.choice(("resnet", "timm/convnext.fb_in22k", "x" * 60, "é…漢😀")) + str(index)
        changes = {
            "parameters": draw.randint(0, 10**10),
            "macs": draw.choice((0, 99_999_999, 100_000_000, 10**12, 415_000)),
            "weights": draw.choice(("imagenet", RANDOM)) if own else "imagenet",
        }
        found.append(row(name, *runs, recipe=recipe, **changes))
    return comparison(*found, limit=draw.choice((None, None, 64)), train=draw.randint(1, 10**6),
                      val=images, drawn_by_seed=draw.random() < 0.5)  # fmt: skip


def one_seed(found: Comparison) -> Comparison:
    return replace(found, rows=tuple(replace(r, runs=r.runs[:1]) for r in found.rows))


THREE = comparison(
    row("resnet50", run(0, 0.85, 600.0), run(1, 0.84, 650.5), run(2, 0.86, 612.25)),
    row("convnext_tiny", run(0, 0.88, 900.0), run(1, 0.87, 910.0), run(2, 0.89, 905.0)),
    row("efficientnet_b0", run(0, 0.83, 300.0), run(1, 0.85, 310.0), run(2, 0.81, 290.0)),
)


def saved(folder: Path, found: Comparison | str, name: str = "comparison.json") -> Path:
    file = folder / name
    text = found if isinstance(found, str) else found.to_json()
    file.write_text(text, encoding="utf-8", errors="surrogatepass")
    return file


def bring(page: Page, *files: Path | str) -> str:
    """Picks files, waits for the answer, and gives it."""
    page.evaluate("document.querySelector('#ll-drop output').textContent = ''")
    page.set_input_files("#ll-file", list(files))
    page.wait_for_function("() => document.querySelector('#ll-drop output').textContent !== ''")
    return page.locator("#ll-drop output").text_content() or ""
