-- Uptime of each site by day, last week: minutes in which it was silent although it usually is not.
SELECT site, day, minutes, minutes_down, round(100 * uptime, 2) AS uptime_percent
FROM v_uptime
WHERE day >= today() - 7
ORDER BY site, day
