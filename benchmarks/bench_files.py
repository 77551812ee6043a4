"""How files in the shapes that people have are read without an option: a table, and how many work.

.venv/bin/python benchmarks/bench_files.py [FOLDER with manifest.jsonl]
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import shape_cases


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else shape_cases.FOLDER
    found: Counter[str] = Counter()
    print("| file | what it is | outcome | read |\n| --- | --- | --- | --- |")
    for case in shape_cases.cases(folder):
        result, detail = shape_cases.outcome(case, folder)
        found[result] += 1
        print(
            f"| {case['file']} | {case['what']} | {result} | {detail[:90].replace('|', '¦')} |".replace("\n", " ")
        )
    print(f"\n{found.total()} files: " + ", ".join(f"{count} {result}" for result, count in found.most_common()))


if __name__ == "__main__":
    main()
