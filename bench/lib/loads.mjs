// What fills the WAL that a drain reads: per load its tables, one SQL call that makes a number of
// rows, and how many. All rows are made inside the server, so that a load takes seconds.

const SMALL_TABLE = `CREATE TABLE small (id bigint PRIMARY KEY, account int NOT NULL,
  amount numeric(12,2) NOT NULL, created_at timestamptz NOT NULL, note text NOT NULL);`;
// With the other columns' text a row is 200 bytes.
const SMALL_ROW = `i, i % 10000, i % 1000000 / 100.0, now(), repeat(md5(i::text), 5)::char(150)`;

const SMALL_FILL = `CREATE PROCEDURE fill(rows int, rows_each int) LANGUAGE plpgsql AS $$
BEGIN
  FOR low IN 1..rows BY rows_each LOOP
    INSERT INTO small SELECT ${SMALL_ROW}
      FROM generate_series(low, least(low + rows_each - 1, rows)) i;
    COMMIT;
  END LOOP;
END $$;`;

// A table of `columns` text columns of `width` bytes each beside its key.
function columnsLoad(table, columns, width) {
  const each = (column) => Array.from({ length: columns }, (_, at) => column(at + 1)).join(', ');
  return `CREATE TABLE ${table} (id bigint PRIMARY KEY, ${each((at) => `c${at} text`)});
CREATE PROCEDURE fill(rows int, rows_each int) LANGUAGE plpgsql AS $$
BEGIN
  FOR low IN 1..rows BY rows_each LOOP
    INSERT INTO ${table} SELECT i, ${each((at) => `left(repeat(md5((i + ${at})::text), 4), ${width})`)}
      FROM generate_series(low, least(low + rows_each - 1, rows)) i;
    COMMIT;
  END LOOP;
END $$;`;
}

const TPCB_ACCOUNTS = 100_000;
const TPCB_TELLERS = 100;
const TPCB_BRANCHES = 10;
const TPCB_ROWS_EACH = 4;

// pgbench's tables and transaction; the history has a key here, or its rows would not be like the rest.
const TPCB = `
CREATE TABLE accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84));
CREATE TABLE tellers (tid int PRIMARY KEY, bid int, tbalance int, filler char(84));
CREATE TABLE branches (bid int PRIMARY KEY, bbalance int, filler char(88));
CREATE TABLE history (id bigserial PRIMARY KEY, tid int, bid int, aid int, delta int,
  mtime timestamp, filler char(22));
INSERT INTO accounts SELECT i, i % ${TPCB_BRANCHES} + 1, 0, '' FROM generate_series(1, ${TPCB_ACCOUNTS}) i;
INSERT INTO tellers SELECT i, i % ${TPCB_BRANCHES} + 1, 0, '' FROM generate_series(1, ${TPCB_TELLERS}) i;
INSERT INTO branches SELECT i, 0, '' FROM generate_series(1, ${TPCB_BRANCHES}) i;
CREATE PROCEDURE fill(rows int, rows_each int) LANGUAGE plpgsql AS $$
DECLARE aid_ int; tid_ int; bid_ int; delta_ int;
BEGIN
  FOR i IN 1..rows / ${TPCB_ROWS_EACH} LOOP
    aid_ := 1 + i::bigint * 7919 % ${TPCB_ACCOUNTS};
    tid_ := 1 + i % ${TPCB_TELLERS};
    bid_ := 1 + i % ${TPCB_BRANCHES};
    delta_ := i % 10000 - 5000;
    UPDATE accounts SET abalance = abalance + delta_ WHERE aid = aid_;
    UPDATE tellers SET tbalance = tbalance + delta_ WHERE tid = tid_;
    UPDATE branches SET bbalance = bbalance + delta_ WHERE bid = bid_;
    INSERT INTO history (tid, bid, aid, delta, mtime) VALUES (tid_, bid_, aid_, delta_, now());
    COMMIT;
  END LOOP;
END $$;`;

const SMALL = SMALL_TABLE + SMALL_FILL;

// rowsEach: rows a transaction; Infinity: all in one.
export const LOADS = {
  small: { schema: SMALL, rows: 600_000, rowsEach: 10 },
  big: { schema: SMALL, rows: 600_000, rowsEach: Infinity },
  wide: { schema: columnsLoad('wide', 40, 25), rows: 300_000, rowsEach: 10 },
  large: { schema: columnsLoad('large', 20, 96), rows: 200_000, rowsEach: 10 },
  tiny: { schema: SMALL, rows: 300_000, rowsEach: 1 },
  tpcb: { schema: TPCB, rows: 480_000, rowsEach: TPCB_ROWS_EACH },
};

const QUICK_ROWS = 2_000;

export function rowsOf(load, quick) {
  return quick ? QUICK_ROWS : load.rows;
}
