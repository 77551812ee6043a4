"""What a benchmark runs on: the processor, what of it is used, how fast it multiplies; and where the data lie."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import numpy as np

from nearsense._openvino import openvino
from nearsense.records import Precision
from nearsense.vectors import gemm

SIDE = 2048
"""Rows and columns of the matrices whose product is timed."""

SETS = Path(os.environ.get("NEARSENSE_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
"""The evaluation data."""

LEVELS = {
    "amx_bf16": "AMX (bf16)", "avx512_bf16": "AVX-512 (bf16)", "avx512f": "AVX-512", "avx2": "AVX2",
    "sve": "SVE", "asimd": "NEON",
}  # fmt: skip
"""Sets of instructions by their flags, the most capable first."""


def require_data() -> None:
    """End with a word where the evaluation data are not: a run without them would measure nothing."""
    if not any(SETS.rglob("*.jsonl*")):
        sys.exit(
            f"nothing can be measured: the evaluation data is not at {SETS}; set NEARSENSE_DATA to its folder"
        )


def processor() -> str:
    """Its name and the most capable instructions it has: `"AMD EPYC 9B14, AVX-512 (bf16)"`."""
    facts: dict[str, str] = {}
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    flags = (facts.get("flags") or facts.get("Features") or "").split()
    level = next((name for flag, name in LEVELS.items() if flag in flags), platform.machine())
    limit = os.environ.get("OV_CPU_MAX_ISA")
    name = facts.get("model name") or platform.processor() or platform.machine()
    return f"{name}, {level}" + (f", limited to {limit}" if limit else "")


def native() -> Precision:
    """What `precision="auto"` is here."""
    capabilities = openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return Precision.BF16 if "BF16" in capabilities else Precision.F32


def product_rates() -> dict[str, float]:
    """The machine's own rates, FLOP/s, by precision: a product of two matrices of 2,048 x 2,048, best of 20.

    By torch where it is installed, else by what nearsense multiplies with. bf16 only where it is native.
    """
    kinds = dict.fromkeys(("f32", native().value))
    return {kind: 2 * SIDE**3 / min(_timed(_product(kind)) for _ in range(20)) for kind in kinds}


def _product(kind: str) -> Callable[[], object]:
    try:
        import torch
    except ImportError:
        x, y = np.random.default_rng(0).standard_normal((2, SIDE, SIDE), dtype=np.float32)
        return lambda: gemm.decide_block(x, y, Precision(kind), lambda found: found[0, 0])
    a, b = (torch.randn(SIDE, SIDE).to(torch.bfloat16 if kind == "bf16" else torch.float32) for _ in range(2))
    return lambda: a @ b


def _timed(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def machine() -> dict[str, object]:
    """All of it, for a report."""
    return {
        "machine": f"{len(os.sched_getaffinity(0))} cores, {processor()}",
        "python": platform.python_version(),
        "product_flops": product_rates(),
    }


def told(report: dict) -> str:
    """The same as a line to print."""
    rates = ", ".join(f"{kind} {rate / 1e9:,.0f}" for kind, rate in report["product_flops"].items())
    return f"{report['machine']}, Python {report['python']}; its own matrix product, GFLOP/s: {rates}"


def version(name: str) -> str:
    """Of an installed package."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
