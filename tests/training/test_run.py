"""A run before its first step: what it takes, what it leaves alone, what its outputs count."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lineage_lab import finetune
from lineage_lab.data.sets import ImageSet
from lineage_lab.models.googlenet import AUXILIARY_WEIGHT, GoogLeNet, GoogLeNetOutputs
from lineage_lab.training.batches import DRAWS, Prepare
from lineage_lab.training.device import Form
from lineage_lab.training.run import Run
from lineage_lab.training.step import output_weights, step
from tests.small import GREY, PLAIN, Small, run, small

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
FORM = Form(precision="fp32", memory_format="channels_last")


class TwoHeads(Small):
    """A network with an auxiliary classifier on its stem, as GoogLeNet has them on its modules."""

    def __init__(self) -> None:
        super().__init__()
        self.aside = nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        x = self.stem(x)
        scores = self.head(self.pool(self.stages(x)).flatten(1))
        return (scores, self.aside(self.pool(x).flatten(1))) if self.training else scores


def begun(model: nn.Module, digits: tuple[ImageSet, ImageSet], **changes: object) -> Run:
    prepare = Prepare(**GREY, device=CPU)
    recipe = replace(PLAIN, flips="none", **changes)
    return Run(model=model, train=digits[0], recipe=recipe, form=FORM, prepare=prepare)


@pytest.mark.parametrize("changes", [{}, {"ema": 0.9, "norms": "frozen", "unfreeze": "none"}])
def test_making_a_run_changes_none_of_its_arguments(digits, changes) -> None:
    model = small()
    modules, training = list(model.modules()), [m.training for m in model.modules()]
    before = [(t.clone(), t.stride(), t.requires_grad) for t in model.state_dict().values()]
    random = torch.get_rng_state()
    made = begun(model, digits, **changes)
    after = [(t, t.stride(), t.requires_grad) for t in model.state_dict().values()]
    for (old, *was), (new, *now) in zip(before, after, strict=True):
        assert torch.equal(old, new)
        assert was == now
    assert list(model.modules()) == modules
    assert [m.training for m in modules] == training
    assert made.prepare.layout == torch.contiguous_format
    assert torch.equal(torch.get_rng_state(), random)


def test_frozen_norms_stay_frozen_when_several_processes_share_them(digits) -> None:
    """The norms of the run are those of the network after its norms were made to be shared."""
    model = nn.SyncBatchNorm.convert_sync_batchnorm(small())
    made = begun(model, digits, norms="frozen", sync_norms=True)
    made.unfreeze(len(made.pieces))
    norms = [m for m in model.modules() if isinstance(m, nn.SyncBatchNorm)]
    assert len(norms) == 2
    assert not any(norm.training for norm in norms)


def test_each_output_counts_as_the_network_says(digits) -> None:
    model = TwoHeads()
    model.output_weights = (1.0, 0.25)
    made = begun(model, digits)
    made.unfreeze(len(made.pieces))
    images, labels = made.train.images[:16], made.train.labels[:16]
    torch.manual_seed(1)
    main, aside = model(made.prepare(images))
    wanted = F.cross_entropy(main, labels) + 0.25 * F.cross_entropy(aside, labels)
    torch.manual_seed(1)
    loss = step(made, images, labels, torch.full((16, DRAWS), 0.25))
    torch.testing.assert_close(loss, wanted.detach())


def test_googlenet_says_that_its_auxiliaries_count_three_tenths() -> None:
    """Section 5 of the paper; the step reads it from the network, in the order of its outputs."""
    with torch.device("meta"):
        model = GoogLeNet(num_classes=2)
    weights = dict(zip(GoogLeNetOutputs._fields, output_weights(model, 3), strict=True))
    assert weights == {"logits": 1, "auxiliary_4d": AUXILIARY_WEIGHT, "auxiliary_4a": 0.3}
    assert output_weights(model, 1) == (1,)  # without its auxiliaries


@pytest.mark.fault("output-weights")
def test_outputs_that_nobody_weighs_are_refused(digits) -> None:
    with pytest.raises(ValueError, match="TwoHeads gives 2 outputs in training and does not say"):
        run(TwoHeads(), digits)
    model = TwoHeads()
    model.output_weights = (1.0, 0.3, 0.3)
    with pytest.raises(ValueError, match="and says for 3 how much each counts in the loss: set"):
        run(model, digits)
    model.output_weights = (1.0, 0.3)
    assert finetune(model, *digits, PLAIN, **GREY).losses
