"""The vendor's SDK, pointed at a fake: what every program that judges one needs."""

import sys

import boto3
from botocore.config import Config


def client(service, region):
    """A client of a service in a region, that tries once."""
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=sys.argv[1],
        aws_access_key_id="111122223333",
        aws_secret_access_key="not-checked",
        config=Config(retries={"total_max_attempts": 1}),
    )


def refused(error, call, **parameters):
    """Asserts that a call is refused with an error; returns what it says."""
    try:
        call(**parameters)
    except error as raised:
        return str(raised)
    raise AssertionError(f"{call} was not refused")
