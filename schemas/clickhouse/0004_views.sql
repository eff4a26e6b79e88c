-- What people read. Every view reads through FINAL, so that a snapshot counts once and a retracted row not at all.

-- ClickHouse keeps no column comments of a view with parameters in system.columns, only in its definition: v_columns
-- below reads all of them from there.
CREATE OR REPLACE VIEW v_funnel
(
    `site` LowCardinality(String) COMMENT 'Site',
    `funnel_version` UInt32 COMMENT 'Version of the funnel''s definition; the steps of two versions are never mixed',
    `step` UInt8 COMMENT 'Number of the step, 1 for the first',
    `name` LowCardinality(String) COMMENT 'Name of the step',
    `entered` UInt64 COMMENT 'Attempts that reached this step: passed + dropped + open',
    `passed` UInt64 COMMENT 'Of those, attempts that reached the next step; at the last step all that reached it',
    `dropped` UInt64 COMMENT 'Of those, attempts abandoned at this step (30 minutes of silence)',
    `open` UInt64 COMMENT 'Of those, attempts still at this step, open or stalled: not decided yet',
    `conversion_from_start` Nullable(Float64) COMMENT 'entered / entered of the first step',
    `conversion_from_previous` Nullable(Float64) COMMENT 'entered / entered of the previous step; null at the first step',
    `median_seconds` Nullable(Float64) COMMENT 'Median time from the previous step to this one; null at the first step',
    `value_lost` Float64 COMMENT 'Sum of the values at stake in the attempts dropped at this step'
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
    entered / nullIf(first_value(entered) OVER steps_before, 0) AS conversion_from_start,
    if(step = 1, NULL, entered / nullIf(lagInFrame(entered) OVER steps_before, 0)) AS conversion_from_previous,
    median_seconds,
    value_lost
FROM
(
    SELECT
        site,
        funnel_version,
        toUInt8(position) AS step,
        any(steps[position]) AS name,
        countIf(step_reached >= position) AS entered,
        countIf(step_reached >= least(position + 1, length(steps))) AS passed,
        countIf(step_reached = position AND position < length(steps) AND state = 'abandoned') AS dropped,
        countIf(step_reached = position AND position < length(steps) AND state IN ('open', 'stalled')) AS open,
        if(position = 1 OR entered = 0, NULL, quantileExactInclusiveIf(0.5)(
            (toUnixTimestamp64Milli(assumeNotNull(step_times[position]))
                - toUnixTimestamp64Milli(assumeNotNull(step_times[position - 1]))) / 1000,
            position > 1 AND step_reached >= position)) AS median_seconds,
        sumIf(value, step_reached = position AND position < length(steps) AND state = 'abandoned') AS value_lost
    FROM funnel_attempts FINAL
    ARRAY JOIN arrayEnumerate(steps) AS position
    WHERE funnel = {funnel:String}
        AND started_at >= {from:DateTime('UTC')}
        AND started_at < {to:DateTime('UTC')}
        AND NOT is_bot
    GROUP BY site, funnel_version, position
)
WINDOW steps_before AS (PARTITION BY site, funnel_version ORDER BY step ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
ORDER BY site, funnel_version, step
COMMENT 'A funnel''s steps over the attempts that started in [from, to), bots left out. Parameters: funnel, from, to (UTC)';

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
    `referrer` String COMMENT 'Address the session came from',
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
    `friction` Map(LowCardinality(String), UInt32) COMMENT 'Friction signals by kind: the parts of the score',
    `errors_by_class` Map(LowCardinality(String), UInt32) COMMENT 'Errors by class'
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
    referrer,
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
    friction,
    errors_by_class
FROM sessions FINAL
COMMENT 'Sessions as they stand now, bots included and marked';

CREATE OR REPLACE VIEW v_friction
(
    `site` LowCardinality(String) COMMENT 'Site',
    `day` Date COMMENT 'Day of the signals, UTC',
    `signal` LowCardinality(String) COMMENT 'Kind of friction: rage_click, error_click, quick_back, ..',
    `rule_version` UInt32 COMMENT 'Version of the rule that found it; two versions are never mixed',
    `page` String COMMENT 'Path without ids',
    `element` String COMMENT 'Element it happened on; empty when there is none',
    `signals` UInt64 COMMENT 'Signals',
    `sessions` UInt64 COMMENT 'Different sessions with at least one; do not sum over days, pages or elements',
    `visitors` UInt64 COMMENT 'Different visitors with at least one; do not sum over days, pages or elements',
    `first_at` DateTime64(3, 'UTC') COMMENT 'First signal of the day, UTC',
    `last_at` DateTime64(3, 'UTC') COMMENT 'Last signal of the day, UTC'
)
AS SELECT
    site,
    toDate(ts) AS day,
    signal,
    rule_version,
    page,
    element,
    count() AS signals,
    uniqExact(visitor_id, session_id) AS sessions,
    uniqExact(visitor_id) AS visitors,
    min(ts) AS first_at,
    max(ts) AS last_at
FROM friction_signals FINAL
WHERE NOT is_bot
GROUP BY site, day, signal, rule_version, page, element
COMMENT 'Friction signals by day, kind, page and element, bots left out';

CREATE OR REPLACE VIEW v_error_rate
(
    `site` LowCardinality(String) COMMENT 'Site',
    `minute` DateTime64(3, 'UTC') COMMENT 'Start of the minute, by event time, UTC',
    `class` LowCardinality(String) COMMENT 'Class of the error; empty in the row of the page''s traffic as a whole',
    `fingerprint` String COMMENT 'Names the error; empty in the row of the page''s traffic as a whole',
    `message` String COMMENT 'Text of one occurrence',
    `page` String COMMENT 'Path without ids',
    `errors` UInt64 COMMENT 'Occurrences; 0 in the row of the page''s traffic as a whole',
    `error_sessions` UInt64 COMMENT 'Sessions with at least one; 0 in the row of the page''s traffic as a whole',
    `error_visitors` UInt64 COMMENT 'Visitors with at least one; 0 in the row of the page''s traffic as a whole',
    `page_views` UInt64 COMMENT 'Denominator: page views of the same site, minute and page (repeated in each of their rows)',
    `sessions` UInt64 COMMENT 'Denominator: sessions of the same site, minute and page (repeated in each of their rows)',
    `errors_per_page_view` Nullable(Float64) COMMENT 'errors / page_views; null without page views',
    `error_session_rate` Nullable(Float64) COMMENT 'error_sessions / sessions; null without sessions'
)
AS SELECT
    site,
    minute,
    class,
    fingerprint,
    message,
    page,
    errors,
    error_sessions,
    error_visitors,
    sum(own_page_views) OVER same_cell AS page_views,
    sum(own_sessions) OVER same_cell AS sessions,
    errors / nullIf(page_views, 0) AS errors_per_page_view,
    error_sessions / nullIf(sessions, 0) AS error_session_rate
FROM
(
    SELECT
        r.site AS site,
        r.minute AS minute,
        r.class AS class,
        r.fingerprint AS fingerprint,
        max(r.message) AS message,
        r.page AS page,
        sumIf(r.events, r.class != '') AS errors,
        sumIf(r.sessions, r.class != '') AS error_sessions,
        sumIf(r.visitors, r.class != '') AS error_visitors,
        sumIf(r.page_views, r.class = '') AS own_page_views,
        sumIf(r.sessions, r.class = '') AS own_sessions
    FROM error_rates AS r FINAL
    GROUP BY site, minute, class, fingerprint, page
)
WINDOW same_cell AS (PARTITION BY site, minute, page)
COMMENT 'Errors per minute and page with their denominators, bots left out; minutes without errors have a row with class empty';

CREATE OR REPLACE VIEW v_columns
(
    `view` String COMMENT 'View',
    `column` String COMMENT 'Column of the view',
    `type` String COMMENT 'Type of the column',
    `comment` String COMMENT 'What the column means'
)
AS SELECT
    name AS view,
    parts[1] AS column,
    parts[2] AS type,
    replaceAll(parts[3], '\\\'', '\'') AS comment
FROM system.tables
ARRAY JOIN extractAllGroupsVertical(create_table_query, '`(\\w+)` ([^`]+?) COMMENT \'((?:[^\'\\\\]|\\\\.)*)\'') AS parts
WHERE database = currentDatabase() AND startsWith(name, 'v_')
COMMENT 'Every column of every public view with its meaning, the views with parameters included';
