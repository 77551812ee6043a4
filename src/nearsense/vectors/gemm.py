"""Products of many vectors with many, a block at a time, in f32 or bf16. Which scores matter the caller decides.

numpy multiplies in f32, as fast as any engine here. Where the processor has bf16 natively, OpenVINO multiplies in
bf16, about 3 times faster from some dozens of queries on; scores are then off by up to `slack`, so they choose
candidates and are never shown.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from nearsense._forks import computing, lock
from nearsense._openvino import core, openvino
from nearsense.records import Precision

if TYPE_CHECKING:
    from numpy.typing import NDArray

QUERIES, ROWS = 256, 8192
"""A product of this size is worth a call and small enough: 8 MiB of scores; fewer queries go with more rows."""

WORTHWHILE = 2**33
"""From so many multiplications on bf16 pays for loading and compiling it: 30 ms of f32."""

FEW = 16
"""Fewer queries than this are limited by reading the vectors, so bf16 gains nothing."""

T = TypeVar("T")


def fastest(queries: int, rows: int, dimension: int) -> Precision:
    """The precision in which a whole scan is soonest made here: BF16 for large work where it is native."""
    large = queries >= FEW and queries * rows * dimension >= WORTHWHILE
    return Precision.BF16 if large and _native_bf16() else Precision.F32


def slack(dimension: int, precision: Precision) -> float:
    """How far a score of two unit vectors of dimension d may be off, at most.

    A sum of d rounded products is off by at most about d u |a| |b| (Higham, Accuracy and Stability of Numerical
    Algorithms, section 3.1), with u half of float32's epsilon; the bound here is 4 times that. bf16 keeps 8 bits:
    both vectors and the score are rounded by up to 2^-8 of themselves.
    """
    summed = 2.0 * (dimension + 8) * float(np.finfo(np.float32).eps)
    return summed + (3.1 * 2.0**-8 if precision is Precision.BF16 else 0.0)


def scores(
    queries: NDArray[np.float32], block: NDArray[np.float32], precision: Precision = Precision.F32
) -> NDArray[np.float32]:
    """The dot product of every query with every row of a block: float32, shape (q, m)."""
    result = np.empty((len(queries), len(block)), np.float32)
    for left in range(0, len(queries), QUERIES):
        for top in range(0, len(block), ROWS):
            part = result[left : left + QUERIES, top : top + ROWS]
            pair = queries[left : left + QUERIES], block[top : top + ROWS]
            decide_block(*pair, precision, lambda found, part=part: np.copyto(part, found))  # type: ignore[misc]
    return result


def decide_block(
    queries: NDArray[np.float32],
    block: NDArray[np.float32],
    precision: Precision,
    decide: Callable[[NDArray[np.float32]], T],
) -> T:
    """What `decide` makes of the scores of one block, float32, (q, m), which it may change and must not keep.

    About QUERIES by ROWS. Where bf16 is not native, BF16 computes in F32.
    """
    if precision is not Precision.BF16 or 0 in (len(queries), len(block)) or not _native_bf16():
        with computing():
            found = queries @ block.T
        return decide(found)
    return _engine().run(queries, block, decide)


@cache
def _native_bf16() -> bool:
    try:
        with computing():
            return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    except ImportError:
        return False


class _Engine:
    """One compiled product of any shape. Safe to use from several threads."""

    def __init__(self) -> None:
        op = openvino().opset13
        left, right = (op.parameter([-1, -1], np.float32) for _ in range(2))
        graph = openvino().Model([op.matmul(left, right, False, True)], [left, right])
        options = {"INFERENCE_PRECISION_HINT": Precision.BF16.value, "PERFORMANCE_HINT": "LATENCY"}
        self._compiled = core().compile_model(graph, "CPU", options)
        self._idle: deque[Any] = deque()

    def run(
        self, queries: NDArray[np.float32], block: NDArray[np.float32], decide: Callable[[NDArray[np.float32]], T]
    ) -> T:
        """Multiply, let `decide` look, and keep the room for the next product.

        A shape that is new costs some 10 ms, so short blocks are filled up to one of a few.
        """
        try:
            slot = self._idle.pop()
        except IndexError:
            with computing():
                slot = self._compiled.create_infer_request()
        try:
            q, m = len(queries), len(block)
            pair = _pad(queries, max(FEW, 1 << (q - 1).bit_length())), _pad(block, -(-m // 1024) * 1024)
            with computing():
                slot.infer(list(pair), share_inputs=True)
            return decide(slot.get_output_tensor(0).data[:q, :m])
        finally:
            self._idle.append(slot)


_lock = lock()
_engines: list[_Engine] = []


def _engine() -> _Engine:
    with computing(), _lock:
        if not _engines:
            _engines.append(_Engine())
        return _engines[0]


def _pad(x: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """The rows, and zeros up to `length`; a copy only where there are fewer."""
    if len(x) == length:
        return np.ascontiguousarray(x, dtype=np.float32)
    room = np.zeros((length, x.shape[1]), np.float32)
    room[: len(x)] = x
    return room
