"""The embedded ClickHouse engine (chDB) behind ClickHouse's own HTTP interface, for laptops and tests."""

from deploy.local.clickhouse.app import create_app
from deploy.local.clickhouse.engine import Engine

__all__ = ["Engine", "create_app"]
