"""The architectures: one architecture, one file, to be read beside its paper.

No file here imports another one (what two use would go to `lineage_lab.models.blocks`), but for the
parts of its own architecture: `lenet` may import `lenet_layers`. None imports
`torchvision.models`. `lineage_lab.registry` gives them their names.
"""
