"""filters.columns and filters.growing agree with plain Python on each document, and with numpy on many."""

import operator
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nearsense.errors import InputError
from nearsense.filters import Columns, GrowingColumns, matches
from turns import in_turn

# the truth: the language once more, read off the JSON form as naively as can be

COMPARISONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def truth(where, metadata):
    return all(holds(name, condition, metadata) for name, condition in where.items())


def holds(name, condition, metadata):
    if name == "and":
        return all(truth(part, metadata) for part in condition)
    if name == "or":
        return any(truth(part, metadata) for part in condition)
    if name == "not":
        return not truth(condition, metadata)
    contents = list(reached(metadata, name[1:] if name.startswith("\\") else name))
    values = [value for content in contents for value in opened(content)]
    conditions = condition if isinstance(condition, dict) else {"=": condition}
    bounds = {op: bound for op, bound in conditions.items() if op in COMPARISONS}
    tests = {
        "=": lambda wanted: any(equal(value, wanted) for value in values),
        "!=": lambda wanted: bool(contents) and not tests["="](wanted),
        "in": lambda wanted: any(map(tests["="], wanted)),
        "not in": lambda wanted: bool(contents) and not tests["in"](wanted),
        "exists": lambda wanted: bool(contents) == wanted,
    }
    return all(tests[op](wanted) for op, wanted in conditions.items() if op in tests) and (
        not bounds
        or any(
            all(kind(value) == kind(bound) and COMPARISONS[op](value, bound) for op, bound in bounds.items())
            for value in values
        )
    )


def reached(value, path):
    """All that a dotted name may mean in an object."""
    if isinstance(value, list):
        for item in value:
            yield from reached(item, path)
    if isinstance(value, dict):
        for key, child in value.items():
            if key == path:
                yield child
            if path.startswith(f"{key}."):
                yield from reached(child, path[len(key) + 1 :])


def opened(value):
    if isinstance(value, list):
        return [inner for item in value for inner in opened(item)]
    return [value]


def kind(value):
    if value is None or isinstance(value, bool):
        return "fixed"
    return "number" if isinstance(value, (int, float)) else type(value)


def equal(a, b):
    return a is b if "fixed" in (kind(a), kind(b)) else kind(a) == kind(b) and a == b


NUMBERS = [sign * (2**p + d) for p in (0, 1, 53, 54, 63, 64, 1024) for d in (-1, 0, 1) for sign in (1, -1)]
FLOATS = [-0.0, 0.5, 1.0, 2.0**53, -(2.0**53), 2.0**54, 2.0**63, 1.7976931348623157e308, 5e-324]
WORDS = [
    "",
    "a",
    "A",
    "aa",
    "\u00e9",
    "e\u0301",
    "\uffff",
    "\U0001f600",
    "\ud800",
    "\0",
    "1",
    "true",
    "2024-05-01",
]
scalars = (
    st.sampled_from([None, True, False])
    | st.sampled_from([*NUMBERS, *FLOATS])
    | st.sampled_from(WORDS)
    | st.integers(-3, 3)
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3)
)
stored = scalars | st.sampled_from([float("nan"), float("inf"), -float("inf")])
keys = st.sampled_from(["a", "b", "a.b", "", "and", "\\x", "größe"])
metadatas = st.lists(
    st.dictionaries(
        keys,
        st.recursive(
            stored,
            lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=2),
            max_leaves=5,
        ),
        max_size=4,
    ),
    max_size=25,
)
fields = st.sampled_from(["a", "b", "a.b", "a.a", "b.a.b", "", "a.", "\\and", "\\\\x", "größe", "größe.a", "none"])
bounds = scalars.filter(lambda value: kind(value) != "fixed")
pairs_of_bounds = st.tuples(bounds, bounds).filter(lambda pair: kind(pair[0]) == kind(pair[1]))
conditions = (
    scalars
    | st.builds(lambda op, value: {op: value}, st.sampled_from(["=", "!="]), scalars)
    | st.builds(lambda op, values: {op: values}, st.sampled_from(["in", "not in"]), st.lists(scalars, max_size=30))
    | st.builds(lambda wanted: {"exists": wanted}, st.booleans())
    | st.builds(lambda op, value: {op: value}, st.sampled_from(list(COMPARISONS)), bounds)
    | st.builds(
        lambda low, high, pair: dict(zip((low, high), pair, strict=True)),
        st.sampled_from([">", ">="]),
        st.sampled_from(["<", "<="]),
        pairs_of_bounds,
    )
)
filters = st.recursive(
    st.dictionaries(fields, conditions, max_size=2),
    lambda inner: (
        st.builds(lambda name, parts: {name: parts}, st.sampled_from(["and", "or"]), st.lists(inner, max_size=3))
        | st.builds(lambda part: {"not": part}, inner)
    ),
    max_leaves=4,
)


@settings(deadline=None)
@given(metadatas, st.lists(filters, min_size=1, max_size=4))
def test_columns_and_the_growing_tail_answer_as_plain_python_does(rows, wheres):
    columns, tail = Columns.build(rows), GrowingColumns()
    for row in rows:
        tail.extend([row])
    for where in wheres:
        expected = [truth(where, row) for row in rows]
        assert [matches(where, row) for row in rows] == expected
        assert columns.mask(where).tolist() == expected
        assert tail.mask(where).tolist() == expected


def test_every_awkward_value_compares_with_every_other_as_in_python():
    asked = [None, True, False, *NUMBERS, *FLOATS, *WORDS]
    rows = [
        {"a": value} for value in [*NUMBERS, float("nan"), *WORDS, -float("inf"), *FLOATS, float("inf"), [], {}]
    ]
    rows += [{"a": value} for value in (None, True, False)] + [{}]
    columns, tail = Columns.build(rows), GrowingColumns()
    tail.extend(rows)
    for value in asked:
        for op in ["=", "!=", *([] if kind(value) == "fixed" else COMPARISONS)]:
            where = {"a": {op: value}}
            expected = [truth(where, row) for row in rows]
            assert [matches(where, row) for row in rows] == expected
            assert columns.mask(where).tolist() == expected
            assert tail.mask(where).tolist() == expected


@given(metadatas, filters)
def test_the_names_and_counts_of_fields_are_those_of_the_documents(rows, where):
    columns, tail = Columns.build(rows), GrowingColumns()
    tail.extend(rows)
    assert columns.fields == tail.fields == tuple(sorted(columns.counts))
    assert len(columns) == len(tail) == len(rows)
    escaped = {
        name: f"\\{name}" if name in ("and", "or", "not") or name.startswith("\\") else name
        for name in columns.counts
    }
    for name, count in columns.counts.items():
        assert count == sum(truth({escaped[name]: {"exists": True}}, row) for row in rows) > 0


# through files


def saved_and_mapped(columns, folder):
    for name, array in columns.arrays().items():
        np.save(folder / f"{name}.npy", array)
    return Columns.from_arrays({name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in columns.arrays()})


@given(rows=metadatas, where=filters)
def test_columns_survive_files_and_memory_maps(tmp_path_factory, rows, where):
    columns = saved_and_mapped(Columns.build(rows), tmp_path_factory.mktemp("columns"))
    assert columns.mask(where).tolist() == [truth(where, row) for row in rows]
    assert not columns.arrays()["data"].flags.writeable


def test_opening_a_field_of_many_strings_reads_none_of_them(tmp_path):
    rows = [{"id": f"document {i:06d}"} for i in range(100_000)]
    mapped = saved_and_mapped(Columns.build(rows), tmp_path)
    tracemalloc.start()
    mapped = Columns.from_arrays(mapped.arrays())
    hits = mapped.mask({"id": {"in": ["document 000007", "document 099999", "nowhere"]}})
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    assert np.flatnonzero(hits).tolist() == [7, 99_999]


def test_columns_of_another_form_or_a_part_of_them_are_refused():
    arrays = Columns.build([{"a": 1}]).arrays()
    with pytest.raises(InputError, match="lack data"):
        Columns.from_arrays({"manifest": arrays["manifest"]})
    newer = np.frombuffer(arrays["manifest"].tobytes().replace(b'"form":1', b'"form":2'), np.uint8)
    with pytest.raises(InputError, match="form 2"):
        Columns.from_arrays({**arrays, "manifest": newer})


def test_no_rows_and_rows_without_metadata_are_columns_too(tmp_path):
    for n in (0, 3):
        columns = saved_and_mapped(Columns.build([{}] * n), tmp_path)
        assert columns.fields == ()
        assert columns.mask({}).tolist() == [True] * n
        assert columns.mask({"a": 1}).tolist() == [False] * n


# many rows: every width of codes, dense and sparse, compared and looked up


@in_turn("distinct", [200, 255, 256, 5_000, 70_000])
@in_turn("share", [1.0, 0.5, 0.02])
def test_many_rows_are_answered_as_numpy_does(distinct, share):
    random = np.random.default_rng(distinct)
    n = 80_000
    values, has = random.integers(0, distinct, n), random.random(n) < share
    values[:distinct] = np.arange(distinct)
    columns = Columns.build(
        {"v": value, "s": f"{value:06d}"} if there else {}
        for value, there in zip(values.tolist(), has, strict=True)
    )
    low, high = distinct // 3, distinct // 2
    many = list(range(1, distinct, 7))
    for where, expected in [
        ({"v": low}, values == low),
        ({"v": {"!=": low}}, values != low),
        ({"v": {">=": low, "<": high}}, (values >= low) & (values < high)),
        ({"v": {">": distinct - 2}}, values == distinct - 1),
        ({"v": {"in": [0, distinct - 1, -1]}}, (values == 0) | (values == distinct - 1)),
        ({"v": {"in": many}}, np.isin(values, many)),
        ({"s": {"in": [f"{value:06d}" for value in many]}}, np.isin(values, many)),
        ({"s": {"<=": f"{high:06d}"}}, values <= high),
        ({"v": {"exists": True}}, True),
    ]:
        np.testing.assert_array_equal(columns.mask(where), has & expected, err_msg=str(where)[:80])


def test_the_tags_of_many_rows_are_answered_as_sets_are():
    random = np.random.default_rng(0)
    tags = [random.integers(0, 40, size).tolist() for size in random.geometric(0.3, 20_000) - 1]
    columns, tail = Columns.build({"tags": row} for row in tags), GrowingColumns()
    tail.extend({"tags": row} for row in tags)
    for wanted in ({3}, {1, 5, 9}, set(range(0, 40, 3))):
        expected = [not wanted.isdisjoint(row) for row in tags]
        assert columns.mask({"tags": {"in": sorted(wanted)}}).tolist() == expected
        assert tail.mask({"tags": {"in": sorted(wanted)}}).tolist() == expected
    assert columns.mask({"tags": {"exists": True}}).all()
