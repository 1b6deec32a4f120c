"""What each counter prints for the same networks, and what it leaves behind in them.

The script makes an environment of its own in a temporary folder from the versions below, since
the counters want each other's modules. This project's count is made there too, from its source, so
that the script needs nothing but Python. Each counter runs in a process of its own.

    python benchmarks/counters.py --json docs/results/counters.json
    python benchmarks/counters.py --against docs/results/counters.json   # exit code 1 on a change
    python benchmarks/counters.py --environment DIR …   # makes it there, or takes the one there
"""

import argparse
import contextlib
import copy
import datetime
import io
import json
import os
import platform
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

VERSIONS = {
    "torch": "2.14.1",
    "torchvision": "0.29.1",
    "fvcore": "0.1.5.post20221221",
    "ptflops": "0.7.5",
    "ultralytics-thop": "2.2.3",
    "torchinfo": "1.8.0",
    "calflops": "0.3.2",
    "transformers": "5.24.0",  # calflops imports it
}
# The same module name as ultralytics-thop: it goes into a folder of its own.
ASIDE = {"thop": "0.1.1.post2209072238"}
NETWORKS = ("resnet50", "vit_b_16", "convnext_tiny", "efficientnet_b0", "googlenet")
# Counter -> what it calls the figure.
COUNTERS = {
    "ours": "MACs",
    "fvcore": "flops",
    "fvcore, no_grad": "flops",
    "ptflops, pytorch": "MACs",
    "ptflops, aten": "MACs",
    "thop": "MACs",
    "ultralytics-thop": "MACs",
    "torchinfo": "mult-adds",
    "calflops": "FLOPs",
    "FlopCounterMode": "FLOPs",
    "FlopCounterMode, no_grad": "FLOPs",
    "FlopCounterMode, math attention": "FLOPs",
}
BY_HAND = "by hand"
SIZE = (3, 224, 224)


def layers() -> dict[str, tuple[Any, tuple[int, ...], int]]:
    """Single layers that show what a counter counts: the module, its input, its MACs by hand."""
    from torch import Tensor, nn
    from torch.nn import functional as F

    class Attention(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.scaled_dot_product_attention(x, x, x)

    class Product(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x @ x.transpose(-1, -2)

    class Weight(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            import torch

            self.weight = nn.Parameter(torch.ones(8, 8, 3, 3))

        def forward(self, x: Tensor) -> Tensor:
            return F.conv2d(x, self.weight, padding=1)

    image = (8, 16, 16)
    return {
        "convolution 3×3": (nn.Conv2d(8, 8, 3, padding=1, bias=False), image, 8 * 8 * 9 * 256),
        "its bias": (nn.Conv2d(8, 8, 3, padding=1), image, 8 * 8 * 9 * 256),
        "convolution of a bare weight": (Weight(), image, 8 * 8 * 9 * 256),
        "transposed convolution, stride 2": (
            nn.ConvTranspose2d(8, 8, 2, 2, bias=False), image, 8 * 8 * 4 * 256,
        ),
        "linear layer": (nn.Linear(16, 8, bias=False), image, 8 * 16 * 16 * 8),
        "matrix product": (Product(), image, 8 * 16 * 16 * 16),
        "attention": (Attention(), image, 2 * 8 * 16 * 16 * 16),
        "batch norm": (nn.BatchNorm2d(8), image, 0),
        "layer norm": (nn.LayerNorm(16), image, 0),
        "ReLU": (nn.ReLU(), image, 0),
        "GELU": (nn.GELU(), image, 0),
        "average pooling": (nn.AvgPool2d(2), image, 0),
        "adaptive average pooling": (nn.AdaptiveAvgPool2d(1), image, 0),
        "interpolation": (nn.Upsample(scale_factor=2, mode="bilinear"), image, 0),
    }  # fmt: skip


def counter(name: str) -> Callable[[Any, tuple[int, ...]], tuple[int, int | None]]:
    """A function from a network and a size to the counter's figure, and its parameters."""
    import torch

    def ours(model: Any, size: tuple[int, ...]) -> tuple[int, int | None]:
        from lineage_lab import describe

        anatomy = describe(model, size)
        return anatomy.macs, anatomy.parameters

    def fvcore(model: Any, size: tuple[int, ...]) -> tuple[int, int | None]:
        from fvcore.nn import FlopCountAnalysis, parameter_count

        with torch.set_grad_enabled("no_grad" not in name):
            analysis = FlopCountAnalysis(model, torch.zeros(1, *size))
            analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
            return int(analysis.total()), parameter_count(model)[""]

    def ptflops(model: Any, size: tuple[int, ...]) -> tuple[int, int | None]:
        from ptflops import get_model_complexity_info

        macs, parameters = get_model_complexity_info(
            model, size, as_strings=False, print_per_layer_stat=False, verbose=False,
            backend=name.split(", ")[1],
        )  # fmt: skip
        if macs is None:
            raise RuntimeError("it gave no figure")
        return int(macs), parameters

    def thop(model: Any, size: tuple[int, ...]) -> tuple[int, int | None]:
        from thop import profile

        macs, parameters = profile(model, inputs=(torch.zeros(1, *size),), verbose=False)
        return int(macs), int(parameters)

    def torchinfo(model: Any, size: tuple[int, ...]) -> tuple[int, int | None]:
        from torchinfo import summary

        statistics = summary(model, input_size=(1, *size), verbose=0)
        return int(statistics.total_mult_adds), statistics.total_params

    def calflops(model: Any, size: tuple[int, ...]) -> tuple[int, int | None]:
        from calflops import calculate_flops

        flops, _, parameters = calculate_flops(
            model=model, input_shape=(1, *size), output_as_string=False, print_results=False
        )
        return int(flops), int(parameters)

    def torchs(model: Any, size: tuple[int, ...]) -> tuple[int, int | None]:
        from torch.nn.attention import SDPBackend, sdpa_kernel
        from torch.utils.flop_counter import FlopCounterMode

        with contextlib.ExitStack() as stack:
            if "math" in name:
                stack.enter_context(sdpa_kernel(SDPBackend.MATH))
            if "no_grad" in name:
                stack.enter_context(torch.no_grad())
            counts = stack.enter_context(FlopCounterMode(display=False))
            model(torch.zeros(1, *size))
        return counts.get_total_flops(), None

    kinds = {
        "ours": ours, "fvcore": fvcore, "ptflops": ptflops, "thop": thop, "ultralytics-thop": thop,
        "torchinfo": torchinfo, "calflops": calflops, "FlopCounterMode": torchs,
    }  # fmt: skip
    return kinds[name.split(",")[0]]


def network(name: str) -> Any:
    import torchvision.models as tvm

    options = {"init_weights": False, "aux_logits": False} if name == "googlenet" else {}
    return getattr(tvm, name)(weights=None, **options)


def left_behind(name: str) -> dict[str, Any]:
    """What differs in a ResNet-18, in train mode and half frozen, after it was counted."""
    import torch

    torch.manual_seed(0)
    model = network("resnet18").train()
    model.fc.requires_grad_(False)
    before = copy.deepcopy(model.state_dict())
    _, parameters = counter(name)(model, SIZE)
    after = model.state_dict()
    hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())
    return {
        "mode": "train" if model.training else "eval",
        "keys": len(set(after) - set(before)),
        "changed": sum(not torch.equal(before[key], after[key]) for key in before),
        "hooks": hooks,
        "parameters": parameters,
        "frozen_counted": None if parameters is None else parameters == 11_689_512,
    }


def measured(name: str) -> dict[str, Any]:
    """All that is asked of one counter; a failure is an answer too."""

    def answer(what: Callable[[], Any]) -> Any:
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                return what()
        except Exception as error:
            return {"fails": f"{type(error).__name__}: {error}".splitlines()[0][:160]}

    count = counter(name)
    answers: dict[str, Any] = {"networks": {}, "layers": {}}
    for key in NETWORKS:
        answers["networks"][key] = answer(lambda key=key: count(network(key).eval(), SIZE))
    for key, (module, size, _) in layers().items():
        figure = answer(lambda module=module, size=size: count(module.eval(), size))
        answers["layers"][key] = figure if isinstance(figure, dict) else figure[0]
    answers["left"] = answer(lambda: left_behind(name))
    return answers


def run(python: str, name: str, path: str) -> dict[str, Any]:
    """One counter in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [python, "-W", "ignore", __file__, "--count", name],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{name} did not run:\n{done.stderr[-3000:]}")
    printed: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return printed


def made(folder: Path) -> tuple[str, Path]:
    """The environment's Python and the folder beside it; both are made if they are missing."""
    python, aside = folder / "bin" / "python", folder / "aside"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *(f"{n}=={v}" for n, v in VERSIONS.items())], check=True)
    if not aside.exists():
        pins = [f"{n}=={v}" for n, v in ASIDE.items()]
        subprocess.run([*pip, "--no-deps", "--target", str(aside), *pins], check=True)
    return str(python), aside


def changes(kept: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What differs, a line each."""
    lines = []
    for name, answers in now["counters"].items():
        for part, figures in answers.items():
            before = kept["counters"].get(name, {}).get(part, {})
            for key in {**before, **figures}:
                old, new = before.get(key), figures.get(key)
                if new != old:
                    lines.append(f"{name}, {key}: {old} is kept, {new} came")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, help="where to keep what came")
    parser.add_argument("--against", type=Path, help="compare with a kept file")
    parser.add_argument("--environment", type=Path, help="folder of the environment")
    parser.add_argument("--count", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.count:
        warnings.simplefilter("ignore")
        name = arguments.count
        by_hand = {key: macs for key, (_, _, macs) in layers().items()}
        print(json.dumps(by_hand if name == BY_HAND else measured(name)))
        return
    with contextlib.ExitStack() as stack:
        folder = arguments.environment or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        python, aside = made(folder.resolve())
        paths = {"thop": str(aside), "ours": str(Path(__file__).parents[1] / "src")}
        counters = {}
        for name in COUNTERS:
            counters[name] = run(python, name, paths.get(name, ""))
            print(name, counters[name]["networks"], flush=True)
        by_hand = run(python, BY_HAND, "")
    now = {
        "date": datetime.date.today().isoformat(),
        "python": platform.python_version(),
        "processor": platform.machine(),
        "versions": {**VERSIONS, **ASIDE},
        "size": SIZE,
        "named": COUNTERS,
        "by_hand": by_hand,
        "counters": counters,
    }
    if arguments.json:
        arguments.json.write_text(json.dumps(now, indent=1, ensure_ascii=False) + "\n")
    if arguments.against:
        lines = changes(json.loads(arguments.against.read_text()), now)
        print("\n".join(lines) or "nothing changed")
        sys.exit(bool(lines))


if __name__ == "__main__":
    main()
