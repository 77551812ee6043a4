"""Tables on terminals of any width: what was found stays, figures go first, and nothing runs over the edge."""

from __future__ import annotations

import io
import json
import re
from itertools import pairwise

from rich.cells import cell_len

from nearsense.render import Form, Page, show
from nearsense.tables import shown_columns
from turns import in_turn

WIDTHS = (20, 24, 30, 40, 50, 60, 73, 74, 80, 100, 200)
LONG = "My monitor hangs every morning when I start it up and nothing helps"
CHINESE = "我的显示器每天早上启动时都会死机没有任何帮助"
EMOJI = "🙂🙂🎉 party time 🎉🎉 again and again 🙂"


def printed(monkeypatch, width, columns, rows):
    monkeypatch.setenv("COLUMNS", str(width))
    out = io.StringIO()
    show(Page(None, (), columns, rows), Form.TABLE, out)
    return out.getvalue()


def joined(text):
    """What is written, wherever it was wrapped."""
    return "".join(text.split())


HITS = ("#>", "score>", "probability>", "id", "text", "differs")


@in_turn("width", WIDTHS)
@in_turn("text", [LONG, CHINESE, EMOJI, "x" * 90, "ما هو موعد فتح المكتب صباح الغد يا ترى"])
def test_ids_and_texts_stay_at_every_width(monkeypatch, width, text):
    row = ("1", "0.6650", ">99 %, 98 to >99", "T-1001", text, "negation")
    table = printed(monkeypatch, width, HITS, [row, row])
    assert max(map(cell_len, table.splitlines())) <= width
    body = table.split("─")[-1]
    assert body.count("T-1001") == 2
    column = [line[table.splitlines()[0 if width < 60 else 1].index("text") :] for line in body.splitlines()]
    assert set(joined(text)) <= set(joined(" ".join(column)) + joined(body))
    assert joined(body).count(joined(text)[-1]) >= 2
    assert ("negation" in joined(body)) == (width >= 30)
    assert (">99 %, 98 to >99" in body) == (width >= 60)


def test_the_probability_comes_back_first_then_figures_from_the_left_as_the_terminal_grows():
    seen = [shown_columns(HITS, [1, 6, 16, 6, 70, 8], width) for width in range(20, 200)]
    assert seen[0] == [3, 4]
    assert seen[-1] == list(range(6))
    assert all(set(narrow) <= set(wide) for narrow, wide in pairwise(seen))
    figures = [[place for place in shown if place < 3] for shown in seen]
    steps = [shown for shown, before in zip(figures, [None, *figures], strict=False) if shown != before]
    assert steps == [[], [2], [0, 2], [0, 1, 2]]


def test_two_texts_that_differ_are_shown_with_their_probability_on_80_columns(run, monkeypatch):
    import sys

    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    out = run("compare", "How do I enable the alarm?", "How do I disable the alarm?").out
    assert all(word in out for word in ("antonym", "probability", " %, ", "enable the", "disable"))


@in_turn(
    ("columns", "stay"),
    [
        (("score>", "probability>", "reading", "differs", "a", "b"), ("a", "b")),
        (("probability>", "score>", "tier", "id", "text"), ("id", "text")),
        (("probability>", "entry", "answer"), ("entry", "answer")),
        (("score>", "prediction", "truth", "text", "other text"), ("text", "other text")),
        (("cluster>", "size>", "name", "examples"), ("name", "examples")),
        (("id", "text", "reason", "stays", "differs"), ("id", "text")),
    ],
)
def test_what_each_verb_found_stays(columns, stay):
    for width in range(20, 201):
        shown = [columns[place] for place in shown_columns(columns, [40] * len(columns), width)]
        assert set(stay) <= set(shown)


def test_a_table_of_figures_alone_shows_the_first_of_them():
    assert shown_columns(["a>", "b>", "c>"], [9, 9, 9], 15) == [0]
    assert shown_columns(["a>", "b>", "c>"], [9, 9, 9], 80) == [0, 1, 2]


@in_turn("width", [40, 60, 74])
@in_turn("words", ["search FILE screen", "rank screen FILE", "cluster FILE -k 2"])
def test_the_command_shows_what_it_found_on_a_narrow_terminal(run, tmp_path, monkeypatch, width, words):
    import sys

    file = tmp_path / "tick.csv"
    rows = [("T-1001", "The dashboard freezes after login"), ("T-1002", "My monitor hangs when I start it")]
    file.write_text("id,text\n" + "".join(f"{id_},{text}\n" for id_, text in rows))
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    out = run(*(str(file) if word == "FILE" else word for word in words.split())).out
    out = re.sub(r"\x1b\[[0-9;]*m", "", out)
    assert max(map(cell_len, out.splitlines())) <= width
    assert "dashboard" in out or "monitor" in out
    if "cluster" not in words:
        assert all(id_ in out for id_, _ in rows)


def test_cells_do_not_turn_the_direction_of_writing_nor_steer(monkeypatch):
    table = printed(monkeypatch, 80, ("id", "te\x1b[31mxt\x9b"), [("1\x07", "a\u202eb\x1b]0;x\x07")])
    assert not set(table) & set("\x1b\x07\x9b\u202e")
    assert json.dumps(table)
