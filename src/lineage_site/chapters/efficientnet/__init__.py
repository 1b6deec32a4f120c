"""EfficientNet, the chapter."""
