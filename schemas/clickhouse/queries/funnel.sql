-- Where visitors left the checkout in the last 24 hours, what it cost, and what most of them ran into there.
SELECT step, name, entered, dropped, ripe, conversion_from_previous, value_lost, currency, top_error, top_friction
FROM v_funnel(funnel = 'checkout', from = now('UTC') - INTERVAL 1 DAY, to = now('UTC'))
