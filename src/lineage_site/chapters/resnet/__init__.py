"""ResNet, the chapter."""
