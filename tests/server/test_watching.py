"""What is asked of a server and what comes of it: log, entries, decisions, calibrations, evaluations, drift."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import nearsense as ns
from fakes import HashEncoder
from nearsense.calibration import load_calibration
from nearsense.faq.entries import FAQItem
from nearsense.files import read_table
from nearsense.server.decisions import Decisions
from nearsense.server.faq_file import draft_with
from server.serving import make_drifting, serving

FAQ = """question,answer,id
How long does shipping take?,Two days by post in most cases.,1
How do I return a product?,"Within 30 days, by post, for free.",2
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("watched")
    files = [folder / "shop.csv", folder / "many.csv"]
    for file in files:
        file.write_text(FAQ)
    with ns.open(folder / "tickets.nearsense", HashEncoder()) as room:
        room.add(
            [ns.Document(str(row), f"ticket {row % 10} of group {row % 7} number {row}") for row in range(60)]
        )
        room.set_log(True)

    def prepare(service):
        object.__setattr__(service.settings, "write_faqs", True)
        service.faqs["shop"].log = ns.querylog.open_log(folder / "shop.queries")

    with serving(folder, faqs=files, prepare=prepare) as (ask, service):
        yield ask, service, folder


def test_what_is_asked_through_the_server_is_in_the_log_where_that_was_asked_for(world):
    ask = world[0]
    ask("POST", "/v1/search", {"query": "ticket 7 number 7", "collection": "tickets", "k": 2})
    ask("POST", "/v1/faq", {"question": "What is the weather like?", "faq": "shop"})
    told = ask("GET", "/v1/collections/tickets/log", limit=1).body
    assert told["logged"]
    assert [(each["query"], each["ids"][0], each["k"]) for each in told["entries"]] == [
        ("ticket 7 number 7", "7", 2)
    ]
    assert (
        ask("POST", "/v1/collections/tickets/log/choose", {"query": "ticket 7 number 7", "id": "7"}).status == 200
    )
    assert ask("GET", "/v1/collections/tickets/log", since="1h").body["entries"][0]["chosen"] == "7"
    assert ask("GET", "/v1/collections/tickets/log", until="2020-01-01").body["entries"] == []
    assert (
        ask("GET", "/v1/faqs/shop/log", unanswered="true").body["entries"][0]["query"]
        == "What is the weather like?"
    )
    assert ask("POST", "/v1/collections/tickets/log/forget", {"query": "TICKET 7 number 7"}).body["forgotten"] == 1
    assert ask("GET", "/v1/collections/tickets/log").body["entries"] == []
    for bad in ({"since": "yesterday"}, {"limit": 0}, {"until": "2026-02-30"}, {"unanswered": "perhaps"}):
        assert ask("GET", "/v1/collections/tickets/log", **bad).status == 422, bad


def test_one_click_makes_an_entry_of_what_was_asked_in_vain_and_its_file_has_a_row_more(world):
    ask, _, folder = world
    asked = ["Do you sell gift cards?", "Can I buy gift cards?", "do you sell gift cards"]
    for question in asked:
        assert ask("POST", "/v1/faq", {"question": question, "faq": "shop"}).body["outcome"] != "answer"
    groups = ask("GET", "/v1/faqs/shop/unanswered", since="1h").body["groups"]
    counts = {each["query"]: each["count"] for group in groups for each in group["queries"]}
    assert counts.items() >= {"do you sell gift cards": 2, "Can I buy gift cards?": 1}.items()
    entry = {
        "question": "Do you sell gift cards?",
        "answer": "Yes, in every shop and at the till.",
        "phrasings": [],
    }
    before = (folder / "shop.csv").read_bytes()
    told = ask("POST", "/v1/faqs/shop/entries", entry)
    assert (told.status, told.body["entries"], told.body["entry"]["id"]) == (201, 3, "3"), told
    assert (
        folder / "shop.csv"
    ).read_bytes() == before + b'Do you sell gift cards?,"Yes, in every shop and at the till.",3\n'
    answer = ask("POST", "/v1/faq", {"question": "do you sell gift cards", "faq": "shop"}).body
    assert answer["answer"] == entry["answer"]
    left = ask("GET", "/v1/faqs/shop/unanswered", since="1h").body["groups"]
    assert "do you sell gift cards" not in [each["query"] for group in left for each in group["queries"]]
    told = ask("POST", "/v1/faqs/shop/entries", {"question": "Can I buy gift cards?", "id": "3"})
    assert told.body["entry"]["phrasings"] == ["Can I buy gift cards?"]
    again = ask("POST", "/v1/faqs/shop/entries", entry)
    assert (again.status, again.error["message"]) == (
        409,
        "'Do you sell gift cards?' is asked already, by the entry '3'",
    )
    assert ns.FAQ(str(folder / "shop.csv"), encoder=HashEncoder()).items[2].phrasings == ("Can I buy gift cards?",)
    assert len(ask("GET", "/v1/faqs/shop/entries").body["entries"]) == 3


def test_eight_entries_at_once_are_all_in_the_file(world):
    ask, _, folder = world
    entries = [
        {"question": f"What about topic {n} and {n * 7}?", "answer": f"Answer number {n}"} for n in range(8)
    ]
    with ThreadPoolExecutor(8) as pool:
        told = [*pool.map(lambda entry: ask("POST", "/v1/faqs/many/entries", entry), entries)]
    assert {each.status for each in told} == {201}
    table = read_table(folder / "many.csv")
    assert {entry["question"] for entry in entries} < set(table.columns["question"])
    assert sorted(map(int, table.columns["id"])) == [*range(1, 11)]


def test_a_faq_that_may_not_be_written_stays_as_it_is(tmp_path):
    file = tmp_path / "shop.csv"
    file.write_text(FAQ)
    with serving(tmp_path, faqs=[file]) as (ask, _):
        told = ask("POST", "/v1/faqs/shop/entries", {"question": "A new one?", "answer": "Yes."})
        assert (told.status, told.error["code"]) == (403, "read_only_faq")
        assert not ask("GET", "/v1/faqs/shop/entries").body["writable"]
        ask("POST", "/v1/faq", {"question": "Do you sell gift cards?", "faq": "shop"})
        told = ask("GET", "/v1/faqs/shop/unanswered").body
        assert (told["logged"], [group["label"] for group in told["groups"]]) == (
            False,
            ["Do you sell gift cards?"],
        )
    assert file.read_text() == FAQ


@pytest.mark.parametrize(
    ("name", "content", "row"),
    [
        ("a.csv", "question;answer\r\nWhere?;Here it is, on the map.\r\n", "Is it; far?"),
        ("b.tsv", "id\tquestion\tanswer\nx\tWhere?\tHere it is.", "Is it far?"),
        ("c.jsonl", '{"id": 1, "question": "Where?", "answer": "Here."}\n', "Is it far?"),
        ("d.json", '[\n  {"question": "Where?", "answer": "Here."}\n]\n', "Is it far?"),
        ("e.csv", "\ufeffFrage|question|answer\nx|Where?|Here.\n", 'Is it "far"?'),
    ],
)
def test_an_entry_is_written_as_the_file_is_and_no_other_byte_changes(tmp_path, name, content, row):
    file = tmp_path / name
    file.write_bytes(content.encode())
    draft = draft_with(file, FAQItem(row, "Not very far at all."))
    assert file.read_bytes() == content.encode()
    draft.write()
    assert file.read_bytes().startswith(content.encode().rstrip().removesuffix(b"]").rstrip())
    found = ns.FAQ(str(file), encoder=HashEncoder()).items
    assert [(each.question, each.answer) for each in found[1:]] == [(row, "Not very far at all.")]
    with pytest.raises(ns.errors.FileError, match="changed meanwhile"):
        draft.write()


def test_what_a_file_has_no_place_for_is_refused(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("question,answer\nWhere?,Here.\n")
    with pytest.raises(ns.errors.InputError, match="no column for the category"):
        draft_with(file, FAQItem("Far?", "No.", category="maps"))
    packed = tmp_path / "a.txt"
    packed.write_text("Where?\n")
    with pytest.raises(ns.errors.FileError, match="cannot be written back"):
        draft_with(packed, FAQItem("Far?"))


# -- decisions


def test_decisions_are_on_the_disk_when_they_are_answered_and_teach_the_collection(world):
    ask, _, folder = world
    path = "/v1/collections/tickets/decisions"
    assert ask("GET", path).body | {"decisions": [], "needed": 20, "calibration": None} == ask("GET", path).body
    told = ask("POST", path, {"decisions": [{"left": "1", "right": "2", "same": True}]})
    assert told.body == {"collection": "tickets", "kept": 1}
    told = ask("POST", path, {"decisions": [{"left": "2", "right": "1", "same": False}]})  # of another mind
    assert told.body["kept"] == 1
    assert ask("POST", path + "/learn", {}).status == 409
    pairs = [(str(row), str(row + 10), True) for row in range(0, 14)]
    pairs += [(str(row), str(row + 25), False) for row in range(20, 34)]
    body = {"decisions": [{"left": left, "right": right, "same": same} for left, right, same in pairs]}
    assert ask("POST", path, body).body["kept"] == 29
    file = folder / "tickets.nearsense.labels.jsonl"
    assert file.stat().st_mode & 0o077 == 0
    assert len(file.read_text().splitlines()) == 29
    told = ask("POST", path + "/learn", {})
    assert (told.status, told.body["labels"], told.body["same"]) == (200, 29, 14), told
    told = ask("GET", path).body
    assert (told["same"], told["different"], told["needed"], told["calibration"]["labels"]) == (14, 15, 0, 29)
    assert load_calibration(folder / "tickets.nearsense.calibration.json").task == "duplicates"
    table = read_table(file)  # and the command can read it
    assert {"a", "b", "label"} <= set(table.columns)
    told = ask("DELETE", path, left="10", right="0")
    assert told.body == {"collection": "tickets", "undone": True, "kept": 28}
    assert not ask("DELETE", path, left="10", right="0").body["undone"]
    for bad in ([{"left": "1", "right": "nobody", "same": True}], [{"left": "1", "right": "1", "same": True}], []):
        assert ask("POST", path, {"decisions": bad}).status == (409 if bad else 422), bad
    assert len(ask("GET", path).body["decisions"]) == 28

    # duplicates of the collection go by what was learnt
    learnt = load_calibration(folder / "tickets.nearsense.calibration.json")
    with ns.open(folder / "tickets.nearsense", HashEncoder(), create=False) as room:
        documents, vectors = room.documents()
    wanted = ns.duplicates(documents, vectors=vectors, calibration=learnt, min_probability=0.3)
    told = ask("POST", "/v1/duplicates", {"collection": "tickets", "min_probability": 0.3}).body
    assert told["pair_list"]
    assert [pair["probability"] for pair in told["pair_list"]] == [
        pytest.approx(pair.probability, abs=1e-6) for pair in wanted.pairs[: len(told["pair_list"])]
    ]


def test_a_line_torn_by_a_kill_is_left_out_and_one_that_is_damaged_is_told(tmp_path):
    texts = {str(row): f"text {row}" for row in range(5)}
    kept = Decisions(tmp_path / "a.nearsense")
    for row in range(1, 5):
        kept.decide([("0", str(row), row % 2 == 0)], texts)
    whole = kept.file.read_bytes()
    kept.file.write_bytes(whole[:-9])
    again = Decisions(tmp_path / "a.nearsense")
    assert [each.right for each in again.all()] == ["1", "2", "3"]
    again.decide([("0", "4", True)], texts)
    assert [json.loads(line)["right"] for line in again.file.read_text().splitlines()] == ["1", "2", "3", "4"]
    kept.file.write_bytes(b"{}\n" + whole)
    with pytest.raises(ns.errors.FileError, match="line 1"):
        Decisions(tmp_path / "a.nearsense").all()


# -- evaluate, calibrate, drift


def pairs(count):
    same = [{"a": f"I like {n}", "b": f"I like {n} too", "label": True} for n in range(count)]
    return same + [{"a": f"I like {n}", "b": f"Trains to {n + 50} are late", "label": False} for n in range(count)]


def test_models_are_judged_on_pairs_as_the_library_does(world):
    ask = world[0]
    told = ask("POST", "/v1/evaluate", {"pairs": pairs(15), "baselines": False}).body
    given = [(each["a"], each["b"]) for each in pairs(15)]
    labels = [each["label"] for each in pairs(15)]
    from nearsense.datasets import LabelledPairs

    wanted = ns.evaluate(HashEncoder(), LabelledPairs(name="pairs", pairs=given, labels=labels), baselines=False)
    assert told["systems"][0]["figures"] == json.loads(json.dumps(wanted.to_dict()["systems"][0]["figures"]))
    content = "a,b,label\n" + "".join(f"{each['a']},{each['b']},{int(each['label'])}\n" for each in pairs(15))
    file = ask(
        "POST", "/v1/files/evaluate", content.encode(), {"content-type": "text/csv"}, baselines="false"
    ).body
    assert file["systems"][0]["figures"] == told["systems"][0]["figures"]
    mixed = [*pairs(15), {"a": "x", "b": "y", "score": 0.5}]
    assert "30 labels and 1 scores" in ask("POST", "/v1/evaluate", {"pairs": mixed}).error["message"]
    assert ask("POST", "/v1/evaluate", {"pairs": pairs(15), "models": ["nobody"]}).status == 404


def test_a_calibration_is_learnt_as_the_library_does_and_bad_pairs_are_named(world):
    ask = world[0]
    told = ask("POST", "/v1/calibrate", {"pairs": pairs(20), "precision": [0.9]}).body
    wanted = ns.calibrate([(each["a"], each["b"], each["label"]) for each in pairs(20)], encoder=HashEncoder())
    assert told["labels"] == 40
    assert told["thresholds"][0]["score"] == pytest.approx(wanted.threshold(precision=0.9).score, abs=1e-6)
    again = type(wanted).from_dict(told["calibration"])
    assert again.probability(0.7) == pytest.approx(wanted.probability(0.7), abs=1e-9)
    content = "a,b,label\n" + "".join(f"{each['a']},{each['b']},{int(each['label'])}\n" for each in pairs(20))
    file = ask("POST", "/v1/files/calibrate", content.encode(), {"content-type": "text/csv"}).body
    assert file["labels"] == 40
    broken = content.replace("I like 7 too,1", "I like 7 too,perhaps")
    told = ask("POST", "/v1/files/calibrate", broken.encode(), {"content-type": "text/csv"}, name="pairs.csv")
    assert told.status == 422
    assert "pairs.csv" in told.error["message"]
    assert ask("POST", "/v1/calibrate", {"pairs": pairs(3)}).status == 422


def test_many_pairs_are_judged_as_a_job(world):
    ask = world[0]
    content = "a,b,label\n" + "".join(f"{each['a']},{each['b']},{int(each['label'])}\n" for each in pairs(600))
    told = ask.ended(ask("POST", "/v1/files/calibrate", content.encode(), {"content-type": "text/csv"}))
    assert (told["state"], told["kind"], told["result"]["labels"]) == ("done", "calibrate", 1200)


def test_drift_is_seen_where_other_things_are_asked_than_before(tmp_path, monkeypatch):
    make_drifting(tmp_path / "tickets.nearsense", HashEncoder(), monkeypatch)
    with serving(tmp_path) as (ask, service):
        told = ask("GET", "/v1/collections/tickets/drift", since="1d", against="28d").body
        assert told["drifted"]
        written, _ = service.metrics.exposition("text/plain")
        assert b'nearsense_drift{name="tickets"} 1.0' in written
        assert told["p"] <= told["level"]
        assert told["actions"]
        time.sleep(1.1)  # the last question is older than a second
        told = ask("GET", "/v1/collections/tickets/drift", since="1s", against="28d")
        assert (told.status, told.error["code"]) == (409, "nothing_to_compare")
        assert ask("GET", "/v1/collections/tickets/drift", since="soon").status == 422
