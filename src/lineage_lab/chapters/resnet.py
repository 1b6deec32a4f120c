"""The ResNet chapter's trainings: plain and residual, shallow and deep, on real digits.

``python -m lineage_site run resnet`` trains what is not yet in
``docs/results/resnet.json`` and writes that file after each network: about a quarter of an hour
on one processor core. The page trains the same networks for a few steps.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR

from lineage_lab.comparing.provenance import provenance
from lineage_lab.data.sets import split_digits
from lineage_lab.models.lenet import normalize_ink
from lineage_lab.models.resnet import ResNet, ResNetConfig, cifar, plain
from lineage_lab.models.resnet_shortcuts import option_a
from lineage_site.drawing.kept import keep, so_far

__all__ = ["Scaled", "digits", "gradients", "last_losses", "losses_of", "narrow", "responses",
           "scaled", "without_block"]  # fmt: skip

STEPS, SIDE, SEEDS = 500, 16, 5
PLAN = (("plain", 20), ("plain", 56), ("residual", 20), ("residual", 56))


# --8<-- [start:train]
def narrow(layers: int) -> ResNetConfig:
    """The paper's network for CIFAR-10 with half of its channels."""
    return replace(cifar(layers), channels=(8, 16, 32))


def digits(images: Tensor, side: int) -> Tensor:
    """Grey ``uint8 [n, 1, 32, 32]`` to what the networks take, ``[n, 3, side, side]``."""
    return F.avg_pool2d(normalize_ink(images), 32 // side).expand(-1, 3, -1, -1)


def losses_of(config: ResNetConfig, *, seed: int, steps: int, side: int) -> tuple[ResNet, Tensor]:
    """Train on the 4,000 digits of a seed; gives the network and the loss of each step."""
    (images, labels), _ = split_digits(seed)
    images = digits(images, side)
    torch.manual_seed(seed)
    model = ResNet(num_classes=10, config=config).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    schedule = OneCycleLR(optimizer, max_lr=0.05, total_steps=steps)
    losses: list[Tensor] = []
    while len(losses) < steps:
        order = torch.randperm(len(images))
        for batch in order.split(32)[: steps - len(losses)]:  # type: ignore[no-untyped-call]
            loss = F.cross_entropy(model(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            losses.append(loss.detach())
    return model.eval(), torch.stack(losses)


def last_losses(config: ResNetConfig, *, steps: int = 50, side: int = 8) -> Tensor:
    """The mean loss of the last ten steps, one value for each of five seeds."""
    runs = (losses_of(config, seed=s, steps=steps, side=side)[1] for s in range(5))
    return torch.stack([losses[-10:].mean() for losses in runs])


# --8<-- [end:train]


class Scaled(nn.Module):
    """Its input times a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, in and out."""
        return self.factor * x


def scaled(config: ResNetConfig, factor: float) -> ResNetConfig:
    """The same network, each shortcut multiplied by a constant."""

    def shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
        return nn.Sequential(option_a(inputs, outputs, stride), Scaled(factor))

    return replace(config, shortcut=shortcut)


def _blocks(model: ResNet) -> list[nn.Module]:
    return [block for stage in model.stages.children() for block in stage.children()]


def gradients(model: ResNet, images: Tensor, labels: Tensor) -> list[float]:
    """Norm of the loss's gradient at the output of each block, first block first.

    The network's mode is left as it is: in ``train`` batch norm uses the batch's own statistics.
    """
    outputs: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        output.retain_grad()
        outputs.append(output)

    hooks = [block.register_forward_hook(keep) for block in _blocks(model)]
    F.cross_entropy(model(images), labels).backward()  # type: ignore[no-untyped-call]
    for hook in hooks:
        hook.remove()
    model.zero_grad()
    return [float(o.grad.norm()) for o in outputs if o.grad is not None]


def responses(model: ResNet, images: Tensor) -> list[float]:
    """Standard deviation of each 3×3 layer's response: after batch norm, before ReLU or sum."""
    found: list[float] = []

    def keep(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        found.append(float(output.std()))

    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    hooks = [norm.register_forward_hook(keep) for norm in norms]
    with torch.no_grad():
        model(images)
    for hook in hooks:
        hook.remove()
    return found


def without_block(model: ResNet, index: int) -> Callable[[Tensor], Tensor]:
    """The network with one block taken out; the map goes from the block before to the one after.

    Raises:
        ValueError: The block changes the map's shape, so that the next could not take it.
    """
    blocks = _blocks(model)
    conv = next(m for m in blocks[index].modules() if isinstance(m, nn.Conv2d))
    if conv.in_channels != conv.out_channels:
        raise ValueError(f"block {index} changes the shape of its map")

    def forward(images: Tensor) -> Tensor:
        x = model.stem(images)
        for block in blocks[:index] + blocks[index + 1 :]:
            x = block(x)
        scores: Tensor = model.head(model.pool(x).flatten(1))
        return scores

    return forward


def _accuracy(network: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor) -> float:
    with torch.no_grad():
        return float((network(images).argmax(dim=1) == labels).float().mean())


def _run(form: str, layers: int, seed: int) -> dict[str, Any]:
    (images, labels), (test_images, test_labels) = split_digits(seed)
    images, test_images = digits(images, SIDE), digits(test_images, SIDE)
    config = plain(narrow(layers)) if form == "plain" else narrow(layers)
    torch.manual_seed(seed)
    some = slice(None, None, 16)  # the digits are sorted by class: 250 of all classes
    start = gradients(ResNet(num_classes=10, config=config).train(), images[some], labels[some])
    model, losses = losses_of(config, seed=seed, steps=STEPS, side=SIDE)
    deleted: list[float | None] = []
    for index in range(len(_blocks(model))):
        try:
            shorter = without_block(model, index)
        except ValueError:
            deleted.append(None)
        else:
            deleted.append(round(_accuracy(shorter, test_images, test_labels), 4))
    with torch.no_grad():
        train_loss = float(F.cross_entropy(model(images), labels))
    found = {
        "form": form, "layers": layers, "seed": seed,
        "losses": [round(float(x), 4) for x in losses.view(-1, 10).mean(dim=1)],
        "train_loss": round(train_loss, 5),
        "train_accuracy": round(_accuracy(model, images, labels), 5),
        "accuracy": round(_accuracy(model, test_images, test_labels), 4),
        "deleted": deleted,
        "responses": [round(x, 4) for x in responses(model, test_images)],
        "gradients_start": [float(f"{x:.4g}") for x in start],
    }  # fmt: skip
    end = gradients(model.train(), images[some], labels[some])
    return {**found, "gradients_end": [float(f"{x:.4g}") for x in end]}


def _text(found: dict[str, Any]) -> str:
    """JSON with a line a run."""
    head = json.dumps({k: v for k, v in found.items() if k != "runs"}, indent=1)[:-2]
    runs = ",\n".join(f"  {json.dumps(run)}" for run in found["runs"])
    return f'{head},\n "runs": [\n{runs}\n ]\n}}\n'


def main() -> None:
    """Train what is missing; the file is whole after each network."""
    torch.set_num_threads(1)
    runs: list[dict[str, Any]] = so_far("resnet").get("runs", [])
    have = {(r["form"], r["layers"], r["seed"]) for r in runs}
    for form, layers in PLAN:
        for seed in range(SEEDS):
            if (form, layers, seed) in have:
                continue
            runs.append(_run(form, layers, seed))
            setup = {"steps": STEPS, "side": SIDE, "seeds": SEEDS, "batch": 32, "lr": 0.05}
            found = {"provenance": provenance(), "setup": setup, "runs": runs}
            keep("resnet", found, text=_text(found))
            print(form, layers, seed, runs[-1]["losses"][-1], runs[-1]["accuracy"])


if __name__ == "__main__":
    main()
