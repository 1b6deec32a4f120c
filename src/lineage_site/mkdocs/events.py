"""The build of the site: MkDocs's events, each handed on to the plain functions of this folder.

`before_*` makes Markdown of Markdown, `after_*` makes HTML of HTML and the files beside the pages.
They know nothing of MkDocs. What a build knows is in `Build`, which each build begins anew, so that
the second build of `mkdocs serve` starts as clean as the first.
"""

import importlib.metadata
import json
import logging
import os
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from jinja2 import Environment
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import Abort, PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation, Section
from mkdocs.structure.pages import Page

try:
    from lineage_site.drawing.cards import card, years_of
    from lineage_site.mkdocs import (
        after_content,
        after_files,
        after_page,
        before_filling,
        before_reading,
        editing,
    )
except ImportError as error:
    raise Abort(
        f"the site is built with the package, which can't be imported ({error}). "
        'Install it first: pip install -e ".[docs,test]"'
    ) from error

LOG = logging.getLogger("mkdocs.hooks")


@dataclass(frozen=True)
class Command:
    """What MkDocs was started for, once a process.

    Attributes:
        serving: Whether it serves the site, in place of a build.
        dirty: Whether it renders only the pages that changed.
    """

    serving: bool = False
    dirty: bool = False


@dataclass
class Build:
    """What one build knows.

    Attributes:
        config: MkDocs's.
        days: Day of the last change of each file, for the sitemap.
        nav: Navigation, once it is there.
        files: Files of the site, once they are there.
        env: Templates, once they are there.
        readings: Pages that were read, by source.
        outputs: Files beside the pages, by path in the site, to be written at the end.
    """

    config: MkDocsConfig
    days: dict[str, str] = field(default_factory=dict)
    nav: Navigation = field(default_factory=lambda: Navigation([], []))
    files: Files = field(default_factory=lambda: Files([]))
    env: Environment = field(default_factory=Environment)
    readings: dict[str, before_reading.Reading] = field(default_factory=dict)
    outputs: dict[str, str | bytes] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        """The repository's folder."""
        return Path(self.config.config_file_path).parent

    @property
    def address(self) -> str:
        """The site's address."""
        return self.config.site_url or ""

    def reading(self, page: Page) -> before_reading.Reading:
        """A page's reading: each page is read once."""
        source = page.file.src_uri
        if source not in self.readings:
            self.readings[source] = before_reading.read(page.file.content_string, self.place(page))
        return self.readings[source]

    def place(self, page: Page) -> before_reading.Place:
        """Where a page stands; its links are resolved against the site's pages."""
        address = urljoin(self.address, page.url)
        folder = posixpath.dirname(page.file.src_uri)

        def resolve(link: str) -> str:
            path, _, anchor = link.partition("#")
            if not path or "://" in path:
                return f"{address}{link}" if not path else link
            file = self.files.get_file_from_path(posixpath.normpath(posixpath.join(folder, path)))
            there = urljoin(self.address, file.url) if file else urljoin(address, path)
            return there + (f"#{anchor}" if anchor else "")

        return before_reading.Place(address, Path(self.config.docs_dir), self.root, resolve)

    def progress(self) -> dict[str, Any]:
        """What there is to do on the pages, and what it earns."""
        rules = before_filling.progress_rules(Path(self.config.docs_dir))
        pages = [
            (name_of(page), page.title or "", self.reading(page))
            for page in self.nav.pages
            if before_filling.progress_counts(name_of(page), rules)
        ]
        return before_filling.progress(rules, pages)


# The two that outlive an event: the command for the process, the build until the next one begins.
command = Command()
build: Build


def name_of(page: Page) -> str:
    """A page's address in the site, such as `chapters/resnet`."""
    return page.url.strip("/")


def is_lab(page: Page) -> bool:
    """Whether a page is a notebook."""
    return page.file.src_uri.endswith(".ipynb")


@contextmanager
def _as_error_of_the_build() -> Iterator[None]:
    try:
        yield
    except (after_content.ContentError, after_page.PageError) as error:
        raise PluginError(str(error)) from error


def on_startup(*, command: str, dirty: bool) -> None:
    """Keeps what MkDocs was started for."""
    globals()["command"] = Command(serving=command == "serve", dirty=dirty)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Begins a build; gives the pages their version.

    `mike` builds each version with MIKE_DOCS_VERSION set: only then do the pages get Material's
    list of versions, which asks for versions.json, a file that a plain build does not have.
    """
    global build
    config.extra["release"] = importlib.metadata.version("lineage-lab")
    if os.environ.get("MIKE_DOCS_VERSION"):
        config.extra["version"] = {"provider": "mike", "default": "latest"}
        if config.site_url and not config.site_url.endswith("/"):
            config.site_url += "/"  # mike leaves it out, and the addresses are joined to it
    build = Build(config)
    build.days = after_files.days_of_change(build.root)
    return config


def on_pre_build(config: MkDocsConfig) -> None:
    """Draws what is missing or stale of the pages' figures.

    Raises:
        Abort: Something that a figure needs is not installed; a fault of ours shows where it is.
    """
    from lineage_site.drawing.build import build as draw

    try:
        draw(Path(config.docs_dir) / "generated")
    except Exception as error:
        # What is not installed (weights say where they come from) is told in a line.
        if isinstance(error, FileNotFoundError | ModuleNotFoundError) or hasattr(error, "url"):
            raise Abort(f"a figure of the site can't be drawn: {error}") from error
        raise


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Mends the theme's files; a dirty build learns which pages are stale."""
    for file in files:
        if not file.src_uri.startswith("assets/"):
            continue
        try:
            if after_page.styles_again(file.src_uri):
                file.content_string = after_page.without_restyling(
                    file.src_uri, file.content_string
                )
        except after_page.PageError as error:
            LOG.warning("%s", error)
    if command.dirty:
        editing.mark_stale(files, build.root)


def on_nav(nav: Navigation, config: MkDocsConfig, files: Files) -> None:
    """Keeps the navigation and the files."""
    build.nav, build.files = nav, files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fills in what the page leaves open."""
    if before_filling.TIME in markdown:
        markdown = before_filling.with_time(markdown, build.reading(page).minutes)
    if before_filling.PROGRESS in markdown:
        markdown = before_filling.with_progress(markdown, build.progress())
    file = Path(config.docs_dir, "verified.json")
    return before_filling.with_verified(markdown, f"docs/{page.file.src_uri}", file)


def on_page_content(html: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Sets labs and formulas, and marks what there is to do.

    Raises:
        Abort: The page has no description.
    """
    docs = Path(config.docs_dir)
    with _as_error_of_the_build():
        if is_lab(page):
            text = after_files.lab_text(page.file.content_string)
            page.meta.setdefault("description", after_files.first_sentence(text))
            if "jp-Notebook" in html:
                name = Path(page.file.src_uri).stem
                alternatives = json.loads((docs / "labs/alternatives.json").read_text("utf-8"))
                html, pictures = after_content.as_chapter(html, name, alternatives.get(name, []))
                for file, content in pictures.items():
                    path = f"labs/{name}/{file}"
                    files.append(File.generated(config, path, content=content))
        elif "description" not in page.meta:
            raise Abort(f"docs/{page.file.src_uri}: its front matter needs a description")
        if before_filling.progress_counts(name_of(page), before_filling.progress_rules(docs)):
            html = after_content.with_marks(html, name_of(page), build.reading(page))
    if after_content.has_formulas(html):
        page.meta["formulas"] = True  # overrides/main.html loads KaTeX's style sheet
        html = after_content.with_formulas(html, docs / "assets/vendor/katex/katex.min.js")
    return html


def on_env(env: Environment, config: MkDocsConfig, files: Files) -> None:
    """Tells the templates the days; a dirty build learns where the API's names are."""
    env.globals["days"] = build.days
    build.env = env
    editing.keep_labs(config)
    if command.dirty:
        editing.recall_api(config)


def on_page_context(
    context: dict[str, Any], *, page: Page, config: MkDocsConfig, nav: Navigation
) -> dict[str, Any]:
    """Draws the page's card; sets the parts that are templates. The search doesn't index these."""
    content, lab = page.content or "", is_lab(page)
    notebook = posixpath.basename(page.file.src_uri).rpartition(".")[0] + ".ipynb"

    def render(name: str) -> str:
        template = build.env.get_template(f"partials/{name}.html")
        return template.render(config=config, page=page, notebook=notebook, lab=lab)

    content = after_content.with_partials(content, render)
    if lab or (after_content.has_small_line(content) and build.reading(page).runs):
        content = after_content.with_run_box(content, render("run"), lab=lab)
        if not lab:
            build.outputs[page.url + notebook] = after_files.notebook(
                build.reading(page).pieces, urljoin(build.address, page.url)
            )
    page.content = content
    path = f"assets/cards/{page.file.src_uri.rpartition('.')[0].replace('/', '-')}.png"
    build.outputs[path] = card(
        str(page.meta.get("title") or page.title),
        str(page.meta["description"]),
        years_of(str(p.title) for p in nav.pages if p.file.src_uri.startswith("chapters/")),
        docs=config.docs_dir,
        site=config.site_name,
        cache=build.root / ".cache" / "cards",
    )
    return {**context, "card": path}


def on_post_page(output: str, *, page: Page, config: MkDocsConfig) -> str:
    """Mends the finished page; its policy comes last, since it hashes what stands there."""
    name = page.file.src_uri
    with _as_error_of_the_build():
        output, photographs = after_page.without_photographs(output, "../" * page.url.count("/"))
        build.outputs.update(photographs)
        output = after_page.with_late_search(after_page.mended(output), name)
        if command.serving:
            return output
        return after_page.guarded(output, name, wasm=page.meta.get("csp") == "wasm")


def on_post_template(output: str, *, template_name: str, config: MkDocsConfig) -> str:
    """Does the same for a page of the theme, such as 404.html."""
    if not template_name.endswith(".html"):
        return output
    with _as_error_of_the_build():
        output = after_page.mended(output)
        if template_name == "404.html":
            output = after_page.with_late_search(output, template_name)
        return output if command.serving else after_page.guarded(output, template_name)


def on_post_build(config: MkDocsConfig) -> None:
    """Writes the files beside the pages."""
    site, docs = Path(config.site_dir), Path(config.docs_dir)
    progress = json.dumps(build.progress(), ensure_ascii=False, separators=(",", ":"))
    build.outputs["assets/progress.json"] = progress
    index = (site / "search/search_index.json").read_text(encoding="utf-8")
    if json.loads(index)["docs"]:
        # A preview of some pages has an index of these only.
        names = docs / "generated/names/names.json"
        words = {} if command.dirty else json.loads(names.read_text(encoding="utf-8"))
        build.outputs.update(after_files.search_files(index, words))
    if all("description" in page.meta for page in build.nav.pages):
        build.outputs.update(_for_programs(config))  # else the whole is as it was
    for path, content in build.outputs.items():
        target = site / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
    if command.dirty:
        editing.keep_api(config)


def _for_programs(config: MkDocsConfig) -> dict[str, str]:
    """What programs read: the feed, and the pages as text."""
    base, name, description = build.address, config.site_name, config.site_description or ""
    changelog = (build.root / "CHANGELOG.md").read_text(encoding="utf-8")
    texts = []
    for page in build.nav.pages:
        text = (
            after_files.lab_text(page.file.content_string)
            if is_lab(page)
            else after_files.page_text(build.reading(page))
        )
        texts.append(f"<!-- {urljoin(base, page.url)} -->\n\n{text}")
    return {
        "feed.xml": after_files.feed(changelog, name, description, base),
        "llms.txt": after_files.llms(name, description, base, _sections()),
        "llms-full.txt": "\n\n".join(texts) + "\n",
        "robots.txt": after_files.robots(base),
    }


def _sections() -> dict[str, list[tuple[str, str, str]]]:
    """Title, address and description of each page by its first section of the navigation."""

    def pages(items: list[Any]) -> Iterator[tuple[str, str, str]]:
        for item in items:
            if isinstance(item, Section):
                yield from pages(item.children)
            elif isinstance(item, Page):
                yield str(item.title), item.url, str(item.meta["description"])

    items = build.nav.items
    sections = {"Pages": list(pages([item for item in items if isinstance(item, Page)]))}
    for item in items:
        if isinstance(item, Section):
            sections[item.title] = list(pages(item.children))
    return sections
