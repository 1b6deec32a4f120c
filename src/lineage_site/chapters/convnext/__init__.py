"""ConvNeXt, the chapter."""
