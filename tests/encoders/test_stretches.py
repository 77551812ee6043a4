"""Texts of static models are tokenized stretch by stretch, and have the tokens that the library gives them."""

from __future__ import annotations

import json
import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Library

import nearsense as ns
from nearsense.encoders import tokenizer as ours
from nearsense.encoders.places import require_present
from nearsense.encoders.tokenizer import MANY, Tokenizer
from samples import awkward_texts
from turns import in_turn

COMMON = """[PAD] [UNK] [CLS] [SEP] [MASK] the a an bank loan loans i s t e ! ? ~ . , - ' / @ 1 2 3 0
ss é ü ж и р 中 文 日 ひ ม"""
WORDS = [*COMMON.split(), *(f"##{each}" for each in "abcdeéstüжир日123")]


def library(normalizer, words, *added):
    made = Library(models.WordPiece({word: at for at, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizer, words
    made.add_special_tokens(["[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    made.add_tokens(list(added))
    return made


BERT, AT_BERT = normalizers.BertNormalizer, pre_tokenizers.BertPreTokenizer()
FLAGS = {"lstrip": True, "rstrip": True, "single_word": True, "normalized": True}
KINDS = {
    "bert": library(BERT(), AT_BERT),
    "cased": library(BERT(lowercase=False, strip_accents=False), AT_BERT),
    "as it comes": library(BERT(clean_text=False, handle_chinese_chars=False), AT_BERT),
    "no normalizer": library(None, AT_BERT),
    "accents": library(
        normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()]),
        pre_tokenizers.Whitespace(),
    ),
    "compatible": library(normalizers.NFKC(), pre_tokenizers.WhitespaceSplit()),
    "added": library(
        BERT(), AT_BERT, "loan", "e1", AddedToken("ban", **FLAGS), AddedToken("ß", normalized=False), "[MASK]!"
    ),
}


@pytest.fixture(scope="module", params=[*KINDS, "all-MiniLM-L6-v2"])
def both(request, tmp_path_factory):
    """The library's tokenizer and ours, of one file."""
    if request.param in KINDS:
        file = tmp_path_factory.mktemp("made") / "tokenizer.json"
        KINDS[request.param].save(str(file))
    else:
        file = require_present(request.param).path / "tokenizer.json"
    theirs, made = Library.from_file(str(file)), Tokenizer(file, bare=True)
    theirs.no_truncation()
    theirs.no_padding()
    assert made._apart
    return theirs, made


def same(both, texts):
    theirs, made = both
    found = made(texts)
    wanted = [encoding.ids for encoding in theirs.encode_batch(texts, add_special_tokens=False)]
    assert found.lengths.tolist() == list(map(len, wanted))
    assert [part.tolist() for part in np.split(found.ids, np.cumsum(found.lengths)[:-1])] == wanted


SCRIPTS = [
    (0x00, 0x7F), (0x80, 0xFF), (0x100, 0x24F), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x4FF), (0x590, 0x6FF),
    (0x900, 0x97F), (0xE00, 0xE7F), (0x1100, 0x11FF), (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x20A0, 0x2BFF),
    (0x3000, 0x30FF), (0x3400, 0x9FFF), (0xAC00, 0xD7A3), (0xE000, 0xE0FF), (0xF900, 0xFB4F), (0xFE00, 0xFFFF),
    (0x1D400, 0x1D7FF), (0x1F300, 0x1FAFF), (0x20000, 0x2A6DF), (0xE0000, 0xE01EF),
]  # fmt: skip
LETTERS = st.one_of(
    st.sampled_from("  \t\n  ~aeost.,!-[]#'"),
    st.sampled_from(SCRIPTS).flatmap(lambda ends: st.integers(*ends)).map(chr),
)
PIECES = st.one_of(
    st.text(LETTERS, max_size=12),
    st.sampled_from([*WORDS, "[MASK]!", "[ MASK ]", "[unk]", "ban", "loane1", "x" * 101, "the " * 40, "İß"]),
)
TEXTS = st.lists(PIECES, max_size=8).flatmap(
    lambda parts: st.sampled_from(["", " ", "  "]).map(lambda gap: gap.join(parts))
)


@given(st.lists(TEXTS, min_size=MANY, max_size=2 * MANY))
def test_any_texts_have_the_tokens_of_the_library(both, texts):
    same(both, texts)


def test_texts_of_every_script_and_length_do_too(both):
    same(both, awkward_texts(400))


def test_every_character_stands_between_words_as_the_library_has_it(both):
    characters = [chr(point) for point in range(sys.maxunicode + 1) if not 0xD800 <= point <= 0xDFFF]
    rare = ("Cc", "Cf", "Zs", "Zl", "Zp", "Mn", "Co")
    chosen = [each for each in characters if each.isspace() or unicodedata.category(each) in rare[:5]]
    chosen += characters[::997]
    for form in ("a{}e", "a{} e", "a {}e", "{}", "the{0}{0}bank"):
        same(both, [form.format(each) for each in chosen])


def test_what_is_remembered_is_bounded_and_changes_nothing(both, monkeypatch):
    theirs, made = both
    monkeypatch.setattr(ours, "CHARACTERS", 3000)
    made._ids = {}
    for begin in range(0, 400, 20):
        same(both, [f"the bank {n} e{n}st {'x' * (n % 50)}" for n in range(begin, begin + 20)])
        assert sum(len(each) + ours.EACH for each in made._ids) < 3000 + 20 * 150
    assert theirs.get_vocab_size() > 0


@in_turn(
    "change",
    [
        {"normalizer": {"type": "Strip", "strip_left": True, "strip_right": True}},
        {"normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": ""}},
        {"normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "a"}]}},
        {"pre_tokenizer": None},
        {"pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}},
        {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "a b"}, "behavior": "Isolated", "invert": False}},
        {"added_tokens": [{"id": 9, "content": "the bank", "special": False, "normalized": True,
                           "single_word": False, "lstrip": False, "rstrip": False}]},
    ],
)  # fmt: skip
def test_what_may_look_across_a_space_is_tokenized_as_a_whole(tmp_path, change):
    file = tmp_path / "tokenizer.json"
    KINDS["bert"].save(str(file))
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    made = Tokenizer(file, bare=True)
    assert not made._apart
    same((Library.from_file(str(file)), made), ["the bank", "a b e", " a ", "the  bank"] * MANY)


def test_transformers_are_tokenized_as_a_whole():
    assert not ns.load().tokenizer._apart
