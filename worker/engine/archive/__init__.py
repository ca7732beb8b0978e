"""The archive: how it is written, sealed, indexed and read back. The format is docs/format.md."""
