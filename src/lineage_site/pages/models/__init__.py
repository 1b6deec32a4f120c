"""All names."""
