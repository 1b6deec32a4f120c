"""Rewrites a page's output blocks from a run: `python -m tests.docs.harness accept PAGE`.

Authors never type a number. A block that agrees with what came, within its tolerance, stays as it
is. All or nothing: if a fence fails, the page is not touched. The page's entry in
docs/verified.json is renewed.
"""

from __future__ import annotations

import os
import pathlib
import sys
import tempfile
from collections.abc import Sequence

from tests.docs.harness import verified
from tests.docs.harness.compare import difference
from tests.docs.harness.grammar import Fence
from tests.docs.harness.page import Page, Result


def indented(text: str, indent: str) -> str:
    return "".join(
        indent + line if line.strip() else line for line in text.splitlines(keepends=True)
    )


def shown(printed: str) -> str:
    """What was printed, as it goes on a page: no blanks at line ends, no blank lines around it."""
    lines = [line.rstrip() for line in printed.expandtabs().splitlines()]
    return "\n".join(lines).strip("\n") + "\n"


def edit(fence: Fence, result: Result) -> tuple[int, int, str, str] | None:
    """What is to be changed for one fence: start, end, the new text, and a word on it."""
    block = fence.block
    if result.body is not None:  # a session or a console holds its outputs itself
        if result.wrong is None:
            return None
        return block.body_start, block.body_end, indented(result.body, block.indent), "rewritten"
    if fence.output is not None:
        inner = fence.output.block
        if difference(inner.body, result.printed, fence.output.tolerance) is None:
            return None
        text = indented(shown(result.printed), inner.indent)
        return inner.body_start, inner.body_end, text, "rewritten"
    if fence.language == "python" and result.printed.strip():
        text = "\n\n```{.text .output}\n" + shown(result.printed) + "```"
        return block.end, block.end, indented(text, block.indent), "added"
    return None


def write_atomically(path: pathlib.Path, text: str) -> None:
    """Replaces a file, so that a reader sees the old text or the new one, never half of it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        if path.exists():
            pathlib.Path(name).chmod(path.stat().st_mode)
        pathlib.Path(name).replace(path)
    except BaseException:
        pathlib.Path(name).unlink(missing_ok=True)
        raise


def accept(path: pathlib.Path) -> tuple[Page, list[str], list[str]]:
    """Runs a page and rewrites its output blocks.

    Returns:
        The page as it was run, what was changed, what is wrong (then nothing was changed).
    """
    page = Page(path)
    wrong = [f"{page.name}:{problem.line}: {problem.message}" for problem in page.sheet.problems]
    changes: list[tuple[int, int, str, str]] = []
    said: list[str] = []
    for fence in page.sheet.fences if not wrong else ():
        if fence.action not in ("run", "parse"):
            continue
        result = page.execute(fence)
        empty = fence.output is not None and not result.printed.strip()
        sessions = result.body is not None and not result.raised
        if result.raised or fence.action == "parse" or empty:
            if result.wrong:
                wrong.append(f"{page.name}:{fence.line}: {result.wrong}")
            continue
        change = edit(fence, result)
        if change is not None:
            changes.append(change)
            before = fence.body if sessions else fence.output.body if fence.output else ""
            after = result.body if sessions else shown(result.printed)
            diff = difference(before, after or "", label=f"{page.name}:{fence.line}") or ""
            said.append(f"{page.name}:{fence.line}: output {change[3]}\n{diff}")
    if wrong:
        return page, [], wrong
    text = page.text
    for start, end, new, _ in reversed(changes):
        text = text[:start] + new + text[end:]
    if text != page.text:
        write_atomically(path, text)
    after = Page(path)
    if after.path in verified.site_pages() and verified.has_fences(after.sheet):
        seconds = sum(result.seconds for result in page.results.values())
        verified.write({**verified.committed(), page.name: verified.record(after, seconds)})
    return page, said, []


def main(arguments: Sequence[str]) -> int:
    if not arguments:
        print("usage: python -m tests.docs.harness accept PAGE...", file=sys.stderr)
        return 2
    status = 0
    for argument in arguments:
        path = pathlib.Path(argument).resolve()
        if not path.is_file() or path.suffix != ".md":
            print(f"no such page: {argument}", file=sys.stderr)
            return 2
        page, changes, wrong = accept(path)
        for line in (*changes, *wrong):
            print(line)
        seconds = sum(result.seconds for result in page.results.values())
        outcome = "nothing was written" if wrong else f"{len(changes)} output blocks written"
        print(f"{page.name}: {len(page.results)} fences run in {seconds:.1f} s, {outcome}")
        status = max(status, bool(wrong))
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
