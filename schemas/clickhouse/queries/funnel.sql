-- Where visitors left the checkout in the last 24 hours, and what it cost.
SELECT *
FROM v_funnel(funnel = 'checkout', from = now('UTC') - INTERVAL 1 DAY, to = now('UTC'))
