-- The trace that a delivery continues, not only its id: a span needs its parent.
ALTER TABLE notification.deliveries ADD COLUMN trace_parent text NOT NULL DEFAULT '';
