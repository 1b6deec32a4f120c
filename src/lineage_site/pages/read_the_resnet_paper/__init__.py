"""Read the ResNet paper."""
