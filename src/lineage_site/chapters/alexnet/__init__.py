"""AlexNet, the chapter."""
