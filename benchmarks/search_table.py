"""The goals of bench_search.py, and its table. Nothing is measured here."""

from __future__ import annotations

from dataclasses import dataclass

MEASURED_AT = 1_000_000


@dataclass(frozen=True, slots=True)
class Bar:
    """What has to be reached at 1,000,000 documents, or from a smaller size on."""

    name: str
    place: str
    unit: str = "ms"
    most: float | None = None
    least: float | None = None
    since: int = MEASURED_AT

    def passes(self, value: float) -> bool | None:
        if self.most is None and self.least is None:
            return None
        return value <= self.most if self.least is None else value >= self.least

    def goal(self) -> str:
        return next((f"{s} {v:,g}" for s, v in (("<=", self.most), (">=", self.least)) if v is not None), "")


BARS = (
    Bar("insert, vectors given, durable", "insert_docs_per_second", "docs/s", least=35_000, since=100_000),
    Bar("build of all derived files", "build_s", "s"),
    Bar("rebuild of all derived files", "rebuild_s", "s", most=60),
    Bar("open, fresh process", "start_with_vector.open_s", "s", most=0.5),
    Bar("open and first answer to a vector", "start_with_vector.first_answer_s", "s", most=1),
    Bar("open and first answer to words, model loaded", "start_with_text.first_answer_s", "s", most=1),
    Bar("import of nearsense before that, numpy loaded", "start_with_vector.import_s", "s"),
    Bar("query p50", "all.p50_ms", most=6),
    Bar("query p95", "all.p95_ms", most=10),
    Bar("recall@10 against exact", "all.recall", "", least=0.99),
    Bar("filter of 1 %, p50", "1 %.p50_ms"),
    Bar("filter of 1 %, p95", "1 %.p95_ms", most=10),
    Bar("filter of 1 %, recall@10", "1 %.recall", "", least=0.99),
    Bar("filter of 25 %, p50", "25 %.p50_ms"),
    Bar("filter of 25 %, p95", "25 %.p95_ms", most=10),
    Bar("filter of 25 %, recall@10", "25 %.recall", "", least=0.99),
    Bar("lexical p50", "lexical.p50_ms"),
    Bar("lexical p95", "lexical.p95_ms", most=50),
    Bar("hybrid from words p50", "hybrid.p50_ms"),
    Bar("hybrid from words p95", "hybrid.p95_ms", most=60),
    Bar("query from words p50, encoding included", "text.p50_ms"),
    Bar("query from words p95, encoding included", "text.p95_ms"),
    Bar("batch of 256 vectors", "batch.queries_per_second", "queries/s"),
    Bar("batch of 256 in words, encoding included", "text_batch.queries_per_second", "queries/s"),
    Bar("exact query p50", "exact.p50_ms"),
    Bar("exact query p95", "exact.p95_ms"),
    Bar("recall@10 of exact against numpy", "all.recall_of_exact", "", least=1),
    Bar("memory beyond mapped files, most", "memory_mb", "MB", most=600),
    Bar("add one, durable, found at once, p50", "add", most=5),
    Bar("the search after adding one, p50", "search_after"),
    Bar("delete one, durable, never found again, p50", "delete"),
    Bar("query p95 with 30 added", "latency_after.p95_ms", most=10),
)


def judged(figures: dict, size: int) -> dict:
    """Every bar with its figure; `counts` where the goal is meant for this size."""
    bars = {}
    for bar in BARS:
        value = figures
        for key in bar.place.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        bars[bar.name] = {
            "value": value,
            "unit": bar.unit,
            "goal": bar.goal(),
            "passes": None if value is None else bar.passes(value),
            "counts": size >= bar.since,
        }
    return bars


def show(report: dict) -> None:
    print(f"{report['machine']}; one durable write of 4 KiB {report['commit_ms']:.2f} ms; {report['note']}")
    for size, each in report["sizes"].items():
        print(f"\n{int(size):,} documents: {each.get('texts') or each.get('failed')}")
        for name, bar in each.get("bars", {}).items():
            value = "not measured" if bar["value"] is None else f"{_short(bar['value'])} {bar['unit']}"
            print(f"  {name:46}{value:>20}  {bar['goal']:10}{_verdict(bar)}")
        heads = ("insert s", "build s", "p50 ms", "p95 ms", "recall", "1% p95", "batch/s")
        print(f"  {'':68}" + "".join(f"{head:>9}" for head in heads))
        for engine, figures in each["engines"].items():
            for row in _rows(engine, figures):
                print("  " + row)
    print(f"\n{report.get('minutes', 0):.1f} minutes")


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def _verdict(bar: dict) -> str:
    if not bar["goal"]:
        return ""
    word = {True: "pass", False: "FAIL", None: "not measured"}[bar["passes"]]
    return word if bar["counts"] else f"({word.lower()})"


def _rows(engine: str, figures: dict) -> list[str]:
    own = [{"name": figures.get("index"), **figures["all"], **figures}] if "all" in figures else []
    rows = []
    for variant in figures.get("variants", own):
        first = variant is (figures.get("variants") or own)[0]
        built = figures.get("build_s") if engine == "nearsense" or not first else None
        numbers = [
            (figures.get("insert_s") if first else None, 9, ".1f"),
            (built, 9, ".1f"),
            (variant["p50_ms"], 9, ".2f"),
            (variant["p95_ms"], 9, ".2f"),
            (variant.get("recall"), 9, ".3f"),
            (variant.get("1 %", {}).get("p95_ms"), 9, ".2f"),
            (variant.get("batch", {}).get("queries_per_second"), 9, ",.0f"),
        ]
        shown = "".join(f"{'' if value is None else format(value, form):>{wide}}" for value, wide, form in numbers)
        title = f"{engine}: {variant['name']}"
        rows.append(f"{title:68}{shown}")
    for word in ("skipped", "unfinished", "failed"):
        rows += [f"{engine}: {word}: {figures[word]}"] if word in figures else []
    return rows
