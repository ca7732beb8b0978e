"""The provider's name, guessed from its address and from how its server introduces itself."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from worker.engine.storage import MOST_PARTS

_HOSTS = {
    "amazonaws.com": "AWS S3",
    "r2.cloudflarestorage.com": "Cloudflare R2",
    "backblazeb2.com": "Backblaze B2",
    "wasabisys.com": "Wasabi",
    "digitaloceanspaces.com": "DigitalOcean Spaces",
    "googleapis.com": "Google Cloud Storage",
    "scw.cloud": "Scaleway",
    "your-objectstorage.com": "Hetzner",
    "ovh.net": "OVHcloud",
    "linodeobjects.com": "Linode",
    "idrivee2.com": "IDrive e2",
    "tigris.dev": "Tigris",
    "storjshare.io": "Storj",
}
_SERVERS = {
    "seaweedfs": "SeaweedFS",
    "rclone": "rclone",
    "minio": "MinIO",
    "garage": "Garage",
    "ceph": "Ceph",
}


# A tenth of what others take (rclone's table of providers; not tried out by us).
_FEWER_PARTS = {"Scaleway": 1000}


def max_parts(endpoint: str) -> int:
    """How many parts an upload may have there."""
    return _FEWER_PARTS.get(guess(endpoint, {}), MOST_PARTS)


def guess(endpoint: str, headers: Mapping[str, str]) -> str:
    """A name for people; "unknown" for a server that does not tell."""
    host = urlsplit(endpoint).hostname or "amazonaws.com"
    for domain, name in _HOSTS.items():
        if host == domain or host.endswith(f".{domain}"):
            return name
    said = headers.get("server", "").lower()
    if any(name.startswith("x-rgw") for name in headers):
        return "Ceph"
    # Some servers call themselves AmazonS3: only the address tells that.
    return next((name for word, name in _SERVERS.items() if word in said), "unknown")
