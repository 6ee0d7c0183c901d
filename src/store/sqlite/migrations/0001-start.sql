-- Every table has an integer primary key, so that backup and salvage can walk it in steps.

-- What arrived, with the router's decision. The unique columns are the platform's identity of a message.
CREATE TABLE inbound (
  id INTEGER PRIMARY KEY,
  channel TEXT NOT NULL,
  account TEXT NOT NULL,
  message_id TEXT NOT NULL,
  accepted_at INTEGER NOT NULL,
  decision TEXT NOT NULL,
  body TEXT NOT NULL,
  UNIQUE (channel, account, message_id)
) STRICT;
CREATE INDEX inbound_age ON inbound (accepted_at);

CREATE TABLE turns (
  id INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL UNIQUE,
  inbound_id INTEGER NOT NULL UNIQUE,
  agent_id TEXT NOT NULL,
  session_key TEXT NOT NULL,
  -- The transcript that the run writes to, fixed when it begins: a reset in the middle does not move it.
  session_id TEXT,
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  lead_id TEXT,
  reply TEXT NOT NULL,
  accepted_at INTEGER NOT NULL,
  started_at INTEGER,
  ended_at INTEGER,
  error TEXT
) STRICT;
CREATE INDEX turns_unfinished ON turns (id) WHERE ended_at IS NULL;
CREATE INDEX turns_ended ON turns (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX turns_led ON turns (lead_id) WHERE lead_id IS NOT NULL;

-- One row per transcript that ever was; `sessions` points at the current one of each key.
CREATE TABLE transcripts (
  id INTEGER PRIMARY KEY,
  session_id TEXT NOT NULL UNIQUE,
  session_key TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX transcripts_key ON transcripts (session_key);

CREATE TABLE entries (
  id INTEGER PRIMARY KEY,
  session_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  at INTEGER NOT NULL,
  body TEXT NOT NULL,
  UNIQUE (session_id, seq)
) STRICT;

CREATE TABLE sessions (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  agent_id TEXT NOT NULL,
  session_id TEXT NOT NULL UNIQUE,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  chat TEXT NOT NULL DEFAULT 'dm',
  route TEXT,
  title TEXT,
  preview TEXT,
  settings TEXT NOT NULL DEFAULT '{}',
  label TEXT GENERATED ALWAYS AS (settings ->> '$.label') VIRTUAL,
  spawned_by TEXT GENERATED ALWAYS AS (settings ->> '$.spawnedBy') VIRTUAL,
  input INTEGER NOT NULL DEFAULT 0,
  output INTEGER NOT NULL DEFAULT 0,
  cache_read INTEGER NOT NULL DEFAULT 0,
  cache_write INTEGER NOT NULL DEFAULT 0,
  context_tokens INTEGER NOT NULL DEFAULT 0,
  context_from INTEGER NOT NULL DEFAULT 1,
  aborted_last_run INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX sessions_newest ON sessions (updated_at, key);
CREATE INDEX sessions_newest_of_agent ON sessions (agent_id, updated_at, key);
CREATE INDEX sessions_label ON sessions (label, updated_at, key) WHERE label IS NOT NULL;
CREATE INDEX sessions_spawned ON sessions (spawned_by, updated_at, key) WHERE spawned_by IS NOT NULL;

CREATE TABLE outbox (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  -- Channel, account, chat and thread: messages with the same one leave in the order of their ids.
  chat TEXT NOT NULL,
  body TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'pending',
  attempts INTEGER NOT NULL DEFAULT 0,
  due_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  receipt TEXT,
  error TEXT
) STRICT;
CREATE INDEX outbox_due ON outbox (due_at, id) WHERE state = 'pending';
CREATE INDEX outbox_chat ON outbox (chat, id) WHERE state IN ('pending', 'sending');
CREATE INDEX outbox_done ON outbox (created_at) WHERE state = 'delivered';
CREATE INDEX outbox_sending ON outbox (id) WHERE state = 'sending';

CREATE TABLE kv (
  id INTEGER PRIMARY KEY,
  scope TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  UNIQUE (scope, key)
) STRICT;
