"""Weights from anywhere."""
