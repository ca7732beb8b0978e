"""The REST API under /api/backup/."""
