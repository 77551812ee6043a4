"""What can be pickled and copied: a collection by its path and options, every result by its values."""

from __future__ import annotations

import copy
import multiprocessing
import operator
import pickle
import threading
from concurrent.futures import ProcessPoolExecutor

import pytest

import nearsense as ns
from fakes import HashEncoder
from samples import some_of

TEXTS = ["The price rises.", "The price falls.", "A cat sleeps.", "A cat is sleeping.", "Reset it.", "A dog runs."]
AGAIN = {
    "pickle": lambda made: pickle.loads(pickle.dumps(made)),
    "the oldest protocol": lambda made: pickle.loads(pickle.dumps(made, protocol=0)),
    "protocol 2": lambda made: pickle.loads(pickle.dumps(made, protocol=2)),
    "the newest protocol": lambda made: pickle.loads(pickle.dumps(made, protocol=pickle.HIGHEST_PROTOCOL)),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}


@pytest.fixture(params=some_of(AGAIN, "pickle", "the oldest protocol", "deepcopy"))
def again(request):
    return AGAIN[request.param]


@pytest.mark.parametrize("model", [None, "all-MiniLM-L6-v2", "encoder", "chunk", "f32"])
def test_a_collection_is_opened_again_by_its_path_and_options(tmp_path, monkeypatch, again, model):
    monkeypatch.chdir(tmp_path)
    how = {"encoder": {"model": HashEncoder()}, "chunk": {"long": "chunk"}, "f32": {"precision": "f32"}}
    with ns.open("c", **how.get(model, {"model": model})) as collection:
        collection.add(TEXTS)
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        with again(collection) as other:
            assert other is not collection
            assert [hit.id for hit in other.search(TEXTS[2], k=1)] == ["2"]
            assert other.add([ns.Document("new", "a new one")]) == 1
            assert collection.count() == 7
            assert other.info().created == collection.info().created
        assert collection.search("a new one", k=1)[0].id == "new"  # the one that was copied is still open


def test_a_pickled_collection_goes_to_another_process(tmp_path):
    with ns.open(tmp_path / "c") as collection:
        collection.add(TEXTS)
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            assert pool.submit(operator.methodcaller("count"), collection).result(120) == 6
            found = pool.submit(operator.methodcaller("search", "a sleeping cat", 2), collection).result(120)
        assert {hit.id for hit in found} == {"2", "3"}
        assert list(found) == list(collection.search("a sleeping cat", 2))


def test_a_collection_whose_folder_is_gone_says_so_when_it_is_unpickled(tmp_path):
    with ns.open(tmp_path / "c", HashEncoder()) as collection:
        kept = pickle.dumps(collection)
    (tmp_path / "c").rename(tmp_path / "d")
    with pytest.raises(ns.errors.CollectionNotFound):
        pickle.loads(kept)
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("again", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_collection_whose_encoder_cannot_be_pickled_says_why(tmp_path, again):
    encoder = HashEncoder()
    encoder.lock = threading.Lock()
    with ns.open(tmp_path / "c", encoder) as collection:
        with pytest.raises(TypeError, match=r"cannot be pickled or copied: its Encoder cannot .*name or folder"):
            again(collection)
        assert collection.count() == 0


@pytest.mark.parametrize("again", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_faq_says_what_to_do_instead(again):
    faq = ns.FAQ([{"question": text, "answer": "So."} for text in TEXTS], encoder=HashEncoder())
    with pytest.raises(TypeError, match=r"FAQ\(faq.items\)"):
        again(faq)


@pytest.mark.filterwarnings("ignore::nearsense.CalibrationWarning")
def test_every_result_comes_back_as_it_was(tmp_path, again):
    with ns.open(tmp_path / "c", HashEncoder()) as collection:
        collection.add(TEXTS)
        results = [
            ns.Document("a", "b", {"c": [1, {"d": None}]}),
            ns.load().encode(TEXTS),
            collection.search("a cat", k=2),
            collection.info(),
            collection.verify(),
            collection.sync([ns.Document("0", TEXTS[0])], dry_run=True),
            collection.reembed(HashEncoder(8)),
        ]
    results += [
        ns.compare(*TEXTS[:2]),
        ns.rank("a cat", TEXTS),
        ns.matrix(TEXTS),
        ns.duplicates(TEXTS),
        ns.cluster(TEXTS * 3),
        ns.explain(*TEXTS[:2]),
        ns.FAQ([{"question": text, "answer": "So."} for text in TEXTS]).answer(TEXTS[0]),
        ns.calibrate([(TEXTS[n % 6], TEXTS[(n + 1 + n % 2) % 6], n % 6 == 2) for n in range(60)]),
        ns.map(TEXTS),
        ns.errors.InputError("what", why="why", fix="fix"),
    ]
    for result in results:
        back = again(result)
        assert type(back) is type(result)
        if hasattr(result, "to_dict"):
            assert str(back.to_dict()) == str(result.to_dict())
        else:
            assert str(back) == str(result)
