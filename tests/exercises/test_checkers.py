"""Each checker judges by behaviour: it takes the solution and a second, differently written one,
and turns down five plausible wrong answers, each with words that help.
"""

from importlib import import_module

import pytest

from lineage_lab.exercises import CHAPTERS, check

OWNERS = (*CHAPTERS, "finetune")
ANSWERS = {owner: import_module(f"tests.exercises.{owner}") for owner in OWNERS}
KEYS = [
    (chapter, key)
    for chapter in OWNERS
    for key in import_module(f"lineage_lab.exercises.{chapter}").CHECKS
]


@pytest.mark.parametrize(("chapter", "key"), KEYS, ids=[key for _, key in KEYS])
def test_right_answers_are_taken_and_wrong_ones_explained(chapter: str, key: str) -> None:
    right, wrong = ANSWERS[chapter].RIGHT[key], ANSWERS[chapter].WRONG[key]
    assert len(right) >= 2
    assert len(wrong) >= 5
    for answer in right:
        verdict = check(key, answer())
        assert verdict, verdict
        assert str(verdict).startswith(f"{key}: right. ")
    told = []
    for answer, words in wrong:
        verdict = check(key, answer())
        assert not verdict, f"{key} takes {answer}"
        assert words in verdict.words, verdict
        told.append(verdict.words)
    assert len(set(told)) > 1


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_has_three_to_five_exercises(chapter: str) -> None:
    keys = [key for owner, key in KEYS if owner == chapter]
    assert 3 <= len(keys) <= 5
    assert keys == [f"{chapter}-{number}" for number in range(1, len(keys) + 1)]
    assert set(ANSWERS[chapter].RIGHT) == set(ANSWERS[chapter].WRONG) == set(keys)


@pytest.mark.parametrize(("chapter", "key"), KEYS, ids=[key for _, key in KEYS])
@pytest.mark.parametrize("nonsense", [None, "x", object()])
def test_nonsense_gets_an_answer_and_no_traceback(chapter: str, key: str, nonsense: object) -> None:
    verdict = check(key, nonsense)
    assert not verdict
    assert len(verdict.words) > 20


def test_an_unknown_exercise_names_those_that_there_are() -> None:
    with pytest.raises(KeyError, match="lenet5-1"):
        check("lenet5-9", None)
    with pytest.raises(KeyError, match="the chapters with exercises: lenet5"):
        check("lenet6-1", None)
