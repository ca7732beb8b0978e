"""Each row of the fault matrix has a test."""

from pathlib import Path

from tests.support.rows import INVARIANTS, ROWS, WITHOUT, proofs_by_row

TESTS = Path(__file__).parents[1]


def test_no_row_is_without_a_test():
    proved = proofs_by_row(TESTS)
    assert [row for row in ROWS if not proved[row]] == []


def test_every_row_of_the_matrix_is_in_the_table():
    assert set(ROWS) == set(range(1, 91)) - WITHOUT


def test_no_test_claims_a_row_that_there_is_not():
    proved = proofs_by_row(TESTS)
    assert {row: tests for row, tests in proved.items() if row not in ROWS} == {}


def test_no_invariant_is_without_a_test():
    code = "".join(path.read_text() for path in TESTS.rglob("test_*.py"))
    marks = "".join(line for line in code.splitlines() if "mark.invariant(" in line)
    assert [name for name in INVARIANTS if f'"{name}"' not in marks] == []
