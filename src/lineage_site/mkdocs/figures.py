"""Draws what is missing or stale of the pages' figures before each build of the site."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import Abort


def on_pre_build(config: MkDocsConfig) -> None:
    try:
        from lineage_site.drawing.build import build
    except ImportError as error:
        raise Abort(
            f"the site draws its figures with the package, which can't be imported ({error}). "
            'Install it first: pip install -e ".[docs,test]"'
        ) from error
    try:
        build(Path(config.docs_dir) / "generated")
    except Exception as error:
        # What is not installed (weights say where they come from) is told in a line; a fault of
        # ours shows where it is.
        if isinstance(error, FileNotFoundError | ModuleNotFoundError) or hasattr(error, "url"):
            raise Abort(f"a figure of the site can't be drawn: {error}") from error
        raise
