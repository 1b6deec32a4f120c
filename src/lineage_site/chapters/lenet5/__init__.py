"""LeNet-5, the chapter."""
