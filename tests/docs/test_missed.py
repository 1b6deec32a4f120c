"""The tables of *Fine-tune* on unequal classes: their numbers again, by scikit-learn."""

from statistics import mean

import numpy as np
import pytest
from sklearn import metrics as theirs

from lineage_site.drawing.records import read
from lineage_site.pages.fine_tune import missed


def test_the_default_s_numbers_are_scikit_learns_of_the_kept_probabilities() -> None:
    runs = [run for key, run in read("elpv-imbalance")["runs"].items() if "; default;" in key]
    assert len(runs) >= 2
    pairs = [(np.array(list(run["test_truth"]), dtype=int), np.array(run["test"])) for run in runs]
    found = mean(theirs.recall_score(truth, chance >= 0.5) for truth, chance in pairs)
    balanced = mean(theirs.balanced_accuracy_score(t, c >= 0.5) for t, c in pairs)
    auroc = mean(theirs.roc_auc_score(t, c) for t, c in pairs)
    (line,) = [line for line in missed.lines().splitlines() if line.startswith("| (the default) |")]
    for number in (f"{100 * found:.1f} ±", f"{100 * balanced:.1f} ±", f"{auroc:.3f}"):
        assert number in line


def test_the_parts_share_no_block_and_are_of_elpv_s_classes() -> None:
    for run in read("elpv-imbalance")["runs"].values():
        assert len(run["test"]) == len(run["test_truth"]) == len(run["test_blocks"])
        assert len(run["val"]) == len(run["val_truth"])
        assert run["train"] + len(run["val"]) + len(run["test"]) == 2624
        assert 0.25 < run["test_truth"].count("1") / len(run["test"]) < 0.38


def test_the_picture_and_its_words_tell_the_same() -> None:
    table = np.array(read("elpv-rows")["likeness"])
    assert f"correlate by {np.diag(table).mean():.2f}" in missed.likeness()
    assert table == pytest.approx(table.T, abs=2e-3)
    assert "by chance it would be for 0.8 %" in missed.rows_in_words()
