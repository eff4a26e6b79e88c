-- The friction that goes with the most money left behind, in the last week.
SELECT day, signal, page, element, sessions, round(100 * session_share, 1) AS percent_of_sessions, abandoned_attempts, value_at_stake
FROM v_friction
WHERE day > today() - 7
ORDER BY value_at_stake DESC, sessions DESC
LIMIT 20
