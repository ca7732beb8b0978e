"""From the data folder to the archive: scan, read, pack, send."""
