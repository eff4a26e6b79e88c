-- Privacy: the cut address, hot keys, and the list of visitors and users who are to be forgotten.

ALTER TABLE clickstream ADD COLUMN IF NOT EXISTS `ip` String
    COMMENT 'Network of the client, /24 or /48; empty unless the setting privacy.ip is truncate' AFTER country;
ALTER TABLE clickstream ADD COLUMN IF NOT EXISTS `is_hot` Bool
    COMMENT 'True when the visitor sent far more than a human could: counted in rates, in no session' AFTER is_bot;

ALTER TABLE errors ADD COLUMN IF NOT EXISTS `ip` String
    COMMENT 'Network of the client, /24 or /48; empty unless the setting privacy.ip is truncate' AFTER country;
ALTER TABLE errors ADD COLUMN IF NOT EXISTS `is_hot` Bool
    COMMENT 'True when the visitor sent far more than a human could: counted in rates, in no session' AFTER is_bot;

ALTER TABLE checkouts ADD COLUMN IF NOT EXISTS `ip` String
    COMMENT 'Network of the client, /24 or /48; empty unless the setting privacy.ip is truncate' AFTER country;
ALTER TABLE checkouts ADD COLUMN IF NOT EXISTS `is_hot` Bool
    COMMENT 'True when the visitor sent far more than a human could: counted in rates, in no session' AFTER is_bot;

CREATE TABLE IF NOT EXISTS erasures
(
    `site` LowCardinality(String) COMMENT 'Site',
    `visitor_id` String COMMENT 'Visitor to be forgotten; empty when the user is named',
    `user_id` String COMMENT 'User to be forgotten, with every visitor id seen with it; empty when the visitor is named',
    `requested_at` DateTime64(3, 'UTC') COMMENT 'When it was asked for; of several requests the newest counts',
    CONSTRAINT is_an_erasure CHECK site != '' AND (visitor_id != '' OR user_id != '')
)
ENGINE = ReplacingMergeTree(requested_at)
ORDER BY (site, visitor_id, user_id)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Who is to be forgotten: the writer deletes what they left in every table, and what still arrives';
