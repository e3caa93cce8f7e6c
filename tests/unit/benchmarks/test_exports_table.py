"""The table of docs/exports.md: float32 in milliseconds, the other forms beside it."""

from __future__ import annotations

from exports import Row, lines_of


def test_float32_is_timed_and_other_forms_are_so_many_times_as_fast() -> None:
    rows = [
        Row("net", "float32", 1_000, (1.5, 20.0), (1.0, 1.0), 0.9173),
        Row("net", "`--compute int8`", 300, (1.0, 8.0), (1.5, 2.5), 0.9),
    ]
    header, line, exact, small = lines_of(rows)
    assert header.count("|") == line.count("|") == exact.count("|") == small.count("|")
    assert exact == "| net | float32 | 1,000 | 1.500 ms | 20.000 ms | 91.73 % |"
    assert small == "|  | `--compute int8` | 300 | 1.50x | 2.50x | 90.00 % |"
