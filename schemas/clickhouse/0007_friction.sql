-- The score's parts beside its total, what friction goes with, and how many get in when they log in.

ALTER TABLE sessions ADD COLUMN IF NOT EXISTS `friction_points` Map(LowCardinality(String), Float64) COMMENT 'Points that each rule gave to the score, capped per rule; their sum may be above 100' AFTER `friction_score`;
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS `last_step_score` Float64 COMMENT 'The same score of what happened since the last page view: what the visitor left with' AFTER `friction_points`;
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS `score_version` UInt32 COMMENT 'Version of the weights; 0 in rows from before there were versions' AFTER `last_step_score`;
ALTER TABLE sessions COMMENT COLUMN IF EXISTS `friction` 'Friction signals by kind';

CREATE OR REPLACE VIEW v_sessions
(
    `site` LowCardinality(String) COMMENT 'Site',
    `visitor_id` String COMMENT 'Visitor',
    `session_id` String COMMENT 'The client''s session id, or one derived from visitor and start',
    `started_at` DateTime64(3, 'UTC') COMMENT 'Time of the first event, UTC',
    `ended_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of the last event, UTC',
    `duration_s` Nullable(Float64) COMMENT 'Seconds from the first to the last event',
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
    `friction_points` Map(LowCardinality(String), Float64) COMMENT 'Points that each rule gave to the score, capped per rule; their sum may be above 100',
    `last_step_score` Float64 COMMENT 'The same score of what happened since the last page view: what the visitor left with',
    `score_version` UInt32 COMMENT 'Version of the weights; do not compare scores of two versions',
    `friction` Map(LowCardinality(String), UInt32) COMMENT 'Friction signals by kind',
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
    friction_points,
    last_step_score,
    score_version,
    friction,
    errors_by_class
FROM sessions FINAL
COMMENT 'Sessions as they stand now, bots included and marked';

CREATE OR REPLACE VIEW v_friction
(
    `site` LowCardinality(String) COMMENT 'Site',
    `day` Date COMMENT 'Day of the signals, UTC',
    `signal` LowCardinality(String) COMMENT 'Kind of friction: rage_click, coupon_denied, surprise_cost, ..; docs/signals.md has all',
    `rule_version` UInt32 COMMENT 'Version of the rule that found it; two versions are never mixed',
    `page` String COMMENT 'Path without ids',
    `element` String COMMENT 'Element it happened on; empty when there is none',
    `signals` UInt64 COMMENT 'Signals',
    `sessions` UInt64 COMMENT 'Different sessions with at least one; do not sum over days, pages or elements',
    `session_share` Nullable(Float64) COMMENT 'sessions / all sessions that started on that day; null without any',
    `visitors` UInt64 COMMENT 'Different visitors with at least one; do not sum over days, pages or elements',
    `abandoned_attempts` UInt64 COMMENT 'Funnel attempts abandoned on the step on which this happened; goes with it, need not come from it',
    `value_at_stake` Float64 COMMENT 'Money in those attempts, of each session the highest; one abandoned cart stands beside each of its frictions',
    `first_at` DateTime64(3, 'UTC') COMMENT 'First signal of the day, UTC',
    `last_at` DateTime64(3, 'UTC') COMMENT 'Last signal of the day, UTC'
)
AS SELECT
    seen.site AS site,
    seen.day AS day,
    seen.signal AS signal,
    seen.rule_version AS rule_version,
    seen.page AS page,
    seen.element AS element,
    seen.signals AS signals,
    seen.sessions AS sessions,
    seen.sessions / nullIf(traffic.sessions, 0) AS session_share,
    seen.visitors AS visitors,
    left_behind.attempts AS abandoned_attempts,
    left_behind.value AS value_at_stake,
    seen.first_at AS first_at,
    seen.last_at AS last_at
FROM
(
    SELECT
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
) AS seen
LEFT JOIN
(
    SELECT site, toDate(started_at) AS day, count() AS sessions
    FROM sessions FINAL
    WHERE NOT is_bot
    GROUP BY site, day
) AS traffic ON seen.site = traffic.site AND seen.day = traffic.day
LEFT JOIN
(
    SELECT site, day, signal, rule_version, page, element, sum(attempts) AS attempts, sum(value) AS value
    FROM
    (
        SELECT
            s.site AS site,
            toDate(s.ts) AS day,
            s.signal AS signal,
            s.rule_version AS rule_version,
            s.page AS page,
            s.element AS element,
            s.visitor_id AS visitor_id,
            a.session_id AS session_id,
            uniqExact(a.attempt_id) AS attempts,
            max(a.value) AS value
        FROM friction_signals AS s FINAL
        INNER JOIN
        (
            SELECT site, visitor_id, session_id, attempt_id, assumeNotNull(last_step_at) AS last_step_at, value, friction
            FROM funnel_attempts FINAL
            WHERE state = 'abandoned' AND NOT is_bot AND notEmpty(friction)
        ) AS a ON s.site = a.site AND s.visitor_id = a.visitor_id
        WHERE NOT s.is_bot
            AND mapContains(a.friction, s.signal)
            AND s.ts >= a.last_step_at
            AND (s.session_id = a.session_id OR (s.visitor_id != '' AND s.ts <= a.last_step_at + INTERVAL 30 MINUTE))
        GROUP BY site, day, signal, rule_version, page, element, visitor_id, session_id
    )
    GROUP BY site, day, signal, rule_version, page, element
) AS left_behind
    ON seen.site = left_behind.site AND seen.day = left_behind.day AND seen.signal = left_behind.signal
    AND seen.rule_version = left_behind.rule_version AND seen.page = left_behind.page AND seen.element = left_behind.element
COMMENT 'Friction signals by day, kind, page and element, with what was abandoned beside them, bots left out';

CREATE OR REPLACE VIEW v_logins
(
    `site` LowCardinality(String) COMMENT 'Site',
    `hour` DateTime('UTC') COMMENT 'Hour of the tries, UTC',
    `tries` UInt64 COMMENT 'Logins that worked and logins refused',
    `logins` UInt64 COMMENT 'Logins that worked',
    `refused` UInt64 COMMENT 'Logins refused',
    `sessions` UInt64 COMMENT 'Sessions that tried in this hour; do not sum over hours',
    `sessions_in` UInt64 COMMENT 'Of those, sessions that got in',
    `sessions_stuck` UInt64 COMMENT 'Of those, sessions refused at least once that did not get in',
    `success_rate` Nullable(Float64) COMMENT 'logins / tries',
    `session_success_rate` Nullable(Float64) COMMENT 'sessions_in / sessions: not ruled by one client that tries without end'
)
AS SELECT
    site,
    hour,
    sum(worked) + sum(failed) AS tries,
    sum(worked) AS logins,
    sum(failed) AS refused,
    count() AS sessions,
    countIf(worked > 0) AS sessions_in,
    countIf(worked = 0) AS sessions_stuck,
    logins / nullIf(tries, 0) AS success_rate,
    sessions_in / nullIf(sessions, 0) AS session_success_rate
FROM
(
    SELECT
        site,
        toDateTime(toStartOfHour(ts), 'UTC') AS hour,
        visitor_id,
        if(session_id = '' AND visitor_id = '', event_id, session_id) AS who,
        countIf(type = 'login') AS worked,
        countIf(type = 'login_failed') AS failed
    FROM
    (
        SELECT site, ts, type, visitor_id, session_id, event_id FROM clickstream FINAL WHERE type = 'login' AND NOT is_bot
        UNION ALL
        SELECT site, ts, type, visitor_id, session_id, event_id FROM errors FINAL WHERE type = 'login_failed' AND NOT is_bot
    )
    GROUP BY site, hour, visitor_id, who
)
GROUP BY site, hour
COMMENT 'Authentication success by hour, by try and by session, bots left out';
