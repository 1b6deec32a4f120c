"""Fine-tune: the exercise."""
