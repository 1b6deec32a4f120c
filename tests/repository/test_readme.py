"""The README's results are those of the run that is kept in docs/results."""

from pathlib import Path

from lineage_lab.comparing.comparison import Comparison
from lineage_site.pages.fine_tune.blocks import caution

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "results" / "elpv-lite.json"
START, END = "<!-- results:elpv-lite -->\n", "<!-- /results -->"


def test_the_table_is_the_kept_runs() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = text[text.index(START) + len(START) : text.index(END)]
    assert shown == Comparison.load(RESULTS).to_markdown(), (
        "make it anew from `lineage-lab show --markdown docs/results/elpv-lite.json`"
    )


def test_the_caution_beside_the_table_is_that_of_the_kept_runs() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    after = text[text.index(END) : text.index("## Start")]
    assert caution().strip() in after
    assert "take the smallest" not in text


def test_the_kept_run_is_a_whole_one_with_real_weights() -> None:
    result = Comparison.load(RESULTS)
    assert [row.name for row in result.rows] == [f"efficientnet_lite{i}" for i in range(3)]
    assert result.limit is None
    assert not result.is_random
    assert len(result.seeds) >= 3
    assert result.data["train"] + result.data["val"] == 2624
