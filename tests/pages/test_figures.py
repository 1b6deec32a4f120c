"""The figures: drawn from the networks, readable by all, and drawn once only."""

import pickle
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import Abort

from lineage_lab.comparing.svg import Drawing
from lineage_lab.weights.published import WeightsUnavailable
from lineage_site.drawing.build import TOPICS, build
from lineage_site.mkdocs import events

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory, figures: Path) -> Path:
    """A copy of all figures of the site's build."""
    out = tmp_path_factory.mktemp("figures")
    shutil.copytree(figures, out, dirs_exist_ok=True)
    return out


def svgs(drawn: Path) -> dict[str, ElementTree.Element]:
    """By topic and name: several chapters have an ``architecture.svg``."""
    return {
        f"{p.parent.name}/{p.stem}": ElementTree.parse(p).getroot()
        for p in sorted(drawn.rglob("*.svg"))
    }


def test_what_is_up_to_date_is_not_drawn_again(drawn: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in drawn.rglob("*.*")}
    assert build(drawn) == []
    (drawn / "home" / ".key").write_text("another source")
    assert build(drawn) == []  # drawn anew, the same: no file changes, no rebuild is set off
    (drawn / "home" / ".key").write_text("another source")
    (drawn / "home" / "lineage.svg").write_text("stale")
    assert build(drawn) == [drawn / "home" / "lineage.svg"]
    after = {p: p.stat().st_mtime_ns for p in drawn.rglob("*.*")}
    assert {p for p in before if before[p] != after[p]} == {
        drawn / "home" / ".key",
        drawn / "home" / "lineage.svg",
    }


def test_topics_are_drawn_side_by_side_as_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    topics = {name: TOPICS[name] for name in ("home", "names", "reading")}
    monkeypatch.setattr("lineage_site.drawing.build.TOPICS", topics)
    beside = build(tmp_path / "beside")
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    alone = build(tmp_path / "alone")
    assert {p.parent.name for p in beside} == set(topics)
    for one, other in zip(beside, alone, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_what_is_missing_where_a_topic_is_drawn_is_said_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "lineage_site.drawing.build.TOPICS", {"no_such": ("pages.no_such",), "home": TOPICS["home"]}
    )
    with pytest.raises(ModuleNotFoundError, match="no_such"):
        build(tmp_path)
    error = WeightsUnavailable("no file", url="https://example.org", path=tmp_path)
    told = pickle.loads(pickle.dumps(error))
    assert (str(told), told.url, told.path) == ("no file", error.url, error.path)


def test_every_picture_has_words_that_replace_it(drawn: Path) -> None:
    pictures = svgs(drawn)
    lenet = {f"lenet5/{name}" for name in ("architecture", "c3", "codes", "filters", "fields")}
    assert {"home/lineage", *lenet} <= set(pictures)
    ids: list[str] = []
    for name, svg in pictures.items():
        title, description = svg.find(f"{SVG}title"), svg.find(f"{SVG}desc")
        assert title is not None, name
        assert description is not None, name
        assert len(description.text or "") > 60, name
        assert svg.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
        ids += [e.get("id") for e in svg.iter() if e.get("id")]
    assert len(ids) == len(set(ids))  # they share pages


def test_every_colour_follows_the_scheme(drawn: Path) -> None:
    for path in drawn.rglob("*.svg"):
        text = path.read_text(encoding="utf-8")
        assert "\n\n" not in text  # a blank line would end the block in Markdown
        colours = set(re.findall(r'(?:fill|stroke)="([^"]+)"', text))
        assert all(c == "none" or c.startswith("var(--ll-") for c in colours), path


def test_the_picture_of_c3_has_a_disc_for_each_of_the_60_connections(drawn: Path) -> None:
    discs = [c for c in svgs(drawn)["lenet5/c3"].iter(f"{SVG}circle") if float(c.get("r")) == 10]
    assert len(discs) == 60


def test_the_architecture_has_a_sheet_for_each_map(drawn: Path) -> None:
    text = "".join(svgs(drawn)["lenet5/architecture"].itertext())
    for count in ("6 @ 28×28", "16 @ 10×10", "16 @ 5×5", "48,120"):
        assert count in text
    sheets = [r for r in svgs(drawn)["lenet5/architecture"].iter(f"{SVG}rect") if r.get("rx")]
    assert len(sheets) == 1 + 6 + 6 + 16 + 16 + 3


def test_text_is_escaped() -> None:
    d = Drawing("x", width=1, height=1, title="a < b & c", description="<script>")
    d.text(0, 0, "<b>")
    root = ElementTree.fromstring(d.svg())
    assert root.findtext(f"{SVG}text") == "<b>"


def test_a_picture_with_links_is_a_group_and_its_links_have_names() -> None:
    d = Drawing("x", width=9, height=9, title="a", description="b")
    with d.group(class_="outer", data_key="k"), d.link("../y/", 'To "y" & on'):
        d.rect(0, 0, 1, 1)
    root = ElementTree.fromstring(d.svg())
    assert root.get("role") == "group"  # an image's contents are hidden from a screen reader
    link = root.find(f"{SVG}g[@data-key='k']/{SVG}a")
    assert link is not None
    assert (link.get("href"), link.get("aria-label")) == ("../y/", 'To "y" & on')
    assert link.find(f"{SVG}rect") is not None


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError("cat.png comes with scikit-image: pip install scikit-image"),
        WeightsUnavailable("pip install them", url="a-package", path=None),
    ],
)
def test_the_build_says_in_a_line_what_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    root = Path(__file__).parents[2]

    def fail(_: Path) -> None:
        raise error

    monkeypatch.setattr("lineage_site.drawing.build.build", fail)
    with pytest.raises(Abort, match=re.escape(str(error))):
        events.on_pre_build(MkDocsConfig(config_file_path=str(root / "mkdocs.yml")))
    error = ZeroDivisionError("a fault of ours")
    with pytest.raises(ZeroDivisionError):
        events.on_pre_build(MkDocsConfig(config_file_path=str(root / "mkdocs.yml")))
