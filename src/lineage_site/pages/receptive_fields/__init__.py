"""What one unit sees."""
