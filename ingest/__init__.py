"""The collector: bytes in over HTTP, durable Kafka records out."""

from ingest.app import create_app

__all__ = ["create_app"]
