"""The engine's server configuration, sized for a laptop that runs the whole stack."""

from pathlib import Path
from xml.sax.saxutils import escape

# Settings of every query that does not say otherwise. An answered insert is in the table (async_insert waits in
# memory first, and is on by default in this engine); no query outlives its five minutes, which bounds what a
# vanished client can hold.
BASELINE_SETTINGS = {"async_insert": "0", "max_execution_time": "300"}

_MIB = 1 << 20
# Caches are sized for a few gigabytes of events: hit rates stay high, and none can grow to the server's gigabytes.
_SERVER = {
    "mark_cache_size": 32 * _MIB,
    "index_mark_cache_size": 8 * _MIB,
    "index_uncompressed_cache_size": 0,
    "uncompressed_cache_size": 0,
    "query_condition_cache_size": 8 * _MIB,
    "mmap_cache_size": 64,
    "compiled_expression_cache_size": 8 * _MIB,
    "primary_index_cache_size": 16 * _MIB,
    "vector_similarity_index_cache_size": 0,
    "text_index_header_cache_size": 4 * _MIB,
    "text_index_postings_cache_size": 4 * _MIB,
    "background_pool_size": 2,
    "background_schedule_pool_size": 2,
    "background_common_pool_size": 1,
    "max_thread_pool_size": 256,
    "max_thread_pool_free_size": 16,
}

# Without it, the grants of table engines say nothing.
_ACCESS = (
    "  <access_control_improvements>"
    "<table_engines_require_grant>true</table_engines_require_grant>"
    "</access_control_improvements>"
)

_QUERY_LOG = """
  <query_log>
    <database>system</database><table>query_log</table>
    <engine>ENGINE = MergeTree PARTITION BY toYYYYMM(event_date) ORDER BY event_time
      TTL event_date + INTERVAL 3 DAY SETTINGS storage_policy = 'default'</engine>
    <flush_interval_milliseconds>7500</flush_interval_milliseconds>
    <max_size_rows>10000</max_size_rows><reserved_size_rows>256</reserved_size_rows>
    <buffer_size_rows_flush_threshold>5000</buffer_size_rows_flush_threshold>
  </query_log>"""


def server_config(max_memory_mb: int, users: Path) -> str:
    """The XML the engine is started with; only query_log is kept of the system logs. `users`: the file of users."""
    settings = {**_SERVER, "max_server_memory_usage": max_memory_mb * _MIB}
    lines = "\n".join(f"  <{name}>{value}</{name}>" for name, value in settings.items())
    access = f"  <users_config>{escape(str(users))}</users_config>\n{_ACCESS}"
    return f"<clickhouse>\n{lines}\n{access}{_QUERY_LOG}\n</clickhouse>\n"
