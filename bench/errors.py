"""The one error of the benchmarks: a run that cannot be believed stops everything."""

from __future__ import annotations


class BenchError(Exception):
    """A tool failed, or did not give back what went in."""
