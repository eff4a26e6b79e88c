-- The three raw tables: one row per event, as the collector took it. They differ in nothing but the events they hold
-- (and `value` on checkouts).
--
-- The sort key holds only what a client's retry repeats: ts and received_at may differ between two copies of one event,
-- so neither is in it. FINAL then keeps one copy, across partitions too. Of two copies the first received wins, which
-- is also the one the live processors counted.
-- The constraint makes a row that is no event (a bare {}) an error of the insert instead of a row of defaults.

CREATE TABLE IF NOT EXISTS clickstream
(
    `event_id` String COMMENT 'The event''s own id; a client''s retry repeats it, FINAL keeps one row',
    `site` LowCardinality(String) COMMENT 'Site that the write key belongs to',
    `kind` LowCardinality(String) COMMENT 'clickstream, error or checkout',
    `type` LowCardinality(String) COMMENT 'What happened: page_view, click, js_error, product_added, ..',
    `ts` DateTime64(3, 'UTC') COMMENT 'When it happened: the time to query by (client time, corrected when the clock was wrong)',
    `received_at` DateTime64(3, 'UTC') COMMENT 'When the collector received it',
    `client_ts` DateTime64(3, 'UTC') COMMENT 'Time as the client''s clock had it; 1970-01-01 when it sent none',
    `sent_at` DateTime64(3, 'UTC') COMMENT 'When the client sent the batch, by its clock; 1970-01-01 when it did not say',
    `ts_source` LowCardinality(String) DEFAULT 'client' COMMENT 'Where ts comes from: client, received, or received_future (client clock too far ahead)',
    `session_id` String COMMENT 'The client''s session id; empty when it has none',
    `visitor_id` String COMMENT 'The client''s visitor id; empty when it has none',
    `user_id` String COMMENT 'The site''s own user id; empty when not logged in',
    `url` String CODEC(ZSTD(1)) COMMENT 'Full address of the page',
    `path` String COMMENT 'Path of the address',
    `page` String COMMENT 'Path without ids, so that one template is one page',
    `referrer` String CODEC(ZSTD(1)) COMMENT 'Address the visitor came from',
    `title` String CODEC(ZSTD(1)) COMMENT 'Title of the page',
    `element` String COMMENT 'Selector or name of the element acted on',
    `x` Nullable(Float64) COMMENT 'Pointer position from the left, CSS pixels; null when not sent',
    `y` Nullable(Float64) COMMENT 'Pointer position from the top, CSS pixels; null when not sent',
    `device` LowCardinality(String) COMMENT 'Device class: desktop, mobile, tablet, ..',
    `browser` LowCardinality(String) COMMENT 'Browser family',
    `os` LowCardinality(String) COMMENT 'Operating system family',
    `country` LowCardinality(String) COMMENT 'Country code',
    `release` LowCardinality(String) COMMENT 'Release of the site that was running',
    `is_bot` Bool COMMENT 'True for known bots and headless browsers: labelled, not dropped',
    `error_class` LowCardinality(String) COMMENT 'Class of an error: js, resource, http_4xx, http_5xx, network, ..; empty for other events',
    `fingerprint` String COMMENT 'Names an error: equal for two occurrences of the same one; empty for other events',
    `message` String CODEC(ZSTD(1)) COMMENT 'Text of an error; empty for other events',
    `props` Map(LowCardinality(String), String) CODEC(ZSTD(1)) COMMENT 'Everything else the client sent; nested values as JSON text',
    `client_day` Date MATERIALIZED toDate(client_ts) COMMENT 'Day of client_ts: in the sort key because, unlike ts, a retry never changes it',
    `first_received` UInt64 MATERIALIZED bitNot(toUInt64(toUnixTimestamp64Milli(received_at))) COMMENT 'Falls as received_at rises: of two copies the first received wins under FINAL',
    INDEX by_ts ts TYPE minmax GRANULARITY 1,
    INDEX by_session session_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX by_visitor visitor_id TYPE bloom_filter(0.01) GRANULARITY 4,
    CONSTRAINT is_an_event CHECK event_id != '' AND site != '' AND type != ''
)
ENGINE = ReplacingMergeTree(first_received)
PARTITION BY toYYYYMM(ts)
PRIMARY KEY (site, client_day, type)
ORDER BY (site, client_day, type, event_id)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Page views, clicks and what else people do';

CREATE TABLE IF NOT EXISTS errors
(
    `event_id` String COMMENT 'The event''s own id; a client''s retry repeats it, FINAL keeps one row',
    `site` LowCardinality(String) COMMENT 'Site that the write key belongs to',
    `kind` LowCardinality(String) COMMENT 'clickstream, error or checkout',
    `type` LowCardinality(String) COMMENT 'What happened: page_view, click, js_error, product_added, ..',
    `ts` DateTime64(3, 'UTC') COMMENT 'When it happened: the time to query by (client time, corrected when the clock was wrong)',
    `received_at` DateTime64(3, 'UTC') COMMENT 'When the collector received it',
    `client_ts` DateTime64(3, 'UTC') COMMENT 'Time as the client''s clock had it; 1970-01-01 when it sent none',
    `sent_at` DateTime64(3, 'UTC') COMMENT 'When the client sent the batch, by its clock; 1970-01-01 when it did not say',
    `ts_source` LowCardinality(String) DEFAULT 'client' COMMENT 'Where ts comes from: client, received, or received_future (client clock too far ahead)',
    `session_id` String COMMENT 'The client''s session id; empty when it has none',
    `visitor_id` String COMMENT 'The client''s visitor id; empty when it has none',
    `user_id` String COMMENT 'The site''s own user id; empty when not logged in',
    `url` String CODEC(ZSTD(1)) COMMENT 'Full address of the page',
    `path` String COMMENT 'Path of the address',
    `page` String COMMENT 'Path without ids, so that one template is one page',
    `referrer` String CODEC(ZSTD(1)) COMMENT 'Address the visitor came from',
    `title` String CODEC(ZSTD(1)) COMMENT 'Title of the page',
    `element` String COMMENT 'Selector or name of the element acted on',
    `x` Nullable(Float64) COMMENT 'Pointer position from the left, CSS pixels; null when not sent',
    `y` Nullable(Float64) COMMENT 'Pointer position from the top, CSS pixels; null when not sent',
    `device` LowCardinality(String) COMMENT 'Device class: desktop, mobile, tablet, ..',
    `browser` LowCardinality(String) COMMENT 'Browser family',
    `os` LowCardinality(String) COMMENT 'Operating system family',
    `country` LowCardinality(String) COMMENT 'Country code',
    `release` LowCardinality(String) COMMENT 'Release of the site that was running',
    `is_bot` Bool COMMENT 'True for known bots and headless browsers: labelled, not dropped',
    `error_class` LowCardinality(String) COMMENT 'Class of an error: js, resource, http_4xx, http_5xx, network, ..; empty for other events',
    `fingerprint` String COMMENT 'Names an error: equal for two occurrences of the same one; empty for other events',
    `message` String CODEC(ZSTD(1)) COMMENT 'Text of an error; empty for other events',
    `props` Map(LowCardinality(String), String) CODEC(ZSTD(1)) COMMENT 'Everything else the client sent; nested values as JSON text',
    `client_day` Date MATERIALIZED toDate(client_ts) COMMENT 'Day of client_ts: in the sort key because, unlike ts, a retry never changes it',
    `first_received` UInt64 MATERIALIZED bitNot(toUInt64(toUnixTimestamp64Milli(received_at))) COMMENT 'Falls as received_at rises: of two copies the first received wins under FINAL',
    INDEX by_ts ts TYPE minmax GRANULARITY 1,
    INDEX by_session session_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX by_visitor visitor_id TYPE bloom_filter(0.01) GRANULARITY 4,
    CONSTRAINT is_an_event CHECK event_id != '' AND site != '' AND type != ''
)
ENGINE = ReplacingMergeTree(first_received)
PARTITION BY toYYYYMM(ts)
PRIMARY KEY (site, client_day, type)
ORDER BY (site, client_day, type, event_id)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Errors people ran into';

CREATE TABLE IF NOT EXISTS checkouts
(
    `event_id` String COMMENT 'The event''s own id; a client''s retry repeats it, FINAL keeps one row',
    `site` LowCardinality(String) COMMENT 'Site that the write key belongs to',
    `kind` LowCardinality(String) COMMENT 'clickstream, error or checkout',
    `type` LowCardinality(String) COMMENT 'What happened: page_view, click, js_error, product_added, ..',
    `ts` DateTime64(3, 'UTC') COMMENT 'When it happened: the time to query by (client time, corrected when the clock was wrong)',
    `received_at` DateTime64(3, 'UTC') COMMENT 'When the collector received it',
    `client_ts` DateTime64(3, 'UTC') COMMENT 'Time as the client''s clock had it; 1970-01-01 when it sent none',
    `sent_at` DateTime64(3, 'UTC') COMMENT 'When the client sent the batch, by its clock; 1970-01-01 when it did not say',
    `ts_source` LowCardinality(String) DEFAULT 'client' COMMENT 'Where ts comes from: client, received, or received_future (client clock too far ahead)',
    `session_id` String COMMENT 'The client''s session id; empty when it has none',
    `visitor_id` String COMMENT 'The client''s visitor id; empty when it has none',
    `user_id` String COMMENT 'The site''s own user id; empty when not logged in',
    `url` String CODEC(ZSTD(1)) COMMENT 'Full address of the page',
    `path` String COMMENT 'Path of the address',
    `page` String COMMENT 'Path without ids, so that one template is one page',
    `referrer` String CODEC(ZSTD(1)) COMMENT 'Address the visitor came from',
    `title` String CODEC(ZSTD(1)) COMMENT 'Title of the page',
    `element` String COMMENT 'Selector or name of the element acted on',
    `x` Nullable(Float64) COMMENT 'Pointer position from the left, CSS pixels; null when not sent',
    `y` Nullable(Float64) COMMENT 'Pointer position from the top, CSS pixels; null when not sent',
    `device` LowCardinality(String) COMMENT 'Device class: desktop, mobile, tablet, ..',
    `browser` LowCardinality(String) COMMENT 'Browser family',
    `os` LowCardinality(String) COMMENT 'Operating system family',
    `country` LowCardinality(String) COMMENT 'Country code',
    `release` LowCardinality(String) COMMENT 'Release of the site that was running',
    `is_bot` Bool COMMENT 'True for known bots and headless browsers: labelled, not dropped',
    `error_class` LowCardinality(String) COMMENT 'Class of an error: js, resource, http_4xx, http_5xx, network, ..; empty for other events',
    `fingerprint` String COMMENT 'Names an error: equal for two occurrences of the same one; empty for other events',
    `message` String CODEC(ZSTD(1)) COMMENT 'Text of an error; empty for other events',
    `props` Map(LowCardinality(String), String) CODEC(ZSTD(1)) COMMENT 'Everything else the client sent; nested values as JSON text',
    `client_day` Date MATERIALIZED toDate(client_ts) COMMENT 'Day of client_ts: in the sort key because, unlike ts, a retry never changes it',
    `first_received` UInt64 MATERIALIZED bitNot(toUInt64(toUnixTimestamp64Milli(received_at))) COMMENT 'Falls as received_at rises: of two copies the first received wins under FINAL',
    `value` Float64 MATERIALIZED toFloat64OrZero(props['value']) COMMENT 'Money at stake: the value property; 0 when absent or no number',
    INDEX by_ts ts TYPE minmax GRANULARITY 1,
    INDEX by_session session_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX by_visitor visitor_id TYPE bloom_filter(0.01) GRANULARITY 4,
    CONSTRAINT is_an_event CHECK event_id != '' AND site != '' AND type != ''
)
ENGINE = ReplacingMergeTree(first_received)
PARTITION BY toYYYYMM(ts)
PRIMARY KEY (site, client_day, type)
ORDER BY (site, client_day, type, event_id)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Cart and checkout steps, with their value';
