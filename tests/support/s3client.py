"""A plain boto3 client, to look at a bucket from outside, as a user's own tool would."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config

from worker.engine.config import StorageConfig


def s3_client(config: StorageConfig) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=config.endpoint or None,
        aws_access_key_id=config.access_key,
        aws_secret_access_key=config.secret_key,
        region_name=config.region,
        verify=str(config.ca_bundle) if config.ca_bundle else None,
        config=Config(s3={"addressing_style": "path"}),
    )
