"""The works that the pages cite, besides the papers of the lineage themselves.

Standard library only.
"""

from dataclasses import dataclass

__all__ = ["REFERENCES", "Reference"]


@dataclass(frozen=True, slots=True)
class Reference:
    """A work that a page cites.

    Attributes:
        key: Of its BibTeX entry.
        authors: In order, as published; from the fourth on they may be "others".
        title: Its title.
        venue: Where it was published.
        year: When.
        link: DOI or arXiv address.
        why: What the site takes from it, in a few words.
    """

    key: str
    authors: tuple[str, ...]
    title: str
    venue: str
    year: int
    link: str
    why: str


REFERENCES: tuple[Reference, ...] = (
    Reference(
        "fukushima1969", ("Kunihiko Fukushima",),
        "Visual Feature Extraction by a Multilayered Network of Analog Threshold Elements",
        "IEEE Transactions on Systems Science and Cybernetics 5(4), 322–333", 1969,
        "https://doi.org/10.1109/TSSC.1969.300225",
        "rectified units",
    ),
    Reference(
        "fukushima1980", ("Kunihiko Fukushima",),
        "Neocognitron: A self-organizing neural network model for a mechanism of pattern "
        "recognition unaffected by shift in position",
        "Biological Cybernetics 36, 193–202", 1980, "https://doi.org/10.1007/BF00344251",
        "local, shared feature detectors before backpropagation",
    ),
    Reference(
        "lecun1989", ("Yann LeCun", "others"),
        "Backpropagation Applied to Handwritten Zip Code Recognition",
        "Neural Computation 1(4), 541–551", 1989, "https://doi.org/10.1162/neco.1989.1.4.541",
        "the first convolutional network trained by backpropagation on real post",
    ),
    Reference(
        "chellapilla2006", ("Kumar Chellapilla", "Sidd Puri", "Patrice Simard"),
        "High Performance Convolutional Neural Networks for Document Processing",
        "International Workshop on Frontiers in Handwriting Recognition", 2006,
        "https://hal.inria.fr/inria-00112631",
        "a convolutional network on a graphics card",
    ),
    Reference(
        "glorot2010", ("Xavier Glorot", "Yoshua Bengio"),
        "Understanding the difficulty of training deep feedforward neural networks",
        "AISTATS 2010", 2010, "https://proceedings.mlr.press/v9/glorot10a.html",
        "first weights that keep the signal's size",
    ),
    Reference(
        "nair2010", ("Vinod Nair", "Geoffrey E. Hinton"),
        "Rectified Linear Units Improve Restricted Boltzmann Machines",
        "ICML 2010", 2010, "https://icml.cc/Conferences/2010/papers/432.pdf",
        "ReLU, where AlexNet's paper has it from",
    ),
    Reference(
        "ciresan2011", ("Dan C. Cireșan", "Ueli Meier", "Jonathan Masci",
                        "Luca M. Gambardella", "Jürgen Schmidhuber"),
        "High-Performance Neural Networks for Visual Object Classification",
        "arXiv", 2011, "https://arxiv.org/abs/1102.0183",
        "deep convolutional networks trained on GPUs before AlexNet",
    ),
    Reference(
        "hinton2012", ("Geoffrey E. Hinton", "Nitish Srivastava", "Alex Krizhevsky",
                       "Ilya Sutskever", "Ruslan R. Salakhutdinov"),
        "Improving neural networks by preventing co-adaptation of feature detectors",
        "arXiv", 2012, "https://arxiv.org/abs/1207.0580",
        "dropout, as AlexNet's paper cites it",
    ),
    Reference(
        "lin2013", ("Min Lin", "Qiang Chen", "Shuicheng Yan"), "Network In Network",
        "ICLR 2014", 2013, "https://arxiv.org/abs/1312.4400",
        "1×1 convolutions and global average pooling",
    ),
    Reference(
        "krizhevsky2014", ("Alex Krizhevsky",),
        "One weird trick for parallelizing convolutional neural networks",
        "arXiv", 2014, "https://arxiv.org/abs/1404.5997",
        "the one-tower AlexNet that torchvision ships",
    ),
    Reference(
        "srivastava2014", ("Nitish Srivastava", "Geoffrey Hinton", "Alex Krizhevsky",
                           "Ilya Sutskever", "Ruslan Salakhutdinov"),
        "Dropout: A Simple Way to Prevent Neural Networks from Overfitting",
        "Journal of Machine Learning Research 15, 1929–1958", 2014,
        "https://jmlr.org/papers/v15/srivastava14a.html", "dropout",
    ),
    Reference(
        "ioffe2015", ("Sergey Ioffe", "Christian Szegedy"),
        "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate "
        "Shift", "ICML 2015", 2015, "https://arxiv.org/abs/1502.03167", "batch norm",
    ),
    Reference(
        "he2015rectifiers", ("Kaiming He", "Xiangyu Zhang", "Shaoqing Ren", "Jian Sun"),
        "Delving Deep into Rectifiers: Surpassing Human-Level Performance on ImageNet "
        "Classification", "ICCV 2015", 2015, "https://arxiv.org/abs/1502.01852",
        "first weights for networks of ReLUs",
    ),
    Reference(
        "russakovsky2015", ("Olga Russakovsky", "others"),
        "ImageNet Large Scale Visual Recognition Challenge",
        "International Journal of Computer Vision 115, 211–252", 2015,
        "https://arxiv.org/abs/1409.0575", "the data set and the contest of this lineage",
    ),
    Reference(
        "srivastava2015", ("Rupesh Kumar Srivastava", "Klaus Greff", "Jürgen Schmidhuber"),
        "Highway Networks", "arXiv", 2015, "https://arxiv.org/abs/1505.00387",
        "shortcuts with gates, before ResNet",
    ),
    Reference(
        "long2015", ("Jonathan Long", "Evan Shelhamer", "Trevor Darrell"),
        "Fully Convolutional Networks for Semantic Segmentation",
        "CVPR 2015", 2015, "https://arxiv.org/abs/1411.4038",
        "dense layers read as convolutions",
    ),
    Reference(
        "gatys2015", ("Leon A. Gatys", "Alexander S. Ecker", "Matthias Bethge"),
        "A Neural Algorithm of Artistic Style",
        "arXiv", 2015, "https://arxiv.org/abs/1508.06576",
        "what VGG's features are used for besides",
    ),
    Reference(
        "he2016identity", ("Kaiming He", "Xiangyu Zhang", "Shaoqing Ren", "Jian Sun"),
        "Identity Mappings in Deep Residual Networks", "ECCV 2016", 2016,
        "https://arxiv.org/abs/1603.05027", "a shortcut with nothing on it",
    ),
    Reference(
        "huang2016", ("Gao Huang", "Yu Sun", "Zhuang Liu", "Daniel Sedra", "Kilian Weinberger"),
        "Deep Networks with Stochastic Depth", "ECCV 2016", 2016,
        "https://arxiv.org/abs/1603.09382", "leaving out blocks while training",
    ),
    Reference(
        "luo2016", ("Wenjie Luo", "Yujia Li", "Raquel Urtasun", "Richard Zemel"),
        "Understanding the Effective Receptive Field in Deep Convolutional Neural Networks",
        "NIPS 2016", 2016, "https://arxiv.org/abs/1701.04128",
        "how much of its field a unit really uses",
    ),
    Reference(
        "veit2016", ("Andreas Veit", "Michael Wilber", "Serge Belongie"),
        "Residual Networks Behave Like Ensembles of Relatively Shallow Networks",
        "NIPS 2016", 2016, "https://arxiv.org/abs/1605.06431", "taking blocks out of a ResNet",
    ),
    Reference(
        "ba2016", ("Jimmy Lei Ba", "Jamie Ryan Kiros", "Geoffrey E. Hinton"),
        "Layer Normalization", "arXiv", 2016, "https://arxiv.org/abs/1607.06450", "layer norm",
    ),
    Reference(
        "hendrycks2016", ("Dan Hendrycks", "Kevin Gimpel"),
        "Gaussian Error Linear Units (GELUs)", "arXiv", 2016,
        "https://arxiv.org/abs/1606.08415", "GELU",
    ),
    Reference(
        "xie2016", ("Saining Xie", "Ross Girshick", "Piotr Dollár", "Zhuowen Tu", "Kaiming He"),
        "Aggregated Residual Transformations for Deep Neural Networks", "CVPR 2017", 2016,
        "https://arxiv.org/abs/1611.05431", "groups come back: cardinality",
    ),
    Reference(
        "alain2016", ("Guillaume Alain", "Yoshua Bengio"),
        "Understanding intermediate layers using linear classifier probes", "arXiv", 2016,
        "https://arxiv.org/abs/1610.01644", "the linear probe",
    ),
    Reference(
        "zhou2016", ("Bolei Zhou", "others"),
        "Learning Deep Features for Discriminative Localization",
        "CVPR 2016", 2016, "https://arxiv.org/abs/1512.04150",
        "class activation maps",
    ),
    Reference(
        "szegedy2016", ("Christian Szegedy", "Vincent Vanhoucke", "Sergey Ioffe",
                        "Jonathon Shlens", "Zbigniew Wojna"),
        "Rethinking the Inception Architecture for Computer Vision",
        "CVPR 2016", 2016, "https://arxiv.org/abs/1512.00567",
        "Inception after GoogLeNet, label smoothing",
    ),
    Reference(
        "vaswani2017", ("Ashish Vaswani", "others"), "Attention Is All You Need", "NIPS 2017",
        2017, "https://arxiv.org/abs/1706.03762", "the transformer",
    ),
    Reference(
        "hu2017", ("Jie Hu", "Li Shen", "Samuel Albanie", "Gang Sun", "Enhua Wu"),
        "Squeeze-and-Excitation Networks", "CVPR 2018", 2017,
        "https://arxiv.org/abs/1709.01507", "a gate for each channel",
    ),
    Reference(
        "selvaraju2017", ("Ramprasaath R. Selvaraju", "others"),
        "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization",
        "ICCV 2017", 2017, "https://arxiv.org/abs/1610.02391",
        "Grad-CAM",
    ),
    Reference(
        "smith2017", ("Leslie N. Smith",),
        "Cyclical Learning Rates for Training Neural Networks",
        "WACV 2017", 2017, "https://arxiv.org/abs/1506.01186",
        "the range test for a learning rate",
    ),
    Reference(
        "balduzzi2017", ("David Balduzzi", "others"),
        "The Shattered Gradients Problem: If resnets are the answer, then what is the question?",
        "ICML 2017", 2017, "https://arxiv.org/abs/1702.08591",
        "what plain depth does to gradients",
    ),
    Reference(
        "lin2017", ("Tsung-Yi Lin", "others"),
        "Focal Loss for Dense Object Detection",
        "ICCV", 2017, "https://arxiv.org/abs/1708.02002",
        "a loss in which images that are named surely count less",
    ),
    Reference(
        "guo2017", ("Chuan Guo", "others"),
        "On Calibration of Modern Neural Networks",
        "ICML", 2017, "https://arxiv.org/abs/1706.04599",
        "one temperature that makes probabilities honest",
    ),
    Reference(
        "sandler2018", ("Mark Sandler", "Andrew Howard", "Menglong Zhu", "Andrey Zhmoginov",
                        "Liang-Chieh Chen"),
        "MobileNetV2: Inverted Residuals and Linear Bottlenecks", "CVPR 2018", 2018,
        "https://arxiv.org/abs/1801.04381", "the inverted bottleneck",
    ),
    Reference(
        "tan2018", ("Mingxing Tan", "others"),
        "MnasNet: Platform-Aware Neural Architecture Search for Mobile", "CVPR 2019", 2018,
        "https://arxiv.org/abs/1807.11626", "the search that EfficientNet-B0 comes from",
    ),
    Reference(
        "wu2018", ("Yuxin Wu", "Kaiming He"),
        "Group Normalization",
        "ECCV 2018", 2018, "https://arxiv.org/abs/1803.08494",
        "batch normalization's trouble with small batches",
    ),
    Reference(
        "deitsch2019", ("Sergiu Deitsch", "others"),
        "Automatic classification of defective photovoltaic module cells in electroluminescence "
        "images", "Solar Energy 185, 455–468", 2019,
        "https://doi.org/10.1016/j.solener.2019.02.067", "the photographs of solar cells (ELPV)",
    ),
    Reference(
        "yang2019", ("Greg Yang", "Jeffrey Pennington", "Vinay Rao",
                     "Jascha Sohl-Dickstein", "Samuel S. Schoenholz"),
        "A Mean Field Theory of Batch Normalization",
        "ICLR 2019", 2019, "https://arxiv.org/abs/1902.08129",
        "gradients that grow through batch normalization",
    ),
    Reference(
        "jain2019", ("Sarthak Jain", "Byron C. Wallace"),
        "Attention is not Explanation",
        "NAACL 2019", 2019, "https://arxiv.org/abs/1902.10186",
        "what a map of attention doesn't say",
    ),
    Reference(
        "wiegreffe2019", ("Sarah Wiegreffe", "Yuval Pinter"),
        "Attention is not not Explanation",
        "EMNLP 2019", 2019, "https://arxiv.org/abs/1908.04626",
        "the answer to it",
    ),
    Reference(
        "touvron2020", ("Hugo Touvron", "others"),
        "Training data-efficient image transformers & distillation through attention",
        "ICML 2021", 2020, "https://arxiv.org/abs/2012.12877",
        "a ViT from ImageNet's own images alone",
    ),
    Reference(
        "menon2020", ("Aditya Krishna Menon", "others"),
        "Long-tail learning via logit adjustment",
        "ICLR 2021", 2020, "https://arxiv.org/abs/2007.07314",
        "scores that know how rare a class is",
    ),
    Reference(
        "liu2021", ("Ze Liu", "others"),
        "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows", "ICCV 2021",
        2021, "https://arxiv.org/abs/2103.14030", "the transformer that ConvNeXt answers",
    ),
    Reference(
        "wightman2021", ("Ross Wightman", "Hugo Touvron", "Hervé Jégou"),
        "ResNet strikes back: An improved training procedure in timm", "arXiv", 2021,
        "https://arxiv.org/abs/2110.00476", "how much the recipe matters",
    ),
    Reference(
        "touvron2021", ("Hugo Touvron", "Matthieu Cord", "Alexandre Sablayrolles",
                        "Gabriel Synnaeve", "Hervé Jégou"),
        "Going deeper with Image Transformers",
        "ICCV 2021", 2021, "https://arxiv.org/abs/2103.17239",
        "layer scale",
    ),
    Reference(
        "tan2021", ("Mingxing Tan", "Quoc V. Le"),
        "EfficientNetV2: Smaller Models and Faster Training",
        "ICML 2021", 2021, "https://arxiv.org/abs/2104.00298",
        "what its authors changed later",
    ),
    Reference(
        "singh2022", ("Mannat Singh", "others"),
        "Revisiting Weakly Supervised Pre-Training of Visual Perception Models",
        "CVPR 2022", 2022, "https://arxiv.org/abs/2201.08371",
        "SWAG's weights for ViT",
    ),
    Reference(
        "ding2022", ("Xiaohan Ding", "Xiangyu Zhang", "Jungong Han", "Guiguang Ding"),
        "Scaling Up Your Kernels to 31x31: Revisiting Large Kernel Design in CNNs",
        "CVPR 2022", 2022, "https://arxiv.org/abs/2203.06717",
        "larger kernels than ConvNeXt's",
    ),
    Reference(
        "frantar2022", ("Elias Frantar", "Saleh Ashkboos", "Torsten Hoefler", "Dan Alistarh"),
        "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers",
        "arXiv", 2022, "https://arxiv.org/abs/2210.17323",
        "rounding the weights of a layer together",
    ),
    Reference(
        "woo2023", ("Sanghyun Woo", "others"),
        "ConvNeXt V2: Co-designing and Scaling ConvNets with Masked Autoencoders", "CVPR 2023",
        2023, "https://arxiv.org/abs/2301.00808", "what came after ConvNeXt",
    ),
)  # fmt: skip
