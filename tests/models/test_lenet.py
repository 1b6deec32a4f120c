"""LeNet-5 against its paper: weights, connections, codes, loss."""

import math

import pytest
import torch
from torch import nn

from lineage_lab import describe
from lineage_lab.models.lenet import (
    C3_TABLE,
    LeNet5,
    LeNet5Modern,
    RBFOutput,
    SparseConv2d,
    SquashedTanh,
    Subsampling,
    normalize_ink,
    rbf_loss,
)

# Section II.B of the paper.
PAPER_WEIGHTS = {"C1": 156, "S2": 12, "C3": 1_516, "S4": 32, "C5": 48_120, "F6": 10_164}
PAPER_CONNECTIONS = {
    "C1": 122_304,
    "S2": 5_880,
    "C3": 151_600,
    "S4": 2_000,
    "C5": 48_120,
    "F6": 10_164,
}


@pytest.fixture
def lenet5() -> LeNet5:
    torch.manual_seed(0)
    return LeNet5()


def test_every_layer_has_the_papers_weights(lenet5: LeNet5) -> None:
    ours = {n: sum(p.numel() for p in getattr(lenet5, n).parameters()) for n in PAPER_WEIGHTS}
    assert ours == PAPER_WEIGHTS
    assert sum(p.numel() for p in lenet5.parameters() if p.requires_grad) == 60_000


def test_every_layer_has_the_papers_connections(lenet5: LeNet5) -> None:
    connections = lenet5.connections()
    assert connections == PAPER_CONNECTIONS | {"output": 840}
    assert sum(connections.values()) == 340_908


@pytest.mark.parametrize(
    ("layer", "field"), [("C1", 5), ("S2", 6), ("C3", 14), ("S4", 16), ("C5", 32)]
)
def test_receptive_fields(lenet5: LeNet5, layer: str, field: int) -> None:
    fields = {row.name: row.receptive_field for row in describe(lenet5, (1, 32, 32)).layers}
    assert fields[layer] == field


def test_c3_is_a_dense_convolution_with_the_other_weights_at_zero(lenet5: LeNet5) -> None:
    dense = nn.Conv2d(6, 16, 5)
    nn.init.zeros_(dense.weight)
    connection = 0
    with torch.no_grad():
        dense.bias.copy_(lenet5.C3.bias)
        for out, sources in enumerate(C3_TABLE):
            for source in sources:
                dense.weight[out, source] = lenet5.C3.weight[connection]
                connection += 1
    x = torch.rand(2, 6, 14, 14)
    assert torch.equal(lenet5.C3(x), dense(x))
    assert connection == 60


def test_a_map_of_c3_is_blind_to_the_maps_that_table_i_leaves_out(lenet5: LeNet5) -> None:
    x = torch.rand(1, 6, 14, 14, requires_grad=True)
    seen = []
    for out in range(16):
        (gradient,) = torch.autograd.grad(lenet5.C3(x)[0, out].sum(), x)
        seen.append(tuple(gradient[0].abs().sum(dim=(1, 2)).nonzero().flatten().tolist()))
    assert tuple(seen) == C3_TABLE


def test_table_i_has_the_shape_that_the_papers_text_tells() -> None:
    # "every contiguous subsets of three", "of four", "some discontinuous", "all": section II.B
    def contiguous(n: int) -> set[tuple[int, ...]]:
        return {tuple(sorted((i + k) % 6 for k in range(n))) for i in range(6)}

    assert set(C3_TABLE[:6]) == contiguous(3)
    assert set(C3_TABLE[6:12]) == contiguous(4)
    assert all(len(row) == 4 and row not in contiguous(4) for row in C3_TABLE[12:15])
    assert C3_TABLE[15] == tuple(range(6))
    assert len(set(C3_TABLE)) == 16


def test_subsampling_is_sum_times_coefficient_plus_bias_squashed() -> None:
    layer = Subsampling(1)
    with torch.no_grad():
        layer.coefficient.fill_(0.5)
        layer.bias.fill_(-1.0)
    x = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    assert layer(x).item() == pytest.approx(1.7159 * math.tanh(2 / 3 * (10 * 0.5 - 1)), rel=1e-6)


def test_the_squashing_function_passes_through_plus_and_minus_one_and_bends_most_there() -> None:
    x = torch.linspace(0, 3, 3001, dtype=torch.float64, requires_grad=True)
    y = SquashedTanh()(x)
    assert SquashedTanh()(torch.tensor([1.0, -1.0])).tolist() == pytest.approx([1, -1], abs=1e-4)
    (first,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    assert x[second.abs().argmax()].item() == pytest.approx(1, abs=0.02)


def test_the_output_is_the_squared_distance_to_each_code(lenet5: LeNet5) -> None:
    assert lenet5.output.codes.shape == (10, 84)
    assert set(lenet5.output.codes.unique().tolist()) == {-1.0, 1.0}
    assert len({tuple(code) for code in lenet5.output.codes.tolist()}) == 10
    x = torch.randn(3, 84)
    lenet5 = lenet5.double()
    x = x.double()
    expected = torch.cdist(x, lenet5.output.codes).square()
    torch.testing.assert_close(lenet5.output(x), expected)
    perfect = lenet5.output(lenet5.output.codes)
    assert torch.equal(perfect.argmin(1), torch.arange(10))
    assert torch.equal(perfect.diagonal(), torch.zeros(10))


def test_the_codes_are_fixed(lenet5: LeNet5) -> None:
    assert "output.codes" in dict(lenet5.named_buffers())
    assert not list(lenet5.output.parameters())


def test_the_loss_is_the_papers_equation_9() -> None:
    y = torch.rand(4, 10, dtype=torch.float64) * 20
    labels = torch.tensor([3, 1, 4, 1])
    for j in (0.5, 7.0):
        right = y.gather(1, labels[:, None])[:, 0]
        paper = (right + torch.log(math.exp(-j) + torch.exp(-y).sum(1))).mean()
        torch.testing.assert_close(rbf_loss(-y, labels, j=j), paper)
    with pytest.raises(ValueError, match="j must be positive"):
        rbf_loss(-y, labels, j=0.0)


def test_the_input_scale_brings_real_digits_near_mean_0_and_variance_1() -> None:
    from lineage_lab.data.sets import digits

    scale = normalize_ink(torch.tensor([0, 255], dtype=torch.uint8))
    assert scale.tolist() == pytest.approx([-0.1, 1.175])
    images = normalize_ink(digits(size=32)[0])
    assert abs(images.mean().item()) < 0.1
    assert 0.1 < images.var().item() < 1
    with pytest.raises(TypeError, match=r"uint8 pixels from 0 to 255, not torch\.float32"):
        normalize_ink(images)


def test_first_weights_are_drawn_within_the_papers_bounds(lenet5: LeNet5) -> None:
    fans = {"C1": 25, "C5": 400, "F6": 120}
    for name, fan_in in fans.items():
        weight = getattr(lenet5, name).weight.abs().max().item()
        assert 0.9 * 2.4 / fan_in < weight <= 2.4 / fan_in
    connection = 0
    for sources in C3_TABLE:
        bound = 2.4 / (25 * len(sources))
        drawn = lenet5.C3.weight[connection : connection + len(sources)].abs().max().item()
        assert 0.8 * bound < drawn <= bound
        connection += len(sources)


def test_eval_and_train_give_a_plain_tensor_whose_largest_score_is_the_nearest_code() -> None:
    lenet5 = LeNet5()
    images = torch.rand(2, 1, 32, 32)
    for model in (lenet5.train(), lenet5.eval()):
        scores = model(images)
        assert type(scores) is torch.Tensor
        assert torch.equal(scores.argmax(1), model.distances(images).argmin(1))


def test_the_modern_look_alike_has_61706_weights_and_a_dense_c3() -> None:
    modern = LeNet5Modern()
    assert sum(p.numel() for p in modern.parameters()) == 61_706
    assert modern.C3.weight.shape == (16, 6, 5, 5)
    assert not list(modern.pool.parameters())
    assert modern(torch.rand(2, 1, 32, 32)).shape == (2, 10)


def test_more_classes_than_codes_are_refused_with_what_to_do() -> None:
    assert LeNet5(num_classes=3)(torch.rand(1, 1, 32, 32)).shape == (1, 3)
    with pytest.raises(ValueError, match=r"10 classes, not for 11.*take lenet5_modern"):
        LeNet5(num_classes=11)


def test_a_step_of_training_touches_every_weight(lenet5: LeNet5) -> None:
    loss = rbf_loss(lenet5(torch.randn(8, 1, 32, 32)), torch.arange(8))
    loss.backward()
    for name, parameter in lenet5.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_sparse_conv_and_rbf_say_their_own_macs() -> None:
    assert SparseConv2d(((0,), (0, 1)), kernel_size=3).count_macs(torch.Size((2, 4, 4))) == 432
    assert RBFOutput("#. ..\n", num_classes=2).count_macs(torch.Size((2,))) == 4
