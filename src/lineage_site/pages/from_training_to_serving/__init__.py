"""The page on what goes wrong in silence after training."""
