-- The till's database.  Names are the guide's (§5.3); money is whole kopecks; instants are Unix time.

-- One row a receipt, from acceptance on.  `request` is what was asked, `fiscal_doc` what the FN made.
CREATE TABLE receipts (
  id TEXT PRIMARY KEY,
  pos_id TEXT NOT NULL,
  printer TEXT NOT NULL DEFAULT 'kkt',       -- whose lane it goes through
  type TEXT NOT NULL CHECK (type IN ('sale', 'refund', 'correction')),
  created_at INTEGER NOT NULL,               -- s
  created_ms INTEGER NOT NULL DEFAULT 0,     -- and 0..999 ms
  hlc_local_time INTEGER NOT NULL,           -- s
  hlc_logical_counter INTEGER NOT NULL,
  hlc_server_time INTEGER,                   -- s
  request TEXT NOT NULL,                     -- JSON, model/codec.py
  total_kopecks INTEGER NOT NULL CHECK (total_kopecks >= 0),

  print_state TEXT NOT NULL DEFAULT 'accepted' CHECK (print_state IN
    ('accepted', 'printing', 'in_doubt', 'registered', 'printed', 'refused', 'cancelled')),
  held INTEGER NOT NULL DEFAULT 0 CHECK (held IN (0, 1)),   -- waits for a person
  attempts INTEGER NOT NULL DEFAULT 0,
  print_asked_at INTEGER,                    -- s; a person wants the paper (again)
  traceparent TEXT,                          -- W3C; NULL: nobody traces it
  problem TEXT,                              -- JSON: why it waits, is in doubt or was refused

  fn TEXT,
  fd INTEGER,
  fp TEXT,
  fiscal_doc TEXT,                           -- JSON, model/codec.py
  registered_at INTEGER,                     -- s

  status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'syncing', 'synced', 'failed')),
  retry_count INTEGER NOT NULL DEFAULT 0,    -- only attempts that count (docs/decisions)
  last_error TEXT,
  synced_at INTEGER,                         -- s

  -- The printer or the ОФД still has something to do with it.  Hot queries read these rows alone.
  unfinished INTEGER NOT NULL GENERATED ALWAYS AS (
    print_state IN ('accepted', 'printing', 'in_doubt', 'registered')
    OR (print_state = 'printed' AND status IN ('pending', 'syncing'))) VIRTUAL,

  CHECK ((fd IS NULL) = (print_state NOT IN ('registered', 'printed')))
) STRICT;

-- Each index is a page more to flush at every sale: hence partial ones, and as few as will do.
-- There is none on the hybrid clock: it rises with the rowid.
CREATE INDEX receipts_unfinished ON receipts (hlc_local_time, hlc_logical_counter)
  WHERE unfinished = 1;
CREATE INDEX receipts_copies ON receipts (fd) WHERE print_asked_at IS NOT NULL AND fd IS NOT NULL;
CREATE INDEX receipts_to_deliver ON receipts (fn, fd)
  WHERE unfinished = 1 AND fd IS NOT NULL;
CREATE UNIQUE INDEX receipts_document ON receipts (fn, fd) WHERE fd IS NOT NULL;

-- What stays of a registered receipt whose row has gone: a refund and a count of the FN need no more.
CREATE TABLE past_documents (
  fn TEXT NOT NULL,
  fd INTEGER NOT NULL,
  fp TEXT NOT NULL,
  receipt_id TEXT NOT NULL UNIQUE,
  type TEXT NOT NULL CHECK (type IN ('sale', 'refund', 'correction')),
  total_kopecks INTEGER NOT NULL,
  refunded_kopecks INTEGER NOT NULL DEFAULT 0,  -- by refunds whose rows have gone too
  registered_at INTEGER NOT NULL,            -- s
  PRIMARY KEY (fn, fd)
) STRICT, WITHOUT ROWID;

-- What is about to be asked of the device, written before it is asked.  One row an attempt.
CREATE TABLE intents (
  id INTEGER PRIMARY KEY,
  receipt_id TEXT REFERENCES receipts (id),
  operation_id TEXT REFERENCES operations (id),
  attempt INTEGER NOT NULL,
  serial TEXT NOT NULL,                      -- of the device
  fn TEXT NOT NULL,
  last_fd INTEGER NOT NULL,                  -- every document after this one may be ours
  shift_number INTEGER NOT NULL,
  mark TEXT,                                 -- tag 1084 of the document
  counters TEXT,                             -- JSON: cash counters of the device, for a movement
  created_at INTEGER NOT NULL,               -- s
  CHECK ((receipt_id IS NULL) != (operation_id IS NULL))
) STRICT;
CREATE INDEX intents_receipt ON intents (receipt_id) WHERE receipt_id IS NOT NULL;
CREATE INDEX intents_operation ON intents (operation_id) WHERE operation_id IS NOT NULL;

-- Device operations that are not receipts: they are settled the same way.
CREATE TABLE operations (
  id TEXT PRIMARY KEY,
  pos_id TEXT NOT NULL,
  printer TEXT NOT NULL DEFAULT 'kkt',       -- whose lane it goes through
  kind TEXT NOT NULL CHECK (kind IN
    ('shift_open', 'z_report', 'cash_in', 'cash_out', 'x_report', 'drawer',
     'set_clock', 'write_table')),
  amount INTEGER CHECK (amount > 0),         -- kopecks, of a cash movement alone
  state TEXT NOT NULL DEFAULT 'accepted'
    CHECK (state IN ('accepted', 'sent', 'in_doubt', 'done', 'refused')),
  request TEXT NOT NULL,                     -- JSON: cashier, reason
  result TEXT,                               -- JSON: the report, or why it was refused
  created_at INTEGER NOT NULL,
  finished_at INTEGER,
  CHECK ((amount IS NULL) = (kind NOT IN ('cash_in', 'cash_out')))
) STRICT;
CREATE INDEX operations_open ON operations (created_at) WHERE state IN ('accepted', 'sent', 'in_doubt');

-- Idempotency-Key of every mutating request, stored in the transaction that accepts it.
CREATE TABLE idempotency_keys (
  key TEXT PRIMARY KEY,
  digest BLOB NOT NULL,                      -- SHA-256 of method, path and body
  receipt_id TEXT REFERENCES receipts (id),
  operation_id TEXT REFERENCES operations (id),
  http_status INTEGER,                       -- NULL while the answer is not final
  answer TEXT,                               -- JSON
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX keys_receipt ON idempotency_keys (receipt_id) WHERE receipt_id IS NOT NULL;
CREATE INDEX keys_operation ON idempotency_keys (operation_id) WHERE operation_id IS NOT NULL;

-- One row a shift; the open one is unique for each till.
CREATE TABLE pos_sessions (
  session_id TEXT PRIMARY KEY,
  pos_id TEXT NOT NULL,
  fn TEXT NOT NULL,
  shift_number INTEGER NOT NULL,
  opened_at INTEGER NOT NULL,
  closed_at INTEGER,
  cash_balance INTEGER NOT NULL DEFAULT 0,   -- kopecks, as the four below
  card_balance INTEGER NOT NULL DEFAULT 0,
  prepaid_balance INTEGER NOT NULL DEFAULT 0,
  credit_balance INTEGER NOT NULL DEFAULT 0,
  other_balance INTEGER NOT NULL DEFAULT 0,
  sales_total INTEGER NOT NULL DEFAULT 0,
  refunds_total INTEGER NOT NULL DEFAULT 0,
  z_report_data TEXT,                        -- JSON
  last_updated INTEGER NOT NULL,
  last_reconciled INTEGER,
  status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'closing', 'closed'))
) STRICT;
CREATE UNIQUE INDEX pos_sessions_open ON pos_sessions (pos_id) WHERE status != 'closed';

-- One row a tender.  Amounts are what the FN booked: change is taken off cash, refunds are negative.
CREATE TABLE cash_transactions (
  id TEXT PRIMARY KEY,
  session_id TEXT NOT NULL REFERENCES pos_sessions (session_id),
  pos_id TEXT NOT NULL,
  receipt_id TEXT REFERENCES receipts (id),
  operation_id TEXT REFERENCES operations (id),
  transaction_type TEXT NOT NULL
    CHECK (transaction_type IN ('sale', 'refund', 'correction', 'cash_in', 'cash_out')),
  amount INTEGER NOT NULL,                   -- kopecks
  payment_method TEXT NOT NULL
    CHECK (payment_method IN ('cash', 'card', 'prepaid', 'credit', 'other')),
  timestamp INTEGER NOT NULL,
  synced_to_odoo INTEGER NOT NULL DEFAULT 0,
  synced_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX cash_tx_session ON cash_transactions (session_id);
CREATE INDEX cash_tx_unsynced ON cash_transactions (pos_id) WHERE synced_to_odoo = 0;

-- Deliveries set aside for a person, with a copy of their own.
CREATE TABLE dlq (
  id TEXT PRIMARY KEY,
  original_receipt_id TEXT NOT NULL REFERENCES receipts (id),
  failed_at INTEGER NOT NULL,
  reason TEXT NOT NULL,
  fiscal_doc TEXT NOT NULL,
  retry_attempts INTEGER NOT NULL,
  last_error TEXT,
  resolved_at INTEGER,
  resolved_by TEXT,
  note TEXT
) STRICT;
CREATE INDEX dlq_open ON dlq (failed_at) WHERE resolved_at IS NULL;

-- What happened, for support; event names are checked by events.py, not here, so that they may grow.
CREATE TABLE buffer_events (
  id INTEGER PRIMARY KEY,                    -- rises for ever: others remember how far they read
  event_type TEXT NOT NULL,
  level TEXT NOT NULL DEFAULT 'INFO',
  receipt_id TEXT,
  timestamp INTEGER NOT NULL,                -- ms
  metadata TEXT                              -- JSON
) STRICT;
-- AUTOINCREMENT would promise the same for one more page a sale.
CREATE TRIGGER buffer_events_keep_the_newest BEFORE DELETE ON buffer_events
  WHEN OLD.id = (SELECT max(id) FROM buffer_events)
  BEGIN SELECT RAISE(IGNORE); END;

-- Who may send to the ОФД now.  Times are of CLOCK_BOOTTIME and mean nothing in another boot.
CREATE TABLE leases (
  name TEXT PRIMARY KEY,
  lock_id TEXT NOT NULL,
  owner TEXT NOT NULL,
  held_by TEXT NOT NULL,
  boot_id TEXT NOT NULL,
  expires_at_ms INTEGER NOT NULL
) STRICT;

-- The printer and the FN that each place is known to have: another one gets nothing unasked.
CREATE TABLE devices (
  printer TEXT PRIMARY KEY,
  serial TEXT NOT NULL,                      -- of the device
  fn TEXT NOT NULL,
  accepted_by TEXT NOT NULL,
  accepted_at INTEGER NOT NULL               -- s
) STRICT, WITHOUT ROWID;

-- What is done by night, and when it was done last.
CREATE TABLE chores (
  name TEXT PRIMARY KEY,
  done_at INTEGER NOT NULL                   -- s
) STRICT, WITHOUT ROWID;

-- The last salvage of a damaged file: one row, and what each printer's FN said about it.
CREATE TABLE salvages (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  reason TEXT NOT NULL,
  found_at INTEGER NOT NULL,                 -- s
  set_aside TEXT NOT NULL,                   -- the damaged file
  lost TEXT NOT NULL,                        -- JSON: rows by table
  confirmed_by TEXT,
  confirmed_at INTEGER                       -- s
) STRICT;
CREATE TABLE salvage_counts (
  printer TEXT PRIMARY KEY,
  fn TEXT NOT NULL,
  missing TEXT NOT NULL,                     -- JSON: FDs the FN holds and the till does not
  counted_at INTEGER NOT NULL                -- s
) STRICT, WITHOUT ROWID;

-- Maintenance mode: one row while it lasts.
CREATE TABLE maintenance (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  reason TEXT NOT NULL,
  started_by TEXT NOT NULL,
  started_at INTEGER NOT NULL,               -- s
  estimated_min INTEGER NOT NULL
) STRICT;

-- Alerts that were raised and are not over.
CREATE TABLE alerts (
  name TEXT PRIMARY KEY,
  since_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
  id TEXT PRIMARY KEY,
  role TEXT NOT NULL CHECK (role IN ('cashier', 'supervisor', 'engineer', 'admin')),
  name TEXT NOT NULL,
  hash BLOB NOT NULL UNIQUE,                 -- SHA-256 of a 256-bit random token
  created_at INTEGER NOT NULL,
  revoked_at INTEGER
) STRICT;

-- What Odoo has of this till, and how far its catalogue was read: one row.
CREATE TABLE odoo (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  told_up_to INTEGER NOT NULL DEFAULT 0,     -- buffer_events.id
  cursor TEXT NOT NULL DEFAULT '',           -- of the catalogue
  imported_at INTEGER                        -- s
) STRICT;

-- The catalogue, so that a till without a network knows its prices.
CREATE TABLE products (
  sku TEXT PRIMARY KEY,
  barcode TEXT,
  name TEXT NOT NULL,
  folded TEXT NOT NULL,                      -- the name for searching: SQLite folds ASCII alone
  price INTEGER NOT NULL CHECK (price >= 0), -- kopecks
  vat TEXT NOT NULL,
  measure INTEGER NOT NULL,
  subject INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX products_barcode ON products (barcode) WHERE barcode IS NOT NULL;
