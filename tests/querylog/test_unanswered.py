"""What got no answer: grouped by meaning, named, with the nearest entry; in a hashed log by that entry."""

from __future__ import annotations

import pytest

import nearsense as ns
from fakes import HashEncoder
from faq_shop import ANSWERS, WORDINGS

SHOP = [{"question": asked, "answer": said} for asked, said in zip(WORDINGS[0], ANSWERS.values(), strict=True)]
TOPICS = {
    "gift": [
        "Do you sell gift cards?",
        "can I buy a gift card",
        "Where do I get a gift card?",
        "gift cards on sale",
    ],
    "dog": ["Can I bring my dog?", "Are dogs allowed inside?", "is my dog allowed in the store"],
    "sing": ["Sing me a song about the sea."],
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    place = tmp_path_factory.mktemp("log")
    with ns.open(place / "shop", log=True) as made:
        made.add(["We ship within two days.", "Send it back within 30 days.", "Pay by card or bank transfer."])
        made.search_many([query for topic in TOPICS.values() for query in topic])
        made.search("Do you sell gift cards?")
        made.search("When do you ship?")
        yield made


def test_queries_without_an_answer_are_grouped_by_topic_the_most_asked_first(shop):
    groups = shop.log.unanswered()
    found = [{query for query, _ in group.queries} for group in groups]
    unanswered = {entry.query for entry in shop.log.entries(unanswered=True)}
    assert found == [set(topic) & unanswered for topic in TOPICS.values()]
    assert [group.count for group in groups] == sorted((group.count for group in groups), reverse=True)
    assert groups[0].queries[0] == ("Do you sell gift cards?", 2)
    assert "gift" in groups[0].label.lower()
    assert "dog" in groups[1].label.lower()
    assert groups[2].label == TOPICS["sing"][0], "one that stands alone is called as it is"


def test_a_group_says_which_entry_was_nearest_how_often_and_how_probable_that_was(shop):
    for group in shop.log.unanswered():
        own = [e for e in shop.log.entries(unanswered=True) if e.query in {query for query, _ in group.queries}]
        firsts = [entry.ids[0] for entry in own]
        assert dict(group.nearest) == {id_: firsts.count(id_) for id_ in firsts}
        assert group.nearest[0][1] == max(map(firsts.count, firsts))
        sure = [entry.probabilities[0] for entry in own if entry.ids[0] == group.nearest[0][0]]
        assert group.mean_probability == pytest.approx(sum(sure) / len(sure))
        assert group.entry == shop.get(group.nearest[0][0])[0].text
        assert group.last == max(entry.time for entry in own)
        assert sum(group.count for group in shop.log.unanswered()) == len(list(shop.log.entries(unanswered=True)))


def test_how_near_the_queries_of_a_group_are_can_be_said(shop):
    assert len(shop.log.unanswered(min_score=0.999)) == len({e.query for e in shop.log.entries(unanswered=True)})
    assert len(shop.log.unanswered(min_score=-1.0)) == 1
    with pytest.raises(ns.errors.InputError, match="min_score"):
        shop.log.unanswered(min_score=2)


def test_groups_know_times_and_are_json(shop):
    assert shop.log.unanswered(until="1h") == []
    group = shop.log.unanswered(since="1h")[0].to_dict()
    assert group["queries"][0] == {"query": "Do you sell gift cards?", "count": 2}
    assert set(group) == {"label", "count", "entry", "mean_probability", "hashed", "last", "nearest", "queries"}


def test_a_hashed_log_groups_by_the_nearest_entry_and_says_so(tmp_path, monkeypatch):
    with ns.open(tmp_path / "c", HashEncoder(), log="hashed") as made:
        made.add(["red apple", "green pear"])
        made.search_many(["red", "red", "apple red", "green"], calibration="none", min_score=None)
        made.search_many(["red", "red", "apple red", "green"], min_score=2.0)
        monkeypatch.setattr(type(made._engine.model), "encoder", property(lambda self: pytest.fail("nobody asks")))
        groups = made.log.unanswered()
        assert [(group.label, group.count, group.hashed) for group in groups] == [("nothing found", 4, True)]
        assert [count for _, count in groups[0].queries] == [2, 1, 1]
        assert all(query.startswith("#") for query, _ in groups[0].queries)


@pytest.fixture(scope="module")
def faq(tmp_path_factory):
    return ns.FAQ(SHOP, log=tmp_path_factory.mktemp("faq") / "own")


@pytest.mark.parametrize("how", ["plain", "hashed"])
def test_a_faq_logs_its_answers_and_groups_by_its_entries(tmp_path, faq, how, monkeypatch):
    log = ns.querylog.open_log(tmp_path / "faq.queries", hashed=how == "hashed")
    monkeypatch.setattr(faq, "log", log)
    asked = ["When will my package arrive?", "Do you sell gift cards?", "can I buy a gift card", "Sing me a song"]
    answers = faq.answer_many(asked)
    faq.match("Do you sell gift cards?")
    one = faq.answer(asked[0], k=2)
    entries = list(log)
    assert len(entries) == 5
    for entry, answer in zip(entries, [*answers, one], strict=True):
        assert entry.mode == "faq"
        assert entry.answered == answer.answered
        assert entry.query == (answer.question if how == "plain" else None)
        assert entry.probabilities[0] == pytest.approx(answer.candidates[0].probability, abs=1e-6)
        assert entry.nearest == answer.candidates[0].text
        assert entry.model == faq.encoder.fingerprint
        assert entry.ids[0] in (answer.candidates[0].id, answer.candidates[0].text)
    assert [entry.k for entry in entries] == [3, 3, 3, 3, 2]
    silent = [entry for entry in entries if not entry.answered]
    groups = log.unanswered()
    assert sum(group.count for group in groups) == len(silent) > 0
    assert all(group.entry in {item["question"] for item in SHOP} for group in groups)
    assert all(group.hashed == (how == "hashed") for group in groups)


def test_a_faq_without_a_log_logs_nothing_and_a_path_is_enough_for_one(tmp_path, faq):
    assert ns.FAQ(SHOP[:2]).log is None
    faq.answer("anything?")
    assert [entry.query for entry in faq.log] == ["anything?"]
    (tmp_path / "file.txt").write_text("mine")
    with pytest.raises(ns.errors.StoreError, match="is no query log"):
        ns.FAQ(SHOP[:2], log=tmp_path)
