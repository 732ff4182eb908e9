/**
 * The tables of the SQLite store, as steps from one version to the next. A step that was released never changes; a new one is
 * added. Times are whole microseconds since the Unix epoch, attributes JSON, ids lower-case hex.
 */

/** `user_version` of a file is how many of these it has had. */
export const migrations: readonly string[] = [
  `
  -- Resource and scope, once for all that they said.
  CREATE TABLE source (
    id INTEGER PRIMARY KEY,
    hash INTEGER NOT NULL UNIQUE,
    service TEXT NOT NULL,
    resource TEXT NOT NULL,
    scope_name TEXT NOT NULL,
    scope_version TEXT NOT NULL,
    scope_attributes TEXT NOT NULL
  );

  -- Spans or log records of one request in full, packed: see blocks.ts. The id of a row says where its own is.
  CREATE TABLE block (
    id INTEGER PRIMARY KEY,
    -- When the last of them ended.
    last_time INTEGER NOT NULL,
    data BLOB NOT NULL
  );
  CREATE INDEX block_by_time ON block (last_time);

  CREATE TABLE span (
    id INTEGER PRIMARY KEY,
    trace_id TEXT NOT NULL,
    span_id TEXT NOT NULL,
    session_id TEXT,
    start_time INTEGER NOT NULL,
    end_time INTEGER NOT NULL,
    source INTEGER NOT NULL
  );
  CREATE UNIQUE INDEX span_by_id ON span (trace_id, span_id);
  CREATE INDEX span_by_session ON span (session_id, start_time) WHERE session_id IS NOT NULL;

  CREATE TABLE log_record (
    id INTEGER PRIMARY KEY,
    -- Of its words, or of its own id: one that is sent again is the same.
    hash INTEGER NOT NULL UNIQUE,
    time INTEGER NOT NULL,
    session_id TEXT,
    source INTEGER NOT NULL
  );
  CREATE INDEX log_by_session ON log_record (session_id, time) WHERE session_id IS NOT NULL;

  CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    hash INTEGER NOT NULL UNIQUE,
    name TEXT NOT NULL,
    unit TEXT NOT NULL,
    description TEXT NOT NULL,
    type TEXT NOT NULL,
    temporality TEXT NOT NULL,
    is_monotonic INTEGER NOT NULL,
    session_id TEXT,
    attributes TEXT NOT NULL,
    source INTEGER NOT NULL
  );
  CREATE INDEX series_by_name ON series (name);

  CREATE TABLE point (
    series INTEGER NOT NULL,
    start_time INTEGER NOT NULL,
    time INTEGER NOT NULL,
    -- Of gauges and sums; the sum of histograms and summaries.
    value REAL,
    count INTEGER,
    -- Everything else of it: buckets, bounds, quantiles, exemplars.
    detail TEXT,
    PRIMARY KEY (series, start_time, time)
  ) WITHOUT ROWID;
  CREATE INDEX point_by_time ON point (time);

  -- How many rows the long tables have, which takes long to count.
  CREATE TABLE tally (
    name TEXT PRIMARY KEY,
    rows INTEGER NOT NULL
  ) WITHOUT ROWID;
  INSERT INTO tally VALUES ('span', 0), ('log_record', 0), ('point', 0);

  CREATE TABLE session (
    id TEXT PRIMARY KEY,
    first_time INTEGER NOT NULL,
    last_time INTEGER NOT NULL,
    conversation_id TEXT,
    trace_id TEXT,
    source TEXT,
    cwd TEXT,
    repository TEXT,
    branch TEXT,
    user TEXT,
    model TEXT,
    version TEXT,
    title TEXT,
    end_time INTEGER,
    end_reason TEXT
  ) WITHOUT ROWID;
  CREATE INDEX session_by_last ON session (last_time);

  -- What the usage tracker remembers: see usage/record.ts.
  CREATE TABLE usage_stream (
    key TEXT PRIMARY KEY,
    time INTEGER NOT NULL,
    value REAL NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX usage_stream_by_time ON usage_stream (time);

  CREATE TABLE usage_session (
    session_id TEXT PRIMARY KEY,
    -- The one that is believed; the records of the others are the cross-check.
    source TEXT,
    repository TEXT,
    last_time INTEGER NOT NULL,
    usage TEXT NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX usage_session_by_time ON usage_session (last_time, session_id, source, repository);

  -- Transcript files whose usage is known, as they were then.
  CREATE TABLE transcript_file (
    path TEXT PRIMARY KEY,
    bytes INTEGER NOT NULL,
    changed_ms INTEGER NOT NULL
  ) WITHOUT ROWID;

  CREATE TABLE usage_record (
    id TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    time INTEGER NOT NULL,
    session_id TEXT NOT NULL,
    orchestration_id TEXT NOT NULL,
    model TEXT NOT NULL,
    input INTEGER NOT NULL,
    output INTEGER NOT NULL,
    cache_read INTEGER NOT NULL,
    cache_creation INTEGER NOT NULL,
    cost_usd REAL,
    cost_source TEXT,
    query_source TEXT,
    agent_id TEXT,
    prompt_id TEXT,
    repository TEXT,
    detail TEXT
  ) WITHOUT ROWID;
  CREATE INDEX usage_record_by_time ON usage_record (time);

  -- The same summed up by quarters of an hour, which days of all time zones consist of. Stays when records go.
  CREATE TABLE usage_slot (
    session_id TEXT NOT NULL,
    source TEXT NOT NULL,
    -- Its beginning.
    time INTEGER NOT NULL,
    model TEXT NOT NULL,
    query_source TEXT NOT NULL,
    repository TEXT NOT NULL,
    cost_source TEXT NOT NULL,
    input INTEGER NOT NULL,
    output INTEGER NOT NULL,
    cache_read INTEGER NOT NULL,
    cache_creation INTEGER NOT NULL,
    cost_usd REAL,
    last_time INTEGER NOT NULL,
    PRIMARY KEY (session_id, source, time, model, query_source, repository, cost_source)
  ) WITHOUT ROWID;
  `,
  `
  -- What whoever owns the store has to know after a restart: see Mark in store.ts.
  CREATE TABLE mark (
    key TEXT PRIMARY KEY,
    time INTEGER NOT NULL,
    value TEXT NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX mark_by_time ON mark (time);
  -- Metrics tell tokens and cost apart: theirs is never priced.
  CREATE INDEX usage_record_unpriced ON usage_record (id) WHERE cost_usd IS NULL AND source <> 'metrics';
  `,
]
