-- The checkout's steps in the last hour, five minutes at a time: who is on them now, and where people stall.
SELECT
    toStartOfFiveMinutes(minute) AS at,
    step,
    name,
    sum(entered) AS all_entered,
    sum(open) AS all_open,
    sum(stalled) AS all_stalled,
    sum(abandoned) AS all_abandoned,
    sum(value_lost) AS all_value_lost,
    sumIf(passed, ripe) / nullIf(sumIf(entered, ripe), 0) AS ripe_conversion
FROM v_funnel_cohorts
WHERE funnel = 'checkout' AND minute >= now('UTC') - INTERVAL 1 HOUR
GROUP BY at, step, name
ORDER BY at DESC, step
