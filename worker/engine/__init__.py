"""The backup engine: knows the disk, the archive format and S3, and nothing of Django or Celery."""
