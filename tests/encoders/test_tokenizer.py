"""A tokenizer's file from a stranger: one clear error, in bounded time and memory, and never a crash."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import nearsense as ns
from samples import tiny_bert


def replacing(pattern, content):
    return {"type": "Replace", "pattern": pattern, "content": content}


def split(pattern):
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def normalizing(*steps):
    return {"normalizer": {"type": "Sequence", "normalizers": list(steps)}}


def added(*tokens):
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
    return {"added_tokens": [{"id": 200 + place, "content": each, **flags} for place, each in enumerate(tokens)]}


def framing(*pieces, specials=None):
    pair = [{"Sequence": {"id": each, "type_id": 0}} for each in "AB"]
    kind = {"type": "TemplateProcessing", "single": list(pieces), "pair": pair, "special_tokens": specials or {}}
    return {"post_processor": kind}


TEXT = {"Sequence": {"id": "A", "type_id": 0}}
NAMED = {"SpecialToken": {"id": "X", "type_id": 0}}
BYTES = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": False}
BPE = {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"], "continuing_subword_prefix": "####"}
UNIGRAM = {"type": "Unigram", "unk_id": None, "vocab": [["b", 0.0]], "byte_fallback": False}

EXPLODING = {
    "letters that double": normalizing(*[replacing({"String": "a"}, "aa")] * 40),
    "letters that few texts have": normalizing(*[replacing({"String": "Ж"}, "ЖЖ")] * 40),
    "any letter doubles": normalizing(*[replacing({"Regex": "."}, "xx")] * 40),
    "between letters": normalizing(*[replacing({"Regex": ""}, "xx")] * 40),
    "steps without names": {
        "normalizer": {"normalizers": [{"pattern": {"String": "a"}, "content": "a" * 99}] * 9}
    },
    "bytes of bytes": normalizing(*[{"type": "ByteLevel"}] * 40),
    "bytes of bytes, later": {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [BYTES] * 40}},
    "long beginnings": normalizing(*[{"type": "Prepend", "prepend": "x" * 10_000}] * 200),
    "many steps": normalizing(*[{"type": "NFKD"}] * 10_000),
    "many added tokens": added(*(f"{place} " + "x" * 1000 for place in range(4000))),
    "added token far away": {"added_tokens": [added("x")["added_tokens"][0] | {"id": 2**32 - 1}]},
    "a row far away": {"model": {"type": "WordLevel", "unk_token": "a", "vocab": {"a": 2**31}}},
    "many texts around a text": framing(*[TEXT] * 10_000),
    "many tokens around a text": framing(
        NAMED, TEXT, specials={"X": {"id": "X", "ids": [1] * 9999, "tokens": ["x"] * 9999}}
    ),
    "a pattern that tries all ways": {"pre_tokenizer": split(r"(a+)+$")},
    "another that does": {"pre_tokenizer": split(r"(\s*)*\n$|(\w|\d)+!")},
    "a long pattern": {"pre_tokenizer": split("|".join(f"a{place}" for place in range(100_000)))},
    "a deep pattern": {"pre_tokenizer": split("(" * 9000 + "a" + ")" * 9000)},
}
"""More than any machine has, of time or memory, where it is run."""

PANICKING = {
    "a table that promises more": normalizing({"type": "Precompiled", "precompiled_charsmap": "/////w=="}),
    "a table that is cut off": normalizing({"type": "Precompiled", "precompiled_charsmap": "AAAAAA=="}),
    "a table that leads out": normalizing({"type": "Precompiled", "precompiled_charsmap": "BAAAAP////8AAAAA"}),
    "merges shorter than their prefix": {"model": BPE},
    "pieces of no length": {"pre_tokenizer": {"type": "FixedLength", "length": 0}},
    "a token that is missing": framing(NAMED, TEXT),
    "a text that is missing": framing({"Sequence": {"id": "B", "type_id": 0}}),
    "more ids than names": framing(NAMED, TEXT, specials={"X": {"id": "X", "ids": [1, 2], "tokens": ["x"]}}),
    "nothing for what is unknown": {"model": UNIGRAM},
    "no vocabulary": {"model": UNIGRAM | {"vocab": []}},
    "no model": {"model": None},
    "a model of another kind": {"model": "WordPiece"},
    "a negative row": {"model": {"type": "WordLevel", "unk_token": "a", "vocab": {"a": -1}}},
}


@pytest.fixture
def folder(tmp_path):
    return tiny_bert(tmp_path / "model")


def changed(folder, changes):
    file = folder / "tokenizer.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return file


@pytest.mark.timeout(60)
@pytest.mark.parametrize("how", [*EXPLODING, *PANICKING])
def test_a_tokenizer_that_explodes_or_panics_is_one_error_and_nothing_else_is_said(folder, capfd, how):
    file = changed(folder, (EXPLODING | PANICKING)[how])
    with pytest.raises(ns.errors.BrokenModel) as refusal:
        ns.load(str(folder))
    assert refusal.value.what == f"{file} is not a tokenizer"
    assert refusal.value.why
    assert "\n" not in refusal.value.why
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("content", ["[" * 100_000, '{"a":' * 100_000, "\ud800", "", "[]", "null", '{"model": 1}'])
def test_a_file_that_is_no_tokenizer_is_one_error(folder, content):
    (folder / "tokenizer.json").write_text(content, "utf-8", "surrogatepass")
    with pytest.raises(ns.errors.BrokenModel, match="is not a tokenizer"):
        ns.load(str(folder))


def test_a_file_that_says_one_thing_twice_is_refused(folder):
    """Which of the two the library takes is its own affair."""
    file = folder / "tokenizer.json"
    evil = json.dumps(EXPLODING["letters that double"]["normalizer"])
    file.write_text(f'{{"normalizer": {evil}, {file.read_text().strip()[1:]}')
    with pytest.raises(ns.errors.BrokenModel, match="says one thing twice"):
        ns.load(str(folder))


def test_rows_that_the_weights_do_not_have_are_refused(folder):
    file = folder / "tokenizer.json"
    content = json.loads(file.read_text())
    content["model"]["vocab"]["w1"] = 5000
    file.write_text(json.dumps(content))
    with pytest.raises(ns.errors.BrokenModel, match="the tokenizer knows 5,001 tokens"):
        ns.load(str(folder))


def test_a_text_on_which_a_pattern_gives_up_is_one_error(folder):
    changed(folder, {"pre_tokenizer": split(r"((xy)+)+$")})
    encoder = ns.load(str(folder))
    with pytest.raises(ns.errors.BrokenModel, match="cannot read a text"):
        encoder.encode(["a text", "xy" * 60 + "w"], long="head")


@pytest.mark.parametrize(
    "changes",
    [
        normalizing(replacing({"Regex": " {2,}"}, "▁"), {"type": "Prepend", "prepend": "▁"}, {"type": "NFKC"}),
        {"pre_tokenizer": split(r"'s|'t| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")},
        {"pre_tokenizer": BYTES},
        added("<one>", "<two>"),
        {"truncation": {"direction": "Left", "max_length": 9, "strategy": "LongestFirst", "stride": 0}},
    ],
    ids=["sentencepiece", "gpt2", "bytes", "added", "truncation"],
)
def test_what_real_tokenizers_do_is_no_reason_to_refuse_one(folder, changes):
    content = changes if "added_tokens" not in changes else {"added_tokens": []}
    changed(folder, content)
    assert ns.load(str(folder)).encode("some  words, and 42 more").data.shape == (1, 32)


def test_the_command_says_it_in_three_lines(folder):
    changed(folder, PANICKING["merges shorter than their prefix"])
    command = [sys.executable, "-m", "nearsense", "compare", "a", "b", "--model", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "panicked" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 4


def test_what_was_seen_in_a_large_file_is_remembered_as_long_as_it_is_the_same(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("NEARSENSE_CACHE_DIR", str(tmp_path / "cache"))
    file, remembered = folder / "tokenizer.json", tmp_path / "cache" / "tokenizers.json"
    file.write_text(file.read_text() + " " * 2**20)
    vectors = ns.load(str(folder), precision="f32").encode(["the dog"]).data
    assert next(iter(json.loads(remembered.read_text()))).startswith(str(file))
    for content in (
        remembered.read_text(),
        "{broken",
        json.dumps(dict.fromkeys(json.loads(remembered.read_text()))),
    ):
        remembered.write_text(content)
        assert (ns.load(str(folder), precision="f32").encode(["the dog"]).data == vectors).all()
    changed(folder, EXPLODING["letters that double"])
    file.write_text(file.read_text() + " " * 2**20)
    with pytest.raises(ns.errors.BrokenModel, match="is not a tokenizer"):
        ns.load(str(folder))
