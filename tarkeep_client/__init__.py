"""A small client for Tarkeep's API: `pip install httpx`, and see `Tarkeep`."""

from tarkeep_client.client import Tarkeep
from tarkeep_client.errors import JobFailed, TarkeepError
from tarkeep_client.shapes import Backup, Entry, Job, Token

__all__ = ["Backup", "Entry", "Job", "JobFailed", "Tarkeep", "TarkeepError", "Token"]
