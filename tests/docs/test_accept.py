"""`make accept`: what came is written, nothing else; a second run changes nothing."""

import pathlib
import re

import pytest

from tests.docs.harness.accept import accept, main, write_atomically

PAGE = """\
# A page

```python
import math
```

1. In a list, without a block yet:

    ```python title="a.py"
    print("a\\n\\nb", math.floor(2.5))
    ```

```python
print(0.51)
```

```{.text .output data-tol="0.02" data-reason="differs by processor"}
0.50
```

```python
print(0.61)
```

~~~{.text .output data-tol="0.02" data-reason="differs by processor"}
0.50
~~~

```pycon
>>> 1 + 1
>>> 2 + 2
5

>>> 3 + 3
7
```

```console
$ echo 7
8
```
"""


def test_outputs_are_rewritten_from_a_run(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(PAGE, encoding="utf-8")
    _, changes, wrong = accept(path)
    assert wrong == []
    assert len(changes) == 4
    added = '    ```{.text .output}\n    a\n\n    b 2\n    ```\n'  # fmt: skip
    expected = PAGE.replace("(2.5))\n    ```\n", f"(2.5))\n    ```\n\n{added}")
    expected = expected.replace("0.50\n~~~", "0.61\n~~~").replace("$ echo 7\n8", "$ echo 7\n7")
    expected = expected.replace(">>> 1 + 1\n>>> 2 + 2\n5", ">>> 1 + 1\n2\n>>> 2 + 2\n4")
    expected = expected.replace(">>> 3 + 3\n7", ">>> 3 + 3\n6")
    assert path.read_text(encoding="utf-8") == expected
    assert accept(path)[1:] == ([], [])
    assert re.findall(r"data-tol", expected) == ["data-tol"] * 2


@pytest.mark.parametrize(
    "bad",
    [
        "```python\n1 / 0\n```\n",
        "```rust\n```\n",
        "```python\nx = 1\n```\n\n```{.text .output}\n1\n```\n",
    ],
    ids=["raises", "unknown", "prints nothing"],
)
def test_nothing_is_written_if_anything_is_wrong(tmp_path: pathlib.Path, bad: str) -> None:
    path = tmp_path / "page.md"
    path.write_text(PAGE + "\n" + bad, encoding="utf-8")
    _, changes, wrong = accept(path)
    assert changes == []
    assert len(wrong) == 1
    assert path.read_text(encoding="utf-8") == PAGE + "\n" + bad


def test_what_is_no_page_is_refused(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([]) == 2
    for name in ("a.ipynb", "a.txt", "gone.md"):
        path = tmp_path / name
        if name != "gone.md":
            path.write_text("```python\nprint(1)\n```\n", encoding="utf-8")
        assert main([str(path)]) == 2
        assert f"no such page: {path}" in capsys.readouterr().err


def test_what_was_written_is_said(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = tmp_path / "good.md", tmp_path / "bad.md"
    good.write_text("```python\nprint(1)\n```\n", encoding="utf-8")
    bad.write_text("```python\n1 / 0\n```\n", encoding="utf-8")
    assert main([str(good), str(bad)]) == 1
    said = capsys.readouterr().out
    assert "1 fences run in 0.0 s, 1 output blocks written" in said
    assert "nothing was written" in said
    assert main([str(good)]) == 0
    assert "0 output blocks written" in capsys.readouterr().out


def test_a_write_that_fails_leaves_the_old_page(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "page.md"
    path.write_text("old", encoding="utf-8")

    def fails(*_: object) -> None:
        raise OSError("full")

    monkeypatch.setattr(pathlib.Path, "replace", fails)
    with pytest.raises(OSError, match="full"):
        write_atomically(path, "new")
    assert [p.name for p in tmp_path.iterdir()] == ["page.md"]
    assert path.read_text(encoding="utf-8") == "old"
