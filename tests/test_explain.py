"""Which words carry a score: the arithmetic against the vectors themselves, and against sentence-transformers."""

from __future__ import annotations

import json
import unicodedata
from itertools import pairwise

import numpy as np
import pytest
from click.testing import CliRunner

import nearsense as ns
from fakes import HashEncoder
from nearsense.cached import cached
from nearsense.cli.compare import explain as command
from nearsense.compare import compare
from nearsense.encoders.packing import Engine
from nearsense.errors import InputError, ModelError, TextTooLong
from nearsense.explanation import explain
from nearsense.records import Long
from samples import awkward_texts, some_of, tiny_bert
from turns import in_turn

PAIRS = [
    ("A dog is playing in the park.", "A puppy is running outside."),
    ("The medication increases blood pressure.", "The medication decreases blood pressure."),
    ("She loves reading mystery novels.", "The weather forecast shows heavy rain."),
    ("a", "An unbelievably long-winded, tokenised sentence (2024)!"),
]


def totals(explanation):
    """What both texts' words and the rest add up to."""
    sides = (
        (explanation.words_a, explanation.unexplained_a),
        (explanation.words_b, explanation.unexplained_b),
    )
    return [sum(word.contribution for word in words) + rest for words, rest in sides]


def contributions(words):
    return [word.contribution for word in words]


@pytest.mark.parametrize(("a", "b"), PAIRS)
@pytest.mark.parametrize("fixture", ["encoder", "exact"])
def test_contributions_and_the_rest_add_up_to_the_score_of_compare(request, fixture, a, b):
    encoder = request.getfixturevalue(fixture)
    explanation = explain(a, b, encoder=encoder)
    assert explanation.exact
    assert explanation.score == compare(a, b, encoder=encoder).score
    assert totals(explanation) == pytest.approx([explanation.score] * 2, abs=1e-5)


@pytest.mark.filterwarnings("ignore::nearsense.UnknownTextWarning", "ignore::nearsense.LanguageWarning")
def test_they_add_up_for_texts_of_all_scripts_and_lengths(exact):
    texts = [text for text in awkward_texts(30) if text.strip()]
    for a, b in pairwise(texts):
        explanation = explain(a, b, encoder=exact.with_long(Long.HEAD))
        assert totals(explanation) == pytest.approx([explanation.score] * 2, abs=1e-5)
        for words, text in ((explanation.words_a, a), (explanation.words_b, b)):
            assert all(word.text == text[word.start : word.end] and word.text for word in words)
            assert all(one.end <= other.start for one, other in pairwise(words))


@pytest.mark.parametrize(("a", "b"), PAIRS[:2])
def test_contributions_are_those_of_the_token_vectors_of_sentence_transformers(exact, a, b):
    library = pytest.importorskip("sentence_transformers", reason="needs the extra 'test' (with torch)")
    from nearsense.encoders.folder import find

    model = library.SentenceTransformer(str(find("all-MiniLM-L6-v2").path), device="cpu")
    tokens = [each.numpy().astype(np.float64) for each in model.encode([a, b], output_value="token_embeddings")]
    v_a, v_b = (each.mean(axis=0) for each in tokens)
    each = tokens[0] @ v_b / len(tokens[0]) / np.linalg.norm(v_a) / np.linalg.norm(v_b)
    ids = model.tokenizer([a])
    expected = [each[np.array(ids.word_ids(0)) == word].sum() for word in range(max(ids.word_ids(0)[1:-1]) + 1)]
    explanation = explain(a, b, encoder=exact)
    assert contributions(explanation.words_a) == pytest.approx(expected, abs=1e-5)
    assert explanation.unexplained_a == pytest.approx(each[0] + each[-1], abs=1e-5)

    means = [
        np.array([vectors[1:-1][np.array(model.tokenizer([text]).word_ids(0)[1:-1]) == word].mean(axis=0)
                  for word in range(len(words))])
        for text, vectors, words in ((a, tokens[0], explanation.words_a), (b, tokens[1], explanation.words_b))
    ]  # fmt: skip
    units = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in means]
    cosines = units[0] @ units[1].T
    assert [word.partner for word in explanation.words_a] == cosines.argmax(axis=1).tolist()
    assert [word.similarity for word in explanation.words_b] == pytest.approx(cosines.max(axis=0), abs=1e-5)


def test_equal_texts_are_explained_word_by_word(exact):
    explanation = explain("Rain is falling here.", "Rain is falling here.", encoder=exact)
    assert explanation.score == pytest.approx(1, abs=1e-6)
    assert [word.partner for word in explanation.words_a] == [0, 1, 2, 3, 4]
    assert [word.similarity for word in explanation.words_a] == pytest.approx([1] * 5)
    assert explanation.words_a == explanation.words_b


def test_swapped_texts_swap_their_words(exact):
    one, other = explain(*PAIRS[0], encoder=exact), explain(*reversed(PAIRS[0]), encoder=exact)
    assert one.score == pytest.approx(other.score, abs=1e-6)
    assert [word.partner for word in one.words_a] == [word.partner for word in other.words_b]
    assert contributions(one.words_a) == pytest.approx(contributions(other.words_b), abs=1e-5)


@in_turn(
    ("text", "words"),
    [
        ("Café, naïve", ["Café", ",", "naïve"]),
        (unicodedata.normalize("NFD", "Café, naïve"), [unicodedata.normalize("NFD", "Café"), ",", "naïve"]),
        ("hi 🙂 👩‍👩‍👧!", ["hi", "🙂", "👩‍👩‍👧", "!"]),
        ("日本語 text", ["日", "本", "語", "text"]),
        ("  two\n\tlines ", ["two", "lines"]),
        ("unbelievably İstanbul", ["unbelievably", "İstanbul"]),
        ("a\u0301\u0301 ﬁne", ["a\u0301\u0301", "ﬁne"]),
    ],
)
def test_words_are_stretches_of_the_original_text(exact, text, words):
    found = explain(text, "something else", encoder=exact).words_a
    assert [unicodedata.normalize("NFC", word.text) for word in found] == [
        unicodedata.normalize("NFC", word) for word in words
    ]
    assert all(text[word.start : word.end] == word.text for word in found)


def test_words_beyond_the_limit_are_said_and_left_out(exact):
    text = " ".join(f"word{number}" for number in range(400))
    with pytest.warns(ns.errors.TruncationWarning):
        explanation = explain(text, "a short one", encoder=exact)
    assert explanation.truncated_a
    assert not explanation.truncated_b
    assert 0 < len(explanation.words_a) < 254
    assert explanation.words_a[-1].end < len(text) / 2
    assert "beyond the model's limit" in str(explanation)
    assert totals(explanation) == pytest.approx([explanation.score] * 2, abs=1e-5)


def test_a_text_in_windows_is_explained_to_its_end(exact):
    text = " ".join(f"word{number}" for number in range(400))
    encoder = exact.with_long(Long.CHUNK)
    explanation = explain(text, "a short one", encoder=encoder)
    assert explanation.score == compare(text, "a short one", encoder=encoder).score
    assert len(explanation.words_a) == 400
    assert not explanation.truncated_a
    assert totals(explanation) == pytest.approx([explanation.score] * 2, abs=1e-5)


def test_a_text_beyond_the_limit_is_refused_where_that_was_asked_for(exact):
    with pytest.raises(TextTooLong):
        exact.tokens(["word " * 400], long="error")


@in_turn(("a", "b"), [("", "text"), ("text", " \n"), (None, "text"), ("text", "\ud800")])
def test_what_compare_refuses_is_refused_in_the_same_words(exact, a, b):
    with pytest.raises(InputError) as theirs:
        compare(a, b, encoder=exact)
    with pytest.raises(InputError) as ours:
        explain(a, b, encoder=exact)
    assert str(ours.value) == str(theirs.value)


def test_what_gives_no_tokens_is_refused():
    with pytest.raises(ModelError, match="hash cannot be explained"):
        explain("one", "other", encoder=HashEncoder())


def test_a_cache_is_no_obstacle(exact):
    assert explain(*PAIRS[0], encoder=cached(exact)) == explain(*PAIRS[0], encoder=exact)


def pooled(folder, **mode):
    """A small model that pools in another way."""
    tiny_bert(folder)
    config = {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": False, **mode}
    (folder / "1_Pooling/config.json").write_text(json.dumps(config))
    return ns.load(str(folder), precision="f32")


MODES = {
    "pooling_mode_mean_tokens": True,
    "pooling_mode_mean_sqrt_len_tokens": True,
    "pooling_mode_weightedmean_tokens": True,
    "pooling_mode_cls_token": False,
    "pooling_mode_max_tokens": False,
    "pooling_mode_lasttoken": False,
}


@in_turn(("mode", "is_exact"), MODES.items())
def test_only_sums_have_exact_shares_and_all_add_up(tmp_path, mode, is_exact):
    explanation = explain("w1 w2 abc w7", "w2 cab.", encoder=pooled(tmp_path / "model", **{mode: True}))
    assert explanation.exact is is_exact
    assert totals(explanation) == pytest.approx([explanation.score] * 2, abs=1e-5)
    assert ("no exact shares" in str(explanation)) is not is_exact


def test_several_poolings_have_no_exact_shares(tmp_path):
    encoder = pooled(tmp_path / "model", pooling_mode_cls_token=True, pooling_mode_mean_tokens=True)
    explanation = explain("w1 w2 abc w7", "w2 cab.", encoder=encoder)
    assert not explanation.exact
    assert totals(explanation) == pytest.approx([explanation.score] * 2, abs=1e-5)


@pytest.fixture
def hubs():
    return pytest.importorskip("hubs", reason="needs the extra 'test' (with torch)")


A, B = "the dog, the cat and the king", "a dog in the water!"
WORDS = ["the", "dog", ",", "the", "cat", "and", "the", "king"]


@pytest.mark.parametrize(
    "kind", some_of(["bert", "roberta", "xlm-roberta", "mpnet", "distilbert"], "roberta", "mpnet")
)
def test_every_architecture_and_tokenizer_is_taken_apart(tmp_path, hubs, kind):
    explanation = explain(A, B, encoder=ns.load(str(hubs.bi_encoder(tmp_path / "model", kind)), precision="f32"))
    assert explanation.exact
    assert [word.text for word in explanation.words_a] == WORDS
    assert totals(explanation) == pytest.approx([explanation.score] * 2, abs=1e-5)


@pytest.mark.parametrize("kind", some_of(["roberta", "xlm-roberta"], "xlm-roberta"))
def test_scripts_without_spaces_and_emoji_have_words_too(tmp_path, hubs, kind):
    text = "日本 dog🙂👩‍👩‍👧 ไทย"
    encoder = ns.load(str(hubs.bi_encoder(tmp_path / "model", kind)), precision="f32")
    explanation = explain(text, B, encoder=encoder)
    assert all(text[word.start : word.end] == word.text for word in explanation.words_a)
    assert "dog" in [word.text for word in explanation.words_a] or kind == "xlm-roberta"
    assert totals(explanation) == pytest.approx([explanation.score] * 2, abs=1e-5)


def test_layers_after_pooling_leave_no_exact_shares(tmp_path, hubs):
    from sentence_transformers.sentence_transformer import modules as st

    folder = hubs.bi_encoder(tmp_path / "model", "bert", st.Pooling(hubs.HIDDEN), st.Dense(32, 16))
    explanation = explain(A, B, encoder=ns.load(str(folder), precision="f32"))
    assert not explanation.exact
    assert [word.text for word in explanation.words_a] == WORDS
    assert totals(explanation) == pytest.approx([explanation.score] * 2, abs=1e-5)


def test_a_prompt_is_part_of_no_word(tmp_path, hubs):
    folder = hubs.bi_encoder(tmp_path / "model", "bert", prompts={"query": "the king: "})
    plain = ns.load(str(folder), precision="f32")
    hubs.changed(folder / "config_sentence_transformers.json", default_prompt_name="query")
    prompted = ns.load(str(folder), precision="f32", threads=1)
    explanation = explain(A, B, encoder=prompted)
    assert [(word.text, word.start) for word in explanation.words_a] == [
        (word.text, word.start) for word in explain(A, B, encoder=plain).words_a
    ]
    assert totals(explanation) == pytest.approx([explanation.score] * 2, abs=1e-5)


def test_a_table_of_vectors_leaves_nothing_unexplained(tmp_path, hubs):
    explanation = explain(A, B, encoder=ns.load(str(hubs.static(tmp_path / "model"))))
    assert explanation.exact
    assert explanation.unexplained_a == explanation.unexplained_b == 0
    assert totals(explanation) == pytest.approx([explanation.score] * 2, abs=1e-5)


def test_what_runs_through_torch_is_taken_apart(tmp_path, hubs):
    folder = hubs.bi_encoder(tmp_path / "model", "electra")
    with hubs.quiet():
        explanation = explain(A, B, encoder=ns.load(str(folder)))
    assert explanation.exact
    assert [word.text for word in explanation.words_a] == WORDS
    assert totals(explanation) == pytest.approx([explanation.score] * 2, abs=1e-5)


def test_an_explanation_is_json_and_prints_itself(exact):
    explanation = explain(*PAIRS[0], encoder=exact)
    known = json.loads(json.dumps(explanation.to_dict()))
    assert known["model"] == "all-MiniLM-L6-v2"
    assert known["words_a"][1]["text"] == "dog"
    assert known["score"] == explanation.score
    assert all(word.text in str(explanation) for word in explanation.words_b)


def test_the_page_holds_texts_as_text(exact):
    page = explain('<script>alert("1")</script> & co\x07', "<b>bold</b> 'x'", encoder=exact).to_html()
    assert "<script" not in page
    assert "<b>" not in page
    assert "\x07" not in page
    assert page.startswith("<!doctype html>")
    assert "http" not in page


def run(*words):
    return CliRunner().invoke(command, words, catch_exceptions=False)


def test_the_command_writes_words_as_lines_and_as_one_document():
    lines = [json.loads(line) for line in run("a dog", "the puppy").stdout.splitlines()]
    assert [(line["of"], line["text"], line["partner"]) for line in lines][:2] == [
        ("a", "a", "the"),
        ("a", "dog", "puppy"),
    ]
    assert json.loads(run("a dog", "the puppy", "--json").stdout)["exact"] is True
    assert run("a dog", "the puppy", "--csv").stdout.startswith(
        "of,text,start,end,contribution,partner,similarity\n"
    )


def test_the_command_writes_a_page(tmp_path):
    file = tmp_path / "page.html"
    assert run("a dog", "the puppy", "--html", str(file)).exit_code == 0
    assert "puppy</span>" in file.read_text()
    assert run("a dog", "the puppy", "--html", "-").stdout == file.read_text()


def test_a_terminal_gets_both_texts_in_colour(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLORTERM", "truecolor")
    command.main(["a dog\x1b[2J", "the puppy"], standalone_mode=False)
    shown = capsys.readouterr().out
    assert "\x1b[2J" not in shown
    assert "48;2;" in shown
    assert "similarity" in shown


def test_vectors_of_fewer_numbers_are_taken_apart_too(exact):
    encoder = exact.with_dimensions(64)
    explanation = explain(*PAIRS[0], encoder=encoder)
    assert explanation.score == compare(*PAIRS[0], encoder=encoder).score
    assert totals(explanation) == pytest.approx([explanation.score] * 2, abs=1e-5)


def test_a_graph_that_pools_by_itself_is_refused(exact, monkeypatch):
    class Pooled(Engine):
        def unpooled(self):
            return exact._engine

    encoder = exact.with_dimensions(384)
    monkeypatch.setattr(encoder, "_engine", Pooled())
    with pytest.raises(ModelError, match="no vectors of tokens"):
        encoder.tokens(["a dog", "the puppy"])
