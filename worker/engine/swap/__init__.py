"""Putting a restored folder in the place of the live one, whole or not at all."""
