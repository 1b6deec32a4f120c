"""The built pages as text: valid, without a broken link, each under a policy of its own.

No browser: html5lib parses as the HTML standard says and reports what is wrong on the way.
"""

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin

import bs4
import html5lib
import pytest

from lineage_site.mkdocs.after_page import guarded, hashes, policy
from tests.docs.harness.plugin import BUDGETS

PREFIX = "https://lineage-lab.github.io/lineage-lab/"
SEARCHED = ("script", "link", "img", "image", "source", "iframe", "object", "embed", "video", "use")


@cache
def soup(file: Path) -> bs4.BeautifulSoup:
    return bs4.BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser")


def pages(site: Path) -> dict[str, Path]:
    """Every page by its address below the site's."""
    found = {"404.html": site / "404.html"}
    for file in sorted(site.rglob("index.html")):
        path = file.parent.relative_to(site).as_posix()
        found["" if path == "." else f"{path}/"] = file
    return found


def wrong(site: Path, check) -> dict[str, list[str]]:  # type: ignore[no-untyped-def]
    return {path: bad for path, file in pages(site).items() if (bad := check(soup(file), path))}


def test_every_page_parses_without_an_error(built_site: Path) -> None:
    bad = {}
    for path, file in pages(built_site).items():
        parser = html5lib.HTMLParser()
        parser.parse(file.read_text(encoding="utf-8"))
        if parser.errors:
            bad[path] = [f"{place}: {code} {data}" for place, code, data in parser.errors[:5]]
    assert bad == {}


def test_html5lib_sees_a_broken_page() -> None:
    parser = html5lib.HTMLParser()
    parser.parse("<!doctype html><title>x</title><p><b>bold</p>")
    assert parser.errors


def structure(page: bs4.BeautifulSoup, path: str) -> list[str]:
    ids = [str(tag["id"]) for tag in page.select("[id]")]
    bad = [f"id {each!r} {ids.count(each)} times" for each in set(ids) if ids.count(each) > 1]
    known = set(ids)
    for label in page.select("label[for]"):
        if label["for"] not in known:
            bad.append(f"label for {label['for']!r}")
    for name in ("aria-labelledby", "aria-describedby", "aria-controls"):
        for tag in page.select(f"[{name}]"):
            bad += [f"{name} {i!r}" for i in str(tag[name]).split() if i not in known]
    if len(page.select("h1")) != 1:
        bad.append(f"{len(page.select('h1'))} h1")
    html = page.find("html")
    if not isinstance(html, bs4.Tag) or html.get("lang") != "en":
        bad.append("no language")
    bad += [f"a list in a paragraph: {p}"[:90] for p in page.select("p ul, p table, p div, p p")]
    bad += [f"{tag.name} in a link" for tag in page.select("a a, a button, button a, label button")]
    bad += [f"empty {tag.name}" for tag in page.select("h1, h2, h3, h4") if not tag.get_text(strip=True)]  # fmt: skip
    return bad


def test_ids_are_unique_and_what_is_referred_to_is_there(built_site: Path) -> None:
    assert wrong(built_site, structure) == {}


def test_no_page_has_more_elements_than_a_phone_styles_at_once(built_site: Path) -> None:
    count = {path: len(soup(file).find_all(True)) for path, file in pages(built_site).items()}
    assert {p: n for p, n in count.items() if n > BUDGETS["site"]["elements"]} == {}
    # The rules of after_page hold: brackets are text. A folded source is one element.
    source = soup(built_site / "api/models/resnet/index.html").select(".mkdocstrings-source")
    assert source
    assert not [span for one in source for span in one.select("pre *")]
    chapter = soup(built_site / "chapters/resnet/index.html")
    assert not chapter.select("pre span.p, pre span.n")
    assert not chapter.select("link[href$='_mkdocstrings.css']")
    blocks = chapter.select("article .language-python.highlight")
    assert blocks
    assert not [block for block in blocks if not block.select_one(".md-code__nav > button")]


def test_the_themes_files_do_not_style_a_page_again(built_site: Path) -> None:
    """`AGAIN` of after_page holds."""
    (colours,) = built_site.glob("assets/stylesheets/palette.*.css")
    (script,) = built_site.glob("assets/javascripts/bundle.*.js")
    assert "[data-md-color-switching] *" not in colours.read_text(encoding="utf-8")
    assert 'name:"color-scheme"' not in script.read_text(encoding="utf-8")


def test_titles_and_descriptions_are_there_and_not_the_same(built_site: Path) -> None:
    seen: dict[str, str] = {}
    for path, file in pages(built_site).items():
        page = soup(file)
        title = page.title.get_text(strip=True) if page.title else ""
        meta = page.select_one("meta[name=description]")
        told = str(meta["content"]) if meta else ""
        assert 10 <= len(title) <= 90, f"{path}: title {title!r}"
        assert 40 <= len(told) <= 200, f"{path}: description {told!r}"
        for words in (title, told):
            if path != "404.html":
                assert words not in seen, f"{path} and {seen[words]} say the same: {words!r}"
                seen[words] = path


def named(image: bs4.Tag) -> bool:
    """An image says what it shows; in a button or a link that says it in words, it is silent."""
    around = image.find_parent(["button", "a"])
    if image.get("alt") == "" and around is not None:
        return bool(around.get_text(strip=True))
    return bool(str(image.get("alt", "")).strip())


def images(page: bs4.BeautifulSoup, path: str) -> list[str]:
    bad = [f"no alt: {i}"[:90] for i in page.select("img") if not named(i)]
    bad += [f"no size: {i}"[:90] for i in page.select("article img") if not i.get("width")]
    return bad


def test_pictures_have_alternatives_and_sizes(built_site: Path) -> None:
    assert wrong(built_site, images) == {}


def test_every_link_anchor_and_asset_is_there(built_site: Path) -> None:
    anchors = {path: {str(t["id"]) for t in soup(file).select("[id]")} | {str(t["name"]) for t in soup(file).select("a[name]")}
               for path, file in pages(built_site).items()}  # fmt: skip
    bad = set()
    for path, file in pages(built_site).items():
        for tag in soup(file).select("[href], [src]"):
            target = str(tag.get("href") or tag.get("src"))
            if target.startswith(("data:", "mailto:")) or (
                tag.name == "link" and "canonical" in str(tag.get("rel"))
            ):
                continue  # fmt: skip
            whole, anchor = urldefrag(
                urljoin(PREFIX + ("x/" if path == "404.html" else path), target)
            )
            if path == "404.html":  # it is served for any address, so its own are absolute
                whole = urljoin(PREFIX, target.removeprefix("/lineage-lab/").split("#")[0])
            if not whole.startswith(PREFIX):
                continue
            rest = unquote(whole.removeprefix(PREFIX)).split("?")[0]
            if rest in anchors:
                if anchor and unquote(anchor) not in anchors[rest]:
                    bad.add(f"{path}: no #{anchor} on {rest!r}")
            elif not (built_site / rest).is_file():
                bad.add(f"{path}: {target}")
    assert sorted(bad) == []


def loads(page: bs4.BeautifulSoup, path: str) -> list[str]:
    bad = []
    for tag in page.select(", ".join(SEARCHED)):
        target = str(tag.get("src") or tag.get("href") or tag.get("xlink:href") or "")
        if re.match(r"(https?:)?//", target) and "canonical" not in str(tag.get("rel")):
            bad.append(f"<{tag.name}> loads {target}")
    for tag in page.find_all(True):
        bad += [f"<{tag.name} {name}>" for name in tag.attrs if name.lower().startswith("on")]
        bad += [f"{v}"[:60] for v in tag.attrs.values() if str(v).lower().startswith("javascript:")]
    bad += [f"<style> of {len(style.get_text())} characters" for style in page.select("style")]
    return bad


def test_no_page_loads_from_elsewhere_or_carries_handlers(built_site: Path) -> None:
    assert wrong(built_site, loads) == {}


def outward(page: bs4.BeautifulSoup, path: str) -> list[str]:
    bad = []
    for link in page.select("a[href^=http]"):
        if "noopener" not in (link.get("rel") or []) or not link.get("title"):
            bad.append(f"{link}"[:120])
        if link.get_text(strip=True).lower() in ("", "here", "this", "link") and not link.get(
            "aria-label"
        ):
            bad.append(f"says nothing: {link}"[:120])  # fmt: skip
    return bad


def test_links_that_leave_the_site_say_so(built_site: Path) -> None:
    assert wrong(built_site, outward) == {}


def guard(page: bs4.BeautifulSoup, path: str) -> list[str]:
    head = page.head
    assert head is not None
    first, second = [tag for tag in head.children if isinstance(tag, bs4.Tag)][:2]
    if first.get("charset") != "utf-8" or second.get("http-equiv") != "Content-Security-Policy":
        return ["the policy does not stand first"]
    rules = dict(rule.strip().split(" ", 1) for rule in str(second["content"]).split(";"))
    bad = []
    wanted = {"default-src": "'none'", "object-src": "'none'", "base-uri": "'none'",
              "form-action": "'none'", "connect-src": "'self'", "style-src": "'self'"}  # fmt: skip
    bad += [f"{k} {rules.get(k)}" for k, v in wanted.items() if rules.get(k) != v]
    scripts = rules["script-src"].split()
    if "'unsafe-inline'" in scripts or "'unsafe-eval'" in scripts or scripts[0] != "'self'":
        bad.append(f"script-src {scripts}")
    if ("'wasm-unsafe-eval'" in scripts) != (path == "try/classify-a-photo/"):
        bad.append("WebAssembly")
    for script in page.select("script:not([src])"):
        if script.get("type") in ("application/json", "application/ld+json"):
            continue
        digest = base64.b64encode(
            hashlib.sha256(script.decode_contents().encode()).digest()
        ).decode()
        if f"'sha256-{digest}'" not in scripts:
            bad.append(f"not allowed: {script}"[:80])
    own = [s for s in page.select("script:not([src])") if "json" not in str(s.get("type"))]
    if sum(s.startswith("'sha256-") for s in scripts) > len(own):
        bad.append("more is allowed than the page has")
    return bad


def test_every_page_stands_under_a_policy_of_its_own(built_site: Path) -> None:
    assert wrong(built_site, guard) == {}


def test_the_policy_allows_webassembly_where_front_matter_asks_for_it() -> None:
    page = "<html><head><script>one()</script><script src='two.js'></script></head></html>"
    assert "wasm-unsafe-eval" not in policy(page)
    assert "'wasm-unsafe-eval'" in policy(page, wasm=True)
    assert len(hashes(page)) == 1
    assert guarded(page, "x").index("Content-Security-Policy") < guarded(page, "x").index("<script")


def test_the_policy_leaves_data_blocks_out() -> None:
    assert hashes('<script type="application/json">{"a": 1}</script>') == []


@pytest.mark.parametrize("name", ["sitemap.xml", "search/index.json"])
def test_lists_of_pages_are_whole(built_site: Path, name: str) -> None:
    text = (built_site / name).read_text(encoding="utf-8")
    for path in pages(built_site):
        if path not in ("404.html", ""):
            assert path in text, f"{name} lacks {path}"
