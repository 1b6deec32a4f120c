"""Classify a photo."""
