CREATE TABLE IF NOT EXISTS rejected
(
    `rejected_id` String COMMENT 'Names the refusal; a repeated delivery has the same',
    `received_at` DateTime64(3, 'UTC') COMMENT 'When the collector received what was refused',
    `site` LowCardinality(String) COMMENT 'Site, when it was known',
    `stage` LowCardinality(String) DEFAULT 'ingest' COMMENT 'Who refused it: ingest (the collector) or writer (ClickHouse)',
    `index` UInt32 COMMENT 'Position in the request''s batch, or the line''s in its Kafka record',
    `event_id` String COMMENT 'The event''s id, when it was readable',
    `code` LowCardinality(String) COMMENT 'Why, as a word for programs',
    `field` String COMMENT 'Which field, as a path; empty when it is the whole',
    `message` String CODEC(ZSTD(1)) COMMENT 'Why, as a sentence for people',
    `raw` String CODEC(ZSTD(1)) COMMENT 'The original text, cut at a bound: mend it and send it again',
    CONSTRAINT is_a_refusal CHECK rejected_id != ''
)
ENGINE = ReplacingMergeTree(received_at)
PARTITION BY toYYYYMM(received_at)
ORDER BY (toDate(received_at), rejected_id)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'What was refused, why, and its bytes';

CREATE TABLE IF NOT EXISTS alerts
(
    `fingerprint` String COMMENT 'Names the alert through all its changes',
    `seq` UInt64 COMMENT 'Number of the change, rising',
    `status` LowCardinality(String) COMMENT 'firing or resolved',
    `severity` LowCardinality(String) COMMENT 'critical, warning or info',
    `site` LowCardinality(String) COMMENT 'Site',
    `rule` LowCardinality(String) COMMENT 'Rule that decided',
    `rule_version` UInt32 COMMENT 'Version of the rule',
    `test` LowCardinality(String) COMMENT 'Statistical test of the rule',
    `funnel` LowCardinality(String) COMMENT 'Funnel concerned; empty when none',
    `step` UInt8 COMMENT 'Step concerned, 1 for the first; 0 when none',
    `step_name` LowCardinality(String) COMMENT 'Name of the step; empty when none',
    `starts_at` DateTime64(3, 'UTC') COMMENT 'When the alert began',
    `ends_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'When it ended; null while firing',
    `updated_at` DateTime64(3, 'UTC') COMMENT 'When this change was decided',
    `observed` Float64 COMMENT 'Rate that was observed',
    `baseline` Float64 COMMENT 'Rate that was expected',
    `statistic` Float64 COMMENT 'Value of the test statistic',
    `threshold` Float64 COMMENT 'Value above which the rule fires',
    `n` UInt64 COMMENT 'How many outcomes the observation rests on',
    `expected_false_alerts_per_week` Float64 COMMENT 'False alerts a week the rule was measured to give',
    `summary` String COMMENT 'One line for people',
    `description` String COMMENT 'A paragraph for people',
    `query` String COMMENT 'SQL that shows the evidence',
    CONSTRAINT is_an_alert CHECK site != '' AND fingerprint != ''
)
ENGINE = ReplacingMergeTree(updated_at)
PARTITION BY toYYYYMM(starts_at)
ORDER BY (site, fingerprint, seq)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'One row per change of an alert''s state';
