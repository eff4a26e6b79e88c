-- Requests as a third denominator, and signals whose time is that of the event that names them: a later event never
-- moves a row to another sort key.

ALTER TABLE error_rates ADD COLUMN IF NOT EXISTS `requests` UInt32 COMMENT 'Requests to the site that the events tell of: page views, API calls, HTTP and network errors' AFTER `page_views`;

ALTER TABLE error_rates COMMENT COLUMN IF EXISTS `page_views` 'Page views; those of the cell as a whole are in the denominator''s row';

ALTER TABLE friction_signals COMMENT COLUMN IF EXISTS `ts` 'When it began: time of the event that names the signal';
