"""The papers of the lineage: year, title, authors, and what each passed on.

Standard library only, so that a page, a figure or a test can ask for a fact without
loading a network. `lineage_site.drawing.build` draws the timeline from it.
"""

from dataclasses import dataclass
from decimal import Decimal

__all__ = ["NETWORKS", "PASSED_ON", "TOP1", "Gift", "Network", "Top1"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """One paper of the lineage.

    Attributes:
        key: The chapter's slug.
        name: The network's name, as the paper has it.
        year: Year of the first public version of the paper.
        title: The paper's title.
        authors: Its authors, in order.
        venue: Where it was published.
        link: DOI or arXiv address.
        variant: The registry name of the form whose parameters are given.
        parameters: Parameters of that form.
        idea: What it passed on, in a few words.
    """

    key: str
    name: str
    year: int
    title: str
    authors: tuple[str, ...]
    venue: str
    link: str
    variant: str
    parameters: int
    idea: str


def _names(authors: str) -> tuple[str, ...]:
    return tuple(authors.split(", "))


NETWORKS: tuple[Network, ...] = (
    Network(
        key="lenet5",
        name="LeNet-5",
        year=1998,
        title="Gradient-Based Learning Applied to Document Recognition",
        authors=("Yann LeCun", "Léon Bottou", "Yoshua Bengio", "Patrick Haffner"),
        venue="Proceedings of the IEEE 86(11), 2278–2324",
        link="https://doi.org/10.1109/5.726791",
        variant="lenet5",
        parameters=60_000,
        idea="convolution and subsampling, learnt end to end",
    ),
    Network(
        key="alexnet",
        name="AlexNet",
        year=2012,
        title="ImageNet Classification with Deep Convolutional Neural Networks",
        authors=("Alex Krizhevsky", "Ilya Sutskever", "Geoffrey E. Hinton"),
        venue="Advances in Neural Information Processing Systems 25 (2012)",
        link="https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks",
        variant="alexnet",
        parameters=61_100_840,
        idea="ReLU, dropout, and two GPUs",
    ),
    Network(
        key="vgg",
        name="VGG",
        year=2014,
        title="Very Deep Convolutional Networks for Large-Scale Image Recognition",
        authors=("Karen Simonyan", "Andrew Zisserman"),
        venue="ICLR 2015",
        link="https://arxiv.org/abs/1409.1556",
        variant="vgg16",
        parameters=138_357_544,
        idea="depth from small 3×3 kernels",
    ),
    Network(
        key="googlenet",
        name="GoogLeNet",
        year=2014,
        title="Going Deeper with Convolutions",
        authors=_names(
            "Christian Szegedy, Wei Liu, Yangqing Jia, Pierre Sermanet, Scott Reed, Dragomir "
            "Anguelov, Dumitru Erhan, Vincent Vanhoucke, Andrew Rabinovich"
        ),
        venue="CVPR 2015",
        link="https://arxiv.org/abs/1409.4842",
        variant="googlenet",
        parameters=6_624_904,
        idea="several scales side by side, 1×1 to save",
    ),
    Network(
        key="resnet",
        name="ResNet",
        year=2015,
        title="Deep Residual Learning for Image Recognition",
        authors=("Kaiming He", "Xiangyu Zhang", "Shaoqing Ren", "Jian Sun"),
        venue="CVPR 2016",
        link="https://arxiv.org/abs/1512.03385",
        variant="resnet50",
        parameters=25_557_032,
        idea="the residual connection",
    ),
    Network(
        key="efficientnet",
        name="EfficientNet",
        year=2019,
        title="EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
        authors=("Mingxing Tan", "Quoc V. Le"),
        venue="ICML 2019",
        link="https://arxiv.org/abs/1905.11946",
        variant="efficientnet_b0",
        parameters=5_288_548,
        idea="width, depth and resolution scaled as one",
    ),
    Network(
        key="vit",
        name="ViT",
        year=2020,
        title="An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale",
        authors=_names(
            "Alexey Dosovitskiy, Lucas Beyer, Alexander Kolesnikov, Dirk Weissenborn, Xiaohua "
            "Zhai, Thomas Unterthiner, Mostafa Dehghani, Matthias Minderer, Georg Heigold, "
            "Sylvain Gelly, Jakob Uszkoreit, Neil Houlsby"
        ),
        venue="ICLR 2021",
        link="https://arxiv.org/abs/2010.11929",
        variant="vit_b_16",
        parameters=86_567_656,
        idea="the neighbour: attention over patches",
    ),
    Network(
        key="convnext",
        name="ConvNeXt",
        year=2022,
        title="A ConvNet for the 2020s",
        authors=_names(
            "Zhuang Liu, Hanzi Mao, Chao-Yuan Wu, Christoph Feichtenhofer, Trevor Darrell, "
            "Saining Xie"
        ),
        venue="CVPR 2022",
        link="https://arxiv.org/abs/2201.03545",
        variant="convnext_tiny",
        parameters=28_589_128,
        idea="a ConvNet with the transformer's habits",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gift:
    """What a network took from an earlier one, by the word of a paper.

    Attributes:
        giver: Key of the earlier network.
        receiver: Key of the later one.
        idea: What was taken, in a few words.
        source: Paper and section that say so.
        through: What stood between the two, or empty.
    """

    giver: str
    receiver: str
    idea: str
    source: str
    through: str = ""


PASSED_ON: tuple[Gift, ...] = (
    Gift(
        giver="lenet5",
        receiver="alexnet",
        idea="convolutions, pooling, then dense layers",
        source="Szegedy 2014, section 2: the standard structure since LeNet-5, on ImageNet too",
    ),
    Gift(
        giver="lenet5",
        receiver="googlenet",
        idea="the name",
        source="Szegedy 2014, section 5: an homage to LeNet-5",
    ),
    Gift(
        giver="alexnet",
        receiver="vgg",
        idea="ReLU, and how to train",
        source="Simonyan 2014, sections 2.1 and 3.1",
    ),
    Gift(
        giver="alexnet",
        receiver="googlenet",
        idea="a cost to undercut",
        source="Szegedy 2014, section 1: 12 times fewer parameters",
    ),
    Gift(
        giver="vgg",
        receiver="resnet",
        idea="stacks of 3×3 layers",
        source="He 2015, section 3.3: the plain networks follow VGG",
    ),
    Gift(
        giver="googlenet",
        receiver="resnet",
        idea="a short way beside a long one",
        source="He 2015, section 2: an inception layer has a shortcut branch",
    ),
    Gift(
        giver="resnet",
        receiver="efficientnet",
        idea="skip connections, depth to scale",
        source="Tan 2019, section 3.2",
    ),
    Gift(
        giver="resnet",
        receiver="vit",
        idea="the residual connection",
        source="Vaswani 2017, section 3.1; Dosovitskiy 2020, section 3.1",
        through="the Transformer (2017)",
    ),
    Gift(
        giver="resnet",
        receiver="convnext",
        idea="the network to start from",
        source="Liu 2022, section 2",
    ),
    Gift(
        giver="efficientnet",
        receiver="convnext",
        idea="the inverted bottleneck",
        source="Liu 2022, section 2.4: popular since MobileNetV2, EfficientNet among its users",
        through="MobileNetV2 (2018)",
    ),
    Gift(
        giver="vit",
        receiver="convnext",
        idea="patches, GELU, layer norm",
        source="Liu 2022, sections 2.2 and 2.6",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Top1:
    """An accuracy on ImageNet as a paper prints it.

    Attributes:
        key: Of the network.
        model: The form that was measured, in the paper's words.
        error: Top-1 error in percent as printed, or empty if the accuracy is printed.
        accuracy: Top-1 accuracy in percent as printed; empty stands for 100 minus the error.
        how: How it was measured: without it the numbers can't be laid side by side.
        source: Paper and table.
    """

    key: str
    model: str
    how: str
    source: str
    error: str = ""
    accuracy: str = ""

    def __post_init__(self) -> None:
        if not self.accuracy:
            object.__setattr__(self, "accuracy", str(100 - Decimal(self.error)))


TOP1: tuple[Top1, ...] = (
    Top1(
        key="alexnet",
        model="1 CNN",
        error="40.7",
        how="mean over ten crops",
        source="Krizhevsky 2012, Table 2",
    ),
    Top1(
        key="vgg",
        model="column D",
        error="25.6",
        how="whole image, shorter side 384",
        source="Simonyan 2014, Table 3",
    ),
    Top1(
        key="resnet",
        model="ResNet-50",
        error="22.85",
        how="mean over ten crops",
        source="He 2015, Table 3",
    ),
    Top1(
        key="efficientnet",
        model="EfficientNet-B0",
        accuracy="77.1",
        how="one crop",
        source="Tan 2019, Table 2",
    ),
    Top1(
        key="vit",
        model="ViT-B/16, trained on ImageNet alone",
        accuracy="77.91",
        how="images of 384 pixels",
        source="Dosovitskiy 2020, Table 5",
    ),
    Top1(
        key="vit",
        model="ViT-B/16, trained on ImageNet-21k first",
        accuracy="83.97",
        how="images of 384 pixels",
        source="Dosovitskiy 2020, Table 5",
    ),
    Top1(
        key="convnext",
        model="ConvNeXt-T",
        accuracy="82.1",
        how="images of 224 pixels",
        source="Liu 2022, Table 1",
    ),
)
