-- Sentry's session health: how many sessions of a release ended how.

CREATE OR REPLACE VIEW v_session_health
(
    `site` LowCardinality(String) COMMENT 'Site',
    `day` Date COMMENT 'Day on which the sessions began, UTC',
    `release` LowCardinality(String) COMMENT 'Release of the site, app or server',
    `sessions` UInt64 COMMENT 'Sessions as Sentry''s SDKs count them: page loads, app starts or server requests',
    `healthy` UInt64 COMMENT 'Of those, sessions without an error',
    `errored` UInt64 COMMENT 'Of those, sessions with handled errors only',
    `unhandled` UInt64 COMMENT 'Of those, sessions with an error that nothing caught and that did not end them',
    `crashed` UInt64 COMMENT 'Of those, sessions ended by an error',
    `abnormal` UInt64 COMMENT 'Of those, sessions that ended without saying how',
    `crash_free_rate` Nullable(Float64) COMMENT '1 - crashed / sessions'
)
AS SELECT
    site,
    day,
    release,
    healthy + errored + unhandled + crashed + abnormal AS sessions,
    sum(is_healthy) AS healthy,
    sum(is_errored) AS errored,
    sum(is_unhandled) AS unhandled,
    sum(is_crashed) AS crashed,
    sum(is_abnormal) AS abnormal,
    1 - crashed / nullIf(sessions, 0) AS crash_free_rate
FROM
(
    -- One session's updates: the last one counts; of two at the same time the one with more errors.
    SELECT
        site,
        toDate(min(began)) AS day,
        release,
        argMax(props['status'], (ts, toUInt64OrZero(props['errors']))) AS status,
        max(toUInt64OrZero(props['errors'])) AS errors,
        toUInt64(status = 'crashed') AS is_crashed,
        toUInt64(status = 'abnormal') AS is_abnormal,
        toUInt64(status = 'unhandled') AS is_unhandled,
        toUInt64(errors > 0 AND status NOT IN ('crashed', 'abnormal', 'unhandled')) AS is_errored,
        toUInt64(errors = 0 AND status NOT IN ('crashed', 'abnormal', 'unhandled')) AS is_healthy
    FROM
    (
        SELECT site, ts, release, props, ifNull(parseDateTime64BestEffortOrNull(props['started'], 3, 'UTC'), ts) AS began
        FROM clickstream FINAL
        WHERE type = 'session_health' AND props['sid'] != '' AND NOT is_bot
    )
    GROUP BY site, release, props['sid']
    UNION ALL
    -- Sessions that a server counted itself, by minute.
    SELECT
        site,
        toDate(ts) AS day,
        release,
        '' AS status,
        0 AS errors,
        toUInt64OrZero(props['crashed']) AS is_crashed,
        toUInt64OrZero(props['abnormal']) AS is_abnormal,
        toUInt64OrZero(props['unhandled']) AS is_unhandled,
        toUInt64OrZero(props['errored']) AS is_errored,
        toUInt64OrZero(props['exited']) AS is_healthy
    FROM clickstream FINAL
    WHERE type = 'session_health' AND props['sid'] = '' AND NOT is_bot
)
GROUP BY site, day, release
COMMENT 'Session health by day and release, as Sentry''s SDKs report it, bots left out';
