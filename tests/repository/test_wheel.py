"""The wheel alone: every import of a page, a lab or an exercise, the report and the curve."""

import ast
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clone import ROOT, files
from tests.docs.harness.grammar import read_page

PURE = Path(pytest.__file__).parents[1]  # where what the package requires is installed


def snippets() -> Iterator[tuple[str, str]]:
    """Whose it is, and the code: fences, cells, and what the checkers and chapters are."""
    for name in files():
        path = ROOT / name
        if name.endswith(".md") and (name.startswith("docs/") or "/" not in name):
            for fence in read_page(path.read_text(encoding="utf-8")).fences:
                if fence.language in ("python", "pycon") and fence.action != "include":
                    yield name, fence.body
        elif name.endswith(".ipynb"):
            for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
                if cell["cell_type"] == "code":
                    yield name, "".join(cell["source"])
        elif name.startswith("src/lineage_lab/exercises/"):
            yield name, path.read_text(encoding="utf-8")


def imports(code: str) -> set[str]:
    """The statements that import from this project, one name each."""
    lines = re.sub(r"(?m)^( *)%.*", r"\1pass", code).splitlines()  # a cell's magic
    if any(line.lstrip().startswith(">>> ") for line in lines):
        code = "\n".join(x.lstrip()[4:] for x in lines if x.lstrip()[:4] in (">>> ", "... "))
    else:
        code = "\n".join(lines)
    found: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {f"import {a.name}" for a in node.names if a.name.startswith("lineage_")}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lineage_"):
            found |= {f"from {node.module} import {a.name}" for a in node.names}
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the wheel's files."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (file,) = folder.glob("*.whl")
    zipfile.ZipFile(file).extractall(folder / "unpacked")
    return folder / "unpacked"


def alone(wheel: Path, code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Python without its `.pth` files, by one of which this checkout is seen."""
    start = f"import sys; sys.path[:0] = [{str(wheel)!r}, {str(PURE)!r}]\n"
    return subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", start + code],
        cwd=cwd,
        capture_output=True,
        text=True,
    )


def test_the_wheel_has_what_pages_labs_and_exercises_import(wheel: Path, tmp_path: Path) -> None:
    owners: dict[str, str] = {}
    for name, code in snippets():
        owners |= dict.fromkeys(imports(code), name)
    assert len(owners) > 80
    code = f"""
import importlib.util
assert importlib.util.find_spec("lineage_site") is None
import lineage_lab
assert lineage_lab.__file__.startswith({str(wheel)!r}), lineage_lab.__file__
for statement, name in {owners!r}.items():
    try:
        exec(statement)
    except Exception as error:
        print(f"{{name}}: {{statement}}: {{error}}")
"""
    done = alone(wheel, code, tmp_path)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_the_collector_sees_every_form() -> None:
    assert imports(">>> from lineage_lab import a\n... \nout\n>>> import lineage_lab.b") == {
        "from lineage_lab import a", "import lineage_lab.b"
    }  # fmt: skip
    assert imports("def f():\n    from lineage_site.x import (y,\n        z)") == {
        "from lineage_site.x import y", "from lineage_site.x import z"
    }  # fmt: skip


def test_the_wheel_writes_the_report_and_the_curve(wheel: Path, tmp_path: Path) -> None:
    data = ["--data", "digits", "--random-weights", "--limit", "200"]
    for arguments, name in (
        (["compare", "lenet5_modern", *data, "--epochs", "1", "--seeds", "1", "--out", "run"],
         "run/report.html"),
        (["lr-find", "lenet5_modern", *data, "--svg", "curve.svg"], "curve.svg"),
    ):  # fmt: skip
        code = f"sys.argv[1:] = {arguments!r}\nfrom lineage_lab.cli import main\nmain()"
        done = alone(wheel, code, tmp_path)
        assert done.returncode == 0, done.stderr
        assert "<svg" in (tmp_path / name).read_text(encoding="utf-8")


def test_the_wheel_has_few_entries_at_its_top(wheel: Path) -> None:
    top = {path.name for path in (wheel / "lineage_lab").iterdir()} - {"py.typed"}
    assert len(top) <= 16, sorted(top)
