"""The ledger of the papers: who took what from whom, and what the papers print."""

from itertools import pairwise

from lineage_lab.chapters.lineage import NETWORKS, PASSED_ON, TOP1

YEARS = {network.key: network.year for network in NETWORKS}


def test_networks_stand_in_the_order_of_time() -> None:
    assert all(a.year <= b.year for a, b in pairwise(NETWORKS))
    assert len(YEARS) == len(NETWORKS)


def test_nobody_takes_from_the_future_and_all_but_the_first_took_something() -> None:
    for gift in PASSED_ON:
        assert YEARS[gift.giver] < YEARS[gift.receiver], gift
    assert {gift.receiver for gift in PASSED_ON} == {n.key for n in NETWORKS[1:]}
    pairs = [(gift.giver, gift.receiver) for gift in PASSED_ON]
    assert len(pairs) == len(set(pairs))


def test_every_arrow_names_its_paper_and_section() -> None:
    papers = {network.authors[0].split()[-1]: network for network in NETWORKS}
    for gift in PASSED_ON:
        first = gift.source.split()[0]
        assert first in papers or first == "Vaswani", gift
        assert "section" in gift.source


def test_accuracies_are_what_is_left_of_the_errors() -> None:
    assert {row.key for row in TOP1} <= set(YEARS)
    for row in TOP1:
        if row.error:
            digits = len(row.error.partition(".")[2])
            assert row.accuracy == f"{100 - float(row.error):.{digits}f}"
        assert "Table" in row.source
