-- Numbers of the whole store: merged, position, time (of the last entry), running, wall, pruned (the
-- last position that was deleted from the log).
-- Times are the wall clock's, for people, except where "running time" is said: that is the server's
-- own, which no jump of the wall clock moves, and everything that ages or expires goes by it.
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;

-- A restore begins a new timeline; the last one is in force.
CREATE TABLE timeline (
  number INTEGER PRIMARY KEY,
  id BLOB NOT NULL,
  cut_position INTEGER NOT NULL,
  started_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE account (
  account BLOB PRIMARY KEY,
  name TEXT NOT NULL,
  created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- seen_ms: the last log-in. awake_ms: when it was last heard of, in running time.
CREATE TABLE device (
  device BLOB PRIMARY KEY,
  account BLOB NOT NULL,
  public_key BLOB NOT NULL UNIQUE,
  name TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  seen_ms INTEGER NOT NULL,
  awake_ms INTEGER NOT NULL,
  revoked_ms INTEGER NOT NULL DEFAULT 0,
  first_position INTEGER NOT NULL,
  op_last INTEGER NOT NULL DEFAULT 0,
  op_floor INTEGER NOT NULL DEFAULT 1
) STRICT, WITHOUT ROWID;
CREATE INDEX device_by_account ON device (account);

CREATE TABLE invite_use (
  invite BLOB PRIMARY KEY,
  public_key BLOB NOT NULL,
  device BLOB NOT NULL,
  expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- kind: 1 direct 2 group 3 self 4 device 5 service 6 channel 7 notice.
-- floor_*: the last entry that is gone, 0 for none. The head is the last row in entry, or the floor.
CREATE TABLE conversation (
  conversation BLOB PRIMARY KEY,
  kind INTEGER NOT NULL,
  closed INTEGER NOT NULL DEFAULT 0,
  floor_seq INTEGER NOT NULL DEFAULT 0,
  floor_position INTEGER NOT NULL DEFAULT 0,
  created_ms INTEGER NOT NULL,
  created_position INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- state: 0 gone 1 invited 2 joined. intervals: msgpack array of [first seq, last seq or 0 for open].
CREATE TABLE member (
  conversation BLOB NOT NULL,
  account BLOB NOT NULL,
  role INTEGER NOT NULL,
  state INTEGER NOT NULL,
  intervals BLOB NOT NULL,
  changed_position INTEGER NOT NULL,
  PRIMARY KEY (conversation, account)
) STRICT, WITHOUT ROWID;
CREATE INDEX member_by_account ON member (account, conversation, changed_position);

-- Visibility of one device inside its account's, for encrypted kinds; no row: from its enrolment on.
CREATE TABLE device_member (
  conversation BLOB NOT NULL,
  device BLOB NOT NULL,
  intervals BLOB NOT NULL,
  PRIMARY KEY (conversation, device)
) STRICT, WITHOUT ROWID;

-- The one log, by commit position; carries all that everything else is derived from.
-- running_ms: the running time at the append. expires_ms: running time, 0 for never.
-- state: 0 live 1 redacted 2 expired. frame: the encoded DELIVER, NULL when its content is gone.
-- digest: of the operation's content; NULL for a message while its frame is there.
CREATE TABLE log (
  position INTEGER PRIMARY KEY,
  conversation BLOB NOT NULL,
  seq INTEGER NOT NULL,
  time_ms INTEGER NOT NULL,
  running_ms INTEGER NOT NULL,
  op BLOB,
  digest BLOB,
  expires_ms INTEGER NOT NULL,
  state INTEGER NOT NULL,
  frame BLOB
) STRICT;
CREATE INDEX log_by_expiry ON log (expires_ms) WHERE expires_ms > 0;

-- Derived, merged in sorted batches.
CREATE TABLE entry (
  conversation BLOB NOT NULL,
  seq INTEGER NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY (conversation, seq)
) STRICT, WITHOUT ROWID;

-- digest: of the operation's content, NULL as long as the log knows it.
CREATE TABLE op (
  device BLOB NOT NULL,
  counter INTEGER NOT NULL,
  digest BLOB,
  conversation BLOB NOT NULL,
  seq INTEGER NOT NULL,
  position INTEGER NOT NULL,
  time_ms INTEGER NOT NULL,
  PRIMARY KEY (device, counter)
) STRICT, WITHOUT ROWID;

CREATE TABLE cursor (
  device BLOB NOT NULL,
  conversation BLOB NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (device, conversation)
) STRICT, WITHOUT ROWID;

CREATE TABLE register (
  account BLOB NOT NULL,
  conversation BLOB NOT NULL,
  key TEXT NOT NULL,
  version INTEGER NOT NULL,
  value BLOB NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY (account, conversation, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX register_by_position ON register (account, position);

-- Who may not write to whom; features such as contacts write it. rule: 1 `account` blocks `peer`.
CREATE TABLE policy (
  account BLOB NOT NULL,
  peer BLOB NOT NULL,
  rule INTEGER NOT NULL,
  PRIMARY KEY (account, peer)
) STRICT, WITHOUT ROWID;
