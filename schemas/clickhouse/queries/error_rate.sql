-- Errors per page view, by hour and page, in the last 24 hours. The rows with an empty class hold a page's traffic once;
-- page_views of the other rows repeat it.
SELECT
    toStartOfHour(minute) AS hour,
    page,
    sum(errors) AS all_errors,
    sumIf(page_views, class = '') AS all_page_views,
    all_errors / nullIf(all_page_views, 0) AS errors_per_page_view
FROM v_error_rate
WHERE minute >= now() - INTERVAL 1 DAY
GROUP BY hour, page
ORDER BY hour DESC, all_errors DESC
LIMIT 20
