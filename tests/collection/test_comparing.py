"""Two models compared on a collection's queries say what brute force says, and change nothing."""

from __future__ import annotations

import numpy as np
import pytest

import nearsense as ns
from fakes import HashEncoder
from nearsense.encoders.adapted import AdaptedEncoder, VectorMap
from nearsense.kinds import MapKind

WORDS = [f"word{n}" for n in range(40)]
CHANCE = np.random.default_rng(4)
DOCUMENTS = [ns.Document(f"d{n}", " ".join(CHANCE.choice(WORDS, 5))) for n in range(300)]
QUERIES = [(" ".join(CHANCE.choice(WORDS, 3)), f"d{CHANCE.integers(0, 300)}") for _ in range(40)]
OLD, NEW = HashEncoder(24, name="old"), HashEncoder(12, name="new")
WEIGHT = (np.eye(24) + np.random.default_rng(1).normal(0, 0.3, (24, 24))).astype(np.float32)
MAPPED = AdaptedEncoder(OLD, VectorMap(MapKind.LINEAR, {"weight": WEIGHT}), name="mapped")


@pytest.fixture(params=["memory", "disk"])
def there(request, tmp_path):
    with ns.open(":memory:" if request.param == "memory" else tmp_path / "c", OLD) as collection:
        collection.add(DOCUMENTS)
        yield collection


def ranking(encoder, text):
    scores = encoder.encode([each.text for each in DOCUMENTS]).data @ encoder.encode([text]).data[0]
    return [DOCUMENTS[row].id for row in np.argsort(-scores, kind="stable")], dict(
        zip((each.id for each in DOCUMENTS), scores.tolist(), strict=True)
    )


@pytest.mark.parametrize("new", [NEW, MAPPED], ids=["encoded", "mapped"])
def test_what_stays_and_where_the_chosen_stand_is_what_brute_force_says(there, new):
    change = there.compare_models(new, QUERIES, k=5)
    shared, others, ranks = [], 0, ([], [])
    for text, chosen in QUERIES:
        (one, a), (two, b) = ranking(OLD, text), ranking(new, text)
        shared.append(len({*one[:5]} & {*two[:5]}) / 5)
        others += one[0] != two[0]
        for side, scores in enumerate((a, b)):
            ranks[side].append(1 / (1 + sum(score > scores[chosen] + 1e-6 for score in scores.values())))
    assert change.overlap == pytest.approx(np.mean(shared), abs=0.011), "ties of equal texts may fall otherwise"
    assert change.other_first == pytest.approx(others, abs=1)
    assert change.interval[0] <= change.overlap <= change.interval[1]
    assert (change.chosen.before, change.chosen.after) == pytest.approx(
        [np.mean(each) for each in ranks], abs=1e-6
    )
    low, high = change.chosen.interval
    assert low <= change.chosen.change <= high
    assert (change.queries, change.documents, change.k, change.mapped) == (40, 300, 5, new is MAPPED)
    assert [each.overlap for each in change.moved] == sorted(each.overlap for each in change.moved)
    assert len(change.moved) == 10
    worst = change.moved[0]
    assert list(worst.after) == ranking(new, worst.query)[0][:3]
    assert there.info().model == "old", "nothing was changed"


def test_the_same_model_changes_nothing(there):
    change = there.compare_models(OLD, [text for text, _ in QUERIES])
    assert (change.overlap, change.other_first, change.moved, change.chosen) == (1.0, 0, (), None)
    assert "Which is better is not told" in str(change)


def test_nothing_is_encoded_for_an_adapter_but_the_queries(there):
    OLD.encoded = 0
    there.compare_models(MAPPED, ["never asked before a", "never asked before b"])
    assert OLD.encoded == 2


def test_queries_of_the_log_are_taken_and_its_chosen_hits_are_labels(tmp_path):
    with ns.open(tmp_path / "c", OLD, log=True) as collection:
        collection.add(DOCUMENTS)
        for text, _ in QUERIES[:15]:
            hits = collection.search(text, k=3)
            collection.log.choose(hits, hits[1])
        collection.search(QUERIES[0][0].upper())
        collection.log.flush()
        change = collection.compare_models(NEW)
        assert change.queries == 15, "each once, however it was written"
        assert (change.chosen.queries, change.chosen.before) == (15, 0.5)
        assert collection.compare_models(NEW, collection.log.entries()) == change


def test_without_queries_it_says_how_to_give_some(there):
    for queries in (None, [], ["  "]):
        with pytest.raises(ns.errors.InputError, match="no queries") as said:
            there.compare_models(NEW, queries)
        assert "compare_models" in said.value.fix
    with pytest.raises(ns.errors.InputError, match="is no query"):
        there.compare_models(NEW, [7])
