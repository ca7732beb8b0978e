"""What is known of providers beyond what a probe can see: from their own documents, and from
what others have run into. By the names that `provider.guess` gives."""

from __future__ import annotations

from typing import Final

QUIRKS: Final = {
    "Backblaze B2": "a bucket keeps all versions unless its lifecycle says to keep the last one"
    " only, so what is deleted goes on being billed",
    "Ceph": "copied parts are read and written by its gateway, so they take time there",
    "Cloudflare R2": "all parts of an upload must have one size, copied ones too",
    "Garage": "all parts of an upload must have one size, copied ones too; it keeps no versions",
    "Google Cloud Storage": "parts of objects cannot be copied, so every backup is sent whole",
    "Hetzner": "copies inside the bucket may fail at times; such a backup is sent whole",
    "Scaleway": "an upload has at most 1,000 parts",
    "SeaweedFS": "BACKUP_S3_SSE=AES256 needs a key service of its own",
    "Storj": "parts of objects cannot be copied, so every backup is sent whole",
    "Wasabi": "each object is billed for 90 days (or 30), also when it is deleted before",
    "rclone": "it answers copies of parts as if they were made, and checks no SHA-256",
}
