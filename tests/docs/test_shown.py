"""Every code block that a reader is shown was collected by the harness, page by page."""

import pathlib

import pytest

from tests.docs.harness import html, verified
from tests.docs.harness.grammar import ROOT, read_page
from tests.docs.harness.html import plain
from tests.docs.harness.plugin import modules_with_sessions

PAGES = verified.site_pages()
OF_SITE = [page for page in PAGES if page.is_relative_to(ROOT / "docs")]
OF_GITHUB = [page for page in PAGES if page not in OF_SITE]


def name(page: pathlib.Path) -> str:
    return page.relative_to(ROOT).as_posix()


def test_the_site_shows_the_fences_that_were_collected(built_site: pathlib.Path) -> None:
    assert OF_SITE
    faults = []
    for page in OF_SITE:
        shown = html.shown_by_site(html.built_file(page, built_site).read_text(encoding="utf-8"))
        faults.append(html.unlike(name(page), read_page(page.read_text(encoding="utf-8")), shown))
    if found := [fault for fault in faults if fault]:
        pytest.fail("\n".join(found), pytrace=False)


@pytest.mark.parametrize("page", OF_GITHUB, ids=name)
def test_github_shows_the_fences_that_were_collected(page: pathlib.Path) -> None:
    text = page.read_text(encoding="utf-8")
    fault = html.unlike(name(page), read_page(text), html.shown_by_commonmark(text))
    if fault:
        pytest.fail(fault, pytrace=False)


def test_each_session_on_an_api_page_is_a_docstring_that_runs(built_site: pathlib.Path) -> None:
    run = "\n".join(plain(p.read_text(encoding="utf-8")) for p in modules_with_sessions())
    lines = {line.strip() for line in run.splitlines()}
    for page in (ROOT / "docs" / "api").glob("*.md"):
        built = html.built_file(page, built_site).read_text(encoding="utf-8")
        for session in html.examples_in_api(built):
            missing = [line for line in session.splitlines() if line.strip() not in lines]
            assert not missing, f"{name(page)}: {missing}"


@pytest.mark.parametrize(
    ("markdown", "markup"),
    [
        ("```python\nx = 1\n```\n", "<pre><code>x = 1\n</code></pre><pre><code>y\n</code></pre>"),
        ("```python\nx = 1\n```\n", ""),
        ("```python\nx = 1\n```\n", "<pre><code>x = 2</code></pre>"),
        ("", '<div class="highlight"><pre>x</pre></div>'),
    ],
    ids=["one more", "one less", "another", "without code element"],
)
def test_a_difference_is_found(markdown: str, markup: str) -> None:
    assert "page.md" in str(html.unlike("page.md", read_page(markdown), html.shown_by_site(markup)))


def test_line_numbers_and_api_entries_are_not_counted() -> None:
    markup = (
        '<table><td><div class="linenodiv"><pre>1</pre></div></td>'
        "<td><pre><code>x = 1</code></pre></td></table>"
        '<div class="doc"><pre><code>def f()</code></pre></div>'
    )
    assert (
        html.unlike("page.md", read_page("```python\nx = 1\n```\n"), html.shown_by_site(markup))
        is None
    )
