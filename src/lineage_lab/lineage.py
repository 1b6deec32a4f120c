"""The papers of the lineage: year, title, authors, and what each passed on.

Standard library only, so that a page, a figure or a test can ask for a fact without
loading a network. `lineage_lab.figures` draws the timeline from it. Neighbours:
`lineage_lab.ledger` has the facts of each chapter, `lineage_lab.printed` the papers' numbers.
"""

from dataclasses import dataclass

__all__ = ["NETWORKS", "Network"]


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
        chapter: Whether its chapter is written.
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
    chapter: bool = False


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
        chapter=True,
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
        authors=(
            "Christian Szegedy",
            "Wei Liu",
            "Yangqing Jia",
            "Pierre Sermanet",
            "Scott Reed",
            "Dragomir Anguelov",
            "Dumitru Erhan",
            "Vincent Vanhoucke",
            "Andrew Rabinovich",
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
        authors=(
            "Alexey Dosovitskiy",
            "Lucas Beyer",
            "Alexander Kolesnikov",
            "Dirk Weissenborn",
            "Xiaohua Zhai",
            "Thomas Unterthiner",
            "Mostafa Dehghani",
            "Matthias Minderer",
            "Georg Heigold",
            "Sylvain Gelly",
            "Jakob Uszkoreit",
            "Neil Houlsby",
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
        authors=(
            "Zhuang Liu",
            "Hanzi Mao",
            "Chao-Yuan Wu",
            "Christoph Feichtenhofer",
            "Trevor Darrell",
            "Saining Xie",
        ),
        venue="CVPR 2022",
        link="https://arxiv.org/abs/2201.03545",
        variant="convnext_tiny",
        parameters=28_589_128,
        idea="a ConvNet with the transformer's habits",
    ),
)
