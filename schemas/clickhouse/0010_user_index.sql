-- Forgetting looks for a user's rows again and again while the entry lasts.

ALTER TABLE clickstream ADD INDEX IF NOT EXISTS by_user user_id TYPE bloom_filter(0.01) GRANULARITY 4;
ALTER TABLE errors ADD INDEX IF NOT EXISTS by_user user_id TYPE bloom_filter(0.01) GRANULARITY 4;
ALTER TABLE checkouts ADD INDEX IF NOT EXISTS by_user user_id TYPE bloom_filter(0.01) GRANULARITY 4;
ALTER TABLE sessions ADD INDEX IF NOT EXISTS by_user user_id TYPE bloom_filter(0.01) GRANULARITY 4;
