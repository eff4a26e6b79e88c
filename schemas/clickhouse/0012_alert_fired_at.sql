-- When an alert began to fire: its reminders replace the row that said so first.

ALTER TABLE alerts ADD COLUMN IF NOT EXISTS `fired_at` Nullable(DateTime64(3, 'UTC'))
    COMMENT 'When it was decided that it fires; reminders and the end say it too' AFTER `ends_at`;
