"""Benchmarks: Tarkeep beside other tools, on data we make ourselves. `make bench` runs them."""
