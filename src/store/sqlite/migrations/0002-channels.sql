-- The chat networks: context of groups, traces, strangers who wait.

-- Channel, account, chat and thread, as in `outbox.chat`.
ALTER TABLE inbound ADD COLUMN chat TEXT;
-- What was decided, in a word: the reason of a drop, else the kind of the route.
ALTER TABLE inbound ADD COLUMN outcome TEXT;
-- Under which id an answer without a turn was sent.
ALTER TABLE inbound ADD COLUMN run_id TEXT;
CREATE INDEX inbound_chat ON inbound (chat, outcome, id) WHERE chat IS NOT NULL;
CREATE INDEX inbound_channel ON inbound (channel, id);
CREATE INDEX inbound_message ON inbound (message_id);
CREATE INDEX inbound_run ON inbound (run_id) WHERE run_id IS NOT NULL;

ALTER TABLE turns ADD COLUMN trust TEXT NOT NULL DEFAULT 'owner';

ALTER TABLE outbox ADD COLUMN run_id TEXT;
CREATE INDEX outbox_run ON outbox (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX outbox_troubled ON outbox (id) WHERE state IN ('dead', 'unknown');

CREATE TABLE pairing (
  id INTEGER PRIMARY KEY,
  channel TEXT NOT NULL,
  account TEXT NOT NULL,
  sender TEXT NOT NULL,
  code TEXT NOT NULL UNIQUE,
  meta TEXT NOT NULL DEFAULT '{}',
  created_at INTEGER NOT NULL,
  last_seen_at INTEGER NOT NULL,
  UNIQUE (channel, account, sender)
) STRICT;

CREATE TABLE allowed (
  id INTEGER PRIMARY KEY,
  channel TEXT NOT NULL,
  account TEXT NOT NULL,
  sender TEXT NOT NULL,
  added_at INTEGER NOT NULL,
  UNIQUE (channel, account, sender)
) STRICT;
