"""Each checker judges by behaviour: it takes the solution and a second, differently written one,
and turns down five plausible wrong answers, each with words that help.
"""

import itertools
import math
import re
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
        told.append((words, re.sub(r"[\d.,× ]+|(['\"]).*?\1", "", verdict.words)))
    assert len({said for _, said in told}) > 1
    # The words looked for are those of one message, or another's could stand in its place.
    for (words, said), (_, other) in itertools.permutations(told, 2):
        assert said == other or words.replace(" ", "") not in other, (
            f"{words!r} is in two messages: {other}"
        )


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


def test_a_right_answer_is_told_what_it_comes_to() -> None:
    dense = ANSWERS["lenet5"].RIGHT["lenet5-1"][0]()
    assert "60,900 weights: 900 more" in check("lenet5-1", dense).words
    assert (
        "4.09 to 12.31" in check("convnext-4", ANSWERS["convnext"].RIGHT["convnext-4"][0]()).words
    )


def test_the_table_of_the_reader_is_discussed() -> None:
    answers = ANSWERS["finetune"]
    words = check("finetune-1", answers.whole()).words
    assert "in 74 s of training: 2.0 times as fast, and 0.6 points behind." in words
    assert "No difference between efficientnet_lite2 and efficientnet_lite0 is shown" in words
    words = check("finetune-1", answers.the_slowest_is_the_best()).words
    assert "efficientnet_lite2 has 88.2 ± 0.8 %, in 146 s of training. efficientnet_lite0" in words
    assert "in 74 s of training: 2.0 times as fast, and 4.0 points behind." in words
    assert "That is more than the seeds differ among themselves (0.8 points)." in words
    words = check("finetune-1", answers.the_slowest_is_the_best(0.7)).words
    assert "0.7 points behind. That is no more than the seeds differ" in words
    words = check("finetune-1", answers.the_slowest_is_the_best(-4.0)).words
    assert "It is also the fastest" in words


@pytest.mark.parametrize(("chapter", "key"), KEYS, ids=[key for _, key in KEYS])
def test_no_other_number_is_right(chapter: str, key: str) -> None:
    right = ANSWERS[chapter].RIGHT[key][0]()
    if not isinstance(right, int | float):
        return
    for other in (right + 1, right - 1, -right, 1000 * right, right / 1000, 0, math.inf, math.nan):
        verdict = check(key, other)
        assert not verdict, f"{key} takes {other}"
        assert len(verdict.words) > 20


def test_an_unknown_exercise_names_those_that_there_are() -> None:
    with pytest.raises(KeyError, match="lenet5-1"):
        check("lenet5-9", None)
    with pytest.raises(KeyError, match="the chapters with exercises: lenet5"):
        check("lenet6-1", None)
