"""The picture of ELPV's rows, and what the page says of it."""

import numpy as np
import pytest

from lineage_site.drawing.records import read
from lineage_site.pages.fine_tune import rows


def test_the_picture_and_its_words_tell_the_same() -> None:
    table = np.array(read("elpv-rows")["likeness"])
    assert f"correlate by {np.diag(table).mean():.2f}" in rows.likeness()
    assert table == pytest.approx(table.T, abs=2e-3)
    assert "by chance it would be for 0.8 %" in rows.rows_in_words()
