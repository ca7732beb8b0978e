"""Telling the outside: where to, what about, and the process that sends. Knows no Django."""
