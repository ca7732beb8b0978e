"""An S3 server that does next to nothing but keep bytes, for benchmarks.

A server that works takes CPU from the two cores that it shares with the tools measured; in life
it runs elsewhere. This one takes about a millisecond a MiB (SeaweedFS and rclone take 12 to 14),
so a run against it shows what the tools themselves cost. It checks no signature and no checksum,
keeps its catalogue in memory, and listens on loopback only: nothing to keep backups in.
"""
