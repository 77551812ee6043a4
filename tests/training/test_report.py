"""The report says first whether the model became better; it is whole, harmless, and true to the figures."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

import nearsense as ns
from fakes import HashEncoder, WordCross
from judged import classes
from nearsense.evaluation.results import Figure, Mistake
from nearsense.pages.training import training_html
from nearsense.render.training import model_card, training_markdown, training_page
from nearsense.training.examples import Examples, Kind
from nearsense.training.judging import carry_calibration, judge
from nearsense.training.report import conclude, licence_in, write_report
from nearsense.training_results import Carried, Change, Judgement, Point, Slice, Verdict
from nearsense.types import TrainingReport
from turns import in_turn

HOSTILE = '<script src="https://evil.example/x.js">alert(1)</script>|`*_<img src=//evil.example onerror=x>\u202e'


def change(name="seen", before=0.72, after=0.8, low=0.05, high=0.11, p=0.0004, items=300):
    difference = Figure(after - before, low, high)
    own = (Figure(each, each - 0.02, each + 0.02) for each in (before, after))
    return Change(name, items, *own, difference, p)


def judgement(*changes, slices=(), **more):
    wrong = Mistake("refund", HOSTILE, (HOSTILE,), 0.9, 0.4)
    return Judgement("theirs", "mine", "classes", 300, changes or (change(),), tuple(slices),
                     errors_before=(wrong,), errors_after=(wrong,), **more)  # fmt: skip


def report(judged=None, **more):
    known = {
        "model": "mine", "folder": "models/mine", "fingerprint": "f" * 64, "parent": "all-MiniLM-L6-v2",
        "parent_fingerprint": "a" * 64, "kind": "classes", "examples": 770, "texts": 765, "held_out": 300,
        "steps": 120, "best_step": 90, "seconds": 200.0, "loss": "multiple negatives",
        "curve": tuple(Point(step, 1 / (1 + step), 0.5, 0.7 + step / 1000) for step in range(0, 120, 10)),
    }  # fmt: skip
    return TrainingReport(**known | more, judgement=judged)


WORSE = Slice("domain", "banking", 60, 0.93, 0.84, 0.003)
SAME = Slice("form", "questions", 200, 0.9, 0.91, 0.8)


class Reader(HTMLParser):
    VOID = ("meta", "path", "circle")

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.refers, self.styles, self.text = [], set(), [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.refers += [
            name for name, _ in attributes if name in ("src", "href", "action") or name.startswith("on")
        ]
        self.styles += [name for name, _ in attributes if name == "style"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.add(tag)
        self.styles += [name for name, _ in attributes if name == "style"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


BETTER = "went from 72.0 to 80.0 (+8.0 [+5.0, +11.0], p < 0.001)."
FALLEN = change("unseen", 0.7, 0.6, -0.18, -0.02, 0.01, 80)
LOST = "Worse on the general check set: domain banking (ROC AUC 93.0 to 84.0)."
NOTHING_LOST = "On the general check set nothing is proven to be worse (1 part looked at)."


@in_turn(
    ("judged", "said"),
    [
        (judgement(), f"Better: accuracy (known classes) on 300 texts that training did not see {BETTER}"),
        (judgement(change(low=-0.01, p=0.09)), "Not proven:"),
        (judgement(change(after=0.6, low=-0.15, high=-0.05)), "Worse:"),
        (judgement(change(), FALLEN), "Worse: accuracy (new classes), 70.0 to 60.0 (-10.0 [-18.0, -2.0])."),
        (judgement(slices=[WORSE, SAME]), LOST),
        (judgement(slices=[SAME]), NOTHING_LOST),
        (None, "Nothing was held out, so nobody knows whether it became better."),
    ],
)
def test_the_first_line_says_whether_it_became_better(judged, said):
    found = report(judged)
    assert said in found.sentence
    assert str(found).split("\n")[0] == found.sentence
    assert (
        said.replace("[", r"\[").replace("]", r"\]").replace("<", "&lt;")
        in training_markdown(found).split("\n")[0]
    )
    html = training_html(found)
    body = "".join(Reader(html.split("<main>")[1].split("</main>")[0]).text).strip()
    assert body.startswith(found.sentence), "before anything else"


def test_a_difference_counts_where_interval_and_test_agree():
    assert change(p=0.2).verdict is Verdict.NOT_PROVEN
    assert change(low=-0.001).verdict is Verdict.NOT_PROVEN
    assert change().verdict is Verdict.BETTER
    assert change(before=0.9, after=0.8, low=-0.2, high=-0.01).verdict is Verdict.WORSE


def test_the_page_is_whole_harmless_and_allows_nothing_but_its_own_style():
    hostile = report(judgement(slices=[WORSE]), model=HOSTILE, folder=HOSTILE, parent=HOSTILE, notes=(HOSTILE,))
    html = training_html(hostile)
    page = Reader(html)
    assert page.open == []
    assert page.refers == []
    assert page.styles == [], "the policy forbids them"
    assert not {"script", "img", "link", "a", "iframe"} & page.tags
    assert "\u202e" not in html
    style = re.search(r"<style>(.*?)</style>", html, re.S)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)[1]
    assert f"style-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "script-src" not in policy


def test_markdown_and_card_hold_no_markup_of_texts():
    hostile = report(judgement(slices=[WORSE]), model=HOSTILE, parent=HOSTILE, notes=(HOSTILE,))
    for text in (training_markdown(hostile), model_card(hostile)):
        outside = re.sub(r"(?s)^---.*?---|```.*?```", "", text)
        assert "<script" not in outside
        assert "<img" not in outside
        assert "\u202e" not in outside


def test_the_page_draws_the_way_there():
    html = training_html(report(judgement()))
    assert html.count("<svg") >= 3
    for title in ("Loss over the steps", "The figure over the steps", "Figures before and after"):
        assert title in html
    plain = training_html(report(judgement(), curve=()))
    assert "Loss over the steps" not in plain
    odd = (Point(0, float("nan")), Point(1, float("inf")), Point(2, 0.5), Point(3, 0.4))
    assert "nan" not in training_html(report(judgement(), curve=odd)).replace("nano", "")


def test_what_it_cost_where_it_comes_from_and_how_it_is_used_is_said():
    known = report(
        judgement(), licence="Apache-2.0", calibration=Carried("class", 770, 390, 0.5, 0.031, "77 texts")
    )
    for text in (training_markdown(known), "".join(Reader(training_html(known)).text)):
        for part in ("3.3 minutes", "770", "120", "Apache-2.0", "all-MiniLM-L6-v2", "import nearsense as ns",
                     'encoder = ns.load("models/mine")', "both are of one class", "3.1 points"):  # fmt: skip
            assert part in text, part


def test_the_lines_to_paste_run(tmp_path):
    for folder in ("all-MiniLM-L6-v2", 'a "quoted" one'):
        lines = report(folder=folder).usage
        compile("\n".join(lines), "pasted", "exec")
    exec("\n".join(report(folder="all-MiniLM-L6-v2").usage), {})
    assert "load_cross" in report(cross=True).usage[1]


def test_all_files_are_written_and_the_json_is_the_report(tmp_path):
    judged = judge(HashEncoder(), HashEncoder(name="b"), classes(4, 6), general=False)
    known = report(judged)
    write_report(known, tmp_path, languages=("en",))
    assert {each.name for each in tmp_path.iterdir()} == {"README.md", "report.html", "report.json", "report.md"}
    written = json.loads((tmp_path / "report.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    assert written["verdict"] == judged.verdict.value
    assert written["sentence"] == known.sentence
    assert written["judgement"]["changes"][0]["before"]["value"] == judged.main.before.value
    assert written["licence"] == "Apache-2.0", "of the catalogue's card"
    assert known.to_dict()["curve"][1]["step"] == 10


def test_the_card_has_the_head_that_the_hub_reads(tmp_path):
    yaml = pytest.importorskip("yaml")
    write_report(report(judgement(), licence=""), tmp_path, languages=("en", "de"))
    card = (tmp_path / "README.md").read_text()
    head = yaml.safe_load(card.split("---")[1])
    assert head["base_model"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert head["library_name"] == "sentence-transformers"
    assert (head["license"], head["language"]) == ("apache-2.0", ["en", "de"])
    assert head["pipeline_tag"] == "sentence-similarity"
    cross = yaml.safe_load(model_card(report(cross=True)).split("---")[1])
    assert cross["pipeline_tag"] == "text-ranking"


def test_the_licence_of_a_parent_that_no_catalogue_knows_is_read_off_its_card(tmp_path):
    assert licence_in(tmp_path) == ""
    for content, found in {
        "---\nlanguage: en\nlicense: mit\n---\n# A model": "mit",
        '---\nlicense: "cc-by-4.0"\n---': "cc-by-4.0",
        "---\nlanguage: en\n---\nlicense: mit": "",
        "# license: mit": "",
        "---\nlicense: $(rm -r)\n---": "",
    }.items():
        (tmp_path / "README.md").write_text(content)
        assert licence_in(tmp_path) == found, content


def test_records_are_one_a_figure_and_the_table_shows_what_changed():
    known = report(judgement(change(), change("unseen"), slices=[WORSE, SAME]))
    page = training_page(known)
    assert [each["part"] for each in page.records] == ["held out", "held out", "domain banking", "form questions"]
    assert [each.cells[0][0] for each in page.groups] == ["accuracy (known classes)", "domain banking"]
    assert [each["verdict"] for each in page.records] == ["better", "better", "worse", "not proven"]
    assert training_page(report()).records[0]["verdict"] is None
    json.dumps([*page.records, page.document], allow_nan=False)


def test_a_report_is_a_result_by_its_name():
    assert ns.types.TrainingReport is TrainingReport
    assert report(judgement())._repr_html_().startswith("<pre>Better")
    assert replace(report(), seconds=30.0).cost.startswith("30 seconds")


def finnish(name):
    """A model that the general check set has no pairs for."""
    model = HashEncoder(name=name)
    model.languages = ("fi",)
    return model


def parts_of(count=6, per=12):
    whole = classes(count, per)
    rows = list(range(len(whole)))
    return whole.take(rows[::2]), whole.take(rows[1::4]), whole.take(rows[3::4])


def test_the_end_of_a_training_calibrates_on_one_part_and_judges_on_the_other(tmp_path):
    known, dev, test = parts_of()
    after = HashEncoder(name="after")
    after.calibration_file = str(tmp_path / "calibration.json")
    found = conclude(report(), tmp_path, finnish("before"), after, known=known, dev=dev, test=test)
    assert found.judgement.items == len(test)
    assert not any("flattered" in note for note in found.judgement.notes)
    assert f"{len(dev) + len(test)} texts" in found.calibration.made_from
    assert any("are judged on the second" in note for note in found.notes)
    alone = carry_calibration(tmp_path / "..", after, dev, known=known, chose=True)
    assert found.judgement.stated_after.prior == pytest.approx(alone.prior), "what is judged has not seen the test"
    (tmp_path / ".." / "calibration.json").unlink()
    assert "chose the step" in found.calibration.made_from
    assert found.judgement.stated_after.task == "class", (
        "the judged probabilities are those that the folder carries"
    )
    assert {"calibration.json", "report.html", "report.md", "report.json", "README.md"} == {
        each.name for each in tmp_path.iterdir()
    }


def test_where_one_part_has_to_do_it_is_said(tmp_path):
    known, dev, _ = parts_of()
    models = finnish("before"), finnish("after")
    found = conclude(report(), tmp_path, *models, known=known, dev=dev)
    assert any("flattered" in note for note in found.judgement.notes)
    assert conclude(report(), tmp_path, *models, known=known).judgement is None
    assert "nobody knows" in (tmp_path / "report.md").read_text()


def test_what_cannot_be_measured_is_a_note_and_no_error(tmp_path):
    known, *_ = parts_of()
    few = Examples(kind=Kind.LABELLED, texts=(list("abc"), list("xyz")), truth=[True, True, True])
    found = conclude(report(), tmp_path, HashEncoder(name="b"), HashEncoder(), known=few, dev=few, test=few)
    assert found.judgement is None
    assert found.calibration is None
    assert any("carries no calibration: 3 labels are too few" in note for note in found.notes)
    assert any("Nothing was measured on what was held out" in note for note in found.notes)
    assert len(known) > 3


def test_a_cross_encoder_is_compared_with_the_encoder_that_it_was_made_of(tmp_path):
    queries = [f"word{row} what" for row in range(30)]
    texts = [f"word{row} is thing{row % 3}" for row in range(30)]
    held = Examples(kind=Kind.POSITIVES, texts=(queries, texts))
    judged = conclude(
        report(cross=True), tmp_path, finnish("before"), WordCross(), known=held, test=held
    ).judgement
    assert (judged.main.name, judged.main.items, judged.main.after.value) == ("mrr@10", 30, 1.0)
    assert "load_cross" in (tmp_path / "README.md").read_text()


def test_a_browser_asks_for_nothing_and_complains_of_nothing(tmp_path, tmp_path_factory):
    from browsers import Sheet, browser

    file = tmp_path / "report.html"
    file.write_text(training_html(report(judgement(slices=[WORSE]))))
    with browser(tmp_path_factory) as context:
        sheet = Sheet(context, file, ready="document.readyState === 'complete'")
        assert sheet.asked == [file.as_uri()]
        assert sheet.complaints == []
        widths = sheet.page.evaluate(
            "[...document.querySelectorAll('figure > svg')].map(each => each.clientWidth)"
        )
        assert max(widths) <= 720, "the policy lets the page's own style hold"
        assert sheet.page.evaluate("getComputedStyle(document.querySelector('.line')).fill") == "none"
