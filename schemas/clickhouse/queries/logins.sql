-- How many of those who log in get in, by hour, in the last 24 hours.
SELECT hour, tries, refused, sessions, sessions_stuck, round(100 * session_success_rate, 1) AS percent_in
FROM v_logins
WHERE hour >= now() - INTERVAL 1 DAY
ORDER BY hour DESC
