-- Mails about accounts are deliveries, too. The rows that are there have one of the old
-- channels: 0019 looks at them without keeping anybody waiting.
ALTER TABLE notification.deliveries DROP CONSTRAINT deliveries_channel_check,
	ADD CONSTRAINT deliveries_channel_check CHECK (channel IN ('email', 'in_app', 'account')) NOT VALID;
