"""ViT, the chapter."""
