"""Published weights: where they are, whether they are what was published, how they load."""
