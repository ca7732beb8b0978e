"""From tar bytes to files: hostile input until proven otherwise."""
