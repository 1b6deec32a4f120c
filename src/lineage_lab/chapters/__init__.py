"""The small experiments of the chapters, as their snippets import them; the lineage itself."""
