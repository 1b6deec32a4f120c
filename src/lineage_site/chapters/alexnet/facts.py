"""AlexNet. Sections are those of Krizhevsky, Sutskever and Hinton 2012."""

from lineage_site.facts.ledger import Fact
from lineage_site.facts.printed import printed

__all__ = ["FACTS", "IDEAS"]

CIRESAN = "arXiv:1102.0183"

FACTS = (
    Fact("Input", "224 × 224 pixels, three channels; its first layer needs 227", "section 3.5"),
    Fact("Parameters", f"{printed('alexnet_paper', 'parameters')} million", "abstract"),
    Fact("Layers with weights", 8, "section 3.5"),
    Fact("Training photographs", "1.2 million, 1,000 classes", "section 2"),
    Fact("Training", "five to six days on two GTX 580 of 3 GB, about 90 passes", "section 5"),
    Fact("Top-5 error, ILSVRC-2012: one network", "18.2 % (validation)", "Table 2"),
    Fact("The same: the contest's winner, seven networks", "15.3 % (test)", "Table 2"),
    Fact("The same: the next best entry", "26.2 % (test)", "Table 2"),
    Fact("Five networks", "16.4 %", "Table 2", shown=False),
    Fact("One network trained on all of ImageNet before", "16.6 %", "section 6", shown=False),
    Fact("ImageNet, Fall 2011", "15 million images, 22,000 classes", "section 6", shown=False),
    Fact("Top-1 error, ILSVRC-2010", "37.5 %", "Table 1", shown=False),
    Fact("Top-5 error, ILSVRC-2010", "17.0 %", "Table 1", shown=False),
    Fact("The same without averaging over patches", "18.3 %", "section 6, note", shown=False),
    Fact("Photographs before they are cut", "256 × 256", "section 2", shown=False),
    Fact("Target of the comparison of activations, CIFAR-10", "25 %", "Fig. 1", shown=False),
    Fact("Training set, enlarged by crops and mirror images", 2048, "section 4.1", shown=False),
    Fact("Share of a convolution, at most", "1 %", "section 1", shown=False),
    Fact("Loss if a middle layer is removed, top-1", "2 %", "section 7", shown=False),
    Fact("Dropout's probability", 0.5, "section 4.2", shown=False),
    Fact("Batch", 128, "section 5", shown=False),
    Fact("First weights' deviation", 0.01, "section 5", shown=False),
    Fact("Learning rate at first", 0.01, "section 5", shown=False),
    Fact("Momentum", 0.9, "section 5", shown=False),
    Fact("Weight decay", 0.0005, "section 5", shown=False),
    Fact("Units of the first layer, as listed", 253_440, "Fig. 2", shown=False),
    Fact("Convolutional networks on a GPU", 2006, "hal:inria-00112631", shown=False),
    Fact("Convolutional networks trained on GPUs by Cireșan", 2011, CIRESAN, shown=False),
    Fact("Rectified linear units, named and studied", 2010, "Nair and Hinton", shown=False),
    Fact("Rectified units in a neural network", 1969, "doi:10.1109/TSSC.1969.300225", shown=False),
    Fact("The one-tower form", 2014, "arXiv:1404.5997", shown=False),
    Fact(
        "Digits of this site's experiments", "4,000 and 1,000", "lineage_lab.data.sets", shown=False
    ),
    Fact(
        "ReLU beside tanh, one network of four layers on CIFAR-10",
        "6 times as fast",
        "Fig. 1",
        shown=False,
    ),
)

# What stood in the way, what was done, what the paper measured, where.
IDEAS = (
    ("time", "ReLU", "a training error of 25 % on CIFAR-10 in a sixth of tanh’s passes", "3.1"),
    ("memory", "two GPUs", "1.7 and 1.2 points, against one GPU with half the kernels", "3.2"),
    ("error", "local response normalisation", "1.4 and 1.2 points", "3.3"),
    ("error", "overlapping pooling", "0.4 and 0.3 points", "3.4"),
    ("overfitting", "crops and mirror images", "without them, much smaller networks", "4.1"),
    ("overfitting", "shifts of colour", "over 1 point of top-1", "4.1"),
    ("overfitting", "dropout", "without it, substantial overfitting", "4.2"),
)
