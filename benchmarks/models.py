"""Ours beside torchvision's and timm's: forward, a training step, memory, compiled and not.

The same network with the same weights on the same images, interleaved in one run, so that a
slow minute of the machine meets all alike. What is printed is the ratio theirs / ours: above
1, ours is faster. Peak memory is torch's own count on a GPU; on a CPU it is what autograd
keeps for the backward pass.

    python benchmarks/models.py                      # a few rows, on what the machine has
    python benchmarks/models.py --all --without-timm # every row that torchvision ships
    python benchmarks/models.py resnet50 --rounds 20 --compile --json out.json

Each finished row is written to ``--json`` at once, and one that is in the file is not measured
again.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import timm
import torch
import torchvision.models as tvm
from finetune import Record
from torch import Tensor, nn

from lineage_lab import create_model, list_models
from lineage_lab.comparing.provenance import provenance
from lineage_lab.models.blocks import LocalResponseNorm
from lineage_lab.models.lenet import C3_TABLE, DIGIT_CODES, RBFOutput, SparseConv2d
from lineage_lab.registry import entry
from lineage_lab.weights.naming import to_torchvision

ROWS = ("alexnet", "vgg16", "googlenet", "resnet18", "resnet50", "efficientnet_b0",
        "convnext_tiny", "vit_b_16")  # fmt: skip
TIMM = {"vit_b_16": "vit_base_patch16_224", "googlenet": None, "alexnet": None}


def finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def seconds(run: Callable[[], object], device: torch.device) -> float:
    finish(device)
    start = time.perf_counter()
    run()
    finish(device)
    return time.perf_counter() - start


def interleaved(runs: dict[str, Callable[[], object]], rounds: int, device: torch.device):
    for run in runs.values():  # warm-up; compiled forms are compiled here
        for _ in range(3):
            run()
    laps: dict[str, list[float]] = {name: [] for name in runs}
    for index in range(rounds):
        names = list(runs) if index % 2 else list(runs)[::-1]
        for name in names:
            laps[name].append(seconds(runs[name], device))
    return {name: statistics.median(found) for name, found in laps.items()}, laps


def ratios(laps: dict[str, list[float]], ours: str = "ours") -> dict[str, dict[str, float]]:
    """Of each other one: the median over the rounds of its time to ours, and the quartiles."""
    found = {}
    for name in laps:
        if name != ours:
            pairs = [a / b for a, b in zip(laps[name], laps[ours], strict=True)]
            low, middle, high = statistics.quantiles(pairs, n=4)
            found[name] = {"median": middle, "q1": low, "q3": high}
    return found


def told(found: dict[str, dict[str, float]]) -> str:
    """What `ratios` found, to be printed."""
    return "   ".join(f"{name} {ratio['median']:.3f} ({ratio['q1']:.3f} to {ratio['q3']:.3f})"
                      for name, ratio in found.items())  # fmt: skip


def step(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    form: AbstractContextManager[object] | None = None,
) -> None:
    """Forward, in a form such as autocast, and backward."""
    model.zero_grad(set_to_none=True)
    with form or nullcontext():
        outputs = model(images)
    logits = outputs[0] if isinstance(outputs, tuple) else outputs
    nn.functional.cross_entropy(logits.float(), labels).backward()


def peak(run: Callable[[], object], device: torch.device) -> int:
    if device.type == "cuda":
        run()
        torch.cuda.reset_peak_memory_stats()
        run()
        return torch.cuda.max_memory_allocated()
    storages: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storages[tensor.untyped_storage()._cdata] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        run()
    return sum(storages.values())


def networks(name: str, *, with_timm: bool) -> dict[str, nn.Module]:
    torch.manual_seed(0)
    ours = create_model(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        theirs = getattr(tvm, name)()
    theirs.load_state_dict(to_torchvision(ours))
    found = {"ours": ours, "torchvision": theirs}
    other = TIMM.get(name, name) if with_timm else None
    if other and timm.is_model(other):
        found["timm"] = timm.create_model(other)
    return found


def measure(name: str, arguments: argparse.Namespace, device: torch.device) -> dict[str, object]:
    side = entry(name).input_size[-1]
    images = torch.randn(arguments.batch, 3, side, side, device=device)
    labels = torch.randint(0, 1000, (arguments.batch,), device=device)
    found = networks(name, with_timm=not arguments.without_timm)
    models = {k: m.to(device) for k, m in found.items()}
    report: dict[str, object] = {}
    forms = [("", models)]
    if arguments.compile:
        forms.append(("compiled ", {k: torch.compile(m) for k, m in models.items()}))
    for prefix, members in forms:
        for model in members.values():
            model.eval()
        with torch.no_grad():
            medians, laps = interleaved(
                {k: (lambda m=m: m(images)) for k, m in members.items()}, arguments.rounds, device
            )
        report[f"{prefix}forward"] = {"ours_seconds": medians["ours"], **ratios(laps)}
        for model in members.values():
            model.train()
        medians, laps = interleaved(
            {k: (lambda m=m: step(m, images, labels)) for k, m in members.items()},
            arguments.rounds,
            device,
        )
        report[f"{prefix}step"] = {"ours_seconds": medians["ours"], **ratios(laps)}
    report["memory"] = {
        k: peak(lambda m=m: step(m, images, labels), device) for k, m in models.items()
    }
    for key, value in report.items():
        if isinstance(value, dict) and "ours_seconds" in value:
            rest = {k: v for k, v in value.items() if k != "ours_seconds"}
            print(f"{name:16} {key:17} {value['ours_seconds'] * 1e3:9.2f} ms   {told(rest)}")
        elif key == "memory":
            base = value["ours"]
            parts = [f"{k} {v / base:.3f}" for k, v in value.items() if k != "ours"]
            print(f"{name:16} {'memory':17} {base / 1e6:9.1f} MB   " + "   ".join(parts))
    return report


class Distances(nn.Module):
    """The RBF output by PyTorch's own distances."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("codes", RBFOutput(DIGIT_CODES, num_classes=10).codes)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cdist(x, self.codes).square()


def parts(arguments: argparse.Namespace, device: torch.device) -> dict[str, object]:
    """LRN, sparse C3 and RBF output beside their dense or built-in counterparts."""
    n = arguments.batch
    cases = {
        "LRN beside PyTorch's": (
            LocalResponseNorm(), nn.LocalResponseNorm(5, 5e-4, 0.75, 2.0), (n, 96, 55, 55)),
        "sparse C3 beside dense": (
            SparseConv2d(C3_TABLE, kernel_size=5), nn.Conv2d(6, 16, 5), (16 * n, 6, 14, 14)),
        "RBF beside PyTorch's distances": (
            RBFOutput(DIGIT_CODES, num_classes=10), Distances(), (64 * n, 84)),
        "RBF beside a linear layer": (
            RBFOutput(DIGIT_CODES, num_classes=10), nn.Linear(84, 10), (64 * n, 84)),
    }  # fmt: skip
    found = {}
    for name, (ours, theirs, shape) in cases.items():
        if isinstance(ours, SparseConv2d):
            nn.init.normal_(ours.weight), nn.init.zeros_(ours.bias)
        x = torch.randn(shape, device=device, requires_grad=True)
        runs = {}
        for key, module in (("ours", ours.to(device)), ("counterpart", theirs.to(device))):
            runs[key] = lambda m=module, x=x: m(x).sum().backward()
        medians, laps = interleaved(runs, 10 * arguments.rounds, device)
        ratio = ratios(laps)
        print(f"{name:34} {medians['ours'] * 1e3:9.3f} ms   {told(ratio)}")
        found[name] = {"ours_seconds": medians["ours"], **ratio["counterpart"]}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", default=ROWS)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--all", action="store_true", help="every row that torchvision ships")
    parser.add_argument("--without-timm", action="store_true")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    here = provenance()
    print(f"{here['gpu'] if device.type == 'cuda' else here['processor']}, torch {here['torch']}, "
          f"torchvision {here['torchvision']}, timm {here['timm']}; {arguments.rounds} rounds; "
          "ratio theirs / ours, median (quartiles)")  # fmt: skip
    names = arguments.names
    if arguments.all:
        names = [name for name in list_models() if name in tvm.list_models(module=tvm)]
    record = Record(arguments.json, {
        "rounds": arguments.rounds, "batch": arguments.batch, "compiled": arguments.compile,
        "timm": not arguments.without_timm})  # fmt: skip
    if "parts" not in record.runs:
        record.keep("parts", parts(arguments, device))
    for name in names:
        if name not in record.runs:
            record.keep(name, measure(name, arguments, device))
            torch.compiler.reset()


if __name__ == "__main__":
    main()
