/* See publication.h. One query lists the tables that are in the wrong place; one batch of ALTER
 * PUBLICATION, one transaction, puts them right. A table that may not be altered (we must own it)
 * is left out with a warning, the others go on. */
#include "cdc/publication.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    MISPLACED_COLUMNS = 6,
    SQL_MAX_BYTES = 32 << 20,
    PATTERNS_MAX_BYTES = 1 << 20,
    TOLD_MAX = 5,
    LOCK_TIMEOUT_MS = 20, /* for one table: meanwhile nothing is read from the slot */
    SINGLY_MAX_MS = 1000, /* for all that are tried one by one */
};

struct cdc_publication {
    core_log *log;
    const char *name;
    char inserts_name[CDC_NAME_MAX];
    core_buffer schemas; /* array literals of postgres.tables */
    core_buffer tables;
    core_buffer tenants; /* of postgres.tenant_schemas, as LIKE takes them */
    bool ours;
    uint32_t oids[CDC_PUBLICATIONS]; /* as `ensure` found or made them */
    uint64_t tried_hash;             /* what was misplaced at the last try */
    uint64_t refused_hash;           /* what of it was refused for good */
};

void cdc_publication_inserts_name(const char *publication, char name[CDC_NAME_MAX]) {
    (void)snprintf(name, CDC_NAME_MAX, "%.55s_inserts", publication);
}

cdc_publication *cdc_publication_new(const core_config *config, core_log *log, core_error *error) {
    cdc_publication *publication = calloc(1, sizeof *publication);
    if (publication == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for the publication");
        return NULL;
    }
    publication->log = log;
    publication->name = core_config_text(config, "postgres.publication");
    cdc_publication_inserts_name(publication->name, publication->inserts_name);
    core_buffer_init(&publication->schemas, PATTERNS_MAX_BYTES);
    core_buffer_init(&publication->tables, PATTERNS_MAX_BYTES);
    core_buffer_init(&publication->tenants, PATTERNS_MAX_BYTES);
    if (cdc_table_patterns_write(config, "postgres.tables", &publication->schemas,
                                 &publication->tables, error) &&
        cdc_tenant_patterns_write(config, &publication->tenants, error))
        return publication;
    cdc_publication_free(publication);
    return NULL;
}

void cdc_publication_free(cdc_publication *publication) {
    if (publication == NULL)
        return;
    core_buffer_fini(&publication->schemas);
    core_buffer_fini(&publication->tables);
    core_buffer_fini(&publication->tenants);
    free(publication);
}

/* ---- Looking ---- */

static bool value_is_true(const pg_result *result, size_t row, size_t column) {
    const char *value = pg_result_value(result, row, column);
    return value != NULL && value[0] == 't';
}

/* Both oids, 0: none of that name; and whether the first one's comment says that it is ours. */
static bool publications_look(pg_connection *connection, const char *name, const char *inserts_name,
                              uint32_t oids[CDC_PUBLICATIONS], bool *ours, core_error *error) {
    const char *const parameters[] = {name, inserts_name, CDC_PUBLICATION_COMMENT};
    pg_result *result =
        pg_query(connection,
                 "SELECT n, oid, pg_catalog.obj_description(oid, 'pg_publication') = $3"
                 " FROM unnest(ARRAY[$1::name, $2::name]) WITH ORDINALITY AS names(name, n)"
                 " JOIN pg_publication ON pubname = name",
                 parameters, 3, error);
    if (result == NULL)
        return core_error_wrap(error, "looking for publication \"%s\"", name);
    bool ok = true;
    *ours = false;
    memset(oids, 0, CDC_PUBLICATIONS * sizeof oids[0]);
    for (size_t row = 0; ok && row < pg_result_rows(result); row++) {
        uint64_t oid = 0;
        bool is_first = strcmp(pg_result_value(result, row, 0), "1") == 0;
        ok = core_slice_to_u64(core_slice_text(pg_result_value(result, row, 1)), &oid);
        oids[is_first ? 0 : 1] = (uint32_t)oid;
        *ours = *ours || (is_first && value_is_true(result, row, 2));
    }
    pg_result_free(result);
    return ok || core_error_set(error, CORE_ERROR_INPUT, "a publication's oid was not understood");
}

bool cdc_publication_exists(pg_connection *connection, const char *name, bool *exists,
                            core_error *error) {
    uint32_t oids[CDC_PUBLICATIONS];
    bool ours;
    bool ok = publications_look(connection, name, "", oids, &ours, error);
    *exists = ok && oids[0] != 0;
    return ok;
}

bool cdc_publication_same(const cdc_publication *publication, pg_connection *connection, bool *same,
                          core_error *error) {
    uint32_t oids[CDC_PUBLICATIONS];
    bool ours;
    if (!publications_look(connection, publication->name, publication->inserts_name, oids, &ours,
                           error))
        return false;
    *same = memcmp(oids, publication->oids, sizeof oids) == 0;
    return true;
}

#define MATCHING_SQL                                                                               \
    "WITH pattern AS (SELECT * FROM unnest($1::text[], $2::text[]) AS p(s, t)),"                   \
    " matching AS (SELECT c.oid, n.nspname, c.relname, c.relispartition, c.relkind,"               \
    "  c.relreplident FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"               \
    "  WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p'"                                   \
    "  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"                              \
    "  AND (n.nspname LIKE ANY ($5::text[]) OR EXISTS (SELECT FROM pattern"                        \
    "   WHERE coalesce(s = n.nspname, true) AND coalesce(t = c.relname, true))))"

/* Whether an UPDATE and a DELETE of table `t` (an alias of pg_class) can say which row they mean.
 */
#define HAS_KEY_SQL(t)                                                                             \
    "CASE " t ".relreplident WHEN 'f' THEN true WHEN 'n' THEN false"                               \
    " ELSE EXISTS (SELECT FROM pg_index i WHERE i.indrelid = " t ".oid AND i.indisvalid"           \
    "  AND i.indimmediate AND CASE " t ".relreplident WHEN 'i' THEN i.indisreplident"              \
    "  ELSE i.indisprimary END) END"

#define LEAF_HAS_KEY_SQL HAS_KEY_SQL("l")
#define OWN_HAS_KEY_SQL  HAS_KEY_SQL("m")

/* Tables that match the patterns and are not where they belong in our two publications. A partition
 * follows its root when that is listed, and is then listed nowhere itself. What counts of a
 * partitioned table is each partition's own key: the root's replica identity is not inherited, its
 * primary key is. */
static const char misplaced_sql[] = MATCHING_SQL
    ", listed AS (SELECT m.*,"
    "  m.relispartition AND EXISTS (SELECT FROM matching r"
    "   WHERE r.oid = pg_partition_root(m.oid)) AS follows,"
    "  CASE WHEN m.relkind = 'p' AND EXISTS (SELECT FROM pg_partition_tree(m.oid) WHERE isleaf)"
    "   THEN NOT EXISTS (SELECT FROM pg_partition_tree(m.oid) p JOIN pg_class l ON l.oid = p.relid"
    "    WHERE p.isleaf AND l.relkind = 'r' AND NOT " LEAF_HAS_KEY_SQL ")"
    "   ELSE " OWN_HAS_KEY_SQL " END AS has_key,"
    "  EXISTS (SELECT FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid"
    "   WHERE p.pubname = $3 AND r.prrelid = m.oid) AS in_first,"
    "  EXISTS (SELECT FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid"
    "   WHERE p.pubname = $4 AND r.prrelid = m.oid) AS in_second"
    "  FROM matching m), wanted AS (SELECT *, has_key AND NOT follows AS to_first,"
    "   NOT has_key AND NOT follows AS to_second FROM listed)"
    "SELECT nspname, relname, to_first, to_second, in_first, in_second FROM wanted"
    " WHERE in_first <> to_first OR in_second <> to_second ORDER BY 1, 2";

/* Tables that match and another's publication leaves out. Partitions and their roots are not
 * compared: which of both it publishes is its choice. */
static const char missing_sql[] = MATCHING_SQL
    "SELECT nspname, relname FROM matching WHERE relkind = 'r' AND NOT relispartition"
    " AND (nspname, relname) NOT IN (SELECT schemaname, tablename FROM pg_publication_tables"
    "  WHERE pubname IN ($3, $4)) ORDER BY 1, 2";

typedef struct {
    const char *schema;
    const char *table;
    bool to_first;
    bool to_second;
    bool in_first;
    bool in_second;
} misplaced_table;

static misplaced_table misplaced_at(const pg_result *result, size_t row) {
    return (misplaced_table){
        .schema = pg_result_value(result, row, 0),
        .table = pg_result_value(result, row, 1),
        .to_first = value_is_true(result, row, 2),
        .to_second = value_is_true(result, row, 3),
        .in_first = value_is_true(result, row, 4),
        .in_second = value_is_true(result, row, 5),
    };
}

static pg_result *tables_query(const cdc_publication *publication, pg_connection *connection,
                               const char *sql, core_error *error) {
    const char *const parameters[] = {
        (const char *)publication->schemas.data, (const char *)publication->tables.data,
        publication->name, publication->inserts_name, (const char *)publication->tenants.data};
    pg_result *result = pg_query(connection, sql, parameters, 5, error);
    if (result == NULL)
        (void)core_error_wrap(error, "listing the tables of postgres.tables");
    return result;
}

/* Which of postgres.tables another's publication leaves out. */
static bool differences_report(cdc_publication *publication, pg_connection *connection,
                               core_error *error) {
    pg_result *result = tables_query(publication, connection, missing_sql, error);
    if (result == NULL)
        return false;
    size_t missing = pg_result_rows(result);
    core_buffer names;
    core_buffer_init(&names, 1024);
    for (size_t i = 0; i < missing && i < TOLD_MAX; i++)
        core_buffer_format(&names, "%s%s.%s", i > 0 ? ", " : "", pg_result_value(result, i, 0),
                           pg_result_value(result, i, 1));
    core_buffer_u8(&names, '\0');
    if (missing > 0)
        CORE_LOG(publication->log, WARN, "cdc",
                 "publication exists and is not walcast's: used as it is, without tables that "
                 "postgres.tables names",
                 CORE_LOG_TEXT("publication", publication->name),
                 CORE_LOG_NUMBER("missing", missing),
                 CORE_LOG_TEXT("tables", core_buffer_ok(&names) ? (const char *)names.data : ""));
    core_buffer_fini(&names);
    pg_result_free(result);
    return true;
}

/* ---- Changing ---- */

static bool sql_run(pg_connection *connection, core_buffer *sql, core_error *error) {
    core_buffer_u8(sql, '\0');
    if (!core_buffer_ok(sql))
        return core_error_set(error, CORE_ERROR_LIMIT, "too many tables for one statement");
    pg_result *result = pg_query(connection, (const char *)sql->data, NULL, 0, error);
    pg_result_free(result);
    return result != NULL;
}

static void create_append(core_buffer *sql, const char *name, const char *publish) {
    core_buffer_text(sql, "CREATE PUBLICATION ");
    pg_identifier_append(sql, core_slice_text(name));
    core_buffer_format(sql, " WITH (publish = '%s'); COMMENT ON PUBLICATION ", publish);
    pg_identifier_append(sql, core_slice_text(name));
    core_buffer_text(sql, " IS '" CDC_PUBLICATION_COMMENT "';");
}

static bool publication_create(cdc_publication *publication, pg_connection *connection,
                               core_error *error) {
    core_buffer sql;
    core_buffer_init(&sql, SQL_MAX_BYTES);
    if (publication->oids[0] == 0)
        create_append(&sql, publication->name, "insert, update, delete, truncate");
    if (publication->oids[1] == 0)
        create_append(&sql, publication->inserts_name, "insert, truncate");
    bool ok = sql_run(connection, &sql, error) ||
              core_error_wrap(error,
                              "making publication \"%s\" (the user of postgres.url needs CREATE on "
                              "the database, or make the publication yourself)",
                              publication->name);
    core_buffer_fini(&sql);
    return ok && publications_look(connection, publication->name, publication->inserts_name,
                                   publication->oids, &publication->ours, error);
}

static void alter_append(core_buffer *sql, const char *publication, const char *verb,
                         const misplaced_table *table) {
    core_buffer_text(sql, "ALTER PUBLICATION ");
    pg_identifier_append(sql, core_slice_text(publication));
    core_buffer_format(sql, " %s TABLE ONLY ", verb); /* children are listed by themselves */
    pg_identifier_append(sql, core_slice_text(table->schema));
    core_buffer_u8(sql, '.');
    pg_identifier_append(sql, core_slice_text(table->table));
    core_buffer_u8(sql, ';');
}

static void move_append(const cdc_publication *publication, core_buffer *sql,
                        const misplaced_table *table) {
    if (table->in_first && !table->to_first)
        alter_append(sql, publication->name, "DROP", table);
    if (table->in_second && !table->to_second)
        alter_append(sql, publication->inserts_name, "DROP", table);
    if (!table->in_first && table->to_first)
        alter_append(sql, publication->name, "ADD", table);
    if (!table->in_second && table->to_second)
        alter_append(sql, publication->inserts_name, "ADD", table);
}

static void move_tell(const cdc_publication *publication, const misplaced_table *table) {
    char name[2 * CDC_NAME_MAX + 2];
    (void)snprintf(name, sizeof name, "%s.%s", table->schema, table->table);
    if (table->to_first)
        CORE_LOG(publication->log, INFO, "cdc", "table is published", CORE_LOG_TEXT("table", name),
                 CORE_LOG_TEXT("publication", publication->name));
    else if (!table->to_second)
        CORE_LOG(publication->log, INFO, "cdc", "partition is published with its root",
                 CORE_LOG_TEXT("table", name));
    else
        CORE_LOG(publication->log, WARN, "cdc",
                 "table has no usable key: only INSERT and TRUNCATE are published; give it a "
                 "primary key or a replica identity",
                 CORE_LOG_TEXT("table", name),
                 CORE_LOG_TEXT("publication", publication->inserts_name));
}

/* All rows of `result` from `first` to before `end` in one transaction. */
static bool moves_run(const cdc_publication *publication, pg_connection *connection,
                      const pg_result *result, size_t first, size_t end, core_error *error) {
    core_buffer sql;
    core_buffer_init(&sql, SQL_MAX_BYTES);
    core_buffer_format(&sql, "SET LOCAL lock_timeout = %d;", LOCK_TIMEOUT_MS);
    for (size_t i = first; i < end; i++) {
        misplaced_table table = misplaced_at(result, i);
        move_append(publication, &sql, &table);
    }
    bool ok = sql_run(connection, &sql, error);
    core_buffer_fini(&sql);
    for (size_t i = first; ok && i < end; i++) {
        misplaced_table table = misplaced_at(result, i);
        move_tell(publication, &table);
    }
    return ok;
}

/* Adds a row to the hash of those that are misplaced, and how. */
static uint64_t misplaced_hash(uint64_t hash, const pg_result *result, size_t row) {
    for (size_t column = 0; column < MISPLACED_COLUMNS; column++)
        hash = hash * 31 + core_slice_hash(core_slice_text(pg_result_value(result, row, column)));
    return hash;
}

static uint64_t misplaced_hash_all(const pg_result *result) {
    uint64_t hash = 0;
    for (size_t row = 0; row < pg_result_rows(result); row++)
        hash = misplaced_hash(hash, result, row);
    return hash;
}

static void refusal_tell(const cdc_publication *publication, const pg_result *result, size_t row,
                         const core_error *reason) {
    CORE_LOG(publication->log, WARN, "cdc", "table cannot be published",
             CORE_LOG_TEXT("schema", pg_result_value(result, row, 0)),
             CORE_LOG_TEXT("table", pg_result_value(result, row, 1)),
             CORE_LOG_TEXT("error", reason->text));
}

/* One by one, since all together failed. What is refused for good is told; a table that is only
 * locked now is tried again by the next sync. */
static bool moves_run_singly(cdc_publication *publication, pg_connection *connection,
                             const pg_result *result, bool tell, core_error *error) {
    const core_clock *clock = core_clock_system();
    int64_t until_ms = core_clock_ms(clock) + SINGLY_MAX_MS;
    publication->refused_hash = 0;
    for (size_t i = 0; i < pg_result_rows(result) && core_clock_ms(clock) <= until_ms; i++) {
        core_error reason = {0};
        if (moves_run(publication, connection, result, i, i + 1, &reason))
            continue;
        if (!pg_connection_alive(connection)) {
            if (error != NULL)
                *error = reason;
            return false;
        }
        if (reason.code == CORE_ERROR_TRANSIENT)
            continue;
        publication->refused_hash = misplaced_hash(publication->refused_hash, result, i);
        if (tell)
            refusal_tell(publication, result, i, &reason);
    }
    return true;
}

static bool misplaced_move(cdc_publication *publication, pg_connection *connection,
                           const pg_result *result, core_error *error) {
    uint64_t hash = misplaced_hash_all(result);
    if (hash == publication->refused_hash)
        return true; /* nothing but what was refused for good */
    bool tell = hash != publication->tried_hash;
    publication->tried_hash = hash;
    return moves_run(publication, connection, result, 0, pg_result_rows(result), error) ||
           (pg_connection_alive(connection) &&
            moves_run_singly(publication, connection, result, tell, error));
}

bool cdc_publication_sync(cdc_publication *publication, pg_connection *connection,
                          core_error *error) {
    if (!publication->ours)
        return true;
    pg_result *result = tables_query(publication, connection, misplaced_sql, error);
    if (result == NULL)
        return false;
    bool ok = pg_result_rows(result) == 0 || misplaced_move(publication, connection, result, error);
    pg_result_free(result);
    return ok;
}

bool cdc_publication_ensure(cdc_publication *publication, pg_connection *connection,
                            cdc_publication_state *state, core_error *error) {
    if (!publications_look(connection, publication->name, publication->inserts_name,
                           publication->oids, &publication->ours, error))
        return false;
    state->made = publication->oids[0] == 0;
    publication->refused_hash = 0;
    bool is_others = !state->made && !publication->ours;
    bool lacks_one = state->made || publication->oids[1] == 0;
    if (!is_others && lacks_one && !publication_create(publication, connection, error))
        return false;
    memcpy(state->oids, publication->oids, sizeof state->oids);
    return is_others ? differences_report(publication, connection, error)
                     : cdc_publication_sync(publication, connection, error);
}

void cdc_publication_names_append(const cdc_publication *publication, core_buffer *out) {
    pg_identifier_append(out, core_slice_text(publication->name));
    if (publication->oids[1] == 0)
        return;
    core_buffer_u8(out, ',');
    pg_identifier_append(out, core_slice_text(publication->inserts_name));
}
