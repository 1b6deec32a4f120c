"""ViT (2020), the neighbour: an image is 16×16 words, and each looks at all of them.

A. Dosovitskiy et al., "An Image Is Worth 16x16 Words: Transformers for Image Recognition at
Scale", ICLR 2021, arXiv:2010.11929. The network is Fig. 1 and equations 1 to 4, the sizes
Table 1, the head of a single linear layer section 3.1 (fine-tuning) and Appendix D.1.

Read from the top: Table 1 → attention → block → the network.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lineage_lab.models.blocks import check_images

__all__ = ["BASE_16", "Attention", "EncoderBlock", "ViT", "ViTConfig"]

EPSILON = 1e-6  # of every layer norm


@dataclass(frozen=True, slots=True, kw_only=True)
class ViTConfig:
    """A row of Table 1.

    Attributes:
        patch: Side of a patch in pixels.
        layers: Encoder blocks.
        dim: Length of a token.
        mlp_dim: Hidden units of a block's MLP.
        heads: Of the attention.
    """

    patch: int
    layers: int
    dim: int
    mlp_dim: int
    heads: int


BASE_16 = ViTConfig(patch=16, layers=12, dim=768, mlp_dim=3072, heads=12)


class Attention(nn.Module):
    """Multi-head self-attention (Appendix A): each token gathers from all, by likeness.

    Args:
        dim: Length of a token.
        heads: How many times this is done side by side, each in ``dim / heads`` numbers.
    """

    # --8<-- [start:attention]
    def __init__(self, dim: int, *, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv_weight = nn.Parameter(torch.empty(3 * dim, dim))
        self.qkv_bias = nn.Parameter(torch.zeros(3 * dim))
        self.project = nn.Linear(dim, dim)
        nn.init.xavier_uniform_(self.qkv_weight)
        nn.init.zeros_(self.project.bias)

    def forward(self, x: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """``[batch, tokens, dim]``, in and out."""
        x = x.transpose(0, 1)  # tokens first: gradients are summed in torchvision's order
        qkv = F.linear(x, self.qkv_weight, self.qkv_bias)
        qkv = qkv.view(*x.shape[:2], 3, self.heads, -1)
        query, key, value = qkv.permute(2, 1, 3, 0, 4)
        gathered = F.scaled_dot_product_attention(query, key, value)  # softmax(q kᵀ / √d) v
        y: Tensor = self.project(gathered.permute(2, 0, 1, 3).flatten(2))
        return y.transpose(0, 1)

    # --8<-- [end:attention]


class EncoderBlock(nn.Module):
    """Fig. 1, right: attention, then an MLP for each token; a norm before, the input added."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.norm_1 = nn.LayerNorm(config.dim, eps=EPSILON)
        self.attention = Attention(config.dim, heads=config.heads)
        self.norm_2 = nn.LayerNorm(config.dim, eps=EPSILON)
        widen = nn.Linear(config.dim, config.mlp_dim)
        narrow = nn.Linear(config.mlp_dim, config.dim)
        self.mlp = nn.Sequential(widen, nn.GELU(), narrow)
        for linear in (widen, narrow):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.normal_(linear.bias, std=1e-6)

    # --8<-- [start:block]
    def forward(self, x: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """``[batch, tokens, dim]``, in and out (equations 2 and 3)."""
        x = self.attention(self.norm_1(x)) + x
        y: Tensor = x + self.mlp(self.norm_2(x))
        return y

    # --8<-- [end:block]


class ViT(nn.Module):
    """Patches → tokens and a class token → encoder → the class token's linear layer.

    Args:
        num_classes: Scores to give.
        config: The row of Table 1.
        resolution: Side of the image in pixels: a place in it has a learnt embedding, so
            that the network takes this size and no other.
    """

    def __init__(
        self, *, num_classes: int = 1000, config: ViTConfig = BASE_16, resolution: int = 224
    ) -> None:
        super().__init__()
        self.resolution = resolution
        patches = (resolution // config.patch) ** 2
        self.patchify = nn.Conv2d(3, config.dim, config.patch, config.patch)
        self.class_token = nn.Parameter(torch.zeros(1, 1, config.dim))
        self.position = nn.Parameter(torch.empty(1, patches + 1, config.dim).normal_(std=0.02))
        self.blocks = nn.Sequential(*(EncoderBlock(config) for _ in range(config.layers)))
        self.norm = nn.LayerNorm(config.dim, eps=EPSILON)
        self.head = nn.Linear(config.dim, num_classes)
        fan_in = 3 * config.patch**2
        nn.init.trunc_normal_(self.patchify.weight, std=fan_in**-0.5)
        for tensor in (self.patchify.bias, self.head.weight, self.head.bias):
            nn.init.zeros_(tensor)  # type: ignore[arg-type]

    # --8<-- [start:forward]
    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch classes"]:
        """Images normalised channel by channel to the logits ``[batch, classes]``."""
        check_images(images, exactly=self.resolution)
        patches = self.patchify(images).flatten(2).transpose(1, 2)
        x = torch.cat((self.class_token.expand(images.shape[0], -1, -1), patches), dim=1)
        x = self.norm(self.blocks(x + self.position))
        y: Tensor = self.head(x[:, 0])
        return y

    # --8<-- [end:forward]
