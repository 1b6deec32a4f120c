"""The harness against bad pages: each is refused or fails for its reason; good twins pass."""

import pathlib
import textwrap
from collections.abc import Callable

import pytest

from tests.docs.harness.grammar import read_page
from tests.docs.harness.page import Page

SETUP = "```python\nimport math\n```\n\n"


def faults(text: str) -> list[str]:
    """Runs a page; gives `line: message` of each problem and each fence that fails."""
    page = Page(pathlib.Path("page.md"), text)
    found = [f"{problem.line}: {problem.message}" for problem in page.sheet.problems]
    for fence in page.sheet.fences:
        if fence.action in ("run", "parse"):
            wrong = page.execute(fence).wrong
            found += [f"{fence.line}: {wrong}"] if wrong else []
    return found


def fence(code: str, output: str = "", info: str = "python", out: str = "{.text .output}") -> str:
    text = f"```{info}\n{code}\n```\n"
    return text + (f"\n```{out}\n{output}\n```\n" if output else "")


def in_list(text: str) -> str:
    return "1. One.\n\n" + textwrap.indent(text, "    ")


def in_tab(text: str) -> str:
    return '=== "Linux"\n\n' + textwrap.indent(text, "    ")


def in_admonition(text: str) -> str:
    return '!!! note "So"\n\n' + textwrap.indent(text, "    ")


def tildes(text: str) -> str:
    return text.replace("```", "~~~")


def titled(text: str) -> str:
    return text.replace("```python", '```python title="a.py" hl_lines="1" linenums="1"')


def braced(text: str) -> str:
    return text.replace("```python", '```{.python title="a.py"}')


@pytest.mark.parametrize(
    "place", [str, in_list, in_tab, in_admonition, tildes, titled, braced], ids=lambda f: f.__name__
)
def test_a_fence_runs_wherever_it_is_shown(place: Callable[[str], str]) -> None:
    good = SETUP + place(fence("print(f'{math.pi:.4f}')", "3.1416"))
    bad = SETUP + place(fence("print(f'{math.pi:.4f}')", "3.1417"))
    assert faults(good) == []
    (fault,) = faults(bad)
    assert "-3.1417" in fault
    assert "+3.1416" in fault


def test_a_fence_ends_at_the_next_line_of_its_own_kind() -> None:
    (fault,) = faults("```\nx\n```\n")
    assert fault.startswith("1: ")
    assert "needs a language" in fault


def test_plain_text_is_left_alone() -> None:
    assert faults('```text\n--8<-- "src/none.py"\n```\n') == []
    assert faults("```bash\ntrue\n```\n\n```text\nas shown\n```\n") == []
    assert "after a python fence" in faults("```python\nx = 1\n```\n\n```text\n1\n```\n")[0]


def test_a_fence_in_a_comment_or_in_a_longer_fence_does_not_run() -> None:
    hidden = fence("raise SystemError")
    assert faults(f"<!--\n{hidden}-->\n") == []
    assert faults(f"````markdown\n{hidden}````\n") == []
    assert "SystemError" in faults(hidden)[0]


def test_front_matter_is_skipped_and_nothing_else() -> None:
    front = "---\ntitle: x\n\n    indented: y\n---\n"
    bad = fence("raise SystemError")
    assert faults(front) == []
    for text in (front + bad, bad + "\n---\n", "Text.\n\n" + bad + "\n---\n", "---\n" + bad):
        assert len(faults(text)) == 1, text
        assert "SystemError" in faults(text)[0]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (SETUP + "``` py\nx\n```\n", 5, "write ```python"),
        ("```py\nx\n```\n", 1, "write python"),
        ("```Python\nx\n```\n", 1, "write python"),
        ("```sh\nx\n```\n", 1, "write bash"),
        ("text\n\n```rust\nx\n```\n", 3, "unknown language 'rust'"),
        ("```\nx\n```\n", 1, "needs a language"),
        ("```python whatever\nx\n```\n", 1, "not understood"),
        ("```{.python .continue}\nx\n```\n", 1, "no class .continue"),
        ('```python tilte="x"\nx\n```\n', 1, "no option tilte"),
        ("```{.python .skip}\nx\n```\n", 1, "skip needs its reason"),
        ('```{.python .skip data-reason=" "}\nx\n```\n', 1, "skip needs its reason"),
        (fence("print(1)", "1", out='{.text .output data-tol="1"}'), 5, "needs its reason"),
        (fence("print(1)", "1", out='{.text .output data-tol="x" data-reason="y"}'), 5, "above 0"),
        (fence("print(1)", "1", out="text"), 5, "write ```{.text .output}"),
        ("```{.text .output}\n1\n```\n", 1, "follows no fence"),
        ("```python\nx = 1\n```\n\n```{.text .output}\n```\n", 5, "empty"),
        ("```pycon\n>>> 1\n1\n```\n\n```{.text .output}\n1\n```\n", 6, "follows a pycon fence"),
        ("```toml\na = 1\n```\n\n```{.text .output}\n1\n```\n", 5, "follows a toml fence"),
        ("```{.python .continues}\nx = 1\n```\n", 1, "continues nothing"),
        ("```python\nx = 1\n", 1, "never closed"),
        ("Text.\n```python\nx = 1\n", 2, "never closed"),
        ("```{.shell-session}\nx\n```\n", 1, "write console"),
        ("```{.c++}\nx\n```\n", 1, "unknown language 'c++'"),
        ("```{.c#}\nx\n```\n", 1, "unknown language 'c#'"),
        ("```{.python .not-there}\nx\n```\n", 1, "no class .not-there"),
        ('```{.text data-tol="1" data-reason="y"}\nx\n```\n', 1, "belongs to an output block"),
        ("---\ntitle: x\n---\n    print(1)\n", 4, "indented code"),
        ("<!-- open\n```python\n```\n", 1, "never closed"),
        ("Text.\n<!-- open\n", 2, "never closed"),
        ("Text.\n\n    print(1)\n", 3, "indented code"),
        ("<pre>x</pre>\n", 1, "<pre>"),
        ("> ```python\n> x\n> ```\n", 1, "may not start"),
        ("- ```python\n  x\n  ```\n", 1, "may not start"),
        ('```{.bash .covered data-by="tests/test_none.py::test_a"}\nx\n```\n', 1, "no such test"),
        ('```{.bash .covered data-by="tests/docs/test_shown.py::test_a"}\nx\n```\n', 1, "no test"),
        (
            '```{.bash .covered data-by="tests/docs/test_compare.py::test_numbers"}\n```',
            1,
            "covered_fences",
        ),
        ('```python\n--8<-- "src/lineage_lab/none.py"\n```\n', 1, "no such file"),
        ('```python\n--8<-- "src/lineage_lab/models/lenet.py:none"\n```\n', 1, "no section none"),
        ('```python\nx = 1\n--8<-- "src/lineage_lab/models/lenet.py"\n```\n', 1, "nothing else"),
        ("```diff\n-a\n+b\n```\n", 1, "a diff is applied by a test"),
        ("````markdown\n```rust\n```\n````\n", 1, "unknown language"),
        ("```toml\na =\n```\n", 1, "not toml"),
        ("```yaml\na: [\n```\n", 1, "not yaml"),
        ("```json\n{\n```\n", 1, "not json"),
    ],
)
def test_a_page_is_refused_with_its_line(text: str, line: int, message: str) -> None:
    found = faults(text)
    assert any(f.startswith(f"{line}: ") and message in f for f in found), found


@pytest.mark.parametrize(
    ("code", "output", "message"),
    [
        ("print(1)", "", "no output block follows"),
        ("x = 1", "1", "prints nothing"),
        ("1 / 0", "", "ZeroDivisionError"),
        ("1 / 0", "1", "page.md:2: 1 / 0"),
        ("import sys; sys.exit(3)", "", "SystemExit"),
        ("print(y)", "1", ".continues"),
        ("print(0.7012)", "0.71", "-0.71"),
        ("print(0.7012)", "0.70...", "-0.70..."),
        ("print(0.7012)", "0.7...2", "ellipsis"),
        ("print('a'); print(1)", "a\n...", "ellipsis"),
        ("print('a b c')", "a c", "-a c"),
        ("print('a\\nb')", "a b", "-a b"),
        ("import random; print(random.random())", "2.5", "-2.5"),
    ],
)
def test_a_fence_fails_with_its_reason(code: str, output: str, message: str) -> None:
    found = faults(fence(code, output))
    assert any(message in fault for fault in found), found


@pytest.mark.parametrize(
    ("code", "output"),
    [
        ("print(0.7012)", "0.70"),
        ("print('a   b', 7.4)", "a b  7"),
        ("print('<object of memory>')", "<object ...>"),
        ("import sys; sys.exit(0)", ""),
        ("if __name__ == '__main__': print('main')", "main"),
        ("import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))))",
         "<class '__main__.A'>"),
        ("import inspect\ndef f(): return 1\nprint(inspect.getsource(f))", "def f(): return 1"),
    ],
)  # fmt: skip
def test_a_good_fence_passes(code: str, output: str) -> None:
    assert faults(fence(code, output)) == []


def test_a_tolerance_is_as_wide_as_it_says() -> None:
    out = '{.text .output data-tol="0.02" data-reason="differs by processor"}'
    assert faults(fence("print(0.97, 'of 5')", "0.95 of 5", out=out)) == []
    assert faults(fence("print(0.98, 'of 5')", "0.95 of 5", out=out))
    assert faults(fence("print(0.97, 'of 5')", "0.95 of 6", out=out))


def test_each_fence_starts_after_the_first_one() -> None:
    start = "```python\nimport random\nrandom.seed(3)\nbox = []\n```\n\n"
    one = fence("box.append(1); x = 1\nprint(len(box), f'{random.random():.3f}')", "1 0.238")
    again = fence("box.append(1)\nprint(len(box), f'{random.random():.3f}')", "1 0.238")
    assert faults(start + one + again) == []
    assert "NameError" in faults(start + one + fence("x"))[0]


def test_a_chain_goes_on_from_the_fence_before() -> None:
    chain = [fence(f"x = {'1' if i == 0 else 'x + 1'}", info=info) for i, info in
             enumerate(["python", "{.python .continues}", "{.python .continues}"])]  # fmt: skip
    text = SETUP + "".join(chain) + fence("print(x)", "3", info="{.python .continues}")
    assert faults(text) == []
    page = Page(pathlib.Path("page.md"), text)  # the last one alone
    assert page.execute(page.sheet.fences[-2]).wrong is None


def test_sessions_and_shells() -> None:
    assert faults("```pycon\n>>> 1 / 3\n0.333\n>>> 1 / 0\nTraceback (most recent call last):\n"
                  "ZeroDivisionError: division by zero\n```\n") == []  # fmt: skip
    assert "-0.334" in faults("```pycon\n>>> 1 / 3\n0.334\n```\n")[0]
    assert "NameError" in faults("```pycon\n>>> nothing\n```\n")[0]
    assert faults("```console\n$ cd / && pwd\n/\n$ echo 'a b'\na b\n```\n") == []
    assert "-b" in faults("```console\n$ echo a\nb\n```\n")[0]
    assert "exit status 1" in faults("```console\n$ false\n```\n")[0]
    assert faults("```console\n$ echo a \\\n> b\na b\n$ echo c\nc\n```\n") == []
    assert "-c" in faults("```console\n$ echo a \\\n> b\nc\n```\n")[0]
    near = '```{.console data-tol="0.1" data-reason="rounds"}\n$ echo 0.51\n0.6%s\n```\n'
    assert faults(near % "") == []
    assert "-0.62" in faults(near % "2")[0]
    assert faults(fence("python -c 'print(4)'", "4", info="bash")) == []
    assert "-5" in faults(fence("python -c 'print(4)'", "5", info="bash"))[0]
    assert "exit status 1" in faults(fence("false\ntrue", info="bash"))[0]


def test_a_skip_with_a_reason_is_kept_with_it() -> None:
    sheet = read_page('```{.bash .skip data-reason="asks for a password"}\nsudo true\n```\n')
    assert [(f.action, f.options["data-reason"]) for f in sheet.fences] == [
        ("skip", "asks for a password")
    ]
    assert not sheet.problems
