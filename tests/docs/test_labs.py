"""Notebooks carry no output in git, and the site's build has executed them.

The build is their one run: mkdocs-jupyter executes each and stops at an error (`allow_errors:
false`). Since a notebook here has no outputs, those on its built page come from that run.
"""

import json
import pathlib
import re

import bs4
import pytest

from tests.docs.harness import verified
from tests.docs.harness.grammar import ROOT


def name(path: pathlib.Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("lab", verified.labs(), ids=name)
def test_a_lab_has_no_outputs_in_git(lab: pathlib.Path) -> None:
    for cell in json.loads(lab.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None


@pytest.mark.parametrize("lab", verified.labs(), ids=name)
def test_a_lab_was_executed_by_the_build(lab: pathlib.Path, built_site: pathlib.Path) -> None:
    built = built_site / lab.relative_to(ROOT / "docs").with_suffix("") / "index.html"
    soup = bs4.BeautifulSoup(built.read_text(encoding="utf-8"), "html.parser")
    contents = verified.lab_contents(lab)
    prompts = {str(cell["data-prompt"]) for cell in soup.select("[data-prompt]")}
    executed = {prompt for prompt in prompts if re.search(r"\[\d+\]", prompt)}
    assert len(executed) == contents["cells"]
    assert soup.select("article .output, article .ll-picture")
    verified.write_result(name(lab), {"green": True, **contents, **verified.environment()})


@pytest.mark.parametrize("lab", verified.labs(), ids=name)
def test_what_is_said_to_be_verified_is_what_the_lab_holds(lab: pathlib.Path) -> None:
    entry = verified.committed().get(name(lab))
    assert not verified.stale_lab(lab, entry), (
        "run pytest, then: python -m tests.docs.harness verified"
    )
