"""The version of Tarkeep; CHANGELOG.md tells what each brought."""

VERSION = "0.1.0"
