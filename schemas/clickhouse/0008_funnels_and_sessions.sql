-- Funnels as data and live cohorts; where sessions came from and what became of their checkout.

ALTER TABLE sessions ADD COLUMN IF NOT EXISTS `scroll_depth` Float32 COMMENT 'Deepest point seen of a page, percent; 0 when the client tells none' AFTER `exit_page`,
    ADD COLUMN IF NOT EXISTS `time_on_page_s` Float64 COMMENT 'Mean seconds per page view, from the first view to the last event' AFTER `scroll_depth`,
    ADD COLUMN IF NOT EXISTS `utm_source` LowCardinality(String) COMMENT 'utm_source of the address it landed on' AFTER `referrer`,
    ADD COLUMN IF NOT EXISTS `utm_medium` LowCardinality(String) COMMENT 'utm_medium of that address' AFTER `utm_source`,
    ADD COLUMN IF NOT EXISTS `utm_campaign` LowCardinality(String) COMMENT 'utm_campaign of that address' AFTER `utm_medium`,
    ADD COLUMN IF NOT EXISTS `utm_term` String COMMENT 'utm_term of that address' AFTER `utm_campaign`,
    ADD COLUMN IF NOT EXISTS `utm_content` String COMMENT 'utm_content of that address' AFTER `utm_term`,
    ADD COLUMN IF NOT EXISTS `click_id` LowCardinality(String) COMMENT 'Whose click id that address carried: google, meta, microsoft, ..; never the id itself' AFTER `utm_content`,
    ADD COLUMN IF NOT EXISTS `checkout` LowCardinality(String) COMMENT 'The last attempt at funnel checkout with a step in this session: open, abandoned, converted, recovered; empty without one',
    ADD COLUMN IF NOT EXISTS `checkout_step` LowCardinality(String) COMMENT 'Step where that attempt stands',
    ADD COLUMN IF NOT EXISTS `checkout_value` Float64 COMMENT 'Money at stake in it',
    ADD COLUMN IF NOT EXISTS `checkout_currency` LowCardinality(String) COMMENT 'Currency of checkout_value; empty when not told';

ALTER TABLE funnel_attempts COMMENT COLUMN IF EXISTS `attempt_id` 'Names the attempt: funnel, its version, visitor and first event',
    COMMENT COLUMN IF EXISTS `state` 'open, stalled, abandoned, converted, recovered (completed after abandonment), or excluded (out of all rates)',
    COMMENT COLUMN IF EXISTS `step_reached` 'Number of the step where the attempt stands, 1 for the first; the furthest one but in a funnel of any order',
    COMMENT COLUMN IF EXISTS `step_name` 'Name of the step where the attempt stands';

ALTER TABLE funnel_attempts ADD COLUMN IF NOT EXISTS `last_seen_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'Last event of the visitor before the attempt was left or completed' AFTER `last_step_at`,
    ADD COLUMN IF NOT EXISTS `seconds_on_step` Float64 COMMENT 'Seconds seen on the step where the attempt stands; 0 when completed' AFTER `last_seen_at`,
    ADD COLUMN IF NOT EXISTS `stalled_after_s` Float64 COMMENT 'While stalled: seconds without progress that make it so (95th percentile of the step''s own recent times)' AFTER `seconds_on_step`,
    ADD COLUMN IF NOT EXISTS `ripe` Bool COMMENT 'Old enough to count in rates; later corrections still come' AFTER `stalled_after_s`,
    ADD COLUMN IF NOT EXISTS `excluded_by` LowCardinality(String) COMMENT 'Exclusion that took it out of the funnel' AFTER `ripe`,
    ADD COLUMN IF NOT EXISTS `currency` LowCardinality(String) COMMENT 'Currency of value; empty when not told' AFTER `value`,
    ADD COLUMN IF NOT EXISTS `breakdown` Map(LowCardinality(String), String) COMMENT 'The funnel''s own breakdown properties' AFTER `currency`,
    ADD COLUMN IF NOT EXISTS `error_counts` Map(String, UInt32) COMMENT 'Errors on the step where the attempt stands, by fingerprint; the first 10' AFTER `errors`,
    ADD COLUMN IF NOT EXISTS `error_messages` Map(String, String) COMMENT 'Class and text of each of them' AFTER `error_counts`,
    ADD COLUMN IF NOT EXISTS `step_friction` Array(Map(LowCardinality(String), UInt32)) COMMENT 'Friction signals on each step, by kind; empty when no step saw friction or errors' AFTER `error_messages`,
    ADD COLUMN IF NOT EXISTS `step_errors` Array(Map(LowCardinality(String), UInt32)) COMMENT 'Errors on each step, by class; empty when no step saw friction or errors' AFTER `step_friction`;

CREATE TABLE IF NOT EXISTS funnel_cohorts
(
    `site` LowCardinality(String) COMMENT 'Site',
    `funnel` LowCardinality(String) COMMENT 'Name of the funnel',
    `funnel_version` UInt32 COMMENT 'Version of the funnel''s definition',
    `minute` DateTime64(3, 'UTC') COMMENT 'Start of the minute in which the step was entered, by event time',
    `step` UInt8 COMMENT 'Number of the step, 1 for the first',
    `source_partition` UInt32 COMMENT 'Kafka partition that was counted; sum over partitions for the whole',
    `version` UInt64 COMMENT 'Receipt time (Unix ms) up to which everything was seen; FINAL keeps the highest',
    `name` LowCardinality(String) COMMENT 'Name of the step',
    `entered` UInt32 COMMENT 'Attempts that entered the step: passed + stalled + abandoned + open',
    `passed` UInt32 COMMENT 'Of those, went on to another step or completed the funnel',
    `stalled` UInt32 COMMENT 'Of those, without progress for longer than 95 of 100 at this step',
    `abandoned` UInt32 COMMENT 'Of those, left',
    `open` UInt32 COMMENT 'Of those, on their way',
    `value` Float64 COMMENT 'Money at stake in all of them',
    `value_lost` Float64 COMMENT 'Money at stake in the abandoned ones',
    `ripe` Bool COMMENT 'Old enough to count in rates',
    CONSTRAINT is_a_cohort CHECK site != '' AND funnel != ''
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(minute)
ORDER BY (site, funnel, minute, funnel_version, step, source_partition)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Attempts by the minute in which they entered a step and what became of them, per source partition, bots left out';

CREATE OR REPLACE VIEW v_funnel_cohorts
(
    `site` LowCardinality(String) COMMENT 'Site',
    `funnel` LowCardinality(String) COMMENT 'Name of the funnel',
    `funnel_version` UInt32 COMMENT 'Version of the funnel''s definition; the steps of two versions are never mixed',
    `minute` DateTime64(3, 'UTC') COMMENT 'Start of the minute in which the step was entered, by event time, UTC',
    `step` UInt8 COMMENT 'Number of the step, 1 for the first',
    `name` LowCardinality(String) COMMENT 'Name of the step',
    `entered` UInt64 COMMENT 'Attempts that entered the step: passed + stalled + abandoned + open',
    `passed` UInt64 COMMENT 'Of those, went on to another step or completed the funnel',
    `stalled` UInt64 COMMENT 'Of those, without progress for longer than 95 of 100 at this step',
    `abandoned` UInt64 COMMENT 'Of those, left',
    `open` UInt64 COMMENT 'Of those, on their way',
    `value` Float64 COMMENT 'Money at stake in all of them',
    `value_lost` Float64 COMMENT 'Money at stake in the abandoned ones',
    `ripe` Bool COMMENT 'Old enough: only ripe cohorts may go into rates',
    `conversion` Nullable(Float64) COMMENT 'passed / entered of a ripe cohort; null while it is not'
)
AS SELECT
    c.site AS site,
    c.funnel AS funnel,
    c.funnel_version AS funnel_version,
    c.minute AS minute,
    c.step AS step,
    max(c.name) AS name,
    sum(c.entered) AS entered,
    sum(c.passed) AS passed,
    sum(c.stalled) AS stalled,
    sum(c.abandoned) AS abandoned,
    sum(c.open) AS open,
    sum(c.value) AS value,
    sum(c.value_lost) AS value_lost,
    toBool(min(c.ripe)) AS ripe,
    if(ripe, passed / nullIf(entered, 0), NULL) AS conversion
FROM funnel_cohorts AS c FINAL
WHERE c.entered > 0
GROUP BY site, funnel, funnel_version, minute, step
COMMENT 'Live: attempts by the minute in which they entered a step and what became of them, bots left out';

CREATE OR REPLACE VIEW v_funnel_by
(
    `site` LowCardinality(String) COMMENT 'Site',
    `funnel_version` UInt32 COMMENT 'Version of the funnel''s definition; the steps of two versions are never mixed',
    `segment` String COMMENT 'Value of the dimension; empty when the attempt has none',
    `step` UInt8 COMMENT 'Number of the step, 1 for the first',
    `name` LowCardinality(String) COMMENT 'Name of the step',
    `entered` UInt64 COMMENT 'Attempts that entered this step: passed + dropped + open',
    `passed` UInt64 COMMENT 'Of those, went on to another step; at the last step all that reached it',
    `dropped` UInt64 COMMENT 'Of those, abandoned at this step (30 minutes of silence, or an explicit leave)',
    `open` UInt64 COMMENT 'Of those, still at this step, open or stalled: not decided yet',
    `ripe` UInt64 COMMENT 'Of those, old enough to count in rates: the denominator of the next step''s conversion_from_previous',
    `ripe_attempts` UInt64 COMMENT 'Ripe attempts at the funnel: the denominator of conversion_from_start',
    `conversion_from_start` Nullable(Float64) COMMENT 'Of the ripe attempts, the share that entered this step; null without any',
    `conversion_from_previous` Nullable(Float64) COMMENT 'Of the ripe attempts that entered the previous step, the share that went on; null at the first step',
    `median_seconds` Nullable(Float64) COMMENT 'Median time from the step reached before to this one; null at the first step',
    `value_lost` Float64 COMMENT 'Sum of the values at stake in the attempts dropped at this step',
    `currency` String COMMENT 'Currency of value_lost; "mixed" when there are several, empty when not told',
    `troubled` UInt64 COMMENT 'Of the dropped, had friction or an error on this step',
    `top_friction` String COMMENT 'Friction that most of the dropped had on this step; empty without any',
    `top_friction_attempts` UInt64 COMMENT 'Of the dropped, had it on this step',
    `top_fingerprint` String COMMENT 'Fingerprint of the error that most of the dropped had on this step; empty without any',
    `top_error` String COMMENT 'Class and text of that error',
    `top_error_attempts` UInt64 COMMENT 'Of the dropped, had that error on this step',
    `first_cause` String COMMENT 'What most often came first on this step among the dropped: a friction, or error:class'
)
AS SELECT
    site,
    funnel_version,
    segment,
    step,
    name,
    entered,
    passed,
    dropped,
    open,
    ripe,
    ripe_attempts,
    ripe / nullIf(ripe_attempts, 0) AS conversion_from_start,
    if(step = 1, NULL, lagInFrame(ripe_passed) OVER steps_before / nullIf(lagInFrame(ripe) OVER steps_before, 0)) AS conversion_from_previous,
    median_seconds,
    value_lost,
    if(length(currencies) > 1, 'mixed', currencies[1]) AS currency,
    troubled,
    arraySort((name, n) -> (-n, name), mapKeys(frictions), mapValues(frictions))[1] AS top_friction,
    frictions[top_friction] AS top_friction_attempts,
    arraySort((name, n) -> (-n, name), mapKeys(errors), mapValues(errors))[1] AS top_fingerprint,
    error_texts[top_fingerprint] AS top_error,
    errors[top_fingerprint] AS top_error_attempts,
    arraySort((name, n) -> (-n, name), mapKeys(causes), mapValues(causes))[1] AS first_cause
FROM
(
    SELECT
        site,
        funnel_version,
        segment,
        toUInt8(position) AS step,
        any(steps[position]) AS name,
        countIf(here OR on_step) AS entered,
        countIf(on_step) AS passed,
        countIf(here AND left) AS dropped,
        countIf(here AND NOT left) AS open,
        countIf(is_ripe AND (here OR on_step)) AS ripe,
        countIf(is_ripe AND on_step) AS ripe_passed,
        countIf(is_ripe) AS ripe_attempts,
        quantileExactInclusiveOrNullIf(0.5)(seconds, isNotNull(seconds)) AS median_seconds,
        sumIf(at_stake, here AND left) AS value_lost,
        arraySort(groupUniqArrayIf(money, here AND left AND money != '')) AS currencies,
        countIf(here AND left AND cause != '') AS troubled,
        sumMapIf(mapApply((kind, n) -> (toString(kind), toUInt64(1)), friction), here AND left) AS frictions,
        sumMapIf(mapApply((fingerprint, n) -> (fingerprint, toUInt64(1)), error_counts), here AND left) AS errors,
        minMapIf(error_messages, here AND left) AS error_texts,
        sumMapIf(map(cause, toUInt64(1)), here AND left AND cause != '') AS causes
    FROM
    (
        SELECT
            site,
            funnel_version,
            multiIf(
                {by:String} = '', '',
                {by:String} = 'device', toString(device),
                {by:String} = 'browser', toString(browser),
                {by:String} = 'os', toString(os),
                {by:String} = 'country', toString(country),
                {by:String} = 'release', toString(release),
                {by:String} = 'currency', toString(currency),
                breakdown[{by:String}]) AS segment,
            position,
            steps,
            step_reached = position AND state NOT IN ('converted', 'recovered') AS here,
            isNotNull(step_times[position]) AND NOT here AS on_step,
            state = 'abandoned' AS left,
            a.ripe AS is_ripe,
            value AS at_stake,
            toString(a.currency) AS money,
            friction,
            error_counts,
            error_messages,
            a.first_cause AS cause,
            arrayMax(arrayFilter(t -> t < step_times[position], step_times)) AS time_before,
            if(position > 1, (toUnixTimestamp64Milli(step_times[position]) - toUnixTimestamp64Milli(nullIf(time_before, toDateTime64(0, 3, 'UTC')))) / 1000, NULL) AS seconds
        FROM funnel_attempts AS a FINAL
        ARRAY JOIN arrayEnumerate(steps) AS position
        WHERE funnel = {funnel:String}
            AND started_at >= {from:DateTime('UTC')}
            AND started_at < {to:DateTime('UTC')}
            AND NOT is_bot
            AND state != 'excluded'
    )
    GROUP BY site, funnel_version, segment, position
)
WINDOW steps_before AS (PARTITION BY site, funnel_version, segment ORDER BY step ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
ORDER BY site, funnel_version, segment, step
COMMENT 'A funnel''s steps by one dimension: device, browser, os, country, release, currency, or a property in the funnel''s breakdown. Parameters: funnel, from, to (UTC), by';

CREATE OR REPLACE VIEW v_funnel
(
    `site` LowCardinality(String) COMMENT 'Site',
    `funnel_version` UInt32 COMMENT 'Version of the funnel''s definition; the steps of two versions are never mixed',
    `step` UInt8 COMMENT 'Number of the step, 1 for the first',
    `name` LowCardinality(String) COMMENT 'Name of the step',
    `entered` UInt64 COMMENT 'Attempts that entered this step: passed + dropped + open',
    `passed` UInt64 COMMENT 'Of those, went on to another step; at the last step all that reached it',
    `dropped` UInt64 COMMENT 'Of those, abandoned at this step (30 minutes of silence, or an explicit leave)',
    `open` UInt64 COMMENT 'Of those, still at this step, open or stalled: not decided yet',
    `ripe` UInt64 COMMENT 'Of those, old enough to count in rates: the denominator of the next step''s conversion_from_previous',
    `ripe_attempts` UInt64 COMMENT 'Ripe attempts at the funnel: the denominator of conversion_from_start',
    `conversion_from_start` Nullable(Float64) COMMENT 'Of the ripe attempts, the share that entered this step; null without any',
    `conversion_from_previous` Nullable(Float64) COMMENT 'Of the ripe attempts that entered the previous step, the share that went on; null at the first step',
    `median_seconds` Nullable(Float64) COMMENT 'Median time from the step reached before to this one; null at the first step',
    `value_lost` Float64 COMMENT 'Sum of the values at stake in the attempts dropped at this step',
    `currency` String COMMENT 'Currency of value_lost; "mixed" when there are several, empty when not told',
    `troubled` UInt64 COMMENT 'Of the dropped, had friction or an error on this step',
    `top_friction` String COMMENT 'Friction that most of the dropped had on this step; empty without any',
    `top_friction_attempts` UInt64 COMMENT 'Of the dropped, had it on this step',
    `top_fingerprint` String COMMENT 'Fingerprint of the error that most of the dropped had on this step; empty without any',
    `top_error` String COMMENT 'Class and text of that error',
    `top_error_attempts` UInt64 COMMENT 'Of the dropped, had that error on this step',
    `first_cause` String COMMENT 'What most often came first on this step among the dropped: a friction, or error:class'
)
AS SELECT
    site,
    funnel_version,
    step,
    name,
    entered,
    passed,
    dropped,
    open,
    ripe,
    ripe_attempts,
    conversion_from_start,
    conversion_from_previous,
    median_seconds,
    value_lost,
    currency,
    troubled,
    top_friction,
    top_friction_attempts,
    top_fingerprint,
    top_error,
    top_error_attempts,
    first_cause
FROM v_funnel_by(funnel = {funnel:String}, from = {from:DateTime('UTC')}, to = {to:DateTime('UTC')}, by = '')
ORDER BY site, funnel_version, step
COMMENT 'A funnel''s steps over the attempts that started in [from, to), bots and excluded attempts left out; who left each step and why. Parameters: funnel, from, to (UTC)';

CREATE OR REPLACE VIEW v_sessions
(
    `site` LowCardinality(String) COMMENT 'Site',
    `visitor_id` String COMMENT 'Visitor',
    `session_id` String COMMENT 'Session',
    `started_at` DateTime64(3, 'UTC') COMMENT 'Time of the first event, UTC',
    `ended_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of the last event, UTC',
    `duration_s` Nullable(Float64) COMMENT 'Seconds from the first event to the last',
    `state` LowCardinality(String) COMMENT 'open, or closed after 30 idle minutes or 24 hours',
    `events` UInt32 COMMENT 'Events of all kinds',
    `page_views` UInt32 COMMENT 'Page views',
    `clicks` UInt32 COMMENT 'Clicks',
    `errors` UInt32 COMMENT 'Errors',
    `checkout_events` UInt32 COMMENT 'Cart and checkout events',
    `orders` UInt32 COMMENT 'Orders completed',
    `value` Float64 COMMENT 'Sum of the orders'' values',
    `entry_page` String COMMENT 'First page, without ids',
    `exit_page` String COMMENT 'Last page, without ids',
    `scroll_depth` Float32 COMMENT 'Deepest point seen of a page, percent; 0 when the client tells none',
    `time_on_page_s` Float64 COMMENT 'Mean seconds per page view, from the first view to the last event',
    `referrer` String COMMENT 'Address the session came from',
    `utm_source` LowCardinality(String) COMMENT 'utm_source of the address it landed on',
    `utm_medium` LowCardinality(String) COMMENT 'utm_medium of that address',
    `utm_campaign` LowCardinality(String) COMMENT 'utm_campaign of that address',
    `utm_term` String COMMENT 'utm_term of that address',
    `utm_content` String COMMENT 'utm_content of that address',
    `click_id` LowCardinality(String) COMMENT 'Whose click id that address carried: google, meta, microsoft, ..',
    `device` LowCardinality(String) COMMENT 'Device class',
    `browser` LowCardinality(String) COMMENT 'Browser family',
    `os` LowCardinality(String) COMMENT 'Operating system family',
    `country` LowCardinality(String) COMMENT 'Country code',
    `release` LowCardinality(String) COMMENT 'Release of the site',
    `user_id` String COMMENT 'The site''s own user id; empty when not logged in',
    `is_bot` Bool COMMENT 'True for known bots and headless browsers; filter them out of rates',
    `engaged` Bool COMMENT 'More than 10 s, a key event or at least 2 page views (GA4)',
    `bounced` Bool COMMENT 'Not engaged (GA4)',
    `friction_score` Float64 COMMENT 'Capped weighted sum of the friction signals, 0 to 100',
    `friction_points` Map(LowCardinality(String), Float64) COMMENT 'Points that each rule gave to the score, capped per rule; their sum may be above 100',
    `last_step_score` Float64 COMMENT 'The same score of what happened since the last page view: what the visitor left with',
    `score_version` UInt32 COMMENT 'Version of the weights; do not compare scores of two versions',
    `friction` Map(LowCardinality(String), UInt32) COMMENT 'Friction signals by kind',
    `errors_by_class` Map(LowCardinality(String), UInt32) COMMENT 'Errors by class',
    `checkout` LowCardinality(String) COMMENT 'What became of its checkout: open, abandoned, converted, recovered; empty without one',
    `checkout_step` LowCardinality(String) COMMENT 'Step where the checkout stands',
    `checkout_value` Float64 COMMENT 'Money at stake in it',
    `checkout_currency` LowCardinality(String) COMMENT 'Currency of checkout_value; empty when not told'
)
AS SELECT
    site,
    visitor_id,
    session_id,
    started_at,
    ended_at,
    (toUnixTimestamp64Milli(ended_at) - toUnixTimestamp64Milli(started_at)) / 1000 AS duration_s,
    state,
    events,
    page_views,
    clicks,
    errors,
    checkout_events,
    orders,
    value,
    entry_page,
    exit_page,
    scroll_depth,
    time_on_page_s,
    referrer,
    utm_source,
    utm_medium,
    utm_campaign,
    utm_term,
    utm_content,
    click_id,
    device,
    browser,
    os,
    country,
    release,
    user_id,
    is_bot,
    engaged,
    bounced,
    friction_score,
    friction_points,
    last_step_score,
    score_version,
    friction,
    errors_by_class,
    checkout,
    checkout_step,
    checkout_value,
    checkout_currency
FROM sessions FINAL
COMMENT 'Sessions as they stand now, bots included and marked';
