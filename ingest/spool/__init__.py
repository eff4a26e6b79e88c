"""The spool: records that Kafka has not taken, safe on the local disk until it does."""

from ingest.spool.frame import Record
from ingest.spool.spool import Place, Spool, SpoolError

__all__ = ["Place", "Record", "Spool", "SpoolError"]
