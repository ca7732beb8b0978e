"""A plugin of pytest: knows which test proves which row, and prints the table of the fault matrix:
with `--rows`, and at the end of a whole run in CI."""

from __future__ import annotations

import os
from collections import Counter, defaultdict

import pytest

from tests.support.rows import INVARIANTS, ROWS, rows_of_name

BAD = ("failed", "error")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rows", action="store_true", help="run the fault matrix and print its table")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "row(*numbers): rows of the fault matrix that it proves")
    config.addinivalue_line("markers", "invariant(*names): invariants that it asserts")
    # In CI the table comes of the one run that there is.
    wanted = config.getoption("--rows") or (os.environ.get("CI") == "true" and _is_whole(config))
    if wanted and not _is_one_of_many(config):
        config.pluginmanager.register(Table(), "rows-table")


def _is_one_of_many(config: pytest.Config) -> bool:
    """A worker of xdist has only its own share of the tests; the table is its controller's."""
    return hasattr(config, "workerinput")


def _is_whole(config: pytest.Config) -> bool:
    """Whether all tests were asked for."""
    from_settings = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    return from_settings and not config.option.keyword and not config.option.markexpr


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Reports carry what their tests prove. With `--rows` only tests that prove something run."""
    for item in items:
        item.user_properties += [("row", row) for row in rows_of(item) & ROWS.keys()]
        item.user_properties += [("invariant", name) for name in invariants_of(item)]
    if not config.getoption("--rows"):
        return
    wanted = [item for item in items if item.user_properties]
    config.hook.pytest_deselected(items=[item for item in items if item not in wanted])
    items[:] = wanted


def rows_of(item: pytest.Item) -> set[int]:
    marked = {int(number) for mark in item.iter_markers("row") for number in mark.args}
    return marked | rows_of_name(item.name)


def invariants_of(item: pytest.Item) -> set[str]:
    return {str(name) for mark in item.iter_markers("invariant") for name in mark.args}


class Table:
    """Gathers what became of each row's tests, from the reports alone: with xdist they come from
    other processes. A row or invariant that nothing was run for is a failure."""

    def __init__(self) -> None:
        self.rows: dict[int, Counter[str]] = defaultdict(Counter)
        self.files: dict[int, set[str]] = defaultdict(set)
        self.invariants: dict[str, Counter[str]] = defaultdict(Counter)

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and report.passed:
            return
        outcome = "error" if report.when != "call" and report.failed else report.outcome
        for kind, what in report.user_properties:
            if kind == "row":
                self.rows[int(str(what))][outcome] += 1
                self.files[int(str(what))].add(report.nodeid.partition("::")[0])
            elif kind == "invariant":
                self.invariants[str(what)][outcome] += 1

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if session.exitstatus == pytest.ExitCode.OK and self.not_run():
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def not_run(self) -> list[object]:
        found = {**self.rows, **self.invariants}
        return [what for what in (*ROWS, *INVARIANTS) if not found.get(what, Counter())["passed"]]

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        write = terminalreporter.write_line
        terminalreporter.section("fault matrix")
        for row, about in ROWS.items():
            files = ", ".join(sorted(self.files[row]))
            write(f"{row:>3}  {about:<58} {said(self.rows[row]):<22} {files}")
        terminalreporter.section("invariants")
        for name, about in INVARIANTS.items():
            write(f"{name:>3}  {about:<58} {said(self.invariants[name])}")


def said(outcomes: Counter[str]) -> str:
    """`12 passed`, or what is wrong."""
    if not outcomes:
        return "not run"
    if bad := sum(outcomes[name] for name in BAD):
        return f"{bad} FAILED"
    return ", ".join(f"{outcomes[name]} {name}" for name in ("passed", "skipped") if outcomes[name])
