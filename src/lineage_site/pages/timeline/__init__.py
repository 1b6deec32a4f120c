"""The lineage at a glance."""
