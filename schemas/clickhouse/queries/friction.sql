-- The elements that troubled the most sessions, by day, in the last week.
SELECT day, signal, page, element, signals, sessions
FROM v_friction
WHERE day > today() - 7
ORDER BY day DESC, sessions DESC
LIMIT 20
