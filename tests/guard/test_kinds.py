"""Codes, colours, ordinals, sides, places, and what joins two parts of a text: a sentence for each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from nearsense import guard
from turns import in_turn

HERE = Path(__file__).parent


def said(a, b):
    return [str(found) for found in guard.differences(a, b)]


def kinds(a, b, language="en"):
    return {str(found.kind) for found in guard.differences(a, b, language=language)}


@in_turn(
    ("a", "b", "difference"),
    [
        ("Canon HF100 camcorder", "Canon HF10 camcorder", "code: HF100 → HF10"),
        ("Transition strip EFSATB", "Transition strip EFSATS", "code: EFSATB → EFSATS"),
        ("A USB-A cable of one metre", "A USB-B cable of one metre", "code: USB A → USB B"),
        ("The driver version 535.104 crashes", "The driver version 535.129 crashes", None),
        ("Valve by DIN 912", "Valve by DIN 933", None),
        ("Flight LH456 is late", "Flight LH465 is late", None),
        ("Read chapter 3 of the book", "Read chapter 5 of the book", None),
        ("Background #FF0000 on the page", "Background #00FF00 on the page", None),
        ("The server is at 192.168.0.1", "The server is at 192.168.0.12", None),
        ("Commit 3f2a9c1 broke the build", "Commit 9c1b2d7 broke the build", None),
        ("The file main.py has a bug", "The file utils.py has a bug", None),
        ("We chose plan A", "We chose plan B", None),
        ("Foods with vitamin B6", "Foods with vitamin B12", None),
        ("Vaccine against hepatitis A", "Vaccine against hepatitis B", None),
        ("World War I in Europe", "World War II in Europe", None),
        ("Sony A7 Mark III body", "Sony A7 Mark IV body", None),
        ("Canon EOS R6 body", "Canon EOS R6 Mark II body", None),
        ("iPhone 13 case", "iPhone 13 Pro case", None),
        ("Blue dress size S", "Blue dress size XL", None),
        ("Learn to program in C++", "Learn to program in C#", None),
        ("The blood type is A+", "The blood type is A-", None),
        ("Install it on Windows 10", "Install it on Windows 11", None),
        ("Order 4711-0815 was shipped", "Order 4711-0816 was shipped", None),
        ("Ryzen 5600X", "Ryzen 5600G", "code: 5600X → 5600G"),
        ("AMD Ryzen 7 3700X boxed", "AMD Ryzen 7 3800X boxed", None),
        ("Intel i7 12700K", "Intel i7 12700F", None),
        ("Intel Core 9700K processor", "Intel Core 9700F processor", None),
        ("Ryzen 7950X", "Ryzen 7950X3D", None),
        ("Core i5-12400F", "Core i5-12400T", None),
        ("The sequence is GATTACA in exon two", "The sequence is GATTTCA in exon two", None),
    ],
)
def test_what_letters_and_digits_name_is_a_code(a, b, difference):
    assert kinds(a, b) == kinds(b, a) == {"code"}
    assert difference is None or said(a, b) == [difference]


@in_turn(
    ("a", "b"),
    [
        ("Canon MG3650 printer", "Canon MG-3650 printer"),
        ("Sony XM 4 headphones", "Sony XM4 headphones"),
        ("GTX 1660Ti card", "GTX 1660 Ti card"),
        ("World War II history", "World War 2 history"),
        ("Chapter IV of the book", "Chapter 4 of the book"),
        ("Order no. 4711", "Order #4711"),
        ("Core i7 9700K processor", "Core i7-9700K processor"),
        ("Size M jacket", "Jacket, medium size"),
        ("Bluetooth 5 speaker", "Bluetooth 5.0 speaker"),
        ("COVID cases", "COVID-19 cases"),
        ("DR. SMITH is here", "Dr. Smith is here"),
        ("THE BUS IS LATE", "The bus is late"),
        ("John F. Kennedy was shot", "John Kennedy was shot"),
        ("Who is the CEO of the firm?", "Who is the boss of the firm?"),
        ("Laptop with a 1 TB SSD", "Laptop with a 1TB SSD"),
    ],
)
def test_a_code_is_one_however_it_is_grouped_and_a_capital_is_no_code(a, b):
    assert said(a, b) == said(b, a) == []


def test_codes_need_no_tables_of_a_language():
    assert kinds("Das Handy MG3650 ist neu", "Das Handy MG3660 ist neu", "xx") == {"code"}
    assert kinds("Das Handy MG3650 ist neu", "Das Handy MG-3650 ist neu", "xx") == set()


def test_an_amount_with_its_unit_is_no_code():
    assert kinds("Laptop with 16GB of memory", "Laptop with 32GB of memory") == {"number"}
    assert kinds("Store it at 5 °C", "Store it at 5 °F") == {"unit"}
    assert kinds("A lamp of 3000K", "A lamp of 4000K") == kinds("A lens of 10X", "A lens of 20X") == {"number"}
    assert said("Ryzen 5600X", "Ryzen 5600 X") == []
    assert kinds("The home team won 1-0", "The home team won 2-0") == {"number"}


@in_turn(
    ("a", "b", "kind"),
    [
        ("Lamp in black", "Lamp in silver", "colour"),
        ("A towel in light blue", "A towel in dark blue", "colour"),
        ("The room is on the second floor", "The room is on the third floor", "ordinal"),
        ("He moved into the third row", "He moved into the fifth row", "ordinal"),
        ("Read the first page", "Read the last page", "ordinal"),
        ("The rear-left tyre is flat", "The rear-right tyre is flat", "side"),
        ("The cabin is on the port side", "The cabin is on the starboard side", "side"),
        ("We met in Vienna", "We met in Prague", "place"),
        ("The cat is behind the sofa", "The cat is in front of the sofa", "place"),
        ("The bathroom is upstairs", "The bathroom is downstairs", "place"),
        ("Shut the valve, then start the pump", "Start the pump, then shut the valve", "order"),
        ("Take the pill before meals", "Take the pill after meals", "order"),
        ("Once the dough has risen, heat the oven", "Once the oven is hot, let the dough rise", "order"),
        ("Unemployment led to unrest", "Unrest led to unemployment", "cause"),
        ("The crash was caused by the leak", "The leak was caused by the crash", "cause"),
        ("The baby cried because the dog barked", "The dog barked because the baby cried", "cause"),
        ("You can enter if you have a badge", "You can enter unless you have a badge", "condition"),
        ("The alarm sounds only if the door is open", "The alarm sounds even if the door is open", "condition"),
        ("If he calls, she leaves", "If she leaves, he calls", "condition"),
        ("It needs at least 8 GB of memory", "It needs at most 8 GB of memory", "comparison"),
        ("Cats sleep more than dogs", "Dogs sleep more than cats", "comparison"),
        ("Berlin is more expensive than Rome", "Rome is more expensive than Berlin", "comparison"),
        ("A is faster than B", "B is faster than A", "comparison"),
        ("Plan A is cheaper than plan B", "Plan B is cheaper than plan A", "comparison"),
        ("Why is A more popular than B?", "Why is B more popular than A?", "comparison"),
        ("Vitamin A is better than vitamin C", "Vitamin C is better than vitamin A", "comparison"),
        ("X is not as fast as A", "A is not as fast as X", "comparison"),
        ("a is greater than b", "b is greater than a", "comparison"),
        ("Option 1 is better than option 2", "Option 2 is better than option 1", "comparison"),
        ("Is Python 2 faster than Python 3?", "Is Python 3 faster than Python 2?", "comparison"),
        ("A happens before B", "B happens before A", "order"),
        ("Step 1 comes before step 2", "Step 2 comes before step 1", "order"),
        ("A beats B", "B beats A", "roles"),
        ("Move A to B", "Move B to A", "roles"),
        ("Team 1 beat team 2", "Team 2 beat team 1", "roles"),
        ("Black ink cartridge", "Colour ink cartridge", "antonym"),
        ("Monochrome laser printer", "Color laser printer", "antonym"),
        ("Only members can vote", "Members can vote", "condition"),
        ("The gym is for members only", "The gym is for members", "condition"),
        ("We only accept cash", "We accept cash", "condition"),
        ("This offer is valid only for new customers", "This offer is valid for new customers", "condition"),
    ],
)
def test_each_finer_kind_is_called_by_its_name(a, b, kind):
    assert kind in kinds(a, b)
    assert kinds(a, b) == kinds(b, a)


@in_turn(
    ("a", "b"),
    [
        ("After she ate, she slept", "She ate and then slept"),
        ("Wash your hands, then eat", "Wash your hands before eating"),
        ("The tree stands over the bench", "The bench is beneath the tree"),
        ("Snow caused the closure", "The closure was caused by snow"),
        ("He fell, so he cried", "He cried because he fell"),
        ("Smoking leads to cancer", "Cancer is caused by smoking"),
        ("Unless it rains, we play", "We play if it does not rain"),
        ("You can't leave unless you sign", "You can leave only if you sign"),
        ("My sister is taller than my brother", "My brother is not as tall as my sister"),
        ("The house is bigger than the barn", "The barn is smaller than the house"),
        ("Cats are more popular than dogs", "Dogs are less popular than cats"),
        ("The book is better than the film", "The film isn't as good as the book"),
        ("Paul is as tall as Peter", "Peter is as tall as Paul"),
        ("At most ten guests", "No more than ten guests"),
        ("A is faster than B", "B is slower than A"),
        ("A beats B", "B is beaten by A"),
        ("A and B are equal", "B and A are equal"),
        ("The distance from A to B", "The distance from B to A"),
        ("Plan 2 costs more than plan 1", "Plan 1 costs less than plan 2"),
        ("A vitamin B deficiency is a cause", "In it a vitamin B deficiency is a cause"),
        ("Cheese is cheaper than ham", "Ham is more expensive than cheese"),
        ("Is there a less expensive chair?", "Is there a cheaper chair?"),
        ("A bag of black color", "A black bag"),
        ("I only have 5 dollars", "I have 5 dollars"),
        ("It is the only way to go", "It is the way to go"),
    ],
)
def test_a_relation_said_from_its_other_end_is_no_difference(a, b):
    assert said(a, b) == said(b, a) == []


def test_every_kind_of_the_guard_is_among_what_it_finds():
    rows = [
        json.loads(line)
        for name in ("pairs", "products", "weak")
        for line in (HERE / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    found = {kind for row in rows for kind in kinds(row["a"], row["b"])}
    assert found == {kind.value for kind in guard.Kind} - {"unread", "sign"}  # which other files say


@in_turn(
    ("language", "a", "b", "kind"),
    [
        ("it", "Il cane è più grande del gatto", "Il gatto è più grande del cane", "comparison"),
        ("it", "La mela è più dolce della pera", "La pera è più dolce della mela", "comparison"),
        ("it", "I cani sono più veloci dei gatti", "I gatti sono più veloci dei cani", "comparison"),
        ("it", "Il treno è meno caro dell'aereo", "L'aereo è meno caro del treno", "comparison"),
        ("de", "Er kam vor dem Essen", "Er kam nach dem Essen", "order"),
        ("de", "Vor dem Waschen trocknen", "Nach dem Waschen trocknen", "order"),
        ("it", "Il cane è più grande del gatto", "Il gatto è più piccolo del cane", ""),
        ("de", "Er schlief vor dem Essen", "Er aß nach dem Schlafen", ""),
        ("de", "Er schlief nach dem Essen", "Nach dem Essen schlief er", ""),
        ("de", "Nur Mitglieder dürfen wählen", "Mitglieder dürfen wählen", "condition"),
        ("it", "Solo i soci possono votare", "I soci possono votare", "condition"),
        ("es", "Sólo los socios pueden votar", "Los socios pueden votar", "condition"),
        ("fr", "Seuls les membres peuvent voter", "Les membres peuvent voter", "condition"),
        ("it", "Viaggio in treno da solo", "Viaggio in treno", ""),
    ],
)
def test_small_words_of_comparison_and_order_count_in_every_form(language, a, b, kind):
    assert kinds(a, b, language) == ({kind} if kind else set())


def test_the_same_difference_is_named_in_every_process():
    program = (
        "from nearsense import guard; print(*guard.differences('A bus with red and gold stripes', "
        "'A bus with red, orange, pink, grey and yellow stripes'))"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3", "4", "5")
    }
    assert runs == {"colour: gold → orange\n".encode()}
