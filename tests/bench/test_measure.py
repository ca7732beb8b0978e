"""The instruments: the counting relay, the memory sampler, failing commands."""

from __future__ import annotations

import sys

import pytest

from bench.errors import BenchError
from bench.measure import Command, idle_memory, run
from bench.proxy import counting
from bench.sizes import MIB
from tests.support.s3client import s3_client


def test_the_relay_counts_requests_and_bytes_both_ways(storage_config):
    with counting(storage_config.endpoint) as proxy:
        relayed = s3_client(
            type(storage_config)(**{**vars(storage_config), "endpoint": proxy.endpoint})
        )
        relayed.put_object(Bucket=storage_config.bucket, Key="a", Body=b"x" * 3 * MIB)
        body = relayed.get_object(Bucket=storage_config.bucket, Key="a")["Body"].read()
        relayed.close()
        traffic = proxy.traffic
    assert len(body) == 3 * MIB
    assert traffic.requests == 2
    assert 3 * MIB < traffic.sent < 3 * MIB + 8192
    assert 3 * MIB < traffic.received < 3 * MIB + 8192


def _eating(size):
    return f"{sys.executable} -c 'import time; kept = bytearray({size}); time.sleep(0.5)'"


def test_memory_of_all_processes_of_a_command_counts(tmp_path):
    one = run(Command(_eating(64 * MIB)), tmp_path / "log", sample=True)
    two = run(Command(f"{_eating(64 * MIB)} | {_eating(64 * MIB)}"), tmp_path / "log", sample=True)
    assert 64 * MIB < one.peak < 110 * MIB
    assert 128 * MIB < two.peak < 200 * MIB


def test_cpu_of_all_processes_of_a_command_counts(tmp_path):
    spin = f"{sys.executable} -c 'import time\nwhile time.process_time() < 0.3: pass'"
    assert run(Command(f"{spin} | {spin}"), tmp_path / "log").cpu >= 0.6


def test_a_command_that_fails_anywhere_in_its_pipe_stops_the_benchmark(tmp_path):
    with pytest.raises(BenchError, match="no such thing"):
        run(Command("(echo no such thing >&2; false) | cat"), tmp_path / "log")


def test_a_service_that_ends_by_itself_has_no_memory_at_rest():
    with pytest.raises(BenchError, match="ended with 3"):
        idle_memory(Command("exit 3"), seconds=0.5)
