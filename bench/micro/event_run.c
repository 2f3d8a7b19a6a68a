/* What a row costs to write into a run and to read back: rows of about 200 bytes in 5 columns.
 *
 *   micro_event_run [SECONDS_PER_CASE]
 *
 * Prints ns a row: the median of many batches and the fastest one, so that a busy machine shows
 * itself as their distance. Cases: long runs (a backlog), runs of one row (alternating tables) with
 * the relation encoded once and each time anew; reading: decode (which checks all) and walk; and a
 * row as the JSON object that clients get. */
#include "core/core.h"

#include <stdio.h>
#include <stdlib.h>

#define RUN_MAX_BYTES (1u << 20)
#define ROWS_IN_RUN   64
#define BATCHES_MAX   100000
#define COLUMNS       5
#define PAYLOAD_BYTES 150

typedef struct {
    core_run_writer writer;
    core_arena arena;
    core_relation relation;
    core_change change;
    core_buffer json;
    core_slice payload; /* a run of ROWS_IN_RUN rows, to read */
    uint64_t sink;      /* keeps the compiler from dropping the work */
} bench;

typedef struct {
    const char *name;
    void (*batch)(bench *b); /* ROWS_IN_RUN rows */
} bench_case;

static const core_column bench_columns[COLUMNS] = {
    {.type_oid = 20, .typmod = -1, .key = true},
    {.type_oid = 23, .typmod = -1},
    {.type_oid = 25, .typmod = -1},
    {.type_oid = 1184, .typmod = -1},
    {.type_oid = 1700, .typmod = -1},
};
static const char *const bench_names[COLUMNS] = {"id", "customer_id", "body", "created_at",
                                                 "amount"};

static void bench_fill(bench *b) {
    static core_column columns[COLUMNS];
    static core_value values[COLUMNS];
    static char body[PAYLOAD_BYTES];
    memset(body, 'x', sizeof body);
    const core_slice texts[COLUMNS] = {
        core_slice_text("184467440"), core_slice_text("20391"), core_slice_make(body, sizeof body),
        core_slice_text("2025-11-03 09:32:55.123456+00"), core_slice_text("1234.56")};
    for (size_t i = 0; i < COLUMNS; i++) {
        columns[i] = bench_columns[i];
        columns[i].name = core_slice_text(bench_names[i]);
        columns[i].type_name = core_slice_text(core_type_name(columns[i].type_oid));
        values[i] = (core_value){.kind = CORE_VALUE_TEXT, .bytes = texts[i]};
    }
    b->relation = (core_relation){.oid = 16400,
                                  .schema = core_slice_text("public"),
                                  .table = core_slice_text("orders"),
                                  .replica_identity = 'd',
                                  .version = 1,
                                  .column_count = COLUMNS,
                                  .columns = columns};
    b->change = (core_change){
        .op = CORE_OP_INSERT,
        .relation = &b->relation,
        .transaction = {.xid = 740,
                        .commit_lsn = 0x16B3748,
                        .end_lsn = 0x16B3780,
                        .commit_time_us = INT64_C(1762162375123456)},
        .new_tuple = {COLUMNS, values},
    };
}

static void rows_append(bench *b, uint64_t count) {
    for (b->change.index = 0; b->change.index < count; b->change.index++)
        if (!core_run_append(&b->writer, &b->change))
            abort();
    core_run_transaction_end(&b->writer, true);
}

static core_slice run_write(bench *b, uint64_t rows) {
    core_run_open(&b->writer, "0k3xw2", CORE_OP_INSERT, &b->relation);
    rows_append(b, rows);
    return core_run_close(&b->writer);
}

static void write_long(bench *b) {
    b->sink += run_write(b, ROWS_IN_RUN).length;
}

static void write_single(bench *b) {
    for (size_t i = 0; i < ROWS_IN_RUN; i++)
        b->sink += run_write(b, 1).length;
}

static void write_single_unencoded(bench *b) {
    core_slice encoded = b->relation.encoded;
    b->relation.encoded = core_slice_make(NULL, 0);
    write_single(b);
    b->relation.encoded = encoded;
}

static void decode(bench *b) {
    core_run run;
    core_error error;
    core_arena_reset(&b->arena);
    if (!core_run_decode(b->payload, &b->arena, &run, &error))
        abort();
    b->sink += run.rows;
}

static void decode_and_walk(bench *b) {
    core_run run;
    core_run_reader reader;
    core_error error;
    core_arena_reset(&b->arena);
    if (!core_run_decode(b->payload, &b->arena, &run, &error) ||
        !core_run_reader_init(&reader, &run, &b->arena, &error))
        abort();
    for (const core_change *change = core_run_next(&reader); change != NULL;
         change = core_run_next(&reader))
        b->sink += change->new_tuple.values[2].bytes.length;
}

static void row_to_json(bench *b) {
    for (size_t i = 0; i < ROWS_IN_RUN; i++) {
        core_buffer_reset(&b->json);
        core_json_writer writer = core_json_writer_make(&b->json);
        core_tuple_json(&writer, &b->relation, &b->change.new_tuple, false);
        b->sink += b->json.length;
    }
}

static int by_value(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void case_run(bench *b, const bench_case *test, double seconds) {
    static double figures[BATCHES_MAX];
    const core_clock *clock = core_clock_system();
    size_t count = 0;
    int64_t start = clock->monotonic_ns(clock), end = start + (int64_t)(seconds * 1e9);
    for (; start < end && count < BATCHES_MAX; count++) {
        test->batch(b);
        int64_t now = clock->monotonic_ns(clock);
        figures[count] = (double)(now - start) / ROWS_IN_RUN;
        start = now;
    }
    qsort(figures, count, sizeof figures[0], by_value);
    printf("%-44s %8.1f ns/row   fastest %8.1f   batches %zu\n", test->name, figures[count / 2],
           figures[0], count);
}

int main(int argc, char **argv) {
    static const bench_case cases[] = {
        {"write, runs of 64 rows", write_long},
        {"write, runs of 1 row, relation encoded once", write_single},
        {"write, runs of 1 row, encoded each time", write_single_unencoded},
        {"decode (checks everything), 64 rows", decode},
        {"decode and walk, 64 rows", decode_and_walk},
        {"row to JSON", row_to_json},
    };
    static bench b;
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 1.0;
    core_run_writer_init(&b.writer, RUN_MAX_BYTES);
    core_arena_init(&b.arena, 1u << 16, RUN_MAX_BYTES);
    core_buffer_init(&b.json, RUN_MAX_BYTES);
    bench_fill(&b);
    core_arena relations;
    core_arena_init(&relations, 1u << 12, 1u << 16);
    if (!core_relation_encode(&b.relation, &relations))
        return 1;
    core_slice payload = run_write(&b, ROWS_IN_RUN);
    uint8_t *copy = malloc(payload.length);
    if (copy == NULL)
        return 1;
    memcpy(copy, payload.data, payload.length);
    b.payload = core_slice_make(copy, payload.length);
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++)
        case_run(&b, &cases[i], seconds);
    free(copy);
    core_arena_fini(&relations);
    core_buffer_fini(&b.json);
    core_arena_fini(&b.arena);
    core_run_writer_fini(&b.writer);
    return b.sink == 0;
}
