"""What stands around the code is well formed: workflows, issue forms, citation, hooks."""

import copy
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
SCHEMAS = {
    "vendor.github-workflows": WORKFLOWS,
    "custom.github-workflows-require-timeout": WORKFLOWS,
    "vendor.github-issue-config": [GITHUB / "ISSUE_TEMPLATE" / "config.yml"],
    "vendor.github-issue-forms": [
        path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config"
    ],
    "vendor.dependabot": [GITHUB / "dependabot.yml"],
    "vendor.citation-file-format": [ROOT / "CITATION.cff"],
}


def read(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded


def against(schema: str, *paths: Path) -> subprocess.CompletedProcess[str]:
    options = ["--builtin-schema", schema, "--force-filetype", "yaml"]
    return subprocess.run(
        [BIN / "check-jsonschema", *options, *paths], capture_output=True, text=True
    )


@pytest.mark.parametrize("schema", SCHEMAS)
def test_each_file_is_of_its_form(schema: str) -> None:
    assert SCHEMAS[schema]
    done = against(schema, *SCHEMAS[schema])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("schema", "old", "new"),
    [
        ("vendor.github-workflows", "runs-on:", "run-on:"),
        ("custom.github-workflows-require-timeout", "timeout-minutes", "minutes"),
        ("vendor.github-issue-forms", "type: textarea", "type: text"),
        ("vendor.dependabot", "monthly", "now and then"),
        ("vendor.citation-file-format", "authors:", "writers:"),
    ],
)
def test_a_planted_mistake_is_found(schema: str, old: str, new: str, tmp_path: Path) -> None:
    text = SCHEMAS[schema][0].read_text(encoding="utf-8")
    (tmp_path / "file.yml").write_text(text.replace(old, new, 1), encoding="utf-8")
    assert against(schema, tmp_path / "file.yml").returncode == 1


def jobs() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path in WORKFLOWS:
        for name, job in read(path)["jobs"].items():
            yield path.stem, name, job


def shell() -> dict[str, str]:
    """Each script of the workflows; what GitHub puts in is a word like any other."""
    return {
        f"{file}-{name}-{number}": re.sub(r"\$\{\{.*?\}\}", "word", step["run"])
        for file, name, job in jobs()
        for number, step in enumerate(job["steps"])
        if "run" in step
    }


def linted(script: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([BIN / "shellcheck", script], capture_output=True, text=True)


@pytest.mark.parametrize("script", shell().values(), ids=shell())
def test_the_shell_of_the_workflows(script: str, tmp_path: Path) -> None:
    file = tmp_path / "step.sh"
    file.write_text(f"#!/bin/bash\nset -eo pipefail\n{script}\n", encoding="utf-8")
    done = linted(file)
    assert done.returncode == 0, done.stdout
    file.write_text(f"#!/bin/bash\n{script}\nrm -r $HOME/$1\n", encoding="utf-8")
    assert linted(file).returncode == 1


def test_an_action_is_one_commit_everywhere() -> None:
    used: dict[str, set[str]] = {}
    for _, _, job in jobs():
        for step in job["steps"]:
            if "uses" in step:
                action, _, commit = step["uses"].partition("@")
                assert re.fullmatch(r"[0-9a-f]{40}", commit), step["uses"]
                used.setdefault(action, set()).add(commit)
    assert {action: len(commits) for action, commits in used.items()} == dict.fromkeys(used, 1)


def writes_and_runs(job: Mapping[str, Any]) -> bool:
    """Whether a job may write to the repository and runs what the project or an install brings."""
    rights = job.get("permissions", {})
    own = re.compile(r"\b(pip|make|python|pytest|mkdocs|lineage-lab)\b|\.ci/")
    runs = any(own.search(step.get("run", "")) for step in job["steps"])
    return "write" in rights.values() and runs


def test_no_job_that_may_write_runs_code_of_the_project() -> None:
    writing = {(file, name) for file, name, job in jobs() if "write" in str(job["permissions"])}
    assert ("nightly", "report") in writing
    assert [(file, name) for file, name, job in jobs() if writes_and_runs(job)] == []
    bad = copy.deepcopy(read(GITHUB / "workflows" / "nightly.yml")["jobs"]["newest"])
    bad["permissions"]["contents"] = "write"
    assert writes_and_runs(bad)


def test_the_nightly_issue_is_in_the_form_of_a_bug() -> None:
    """GitHub shows the answers to a form under its labels; the run's issue has the same ones."""
    form = read(GITHUB / "ISSUE_TEMPLATE" / "bug.yml")
    job = read(GITHUB / "workflows" / "nightly.yml")["jobs"]["report"]
    script = "\n".join(step.get("run", "") for step in job["steps"])
    asked = [field["attributes"]["label"] for field in form["body"]]
    assert re.findall(r"'### (.*?)\\n", script) == asked
    assert re.findall(r"--label (\S+)", script) == form["labels"]
    assert job["permissions"] == {"issues": "write"}


@pytest.mark.skipif(sys.platform == "win32", reason="the step runs on Linux")
@pytest.mark.parametrize(("open_issues", "said"), [("", "create"), ("7", "comment 7")])
def test_the_nightly_issue_is_opened_once(open_issues: str, said: str, tmp_path: Path) -> None:
    """The step as it stands, with a stand-in for GitHub's command."""
    job = read(GITHUB / "workflows" / "nightly.yml")["jobs"]["report"]
    (script,) = [step["run"] for step in job["steps"] if "run" in step]
    gh = tmp_path / "gh"
    gh.write_text(f'#!/bin/sh\n[ "$2" = list ] && echo "{open_issues}" || echo "$@" > told\n')
    gh.chmod(0o755)
    (tmp_path / "versions.txt").write_text("torch==9\n")
    (tmp_path / "counters.txt").write_text("thop, resnet50: 1 is kept, 2 came\n")
    names = {
        "TITLE": "It fails",
        "NEWEST": "failure",
        "LOWEST": "success",
        "COUNTERS": "failure",
        "GPU": "skipped",
        "RUN": "https://x/1",
    }
    done = subprocess.run(
        [shutil.which("bash") or "bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path, env={**names, "PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "told").read_text().startswith(f"issue {said} ")
    body = (tmp_path / "body.md").read_text()
    words = "Newest dependencies: failure. Lowest: success. Counters: failure. GPU: skipped."
    assert words in body
    assert "thop, resnet50: 1 is kept, 2 came" in body
    assert "torch==9" in body


def test_the_gpu_job_or_the_reason_why_it_is_skipped() -> None:
    nightly = read(GITHUB / "workflows" / "nightly.yml")["jobs"]
    assert nightly["gpu"]["if"] == "vars.GPU_RUNNER != ''"
    assert nightly["no-gpu"]["if"] == "vars.GPU_RUNNER == ''"
    assert "no GPU runner" in nightly["no-gpu"]["steps"][0]["run"]


def test_dependencies_wait_before_they_are_taken() -> None:
    for update in read(GITHUB / "dependabot.yml")["updates"]:
        assert update["cooldown"]["default-days"] >= 7


def hooks() -> dict[str, str]:
    (local,) = read(ROOT / ".pre-commit-config.yaml")["repos"]
    assert local["repo"] == "local"
    assert {hook["language"] for hook in local["hooks"]} == {"system"}
    return {hook["name"]: hook["entry"] for hook in local["hooks"]}


def test_the_hooks_are_the_quick_steps_of_the_gate() -> None:
    done = subprocess.run(
        [BIN / "pre-commit", "validate-config", ROOT / ".pre-commit-config.yaml"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    steps = {step.name: step.command for step in runpy.run_path(str(ROOT / ".ci/gate.py"))["LINT"]}
    assert set(hooks()) == set(steps)
    for name, entry in hooks().items():
        command, *options = entry.split()
        assert command == f".venv/bin/{steps[name][0]}"
        assert (BIN / Path(command).name).exists() or sys.platform == "win32"
        files = [o for o in steps[name][1:] if not o.startswith(".ci/")]
        assert [o for o in options if o != "--force-exclude"] == files


def test_where_to_report() -> None:
    """Both name the same private address, and the issue chooser too."""
    address = "https://github.com/lineage-lab/lineage-lab/security/advisories/new"
    for name in ("SECURITY.md", "CODE_OF_CONDUCT.md", ".github/ISSUE_TEMPLATE/config.yml"):
        assert address in (ROOT / name).read_text(encoding="utf-8"), name
