"""VGG, the chapter."""
