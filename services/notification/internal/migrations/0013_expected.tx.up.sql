-- Whether due_at is a date in the zone, and from when on the delivery could be made:
-- null of before, when it is remind_at.
ALTER TABLE notification.deliveries ADD COLUMN all_day boolean NOT NULL DEFAULT false, ADD COLUMN expected_at timestamptz;
