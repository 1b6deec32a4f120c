"""One system trains one network once, in a process of its own; prints one line of JSON.

`finetune.py` calls it: ``python benchmarks/peers.py '{"system": "ours", "network": …}'``. Each
peer trains as its documentation shows a newcomer; with ``tuned`` it has our batch, our
precision and memory format, and images that were decoded before. What is timed is training
alone: a few steps on a copy warm up the kernels before; validation comes after.

fastai: ``vision_learner`` and ``fine_tune(1)``, ``ImageDataLoaders`` with ``Resize(224)`` and
its batch of 64; the pass over the frozen body counts as a pass. tutorial: PyTorch's transfer
learning for computer vision: batches of 4, SGD, crops from files, 4 workers or as many as there
are cores. trainer: Hugging Face's image-classification example: ``Trainer`` with its batch of 8,
crops from files in the process itself, one epoch. synthetic: the step of ours, its memory
reused as ours does, on tensors that are on the device already: the ceiling.
"""

import copy
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import torchvision.models as tvm
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from lineage_lab import create_model, finetune
from lineage_lab.data.named import listing
from lineage_lab.data.sets import load, split
from lineage_lab.heads import find_head, replace_head
from lineage_lab.registry import entry
from lineage_lab.training.device import (
    autocast,
    finish,
    forget_peak_memory,
    memory_reused,
    peak_memory,
    pick_device,
)
from lineage_lab.training.recipe import recipe_for
from lineage_lab.weights.naming import to_torchvision

MEAN = STD = (0.5, 0.5, 0.5)
WARMUP_STEPS = 2
NORMAL = (transforms.ToTensor(), transforms.Normalize(MEAN, STD))
CROPS = transforms.Compose(
    [transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip(), *NORMAL]
)
CENTRE = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224), *NORMAL])
PACKAGES = {"fastai": ("fastai",), "trainer": ("transformers", "accelerate")}
LAYOUTS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}


class Job:
    """What is asked for, the network, the images both decoded and as files, and the clock."""

    def __init__(self, wanted: dict[str, Any]) -> None:
        self.system: str = wanted["system"]
        self.name: str = wanted["network"]
        self.seed: int = wanted.get("seed", 0)
        self.tuned: bool = wanted.get("tuned", False)
        self.validates: bool = wanted.get("validate", False)
        self.batch: int | None = wanted.get("batch")
        self.head_epochs: int = wanted.get("head_epochs", 0)
        self.precision: str = wanted.get("precision", "fp32")
        self.layout: str = wanted.get("memory_format", "contiguous")
        self.device = pick_device()
        torch.manual_seed(self.seed)
        random.seed(self.seed)
        weights = "imagenet" if "lite" in self.name else None
        self.model = create_model(self.name, num_classes=2, weights=weights)
        cells, found = load("elpv", size=224), listing("elpv")
        numbers = copy.copy(cells).take(torch.arange(len(cells)))
        tagged = type(cells)(images=torch.arange(len(cells)), labels=numbers.labels,
                             classes=cells.classes, name="", licence="")  # fmt: skip
        limit = wanted.get("images")
        limit = None if limit is None else round(limit / 0.75)  # so many to train on
        self.train, self.val = split(cells, seed=self.seed, limit=limit, groups=())
        parts = split(tagged, seed=self.seed, limit=limit, groups=())
        self.files, self.val_files = (
            [(found.files[i], found.labels[i]) for i in part.images.tolist()] for part in parts
        )
        self.seconds = 0.0
        self.images = 0
        self.accuracy: float | None = None
        self.more: dict[str, Any] = {}

    def start(self) -> None:
        finish(self.device)
        self._start = time.perf_counter()

    def stop(self) -> None:
        finish(self.device)
        self.seconds += time.perf_counter() - self._start

    def network(self, model: nn.Module) -> nn.Module:
        """On its device, and if tuned in our form."""
        model.to(self.device)
        return in_form(model, self.precision, self.layout, self.device) if self.tuned else model

    def warm_up(self, model: nn.Module, batch: int) -> None:
        trial = copy.deepcopy(model).train()
        if self.tuned:  # the wrapper was copied with the network that it wraps
            trial = self.network(plain(trial))
        x = torch.randn(min(batch, len(self.train)), 3, 224, 224, device=self.device)
        for _ in range(WARMUP_STEPS):
            trial(x).float().sum().backward()
        finish(self.device)
        del trial
        forget_peak_memory(self.device)

    def validate(self, model: nn.Module) -> None:
        if not self.validates:
            return
        right = 0
        model.eval()
        with torch.inference_mode():
            for images, labels in DataLoader(Files(self.val_files, CENTRE), batch_size=64):
                right += int((model(images.to(self.device)).argmax(1).cpu() == labels).sum())
        self.accuracy = right / len(self.val_files)


def in_form(model: nn.Module, precision: str, layout: str, device: torch.device) -> nn.Module:
    model.to(memory_format=LAYOUTS[layout])
    inner = type(model).forward

    def forward(x: Tensor) -> Tensor:
        with autocast(device, precision):
            return inner(model, x.contiguous(memory_format=LAYOUTS[layout])).float()

    model.forward = forward
    return model


def plain(model: nn.Module) -> nn.Module:
    model.__dict__.pop("forward", None)
    return model


class Files(Dataset[tuple[Tensor, int]]):
    """Decoded each time from the file, as an ImageFolder does."""

    def __init__(self, items: list[tuple[Path, int]], transform: Callable[..., Tensor]) -> None:
        self.items, self.transform = items, transform

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        file, label = self.items[index]
        with Image.open(file) as image:
            return self.transform(image.convert("RGB")), label


class Decoded(Dataset[tuple[Tensor, int]]):
    """Tensors that were decoded and normalised before; mirrored by a coin."""

    def __init__(self, job: Job) -> None:
        self.images = ((job.train.images.float() / 255 - 0.5) / 0.5).expand(-1, 3, -1, -1)
        self.labels = job.train.labels.tolist()
        job.more["cache_bytes"] = self.images.untyped_storage().nbytes()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = self.images[index]
        return (image.flip(-1) if random.random() < 0.5 else image), self.labels[index]


def ours(job: Job) -> None:
    recipe = recipe_for(
        entry(job.name).family, seed=job.seed, head_epochs=job.head_epochs,
        **({"batch_size": job.batch} if job.batch else {}),
    )  # fmt: skip
    history = finetune(job.model, job.train, job.val, recipe, mean=MEAN, std=STD)
    job.seconds, job.images = history.train_seconds, history.images_trained
    job.accuracy = history.val_accuracy
    job.more = {"precision": history.precision, "memory_format": history.memory_format,
                "peak_memory": history.peak_memory,
                "cache_bytes": job.train.images.untyped_storage().nbytes(),
                "warmup_seconds": history.warmup_seconds}  # fmt: skip


def synthetic(job: Job) -> None:
    batch = job.batch or 16
    job.tuned = True
    model = job.network(job.model).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=job.device.type != "mps")
    # As many steps of the same sizes as ours: the images are parted evenly.
    sizes = [len(p) for p in torch.arange(len(job.train)).tensor_split(-(-len(job.train) // batch))]
    batches = {n: (torch.randn(n, 3, 224, 224, device=job.device), torch.randint(
        0, 2, (n,), device=job.device)) for n in set(sizes)}  # fmt: skip
    layout = LAYOUTS[job.layout]
    batches = {n: (x.contiguous(memory_format=layout), y) for n, (x, y) in batches.items()}
    with memory_reused(job.device):
        job.warm_up(model, batch)
        job.start()
        for n in sizes:
            x, y = batches[n]
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        job.stop()
    job.images = sum(sizes)


def tutorial(job: Job) -> None:
    batch = job.batch or (16 if job.tuned else 4)
    model = job.network(job.model).train()
    job.warm_up(model, batch)
    data: Dataset[Any] = Decoded(job) if job.tuned else Files(job.files, CROPS)
    workers = 0 if job.tuned else min(4, os.cpu_count() or 1)
    batches = DataLoader(data, batch_size=batch, shuffle=True, num_workers=workers)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=7, gamma=0.1)
    job.start()
    for images, labels in batches:
        images, labels = images.to(job.device), labels.to(job.device)
        optimizer.zero_grad()
        scores = model(images)
        loss = F.cross_entropy(scores, labels)
        loss.backward()
        optimizer.step()
        loss.item(), (scores.argmax(1) == labels).sum()  # the tutorial's running figures
        job.images += len(images)
    schedule.step()
    job.stop()
    job.validate(model)


def fastai(job: Job) -> None:
    import pandas as pd
    from fastai.callback.core import Callback
    from fastai.data.core import DataLoaders
    from fastai.data.load import DataLoader as Batches
    from fastai.data.transforms import Normalize
    from fastai.vision.all import ImageDataLoaders, Resize, vision_learner

    batch = job.batch or (16 if job.tuned else 64)
    size = {"bs": min(batch, len(job.train))} if job.batch or len(job.train) < 64 else {}
    if job.tuned:
        dls = DataLoaders(
            Batches(Decoded(job), bs=batch, shuffle=True, drop_last=False, num_workers=0),
            Batches(Files(job.val_files, CENTRE), bs=64, num_workers=0),
        )
        dls.c = 2
    else:
        rows = [(str(f), str(n), False) for f, n in job.files]
        rows += [(str(f), str(n), True) for f, n in job.val_files]
        table = pd.DataFrame(rows, columns=["file", "label", "valid"])
        dls = ImageDataLoaders.from_df(
            table, path="/", fn_col="file", label_col="label", valid_col="valid",
            item_tfms=Resize(224), batch_tfms=Normalize.from_stats(MEAN, STD), **size,
        )  # fmt: skip
    dls.to(job.device)

    class Clock(Callback):
        order = -100

        def before_train(self) -> None:
            job.start()

        def after_train(self) -> None:
            job.stop()

        def after_batch(self) -> None:
            if self.training:
                job.images += len(self.xb[0])

    options = {"normalize": False, "pretrained": False, "cbs": Clock(), "n_out": 2,
               "loss_func": nn.CrossEntropyLoss()}  # fmt: skip
    learner = vision_learner(dls, lambda pretrained=False: _with_pool(job), **options)
    learner.model = job.network(learner.model)
    job.warm_up(learner.model, size.get("bs", batch))
    with learner.no_bar(), learner.no_logging():
        if not job.validates:
            learner._do_epoch_validate = lambda *a, **k: None
        learner.fine_tune(1)
    if job.validates:
        right = [0, 0]
        learner.model.eval()
        with torch.inference_mode():
            for images, labels in dls.valid:
                right[0] += int((learner.model(images).argmax(1) == labels).sum())
                right[1] += len(labels)
        job.accuracy = right[0] / right[1]


class Body(nn.Module):
    """One of our networks up to its pooling, for fastai to put its head on."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.stem, self.stages, self.last = model.stem, model.stages, model.last

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.stages(self.stem(x)))


def _with_pool(job: Job) -> nn.Module:
    """The same weights in torchvision's network, or ours where torchvision has none."""
    if "lite" in job.name:
        return nn.Sequential(Body(job.model), nn.AdaptiveAvgPool2d(1))
    theirs = replace_head(getattr(tvm, job.name)(), 2)
    theirs.load_state_dict(to_torchvision(job.model))
    return theirs


def trainer(job: Job) -> None:
    from transformers import Trainer, TrainerCallback, TrainingArguments
    from transformers.utils import logging

    logging.set_verbosity_error()
    batch = job.batch or (16 if job.tuned else 8)
    model = job.network(job.model)
    job.warm_up(model, batch)

    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = model

        def forward(self, pixel_values: Tensor, labels: Tensor) -> dict[str, Tensor]:
            scores = self.network(pixel_values)
            return {"loss": F.cross_entropy(scores, labels), "logits": scores}

    class Clock(TrainerCallback):
        def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
            job.start()

        def on_train_end(self, *args: Any, **kwargs: Any) -> None:
            job.stop()

    def collate(items: list[tuple[Tensor, int]]) -> dict[str, Tensor]:
        images, labels = zip(*items, strict=True)
        return {"pixel_values": torch.stack(images), "labels": torch.tensor(labels)}

    data: Dataset[Any] = Decoded(job) if job.tuned else Files(job.files, CROPS)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, num_train_epochs=1, per_device_train_batch_size=batch,
            save_strategy="no", report_to="none", disable_tqdm=True, seed=job.seed,
            remove_unused_columns=False, use_cpu=job.device.type == "cpu",
        )  # fmt: skip
        Trainer(model=Classifier(), args=arguments, train_dataset=data, data_collator=collate,
                callbacks=[Clock()]).train()  # fmt: skip
    job.images = len(job.train)
    job.validate(model)


SYSTEMS = {"ours": ours, "synthetic": synthetic, "tutorial": tutorial, "fastai": fastai,
           "trainer": trainer}  # fmt: skip


def main() -> None:
    job = Job(json.loads(sys.argv[1]))
    find_head(job.model)
    report, sys.stdout = sys.stdout, sys.stderr  # libraries print; the last line is ours
    forget_peak_memory(job.device)
    SYSTEMS[job.system](job)
    peak = job.more.pop("peak_memory", None) or peak_memory(job.device)[0]
    found = {"images": job.images, "seconds": job.seconds, "peak_memory": peak,
             "accuracy": job.accuracy, "threads": torch.get_num_threads(),
             "versions": {name: version(name) for name in PACKAGES.get(job.system, ())},
             **job.more}  # fmt: skip
    print(json.dumps(found), file=report, flush=True)


if __name__ == "__main__":
    main()
