"""The head swap, on every classifier of torchvision and of timm, and on ours.

The oracle for shapes is not ours: each library's own way to another number of classes.
"""

import copy
import warnings
from collections.abc import Callable

import pytest
import timm
import torch
import torchvision.models as tvm
from torch import Tensor, nn

from lineage_lab import create_model, list_models, replace_head
from lineage_lab.heads import find_head, outputs, plain_names
from tests.rows import some

# Their networks, by the module of torchvision that makes them.
SORTS = ("torchvision.models", "torchvision.models.quantization", "torchvision.models.video")
CLASSIFIERS = [
    name
    for name in tvm.list_models()
    if tvm.get_model_builder(name).__module__.rpartition(".")[0] in SORTS
]
OTHERS = sorted(set(tvm.list_models()) - set(CLASSIFIERS))
# timm's reset_classifier drops the distillation heads of these, which ours keeps.
FORGETFUL = ("RepVit", "IFormer")


@pytest.fixture
def no_first_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing weights on the meta device draws nothing, slowly."""
    for name in ("normal_", "uniform_", "erfinv_", "mul_", "add_", "sub_",
                 "div_", "clamp_", "fill_", "zero_", "copy_"):  # fmt: skip
        monkeypatch.setattr(torch.Tensor, name, lambda self, *args, **kwargs: self)
    monkeypatch.setattr(nn.init, "dirac_", lambda tensor, *args, **kwargs: tensor)


def shapes(model: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def swap(model: nn.Module, num_classes: int = 5) -> None:
    """Replaces the head, and holds the rest to be the very same tensors as before."""
    before = dict(model.named_parameters()) | dict(model.named_buffers())
    assert replace_head(model, num_classes) is model
    after = dict(model.named_parameters()) | dict(model.named_buffers())
    assert after.keys() == before.keys()  # a bias where there was one, and only there
    path, layer = find_head(model)
    assert layer.weight.shape[0] == num_classes
    changed = {name.rpartition(".")[0] for name in after if after[name] is not before[name]}
    assert path in changed
    for name in changed:
        was, new = before[f"{name}.weight"], after[f"{name}.weight"]
        assert (new.shape[0], new.shape[1:]) == (num_classes, was.shape[1:])
        assert (new.dtype, new.device) == (was.dtype, was.device)


def in_torchvision(name: str, **options: object) -> nn.Module:
    # RegNet counts with tensors while it is built, so it can't be built on the meta device.
    with torch.device("cpu" if name.startswith("regnet") else "meta"):
        return tvm.get_model(name, weights=None, **options)


@pytest.mark.usefixtures("no_first_weights")
@pytest.mark.filterwarnings("ignore")
def test_every_classifier_of_torchvision_becomes_what_it_is_when_built_so() -> None:
    assert len(CLASSIFIERS) >= 101
    for name in CLASSIFIERS:
        model = in_torchvision(name)
        swap(model)
        assert shapes(model) == shapes(in_torchvision(name, num_classes=5)), name
        assert getattr(model, "num_classes", 5) == 5, name


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", OTHERS)
def test_what_finds_or_segments_things_is_refused(name: str) -> None:
    options = {} if name.startswith("raft") else {"weights_backbone": None}
    with pytest.raises(ValueError, match="is no image classifier"):
        replace_head(in_torchvision(name, **options), 5)


@pytest.mark.usefixtures("no_first_weights")
@pytest.mark.filterwarnings("ignore")
def test_every_network_of_timm_becomes_what_timm_makes_of_it_or_says_that_it_has_no_head() -> None:
    # Each module of timm, by its first network; at night all of them.
    first = [name for m in timm.list_modules() for name in timm.list_models(module=m)[:1]]
    with torch.device("meta"):
        for name in some(timm.list_models(), first):
            model = timm.create_model(name)
            if not model.num_classes:
                with pytest.raises(ValueError, match="has no head: it was built to give features"):
                    replace_head(model, 5)
                continue
            swap(model)
            assert model.num_classes == 5, name
            found = shapes(model)
            model.reset_classifier(5)
            if type(model).__name__ in FORGETFUL:
                model = timm.create_model(name, num_classes=5)
            assert found == shapes(model), name


@pytest.mark.usefixtures("no_first_weights")
@pytest.mark.filterwarnings("ignore")
def test_timms_networks_without_a_head_take_one_when_built_or_say_that_they_never_do() -> None:
    never = set()
    with torch.device("meta"):
        for name in timm.list_models():
            if timm.get_pretrained_cfg(name).num_classes:
                continue
            model = timm.create_model(name, num_classes=7)
            if hasattr(model, "reset_classifier"):
                swap(model)
            else:
                never.add(name)
                with pytest.raises(ValueError, match="no form of this encoder with a head"):
                    replace_head(model, 5)
    assert all(name.endswith("_enc") for name in never)


@pytest.mark.parametrize("name", [n for n in list_models() if n != "lenet5"])
def test_ours_become_what_they_are_when_built_so(name: str) -> None:
    with torch.device("meta"):
        model = create_model(name)
        swap(model)
        assert shapes(model) == shapes(create_model(name, num_classes=5))


SAMPLE = {
    "resnet18": lambda: tvm.resnet18(),
    "squeezenet1_1": lambda: tvm.squeezenet1_1(),
    "mobilenet_v3_small": lambda: tvm.mobilenet_v3_small(),
    "shufflenet_v2_x0_5": lambda: tvm.shufflenet_v2_x0_5(),
    "googlenet": lambda: tvm.googlenet(init_weights=False),
    "regnet_y_400mf": lambda: tvm.regnet_y_400mf(),
    "timm/resnet10t": lambda: timm.create_model("resnet10t"),
    "timm/convnext_atto": lambda: timm.create_model("convnext_atto"),
    "timm/deit_tiny_distilled": lambda: timm.create_model(
        "deit_tiny_distilled_patch16_224", depth=2
    ),
    "timm/levit_128s": lambda: timm.create_model("levit_128s"),
    "timm/repvit_m0_9": lambda: timm.create_model("repvit_m0_9"),
    "timm/efficientvit_b0": lambda: timm.create_model("efficientvit_b0"),
    "timm/resnetv2_18 (1×1 convolution)": lambda: timm.create_model("resnetv2_18"),
    "timm/dinov2 with a head": lambda: timm.create_model(
        "vit_small_patch14_dinov2", num_classes=9, img_size=224, depth=2
    ),
    "googlenet_paper": lambda: create_model("googlenet_paper"),
}


@pytest.mark.parametrize("build", SAMPLE.values(), ids=SAMPLE)
def test_after_the_swap_the_network_runs_and_each_head_learns(
    build: Callable[[], nn.Module],
) -> None:
    model = build()
    before = {id(p) for p in model.parameters()}
    replace_head(model, 5)
    images = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    assert model.eval()(images[:1]).shape == (1, 5)
    scores = model.train()(images)
    outputs = [scores] if isinstance(scores, Tensor) else list(scores)
    assert {tuple(output.shape) for output in outputs} == {(2, 5)}
    sum(output.square().mean() for output in outputs).backward()  # type: ignore[union-attr]
    new = [p for p in model.parameters() if id(p) not in before]
    assert len(new) >= 1
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in new)


def test_inceptions_and_googlenets_auxiliary_classifiers_get_the_new_classes() -> None:
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchvision's, of a change of its first weights
        inception = replace_head(tvm.inception_v3(), 5)
        googlenet = replace_head(tvm.googlenet(), 5)
        paper = replace_head(create_model("googlenet_paper"), 5)
    assert inception.AuxLogits.fc.out_features == 5
    assert (googlenet.aux1.fc2.out_features, googlenet.aux2.fc2.out_features) == (5, 5)
    assert (paper.auxiliary_4a.head.out_features, paper.auxiliary_4d.head.out_features) == (5, 5)


def test_dtype_mode_and_a_missing_bias_are_kept() -> None:
    model = nn.Sequential()
    model.fc = nn.Linear(8, 10, bias=False, dtype=torch.bfloat16)
    replace_head(model.eval(), 3)
    assert model.fc.bias is None
    assert model.fc.weight.dtype == torch.bfloat16
    assert model.fc.weight.shape == (3, 8)
    assert not model.fc.training


def small() -> nn.Module:
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.ReLU())
    model.add_module("fc", nn.Linear(8, 10))
    return model


def test_a_compiled_network_gives_the_new_scores_at_the_next_call() -> None:
    inner = small()
    model = torch.compile(inner, backend="eager")
    images = torch.randn(2, 3, 2, 2)
    assert model(images).shape == (2, 10)
    assert replace_head(model, 5) is model
    assert torch.equal(model(images), inner(images))
    assert model(images).shape == (2, 5)
    in_place = small()
    in_place.compile(backend="eager")
    assert in_place(images).shape == (2, 10)
    assert replace_head(in_place, 5)(images).shape == (2, 5)


def test_dataparallel_is_looked_through() -> None:
    model = nn.DataParallel(small())
    path, _ = find_head(replace_head(model, 5))
    assert path == "fc"
    assert model(torch.randn(2, 3, 2, 2)).shape == (2, 5)


def test_distributed_data_parallel_is_refused_with_the_order_that_works() -> None:
    torch.distributed.init_process_group(
        "gloo", store=torch.distributed.HashStore(), rank=0, world_size=1
    )
    try:
        model = nn.parallel.DistributedDataParallel(small())
        with pytest.raises(TypeError, match=r"DistributedDataParallel .* replace the head first"):
            replace_head(model, 5)
        # A head that is swapped behind its back would never be averaged over the processes.
        assert model.module.fc.out_features == 10
    finally:
        torch.distributed.destroy_process_group()


def test_a_copy_of_the_network_keeps_its_own_head() -> None:
    model = small()
    other = copy.deepcopy(model)
    replace_head(model, 5)
    assert find_head(other)[1].weight.shape[0] == 10


class Blind(nn.Module):
    """Takes no image of any size that is tried."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        raise ValueError("only on Sundays")


def test_no_head_is_an_error_that_names_the_candidates() -> None:
    with pytest.raises(ValueError, match=r"Its last linear layers are: first, second"):
        replace_head(Blind(), 2)


class EmbeddingFirst(nn.Module):
    """Its `fc` makes an embedding; `scorer` makes the scores, and Python sees it first."""

    def __init__(self, scorer: nn.Module) -> None:
        super().__init__()
        self.scorer = scorer
        self.conv = nn.Conv2d(3, 8, 3, 2)
        self.fc = nn.Linear(8, 6)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        features = self.fc(self.conv(x).mean((2, 3))).relu()
        return {"logits": self.scorer(features).log_softmax(dim=1)}


def test_the_head_is_what_makes_the_output_whatever_it_is_called() -> None:
    model = EmbeddingFirst(nn.Linear(6, 4))
    before = model.fc
    for wrapped in (model, nn.Sequential(nn.Identity(), nn.DataParallel(torch.compile(model)))):
        path, layer = find_head(wrapped)
        assert layer is model.scorer
        replace_head(wrapped, 5)
        assert model.scorer.out_features == 5
        assert path.endswith("scorer")
    assert model.fc is before
    assert (
        replace_head(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)), 2)[2].out_features
        == 2
    )


class Cosine(nn.Linear):
    """A linear layer that computes something else."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.normalize(x) @ nn.functional.normalize(self.weight).T


class BareParameter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.matrix = nn.Conv2d(3, 8, 3), nn.Parameter(torch.randn(5, 8))

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(self.conv(x).mean((2, 3)), self.matrix)


@pytest.mark.filterwarnings("ignore")
def test_a_head_of_another_kind_is_refused_by_name() -> None:
    normed = nn.utils.parametrizations.weight_norm(nn.Linear(6, 4))
    quantized = torch.ao.quantization.quantize_dynamic(
        EmbeddingFirst(nn.Linear(6, 4)).eval(), {nn.Linear}, dtype=torch.qint8
    )
    quantized.head = quantized.scorer
    for model, message in (
        (EmbeddingFirst(Cosine(6, 4)), "made by scorer, a Cosine, which computes otherwise"),
        (EmbeddingFirst(normed), "made by scorer, a ParametrizedLinear"),
        (EmbeddingFirst(nn.PReLU(6)), "made by scorer, of the kind PReLU"),
        (BareParameter(), "made with the bare parameter matrix"),
        (quantized, r"made by (fc|head|scorer), a torch.*quantized"),
    ):
        with pytest.raises(TypeError, match=message):
            replace_head(model, 5)


def test_finding_the_head_leaves_the_network_as_it_was() -> None:
    model = EmbeddingFirst(nn.Linear(6, 4))
    model.norm = nn.BatchNorm1d(6).eval()
    before = copy.deepcopy(model.state_dict())
    torch.manual_seed(0)
    wanted = torch.rand(1)
    torch.manual_seed(0)
    find_head(model)
    assert torch.equal(torch.rand(1), wanted)
    assert model.training
    assert not model.norm.training
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.fault("scores-unknown")
def test_what_a_network_gives_is_read_as_scores() -> None:
    tensor, other = torch.zeros(2, 3), torch.ones(2, 3)
    googlenet = tvm.GoogLeNetOutputs(tensor, other, other)
    for result, count in (
        (tensor, 1), ((tensor, other), 2), ({"logits": tensor}, 1), ([tensor], 1), (googlenet, 3),
    ):  # fmt: skip
        assert outputs(result)[0] is tensor
        assert len(outputs(result)) == count
    with pytest.raises(TypeError, match="gives dict with features, and which of it are the scores"):
        outputs({"features": tensor})


def test_wrappers_are_taken_out_of_names_at_any_depth() -> None:
    inner = nn.Sequential(nn.Linear(2, 2))
    model = nn.Sequential(nn.Linear(2, 2), nn.DataParallel(torch.compile(inner)))
    assert list(plain_names(model).values()) == [
        "0.weight", "0.bias", "1.0.weight", "1.0.bias"
    ]  # fmt: skip


def test_lenet5s_fixed_codes_are_no_head() -> None:
    with pytest.raises(TypeError, match="has no head to replace"):
        replace_head(create_model("lenet5"), 3)


def test_less_than_one_class_is_refused() -> None:
    with pytest.raises(ValueError, match="must be 1 or more, not 0"):
        replace_head(create_model("lenet5_modern"), 0)
