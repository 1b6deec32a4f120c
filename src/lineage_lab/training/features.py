"""Features of a frozen body: each image goes through it once, by the fastest way of this machine.

Ways are PyTorch as it is, PyTorch with the batch norms folded into the convolutions, and ONNX
Runtime (the extra ``export``). All give the same features to within 1e-4 of their spread; a way
that does not is left out. Which one is fastest is found on a few images and remembered.

Features are kept in the cache, in blocks, under a hash of what they were made from: weights,
images, normalisation, view. A pass that was stopped goes on with the first block that is missing.
"""

import copy
import hashlib
import logging
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from lineage_lab.data import cache
from lineage_lab.data.sets import ImageSet
from lineage_lab.files import writing
from lineage_lab.heads import find_head
from lineage_lab.training.batches import Prepare
from lineage_lab.training.device import autocast, device_name, finish
from lineage_lab.training.trial import choice_kept, keep_choice

__all__ = ["MIRRORS", "WAYS", "Body", "features"]

logger = logging.getLogger(__name__)

WAYS = ("eager", "folded", "onnx")
BATCH = 16
BLOCK = 256  # images whose features are one file
TOLERANCE = 1e-4  # of the features' spread
EXPORT_SECONDS = 15.0  # of a pass in the best other way, from which an export is tried
MOST = 2**30  # bytes of features that are kept
DIGEST = hashlib.sha256().digest_size
# Dimensions along which a view is mirrored, for what an image set calls plausible.
MIRRORS = {"none": ((),), "horizontal": ((), (3,)), "both": ((), (3,), (2,), (2, 3))}

Run = Callable[[Tensor], Tensor]
OnImages = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A network up to its head, ready to run.

    Attributes:
        run: Gives the features of ``uint8 [n, channels, side, side]``, ``float32 [n, width]``.
        way: One of `WAYS`.
        precision: ``fp32``, ``tf32``, ``bf16`` or ``fp16``.
        digest: SHA-256 of the weights and the normalisation.
    """

    run: Run
    way: str
    precision: str
    digest: str

    @classmethod
    def of(
        cls,
        model: nn.Module,
        images: Tensor,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        device: torch.device,
        precision: str = "fp32",
        way: str = "auto",
        total: int = 0,
    ) -> "Body":
        """The body of a network, by the fastest way that is exact here.

        Args:
            model: A network whose last layer is a linear head; it is not changed.
            images: A few images as they will come, ``uint8 [n, channels, side, side]``.
            mean: Mean of each channel that the weights were trained with; pixels from 0 to 1.
            std: Standard deviation of each channel, also theirs.
            device: Where it runs; ``onnx`` is for the CPU.
            precision: ``fp32``, or what is asked for.
            way: One of `WAYS`, or ``auto``.
            total: Images that will come in all; for few, no export is tried.

        Returns:
            The body.

        Raises:
            ValueError: The network does not end in a linear layer, or a way that was asked for
                gives other features than the network.
            ModuleNotFoundError: ``onnx`` was asked for without its packages.
        """
        body = copy.deepcopy(model).to(device).eval().requires_grad_(False)
        body.to(memory_format=torch.channels_last)
        prepare = Prepare(mean, std, device, layout=torch.channels_last)
        few = images[:BATCH]
        eager = _eager(body, prepare, precision)
        wanted = eager(few)
        _check_end(body, prepare(few), precision, wanted)
        digest = _digest(body, mean, std, precision)

        def made(name: str) -> Run:
            if name == "onnx":
                return _onnx(body, few, mean, std)
            return _eager(_folded(body, prepare(few)), prepare, precision)

        if way != "auto":
            run = eager if way == "eager" else made(way)
            _check(run(few), wanted, way)
            return cls(run=run, way=way, precision=precision, digest=digest)
        question = (type(model).__name__, sum(p.numel() for p in body.parameters()),
                    tuple(few.shape), precision, device_name(device), torch.get_num_threads(),
                    torch.__version__, total * _seconds(eager, few) / len(few) > EXPORT_SECONDS,
                    _has_onnx())  # fmt: skip
        kept = (choice_kept(question) or {}).get("way")
        names = [kept] if kept in WAYS else _candidates(device, precision, export=question[-2])
        runs: dict[str, Run] = {"eager": eager}
        for name in names:
            try:
                if name != "eager":
                    runs[name] = made(name)
                    _check(runs[name](few), wanted, name)
            except Exception as error:
                runs.pop(name, None)
                logger.debug("%s is no way for this network: %s", name, error)
        best = kept if kept in runs else min(runs, key=lambda name: _seconds(runs[name], few))
        keep_choice(question, {"way": best})
        return cls(run=runs[best], way=best, precision=precision, digest=digest)


def features(
    body: Body,
    data: ImageSet,
    *,
    mirror: tuple[int, ...] = (),
    on_images: OnImages | None = None,
) -> Tensor:
    """Features of all images, computed where they are not kept yet.

    Args:
        body: The body.
        data: Images.
        mirror: Dimensions along which the images are mirrored.
        on_images: Called with the number of images that just went through the body.

    Returns:
        ``float32 [n, width]``.

    Raises:
        ValueError: The cached pixels were cut off meanwhile.
    """
    total, blocks = len(data), list[Tensor]()
    key = hashlib.sha256(f"{body.digest} {data.fingerprint} {mirror}".encode()).hexdigest()[:32]
    place = cache.folder() / "features"
    for start in range(0, total, BLOCK):
        file = place / f"{key}-{start}.features"
        stop = min(start + BLOCK, total)
        block = _kept(file, stop - start)
        if block is None:
            parts = []
            for first in range(start, stop, BATCH):
                cache.check_whole(data.images)
                x = data.images[first : min(first + BATCH, stop)]
                parts.append(body.run(x.flip(mirror) if mirror else x))
                if on_images:
                    on_images(len(x))
            block = torch.cat(parts)
            _keep(file, block)
        blocks.append(block)
    return torch.cat(blocks)


def _candidates(device: torch.device, precision: str, *, export: bool) -> Iterator[str]:
    yield "eager"
    yield "folded"
    if device.type == "cpu" and precision == "fp32" and export:
        if _has_onnx():
            yield "onnx"
        else:
            logger.info(
                "features are computed by PyTorch; ONNX Runtime may be several times as fast: "
                'pip install "lineage-lab[export]"'
            )


def _has_onnx() -> bool:
    return all(find_spec(name) for name in ("onnx", "onnxscript", "onnxruntime"))


def _eager(model: nn.Module, prepare: Prepare, precision: str) -> Run:
    _, head = find_head(model)

    def run(images: Tensor) -> Tensor:
        inputs: list[Tensor] = []
        handle = head.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
        try:
            with torch.inference_mode(), autocast(prepare.device, precision):
                model(prepare(images))
        finally:
            handle.remove()
        finish(prepare.device)
        return inputs[0].flatten(1).float().cpu().clone()

    return run


def _folded(model: nn.Module, x: Tensor) -> nn.Module:
    """A copy in which each batch norm right after a convolution is a part of it.

    Which follows which is seen in one pass; `_check` finds out if the output of a convolution
    goes elsewhere too.
    """
    model = copy.deepcopy(model)
    made: dict[int, tuple[nn.Conv2d, Tensor]] = {}  # the tensors live, so that no id comes again
    pairs: list[tuple[nn.Conv2d, nn.BatchNorm2d]] = []

    def after(layer: nn.Module, _: Any, out: Tensor) -> None:
        made[id(out)] = (cast(nn.Conv2d, layer), out)

    def before(layer: nn.Module, given: tuple[Tensor, ...]) -> None:
        if id(given[0]) in made:
            pairs.append((made[id(given[0])][0], cast(nn.BatchNorm2d, layer)))

    handles = []
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            handles.append(layer.register_forward_hook(after))
        elif isinstance(layer, nn.BatchNorm2d):
            handles.append(layer.register_forward_pre_hook(before))
    with torch.inference_mode():
        model(x[:1])
    for handle in handles:
        handle.remove()
    folded = {id(norm): fuse_conv_bn_eval(conv, norm) for conv, norm in pairs}
    news: dict[int, nn.Module] = {id(norm): nn.Identity() for _, norm in pairs}
    news |= {id(conv): folded[id(norm)] for conv, norm in pairs}
    for holder in list(model.modules()):
        for name, layer in list(holder.named_children()):
            if id(layer) in news:
                setattr(holder, name, news[id(layer)])
    return model.eval().to(memory_format=torch.channels_last)


class _Pixels(nn.Module):
    """A network that takes ``uint8`` images: the normalisation is a part of the graph."""

    shift: Tensor
    scale: Tensor

    def __init__(self, body: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.body = body
        self.register_buffer("shift", 255 * torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("scale", 1 / (255 * torch.tensor(std).view(1, -1, 1, 1)))

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.body((images.float() - self.shift) * self.scale)
        return out.flatten(1)


def _onnx(model: nn.Module, few: Tensor, mean: Sequence[float], std: Sequence[float]) -> Run:
    if not _has_onnx():
        raise ModuleNotFoundError(
            'the way "onnx" needs the extra export: pip install "lineage-lab[export]"'
        )
    import onnxruntime

    body = copy.deepcopy(model).cpu()
    path, _ = find_head(body)
    parent, _, leaf = path.rpartition(".")
    setattr(body.get_submodule(parent), leaf, nn.Identity())
    batch = torch.zeros(BATCH, *few.shape[1:], dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the exporter's own parts
        program = torch.onnx.export(
            _Pixels(body, mean, std).eval(), (batch,), dynamo=True, input_names=["images"],
            output_names=["features"], verbose=False,
        )  # fmt: skip
    assert program is not None  # as it always is with dynamo
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(
        program.model_proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )

    def run(images: Tensor) -> Tensor:
        batch[: len(images)] = images  # its shape is fixed: the rest of a short one is left over
        (found,) = session.run(["features"], {"images": batch.numpy()})
        return torch.from_numpy(found[: len(images)].copy())

    return run


def _check_end(model: nn.Module, x: Tensor, precision: str, wanted: Tensor) -> None:
    """Raises ValueError where the scores are not the head's alone."""
    path, head = find_head(model)
    with torch.inference_mode(), autocast(x.device, precision):
        scores = model(x)
        ends = isinstance(head, nn.Linear) and isinstance(scores, Tensor) and scores.ndim == 2
        ends = ends and wanted.shape == (len(x), head.in_features)
        ends = ends and torch.allclose(
            head(wanted.to(x.device)).float(), scores.float(), rtol=1e-2, atol=1e-3
        )
    if not ends:
        raise ValueError(
            f"{type(model).__name__} does not end in the linear layer {path!r} on one row of "
            "features an image: its body can't be probed. Train its head by finetune with "
            "unfreeze='none'"
        )


def _check(found: Tensor, wanted: Tensor, way: str) -> None:
    difference = float((found - wanted).abs().max()) / (float(wanted.max() - wanted.min()) or 1.0)
    if not difference < TOLERANCE:  # NaN is not
        raise ValueError(
            f"the features by the way {way!r} differ from the network's own by {difference:.1e} "
            f"of their spread, more than {TOLERANCE:.0e}"
        )


def _seconds(run: Run, few: Tensor) -> float:
    laps = []
    for _ in range(2):
        start = time.perf_counter()
        run(few)
        laps.append(time.perf_counter() - start)
    return min(laps)


def _digest(model: nn.Module, mean: Sequence[float], std: Sequence[float], precision: str) -> str:
    digest = hashlib.sha256(f"{type(model).__name__} {mean} {std} {precision}\n".encode())
    digest.update(torch.__version__.encode())
    head = f"{find_head(model)[0]}."
    for name, tensor in model.state_dict().items():
        if not name.startswith(head):
            digest.update(f"{name} {tuple(tensor.shape)}\n".encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()


def _kept(file: Path, count: int) -> Tensor | None:
    """The features of a block; a file that has changed is as if it were not there."""
    try:
        content = file.read_bytes()
    except OSError:
        return None
    body, digest = content[:-DIGEST], content[-DIGEST:]
    if hashlib.sha256(body).digest() != digest or not body or len(body) % (4 * count):
        logger.warning("%s has changed since it was written: it is computed again", file)
        return None
    array: Any = np.frombuffer(body, np.float32).reshape(count, -1)
    return torch.from_numpy(array.copy())


def _keep(file: Path, block: Tensor) -> None:
    content = block.contiguous().numpy().tobytes()
    try:
        with writing(file) as opened:
            opened.write(content + hashlib.sha256(content).digest())
        cache.make_room(file.parent, min(MOST, cache.limit()))
    except OSError as error:  # a cache that can't be written costs time, not the run
        logger.debug("features are not kept: %s", error)
