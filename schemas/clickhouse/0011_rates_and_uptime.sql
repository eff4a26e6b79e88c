-- Error rates down to release and browser, what is new in a release, and uptime as a site's own silence tells it.

CREATE OR REPLACE VIEW v_error_rate
(
    `site` LowCardinality(String) COMMENT 'Site',
    `minute` DateTime64(3, 'UTC') COMMENT 'Start of the minute, by event time, UTC',
    `class` LowCardinality(String) COMMENT 'Class of the error; empty in the row of the cell''s traffic as a whole',
    `fingerprint` String COMMENT 'Names the error; empty in the row of the cell''s traffic as a whole',
    `message` String COMMENT 'Text of one occurrence',
    `page` String COMMENT 'Path without ids',
    `release` LowCardinality(String) COMMENT 'Release of the site',
    `browser` LowCardinality(String) COMMENT 'Browser family',
    `errors` UInt64 COMMENT 'Occurrences; 0 in the row of the cell''s traffic as a whole',
    `error_sessions` UInt64 COMMENT 'Sessions with at least one; 0 in the row of the cell''s traffic as a whole',
    `error_visitors` UInt64 COMMENT 'Visitors with at least one; 0 in the row of the cell''s traffic as a whole',
    `page_views` UInt64 COMMENT 'Denominator: page views of the same site, minute, page, release and browser (repeated in each of their rows)',
    `sessions` UInt64 COMMENT 'Denominator: sessions of the same cell (repeated in each of its rows)',
    `requests` UInt64 COMMENT 'Denominator: page views, API calls, HTTP and network errors of the same cell (repeated in each of its rows)',
    `errors_per_page_view` Nullable(Float64) COMMENT 'errors / page_views; null without page views',
    `error_session_rate` Nullable(Float64) COMMENT 'error_sessions / sessions; null without sessions',
    `errors_per_request` Nullable(Float64) COMMENT 'errors / requests; null without requests'
)
AS SELECT
    site,
    minute,
    class,
    fingerprint,
    message,
    page,
    release,
    browser,
    errors,
    error_sessions,
    error_visitors,
    sum(own_page_views) OVER same_cell AS page_views,
    sum(own_sessions) OVER same_cell AS sessions,
    sum(own_requests) OVER same_cell AS requests,
    errors / nullIf(page_views, 0) AS errors_per_page_view,
    error_sessions / nullIf(sessions, 0) AS error_session_rate,
    errors / nullIf(requests, 0) AS errors_per_request
FROM
(
    SELECT
        r.site AS site,
        r.minute AS minute,
        r.class AS class,
        r.fingerprint AS fingerprint,
        max(r.message) AS message,
        r.page AS page,
        r.release AS release,
        r.browser AS browser,
        sumIf(r.events, r.class != '') AS errors,
        sumIf(r.sessions, r.class != '') AS error_sessions,
        sumIf(r.visitors, r.class != '') AS error_visitors,
        sumIf(r.page_views, r.class = '') AS own_page_views,
        sumIf(r.sessions, r.class = '') AS own_sessions,
        sumIf(r.requests, r.class = '') AS own_requests
    FROM error_rates AS r FINAL
    GROUP BY site, minute, class, fingerprint, page, release, browser
)
WINDOW same_cell AS (PARTITION BY site, minute, page, release, browser)
COMMENT 'Errors per minute, page, release and browser with their denominators, bots left out; cells without errors have a row with class empty';

CREATE OR REPLACE VIEW v_errors
(
    `site` LowCardinality(String) COMMENT 'Site',
    `class` LowCardinality(String) COMMENT 'Class of the error: js, resource, http_4xx, http_5xx, network, csp, validation, payment, crash, ..',
    `fingerprint` String COMMENT 'Names the error',
    `release` LowCardinality(String) COMMENT 'Release of the site it was seen in',
    `message` String COMMENT 'Text of one occurrence',
    `first_seen` DateTime64(3, 'UTC') COMMENT 'First minute with one in this release, UTC',
    `last_seen` DateTime64(3, 'UTC') COMMENT 'Last minute with one in this release, UTC',
    `first_seen_ever` DateTime64(3, 'UTC') COMMENT 'First minute with one in any release, UTC',
    `errors` UInt64 COMMENT 'Occurrences in this release',
    `pages` UInt64 COMMENT 'Different pages it occurred on',
    `is_new` Bool COMMENT 'True when this release brought it: seen in no earlier one, although there was an earlier one'
)
AS SELECT
    site,
    class,
    fingerprint,
    release,
    message,
    first_seen,
    last_seen,
    min(first_seen) OVER (PARTITION BY site, class, fingerprint) AS first_seen_ever,
    errors,
    pages,
    first_seen = first_seen_ever AND release_since > site_since AS is_new
FROM
(
    SELECT
        site,
        class,
        fingerprint,
        release,
        max(e.message) AS message,
        min(e.minute) AS first_seen,
        max(e.minute) AS last_seen,
        sum(e.events) AS errors,
        uniqExact(e.page) AS pages
    FROM error_rates AS e FINAL
    WHERE class != ''
    GROUP BY site, class, fingerprint, release
) AS seen
INNER JOIN
(
    SELECT site, release, min(minute) AS release_since, min(release_since) OVER (PARTITION BY site) AS site_since
    FROM error_rates FINAL
    GROUP BY site, release
) AS releases USING (site, release)
COMMENT 'Each error by release: first and last seen, and whether the release brought it. Bots left out';

CREATE OR REPLACE VIEW v_outages
(
    `site` LowCardinality(String) COMMENT 'Site',
    `last_traffic` DateTime64(3, 'UTC') COMMENT 'Last minute with traffic before the silence, UTC',
    `next_traffic` Nullable(DateTime64(3, 'UTC')) COMMENT 'First minute with traffic after it, UTC; null while it lasts',
    `minutes` UInt64 COMMENT 'Minutes without a single event',
    `usual_per_minute` Float64 COMMENT 'Events a minute that were to be expected: the lesser of the hour before and of the same hour on all days',
    `expected_events` Float64 COMMENT 'Events that were to be expected in the silence; at least 9.3, so that chance has less than 1 in 10,000'
)
AS SELECT
    site,
    minute AS last_traffic,
    if(following = toDateTime64(0, 3, 'UTC'), NULL, following) AS next_traffic,
    silent AS minutes,
    least(hour_before, usual.per_minute) AS usual_per_minute,
    usual_per_minute * silent AS expected_events
FROM
(
    SELECT
        site,
        minute,
        leadInFrame(minute) OVER (PARTITION BY site ORDER BY minute ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING) AS following,
        greatest(dateDiff('minute', minute, if(following = toDateTime64(0, 3, 'UTC'), now64(3, 'UTC'), following)) - 1, 0) AS silent,
        sum(events) OVER (PARTITION BY site ORDER BY toUnixTimestamp(minute) RANGE BETWEEN 3540 PRECEDING AND CURRENT ROW) / 60 AS hour_before
    FROM
    (
        SELECT site, minute, sum(r.events) AS events
        FROM error_rates AS r FINAL
        WHERE class = '' AND fingerprint = '' AND minute <= now64(3, 'UTC')
        GROUP BY site, minute
    )
) AS gaps
INNER JOIN
(
    SELECT site, toHour(minute) AS hour, sum(events) / 60 / uniqExact(toDate(minute)) AS per_minute
    FROM error_rates FINAL
    WHERE class = '' AND fingerprint = ''
    GROUP BY site, hour
) AS usual ON usual.site = gaps.site AND usual.hour = toHour(gaps.minute)
WHERE silent > 0 AND expected_events >= 9.3
COMMENT 'Silences too long to be chance: Poisson at the site''s own usual level gives them less than 1 in 10,000';

CREATE OR REPLACE VIEW v_uptime
(
    `site` LowCardinality(String) COMMENT 'Site',
    `day` Date COMMENT 'Day, UTC',
    `minutes` UInt32 COMMENT 'Minutes of the day since the site''s first event and until now',
    `minutes_down` UInt64 COMMENT 'Minutes of them within an outage (v_outages)',
    `uptime` Float64 COMMENT '1 - minutes_down / minutes'
)
AS SELECT
    days.site AS site,
    days.day AS day,
    days.minutes AS minutes,
    down.minutes_down AS minutes_down,
    1 - minutes_down / minutes AS uptime
FROM
(
    SELECT
        site,
        arrayJoin(arrayMap(n -> toDate(since) + n, range(toUInt32(dateDiff('day', since, now64(3, 'UTC')) + 1)))) AS day,
        toUInt32(greatest(1, dateDiff(
            'minute',
            greatest(since, toDateTime64(day, 3, 'UTC')),
            least(now64(3, 'UTC'), toDateTime64(day + 1, 3, 'UTC'))))) AS minutes
    FROM
    (
        SELECT site, min(minute) AS since
        FROM error_rates FINAL
        WHERE minute <= now64(3, 'UTC')
        GROUP BY site
    )
) AS days
LEFT JOIN
(
    SELECT site, toDate(arrayJoin(arrayMap(n -> last_traffic + INTERVAL n MINUTE, range(1, minutes + 1)))) AS day, count() AS minutes_down
    FROM v_outages
    GROUP BY site, day
) AS down ON down.site = days.site AND down.day = days.day
COMMENT 'Share of each day in which a site had the traffic it usually has, as far as silence can tell';
