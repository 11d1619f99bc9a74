"""The page of faults has what the long tests found, and every one of them."""

import ast
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


def long_tests() -> set[str]:
    """The names of this folder's tests that are marked as long."""
    return {
        node.name
        for file in HERE.glob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef) and any(ast.unparse(d) == "pytest.mark.long" for d in node.decorator_list)
    }


def test_every_long_fault_test_has_its_rows_in_the_published_log_and_table():
    log = (ROOT / "docs" / "long-tests.log").read_text()
    page = (ROOT / "docs" / "faults.md").read_text()
    rows = [line for line in log.splitlines() if line.startswith("| `test_")]
    assert {row.split("`")[1].partition("[")[0] for row in rows} >= long_tests()
    assert all(row in page for row in rows)
    assert "failed" not in log.splitlines()[-1]
    assert "passed" in log.splitlines()[-1]


def test_there_are_long_fault_tests():
    assert len(long_tests()) >= 10
