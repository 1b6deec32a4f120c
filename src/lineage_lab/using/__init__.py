"""A trained network at work: predict, export, and see where the evidence lies."""
