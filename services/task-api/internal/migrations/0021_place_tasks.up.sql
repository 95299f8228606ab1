-- Not in a transaction: the procedure commits each of its batches, and goes on where a
-- killed one has ended.
CALL task.place_tasks();
