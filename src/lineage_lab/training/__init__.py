"""The fine-tune routine: its recipe, its one training step, the loop around it, its checkpoints."""
