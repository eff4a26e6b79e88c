-- The sessions of the last 24 hours that had the most friction.
SELECT session_id, started_at, duration_s, page_views, errors, orders, friction_score, friction
FROM v_sessions
WHERE started_at >= now() - INTERVAL 1 DAY AND NOT is_bot
ORDER BY friction_score DESC
LIMIT 20
