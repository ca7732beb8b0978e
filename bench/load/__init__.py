"""Many people look on while a backup runs: what that costs, and how fast they are served.

`python -m bench.load --size 2GiB`; the figures are in docs/benchmarks.md.
"""
