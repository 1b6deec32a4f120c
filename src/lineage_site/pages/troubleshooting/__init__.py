"""Troubleshooting."""
