"""What the next backup takes over from the last one, copied inside the bucket."""
