// Replays Walcast's stream into a second database whose tables have the same names. PostgreSQL itself
// turns each record's JSON into a row, so every value goes through its type's own input.

// Numbers keep their text on the way.
export function parseRaw(text) {
  return JSON.parse(text, (key, value, { source }) =>
    typeof value === 'number' ? JSON.rawJSON(source) : value);
}

const quote = (name) => `"${name.replaceAll('"', '""')}"`;

export class Replay {
  // client: a connection to the second database; session_replication_role replica keeps its triggers
  // and foreign keys out of it, as they are for a subscription.
  static async open(client) {
    const replay = new Replay();
    replay.client = client;
    replay.shapes = new Map();
    replay.told = new Map(); // the columns that the stream's last SCHEMA of a table names
    await client.query('SET session_replication_role = replica');
    return replay;
  }

  // key: the columns that find a row whose key did not change; bytea: those that JSON shows in hex.
  async #shapeOf(table) {
    if (!this.shapes.has(table)) {
      const { rows: [shape] } = await this.client.query(`
        SELECT array(SELECT a.attname::text FROM pg_index i JOIN pg_attribute a
                     ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
                     WHERE i.indrelid = c.oid AND CASE c.relreplident
                       WHEN 'i' THEN i.indisreplident ELSE i.indisprimary END) AS key,
               array(SELECT attname::text FROM pg_attribute
                     WHERE attrelid = c.oid AND atttypid = 'bytea'::regtype) AS bytea
        FROM pg_class c WHERE c.oid = $1::regclass`, [table]);
      this.shapes.set(table, shape);
    }
    return this.shapes.get(table);
  }

  #rowOf(record, { bytea }) {
    const hex = bytea.filter((name) => typeof record?.[name] === 'string')
      .map((name) => [name, `\\x${record[name]}`]);
    return JSON.stringify({ ...record, ...Object.fromEntries(hex) });
  }

  async #one(table, text, parameters) {
    const { rowCount } = await this.client.query(text, parameters);
    if (rowCount !== 1) throw new Error(`${rowCount} rows of ${table} changed: ${parameters}`);
  }

  // By its key; without one as text, for not every type can be compared, and one of equal rows.
  #place(table, { record, old_record: old }, shape, number) {
    const names = old ? Object.keys(old) : shape.key;
    const keyed = names.every((name) => shape.key.includes(name));
    const match = names.map((name) => (keyed ? `t.${quote(name)} = o.${quote(name)}`
      : `t.${quote(name)}::text IS NOT DISTINCT FROM o.${quote(name)}::text`));
    const text = `ctid = (SELECT t.ctid FROM ONLY ${table} t,
      json_populate_record(NULL::${table}, $${number}) o WHERE ${match.join(' AND ')} LIMIT 1)`;
    return [text, this.#rowOf(old ?? record, shape)];
  }

  // The second database has its tables' last shape already; what a SCHEMA says, its rows must keep to.
  #checkShape(table, { record, unchanged = [] }) {
    const told = this.told.get(table);
    const names = [...Object.keys(record), ...unchanged].sort();
    if (told && JSON.stringify(names) !== JSON.stringify(told))
      throw new Error(`a row of ${table} has ${names}, its SCHEMA says ${told}`);
  }

  async apply(change) {
    const table = `${quote(change.schema)}.${quote(change.table)}`;
    if (change.op === 'SCHEMA') {
      this.told.set(table, change.shape.columns.map(({ name }) => name).sort());
      return undefined;
    }
    if (change.record) this.#checkShape(table, change);
    const columns = Object.keys(change.record ?? {}).map(quote).join(', ');
    const shape = await this.#shapeOf(table);
    const row = this.#rowOf(change.record, shape);
    const select = `SELECT ${columns} FROM json_populate_record(NULL::${table}, $1)`;
    switch (change.op) {
      case 'INSERT':
        return this.#one(table,
          `INSERT INTO ${table} (${columns}) OVERRIDING SYSTEM VALUE ${select}`, [row]);
      case 'UPDATE': {
        const [where, found] = this.#place(table, change, shape, 2);
        return this.#one(table,
          `UPDATE ONLY ${table} SET (${columns}) = (${select}) WHERE ${where}`, [row, found]);
      }
      case 'DELETE': {
        const [where, found] = this.#place(table, change, shape, 1);
        return this.#one(table, `DELETE FROM ONLY ${table} WHERE ${where}`, [found]);
      }
      case 'TRUNCATE': // tables truncated together come one by one
        return this.client.query(`TRUNCATE ${table} CASCADE`);
      default:
        throw new Error(`cannot replay ${change.op}`);
    }
  }
}
