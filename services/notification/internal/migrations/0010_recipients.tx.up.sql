-- Who is sent mails. The address itself is task-api's to keep: here is the
-- SHA-256 of it in lower case.
CREATE TABLE notification.recipients (
    address         bytea PRIMARY KEY,
    -- What the links in his mails carry: random, the same in all of them.
    token           bytea NOT NULL,
    -- The hour in which his mails are counted begins with the first of them.
    hour_start      timestamptz NOT NULL,
    mails           integer NOT NULL,
    -- The delivery whose mail says that there are no more in this hour.
    notice          uuid,
    -- Since when he wants none.
    unsubscribed_at timestamptz
);
--bun:split
-- By its hash: how long the search takes says nothing of the token.
CREATE UNIQUE INDEX recipients_token ON notification.recipients (sha256(token));
--bun:split
CREATE INDEX recipients_age ON notification.recipients (hour_start) WHERE unsubscribed_at IS NULL;
--bun:split
-- The hour_start of the recipient's hour that this mail is counted in. The mail
-- is counted once in it, however often it is tried.
ALTER TABLE notification.deliveries ADD COLUMN counted_in timestamptz;
