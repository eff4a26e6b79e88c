-- What the live processors derive. A row is a full snapshot, emitted again whenever it changes: the highest version
-- wins, and deleted = 1 retracts a row that no longer holds (a late event moved a session's start). FINAL does both.

CREATE TABLE IF NOT EXISTS sessions
(
    `site` LowCardinality(String) COMMENT 'Site',
    `visitor_id` String COMMENT 'Visitor',
    `session_id` String COMMENT 'The client''s session id, or one derived from visitor and start',
    `started_at` DateTime64(3, 'UTC') COMMENT 'Time of the first event',
    `version` UInt64 COMMENT 'Rises with the facts in the row; FINAL keeps the highest',
    `deleted` UInt8 COMMENT '1 retracts the row; FINAL hides it',
    `ended_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of the last event',
    `state` LowCardinality(String) DEFAULT 'open' COMMENT 'open, or closed after 30 idle minutes or 24 hours',
    `events` UInt32 COMMENT 'Events of all kinds',
    `page_views` UInt32 COMMENT 'Page views',
    `clicks` UInt32 COMMENT 'Clicks',
    `errors` UInt32 COMMENT 'Errors',
    `checkout_events` UInt32 COMMENT 'Cart and checkout events',
    `orders` UInt32 COMMENT 'Orders completed',
    `value` Float64 COMMENT 'Sum of the orders'' values',
    `entry_page` String COMMENT 'First page, without ids',
    `exit_page` String COMMENT 'Last page, without ids',
    `referrer` String CODEC(ZSTD(1)) COMMENT 'Address the session came from',
    `device` LowCardinality(String) COMMENT 'Device class',
    `browser` LowCardinality(String) COMMENT 'Browser family',
    `os` LowCardinality(String) COMMENT 'Operating system family',
    `country` LowCardinality(String) COMMENT 'Country code',
    `release` LowCardinality(String) COMMENT 'Release of the site',
    `user_id` String COMMENT 'The site''s own user id; empty when not logged in',
    `is_bot` Bool COMMENT 'True for known bots and headless browsers',
    `engaged` Bool COMMENT 'More than 10 s, a key event or at least 2 page views (GA4)',
    `bounced` Bool COMMENT 'Not engaged (GA4)',
    `friction_score` Float64 COMMENT 'Capped weighted sum of the friction signals, 0 to 100',
    `friction` Map(LowCardinality(String), UInt32) COMMENT 'Friction signals by kind: the parts of the score',
    `errors_by_class` Map(LowCardinality(String), UInt32) COMMENT 'Errors by class',
    INDEX by_visitor visitor_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX by_session session_id TYPE bloom_filter(0.01) GRANULARITY 4,
    CONSTRAINT is_a_session CHECK site != '' AND session_id != ''
)
ENGINE = ReplacingMergeTree(version, deleted)
PARTITION BY toYYYYMM(started_at)
ORDER BY (site, toDate(started_at), visitor_id, session_id, started_at)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'One row per session of one visitor';

CREATE TABLE IF NOT EXISTS funnel_attempts
(
    `site` LowCardinality(String) COMMENT 'Site',
    `funnel` LowCardinality(String) COMMENT 'Name of the funnel',
    `attempt_id` String COMMENT 'Names the attempt: funnel, visitor and start',
    `visitor_id` String COMMENT 'Visitor',
    `started_at` DateTime64(3, 'UTC') COMMENT 'Time of the first step',
    `version` UInt64 COMMENT 'Rises with the facts in the row; FINAL keeps the highest',
    `deleted` UInt8 COMMENT '1 retracts the row; FINAL hides it',
    `funnel_version` UInt32 DEFAULT 1 COMMENT 'Version of the funnel''s definition',
    `session_id` String COMMENT 'Session in which the attempt started',
    `state` LowCardinality(String) DEFAULT 'open'
        COMMENT 'open, stalled, abandoned, converted, or recovered (an order after abandonment)',
    `steps` Array(LowCardinality(String)) COMMENT 'Names of the funnel''s steps, in order',
    `step_times` Array(Nullable(DateTime64(3, 'UTC'))) COMMENT 'When each step was reached; null where it was not',
    `step_reached` UInt8 COMMENT 'Number of steps reached: 1 is the first step alone',
    `step_name` LowCardinality(String) COMMENT 'Name of the last step reached',
    `last_step_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'When the last step was reached',
    `value` Float64 COMMENT 'Money at stake: the value seen last',
    `friction` Map(LowCardinality(String), UInt32) COMMENT 'Friction signals on the step where the attempt stands, by kind',
    `errors` Map(LowCardinality(String), UInt32) COMMENT 'Errors on the step where the attempt stands, by class',
    `first_cause` String COMMENT 'Earliest friction or error on that step; empty when there was none',
    `first_cause_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'When the first cause happened',
    `device` LowCardinality(String) COMMENT 'Device class',
    `browser` LowCardinality(String) COMMENT 'Browser family',
    `os` LowCardinality(String) COMMENT 'Operating system family',
    `country` LowCardinality(String) COMMENT 'Country code',
    `release` LowCardinality(String) COMMENT 'Release of the site',
    `is_bot` Bool COMMENT 'True for known bots and headless browsers',
    INDEX by_visitor visitor_id TYPE bloom_filter(0.01) GRANULARITY 4,
    CONSTRAINT is_an_attempt CHECK site != '' AND funnel != '' AND attempt_id != ''
)
ENGINE = ReplacingMergeTree(version, deleted)
PARTITION BY toYYYYMM(started_at)
ORDER BY (site, funnel, toDate(started_at), attempt_id, started_at)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'One row per attempt of one visitor at a funnel';

CREATE TABLE IF NOT EXISTS friction_signals
(
    `site` LowCardinality(String) COMMENT 'Site',
    `signal` LowCardinality(String) COMMENT 'Kind of friction: rage_click, error_click, quick_back, ..',
    `signal_id` String COMMENT 'Names the signal: kind, visitor and first event',
    `ts` DateTime64(3, 'UTC') COMMENT 'When the signal was certain',
    `visitor_id` String COMMENT 'Visitor',
    `version` UInt64 COMMENT 'Rises with the facts in the row; FINAL keeps the highest',
    `deleted` UInt8 COMMENT '1 retracts the row; FINAL hides it',
    `rule_version` UInt32 DEFAULT 1 COMMENT 'Version of the rule that found it',
    `session_id` String COMMENT 'Session it happened in',
    `path` String COMMENT 'Path it happened on',
    `page` String COMMENT 'Path without ids',
    `element` String COMMENT 'Element it happened on; empty when there is none',
    `evidence` String CODEC(ZSTD(1)) COMMENT 'Thresholds and what was measured: a JSON object as text',
    `is_bot` Bool COMMENT 'True for known bots and headless browsers',
    INDEX by_session session_id TYPE bloom_filter(0.01) GRANULARITY 4,
    CONSTRAINT is_a_signal CHECK site != '' AND signal != '' AND signal_id != ''
)
ENGINE = ReplacingMergeTree(version, deleted)
PARTITION BY toYYYYMM(ts)
ORDER BY (site, signal, toDate(ts), visitor_id, signal_id)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'One row per friction signal, with the rule that found it and its evidence';

CREATE TABLE IF NOT EXISTS error_rates
(
    `site` LowCardinality(String) COMMENT 'Site',
    `minute` DateTime64(3, 'UTC') COMMENT 'Start of the minute, by event time',
    `source_partition` UInt32 COMMENT 'Kafka partition that was counted; sum over partitions for the whole',
    `version` UInt64 COMMENT 'Rises with the facts in the row; FINAL keeps the highest',
    `class` LowCardinality(String) COMMENT 'Class of the error; empty in the denominator''s row',
    `fingerprint` String COMMENT 'Names the error; empty in the denominator''s row',
    `message` String CODEC(ZSTD(1)) COMMENT 'Text of one occurrence',
    `page` String COMMENT 'Path without ids',
    `release` LowCardinality(String) COMMENT 'Release of the site',
    `browser` LowCardinality(String) COMMENT 'Browser family',
    `events` UInt32 COMMENT 'Occurrences of the error; all events in the denominator''s row',
    `sessions` UInt32 COMMENT 'Sessions with one; all sessions in the denominator''s row',
    `visitors` UInt32 COMMENT 'Visitors with one; all visitors in the denominator''s row',
    `page_views` UInt32 COMMENT 'Page views: set in the denominator''s row only',
    CONSTRAINT is_a_rate CHECK site != ''
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(minute)
ORDER BY (site, minute, class, fingerprint, page, release, browser, source_partition)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Errors and their denominators per minute and source partition, bots left out';
