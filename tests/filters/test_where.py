"""filters.where: what a filter means, document by document; and what is said of a filter that is none."""

import pytest

from nearsense.errors import InputError
from nearsense.filters import matches, names, parse, parse_where, passes_all, require_known
from turns import in_turn

BIG = 2**53

MEANINGS = [
    # filter, metadata that it matches, metadata that it does not
    ({}, [{}, {"a": 1}], []),
    (None, [{}, {"a": 1}], []),
    ({"a": "x"}, [{"a": "x"}, {"a": ["y", "x"]}, {"a": [["x"]]}], [{}, {"a": "X"}, {"a": None}, {"a": {"x": 1}}]),
    ({"a": 1}, [{"a": 1}, {"a": 1.0}, {"a": [True, 1]}], [{"a": True}, {"a": "1"}, {"a": [True]}, {"a": 2}]),
    ({"a": True}, [{"a": True}], [{"a": 1}, {"a": 1.0}, {"a": "true"}, {"a": False}, {}]),
    ({"a": False}, [{"a": False}], [{"a": 0}, {"a": None}, {"a": ""}, {"a": []}, {}]),
    ({"a": None}, [{"a": None}, {"a": [1, None]}], [{}, {"a": 0}, {"a": ""}, {"a": []}, {"a": float("nan")}]),
    ({"a": {"=": BIG + 1}}, [{"a": BIG + 1}], [{"a": BIG}, {"a": float(BIG)}, {"a": BIG + 2}]),
    ({"a": float(BIG)}, [{"a": BIG}, {"a": float(BIG)}], [{"a": BIG + 1}]),
    ({"a": {">": float(2**63)}}, [{"a": 2**63 + 1}, {"a": 10**400}], [{"a": 2**63}, {"a": 2.0**63}]),
    ({"a": {">=": 2, "<": 4}}, [{"a": 2}, {"a": 3.9}, {"a": [1, 3]}], [{"a": 4}, {"a": [1, 5]}, {"a": "3"}, {}]),
    ({"and": [{"a": {">": 2}}, {"a": {"<": 4}}]}, [{"a": 3}, {"a": [1, 5]}], [{"a": 1}]),
    ({"a": {">=": "2024-03-01"}}, [{"a": "2024-03-01"}, {"a": "2025"}], [{"a": "2024-02-29"}, {"a": 2025}]),
    ({"a": {"<": "\U0001f600"}}, [{"a": "\uffff"}, {"a": ""}], [{"a": "\U0001f601"}]),
    ({"a": {">": 0}}, [{"a": 1}], [{"a": True}, {"a": None}, {"a": []}, {"a": {}}, {"a": float("nan")}]),
    ({"a": {"in": ["x", 2, None]}}, [{"a": "x"}, {"a": 2.0}, {"a": None}], [{"a": True}, {"a": "2"}, {}]),
    ({"a": {"in": []}}, [], [{"a": 1}, {}]),
    ({"a": {"not in": []}}, [{"a": 1}, {"a": []}], [{}]),
    (
        {"a": {"!=": 1}},
        [{"a": 2}, {"a": True}, {"a": None}, {"a": []}, {"a": {"b": 1}}],
        [{}, {"a": 1}, {"a": [2, 1]}],
    ),
    ({"not": {"a": 1}}, [{}, {"a": 2}], [{"a": 1}, {"a": [2, 1]}]),
    ({"a": {"exists": True}}, [{"a": None}, {"a": []}, {"a": {}}, {"a": 0}], [{}, {"b": {"a": 1}}]),
    ({"a": {"exists": False}}, [{}, {"a.b": 1}], [{"a": None}]),
    (
        {"a.b": 1},
        [{"a": {"b": 1}}, {"a.b": 1}, {"a": [{"b": 2}, {"b": 1}]}],
        [{"a": 1}, {"b": 1}, {"a": {"b": 2}}],
    ),
    ({"a": 1, "b": 2}, [{"a": 1, "b": 2}], [{"a": 1}, {"b": 2}]),
    ({"or": [{"a": 1}, {"b": 2}]}, [{"a": 1}, {"b": 2}], [{"a": 2}, {}]),
    ({"or": []}, [], [{}]),
    ({"and": []}, [{}], []),
    ({"\\and": 1}, [{"and": 1}], [{"\\and": 1}, {}]),
    ({"\\\\x": 1}, [{"\\x": 1}], [{"x": 1}]),
    ({"a": {"=": 1, "!=": 2, "<": 5}}, [{"a": 1}, {"a": [1, 9]}], [{"a": [1, 2]}]),
]


@in_turn(("where", "yes", "no"), MEANINGS)
def test_a_filter_means_what_the_table_says(where, yes, no):
    assert [metadata for metadata in yes if not matches(where, metadata)] == []
    assert [metadata for metadata in no if matches(where, metadata)] == []


def test_a_parsed_filter_is_a_key_that_tells_true_from_one():
    cache = {parse({"a": True}): "bool", parse({"a": 1}): "number"}
    assert cache == {parse({"a": 1.0}): "number", parse({"a": True}): "bool"}
    assert parse({"a": {"in": ["x", "y"]}}) == parse({"a": {"in": ["y", "x", "x"]}})
    assert passes_all(parse(None))
    assert parse(None) == parse({})


def test_parsing_what_is_parsed_changes_nothing():
    tree = parse({"a": {">": 1}})
    assert parse(tree) is tree
    assert parse({"not": tree}) == parse({"not": {"a": {">": 1}}})


@in_turn(
    ("where", "what", "hint"),
    [
        ({"year": {"gte": 2020}}, 'filter["year"]: there is no operator "gte"', 'did you mean ">="?'),
        ({"year": {"$in": [1]}}, 'filter["year"]: there is no operator "$in"', 'did you mean "in"?'),
        ({"year": {"not_in": [1]}}, 'filter["year"]: there is no operator "not_in"', 'did you mean "not in"?'),
        ({"year": {"exist": True}}, 'filter["year"]: there is no operator "exist"', 'did you mean "exists"?'),
        ({"author": {"name": "Li"}}, 'filter["author"]: there is no operator "name"', 'write "author.name"'),
        ({"year": {"not": {"=": 1}}}, 'filter["year"]: there is no operator "not"', '"not" stands outside'),
        ({"year": {}}, 'filter["year"] has no condition', "exists"),
        ({"year": {">=": None}}, 'filter["year"][">="] is null', "have an order"),
        ({"year": {"<": True}}, 'filter["year"]["<"] is true', "have an order"),
        ({"year": {"<": float("nan")}}, 'filter["year"]["<"] is nan', "NaN"),
        ({"year": float("inf")}, 'filter["year"] is inf', "infinities"),
        ({"year": {">": 1, "<": "b"}}, 'filter["year"] has a number and a string', "between"),
        ({"tags": ["a", "b"]}, 'filter["tags"] is a list', '{"in": [...]}'),
        ({"tags": {"in": "a"}}, 'filter["tags"]["in"] is a string', "a list of values"),
        ({"tags": {"in": ["a", {}]}}, 'filter["tags"]["in"][1] is an object', "a value is"),
        ({"tags": {"exists": 1}}, 'filter["tags"]["exists"] is a number', "true or false"),
        ({"day": object()}, 'filter["day"] is a value of type object', "ISO"),
        (
            {"or": [{"a": 1}, {"not": {"b": {"~": 1}}}]},
            'filter["or"][1]["not"]["b"]: there is no',
            "operators are",
        ),
        ({"and": [{"a": 1}, 5]}, 'filter["and"][1] is a number', "a filter is an object"),
        ({"and": 5}, 'filter["and"] is a number', '"\\\\and"'),
        ({5: 1}, "filter: the name 5 is a number", "string"),
        ([], "filter is a list", "a filter is an object"),
        ("year>2", "filter is a string", "a filter is an object"),
    ],
)
def test_an_error_names_the_spot_and_the_way_out(where, what, hint):
    with pytest.raises(InputError) as caught:
        parse(where)
    assert caught.value.what.startswith(what)
    assert hint in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 3


def test_an_error_lists_every_operator():
    with pytest.raises(InputError, match="= != < <= > >= in, not in, exists"):
        parse({"a": {"near": 1}})


def test_a_filter_without_bottom_is_refused():
    where = {"a": 1}
    for _ in range(50):
        where = {"not": where}
    assert matches(where, {"a": 1})
    endless = {}
    endless["or"] = [endless]
    for deep in ({"not": where}, endless):
        with pytest.raises(InputError, match="nested more than 50 deep"):
            parse(deep)


def test_metadata_that_json_cannot_hold_is_refused_by_name():
    with pytest.raises(InputError, match=r'"a\.b" holds a value of type object'):
        matches({}, {"a": {"b": object()}})


@in_turn(
    ("text", "where"),
    [
        ("year>=2020", {"year": {">=": 2020}}),
        (" year < 20.5 ", {"year": {"<": 20.5}}),
        ("category=Returns", {"category": "Returns"}),
        ("category==Returns", {"category": "Returns"}),
        ("category!=a b", {"category": {"!=": "a b"}}),
        ("title=a>=b", {"title": "a>=b"}),
        ("title=come in now", {"title": "come in now"}),
        ("title=", {"title": ""}),
        ("done=true", {"done": True}),
        ("done=null", {"done": None}),
        ("done=True", {"done": "True"}),
        ("rate=NaN", {"rate": "NaN"}),
        ('zip="01067"', {"zip": "01067"}),
        ("zip=01067", {"zip": "01067"}),
        ("list=[1]", {"list": "[1]"}),
        ("day>2024-05-01", {"day": {">": "2024-05-01"}}),
        (f"id={2**63 + 1}", {"id": 2**63 + 1}),
        ("tag in a,b", {"tag": {"in": ["a", "b"]}}),
        ("tag in a, 1 ,true", {"tag": {"in": ["a", 1, True]}}),
        ('tag in "a,b","c"', {"tag": {"in": ["a,b", "c"]}}),
        ('tag in ["a,b"]', {"tag": {"in": ["a,b"]}}),
        ("tag in []", {"tag": {"in": []}}),
        ("tag not in a,b", {"tag": {"not in": ["a", "b"]}}),
        ("in-house=1", {"in-house": 1}),
        ("email exists", {"email": {"exists": True}}),
        ("author.email not exists", {"author.email": {"exists": False}}),
        ("and=5", {"\\and": 5}),
        ("größe>5", {"größe": {">": 5}}),
        ('{"year": {">=": 2020}, "a": 1}', {"year": {">=": 2020}, "a": 1}),
        (["year>=2020", '{"or": [{"a": 1}]}'], {"and": [{"year": {">=": 2020}}, {"or": [{"a": 1}]}]}),
        ([], {}),
    ],
)
def test_a_command_line_filter_reads_as_its_json_form(text, where):
    assert parse_where(text) == parse(where)


@in_turn(
    ("text", "said"),
    [
        ("year", '"year" is no filter'),
        ("=5", '"=5" is no filter'),
        ("year=>5", "is no filter"),
        ("year<>5", "is no filter"),
        ("", "is no filter"),
        ("year>=null", r'year>=null\[">="\] is null'),
        ("{year: 1}", "not JSON: .* line 1, column 2"),
        ('{"a": 1, "a": 2}', 'says "a" twice'),
        ('{"a": NaN}', 'filter\\["a"\\] is nan'),
        ('{"not":' * 5000, "nested|not JSON"),
    ],
)
def test_a_command_line_filter_that_is_none_is_refused(text, said):
    with pytest.raises(InputError, match=said):
        parse_where(text)


def test_an_unknown_field_is_refused_with_the_known_ones_close_ones_first():
    where = {"or": [{"lang": "de"}, {"not": {"author.nmae": "Li"}}]}
    assert names(where) == {"lang", "author.nmae"}
    with pytest.raises(InputError) as caught:
        require_known(where, ["year", "lang", "author.name", "author"])
    assert str(caught.value).splitlines() == [
        'no document has a field "author.nmae"',
        'why: the fields are "author.name", "author", "lang", "year"',
        'fix: did you mean "author.name"?',
    ]
    require_known(where, ["author.nmae", "lang"])
    with pytest.raises(InputError, match="no document has any"):
        require_known({"a": 1}, [])


def test_a_long_list_of_known_fields_is_cut_and_says_so():
    with pytest.raises(InputError, match="and 80 more"):
        require_known({"zzz": 1}, [f"field{i}" for i in range(100)])


def test_what_lets_everything_pass_by_how_it_is_built_is_known_and_nothing_else_is():
    year = {"year": {">": 2000}}
    always = [{}, {"and": []}, {"and": [{}, {"and": []}]}, {"not": {"or": []}}, {"or": [year, {}]}]
    always += [{"not": {"not": {}}}, {"or": [year, {"not": year}]}, {"not": {"and": [year, {"not": year}]}}]
    always += [{"not": {"year": {"in": []}}}]
    assert [where for where in always if not passes_all(parse(where))] == []
    assert all(matches(where, given) for where in always for given in ({}, {"year": 1}, {"year": 2001}))
    sometimes = [year, {"not": year}, {"or": []}, {"not": {}}, {"year": {"not in": []}}]
    sometimes += [{"or": [year, {"not": {"x": 1}}]}]
    assert [where for where in sometimes if passes_all(parse(where))] == []
