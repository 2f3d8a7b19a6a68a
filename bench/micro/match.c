/* What a change costs to match against many subscriptions with filters of their own.
 *
 *   micro_match [SECONDS_PER_CASE]
 *
 * Each case adds N rules, then matches changes of rows drawn at random, each of which one rule
 * wants (none, where all want only INSERTs). Prints ns a change, the median of many batches and the
 * fastest, so that a busy machine shows itself as their distance; and ns to add and to drop a rule.
 * "whole event" takes a run of one row from its bytes to the frame that its subscriber gets, as the
 * hub does. Rows are of four columns. */
#include "core/core.h"
#include "ws/change_json.h"
#include "ws/frame.h"
#include "ws/hub_index.h"

#include <stdio.h>
#include <stdlib.h>

#define RUN_MAX_BYTES 65536
#define COLUMNS       4
#define BATCH         1000

typedef struct {
    const char *name;
    const char *before;  /* the filter's text: before the rule's number */
    const char *after;   /* and behind it */
    unsigned operations; /* of its user; the changes are updates */
    bool whole;          /* the whole event */
    uint64_t matches;    /* a change */
} bench_case;

typedef struct {
    hub_index index;
    hub_rule **rules;
    uint32_t *positions;
    core_relation relation;
    core_run_writer writer;
    core_arena arena;
    core_buffer json;
    uint64_t seed;
    uint64_t matched;
    const core_change *change;
    bool whole;
    uint64_t sink;
} bench;

static const core_column bench_columns[COLUMNS] = {
    {.name = {(const uint8_t *)"id", 2}, .type_oid = 20, .typmod = -1, .key = true},
    {.name = {(const uint8_t *)"owner", 5}, .type_oid = 25, .typmod = -1},
    {.name = {(const uint8_t *)"status", 6}, .type_oid = 25, .typmod = -1},
    {.name = {(const uint8_t *)"body", 4}, .type_oid = 25, .typmod = -1},
};

/* xorshift64 */
static uint32_t bench_random(bench *b, uint32_t below) {
    b->seed ^= b->seed << 13;
    b->seed ^= b->seed >> 7;
    b->seed ^= b->seed << 17;
    return (uint32_t)(b->seed >> 20) % below;
}

static void frame_make(bench *b) {
    core_offset offset = {.epoch = "0k3xw2", .sequence = 1};
    ws_change_select all = {0};
    core_buffer_reset(&b->json);
    ws_change_json(&b->json, b->change, &offset, &all);
    core_slice parts[] = {core_buffer_slice(&b->json)};
    core_block *frame = ws_frame_block(WS_FRAME_TEXT, parts, 1);
    b->sink += frame != NULL;
    core_block_release(frame);
}

static void on_matched(void *context, const hub_rule *rule) {
    bench *b = context;
    b->matched += rule->user_count;
    if (b->whole)
        frame_make(b);
}

static void on_left(void *context, const hub_rule *rule) {
    (void)context;
    (void)rule;
    abort();
}

static void on_problem(void *context, const hub_rule *rule, const char *text) {
    (void)context;
    (void)rule;
    (void)fprintf(stderr, "%s\n", text);
    abort();
}

static void match(bench *b, const core_change *change) {
    const hub_listener listener = {
        .matched = on_matched, .left = on_left, .problem = on_problem, .context = b};
    b->change = change;
    if (!hub_index_match(&b->index, change, &listener))
        abort();
}

static void match_whole(bench *b, const core_change *change) {
    core_run run;
    core_run_reader reader;
    core_error error;
    core_run_open(&b->writer, "0k3xw2", change->op, &b->relation);
    if (!core_run_append(&b->writer, change))
        abort();
    core_run_transaction_end(&b->writer, true);
    core_arena_reset(&b->arena);
    if (!core_run_decode(core_run_close(&b->writer), &b->arena, &run, &error) ||
        !core_run_reader_init(&reader, &run, &b->arena, &error))
        abort();
    const core_change *read;
    while ((read = core_run_next(&reader)) != NULL)
        match(b, read);
}

static void update_one(bench *b, uint32_t rules) {
    char id[16], owner[24], body[200];
    uint32_t number = bench_random(b, rules);
    memset(body, 'x', sizeof body);
    (void)snprintf(id, sizeof id, "%u", number);
    (void)snprintf(owner, sizeof owner, "user %u", number);
    core_value values[COLUMNS] = {
        {.kind = CORE_VALUE_TEXT, .bytes = core_slice_text(id)},
        {.kind = CORE_VALUE_TEXT, .bytes = core_slice_text(owner)},
        {.kind = CORE_VALUE_TEXT, .bytes = core_slice_text("open")},
        {.kind = CORE_VALUE_TEXT, .bytes = core_slice_make(body, sizeof body)},
    };
    core_change change = {
        .op = CORE_OP_UPDATE,
        .relation = &b->relation,
        .transaction = {.xid = 740, .commit_lsn = 0x16B3748, .end_lsn = 0x16B3780},
        .new_tuple = {COLUMNS, values}};
    if (b->whole)
        match_whole(b, &change);
    else
        match(b, &change);
}

static void rules_add(bench *b, const bench_case *test, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        char text[128];
        core_error error;
        hub_user user = {.operations = test->operations};
        (void)snprintf(text, sizeof text, "%s%u%s", test->before, i, test->after);
        const hub_rule_key rule = {.schema = core_slice_text("public"),
                                   .table = core_slice_text("orders"),
                                   .filter = core_slice_text(text)};
        b->rules[i] = hub_index_add(&b->index, &rule, &user, &b->positions[i], &error);
        if (b->rules[i] == NULL)
            abort();
    }
}

static void rules_drop(bench *b, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        (void)hub_rule_drop_user(b->rules[i], b->positions[i]);
        hub_index_drop(&b->index, b->rules[i]);
    }
}

static int by_value(const void *left, const void *right) {
    double a = *(const double *)left, c = *(const double *)right;
    return (a > c) - (a < c);
}

static int64_t now_ns(void) {
    const core_clock *clock = core_clock_system();
    return clock->monotonic_ns(clock);
}

/* The median batch. */
static double changes_time(bench *b, uint32_t rules, double seconds, double *fastest) {
    static double figures[100000];
    size_t count = 0;
    int64_t start = now_ns(), end = start + (int64_t)(seconds * 1e9);
    for (; start < end && count < CORE_COUNT_OF(figures); count++) {
        for (size_t i = 0; i < BATCH; i++)
            update_one(b, rules);
        int64_t now = now_ns();
        figures[count] = (double)(now - start) / BATCH;
        start = now;
    }
    qsort(figures, count, sizeof figures[0], by_value);
    if (count == 0)
        abort();
    *fastest = figures[0];
    return figures[count / 2];
}

static void case_run(bench *b, const bench_case *test, uint32_t rules, double seconds) {
    b->whole = test->whole;
    int64_t start = now_ns();
    update_one(b, rules); /* the shape is known from here on, if a rule keeps the table */
    rules_add(b, test, rules);
    update_one(b, rules);
    double add = (double)(now_ns() - start) / rules;
    uint64_t before = b->matched;
    update_one(b, rules);
    if (b->matched - before != test->matches)
        abort();
    double fastest = 0;
    double change = changes_time(b, rules, seconds, &fastest);
    start = now_ns();
    rules_drop(b, rules);
    double drop = (double)(now_ns() - start) / rules;
    printf("%-43s %7u rules %8.1f ns/change  fastest %8.1f  add %7.1f  drop %7.1f\n", test->name,
           rules, change, fastest, add, drop);
}

int main(int argc, char **argv) {
    static const bench_case cases[] = {
        {"eq, match only", "id=eq.", "", ~0u, false, 1},
        {"eq on text, match only", "owner=eq.user ", "", ~0u, false, 1},
        {"in, with a value that all have, match only", "id=in.(", ",1000000000)", ~0u, false, 1},
        {"eq that all have and eq, match only", "status=eq.open,id=eq.", "", ~0u, false, 1},
        {"INSERT only, no equality, match only", "id=gt.", "", 1u << CORE_OP_INSERT, false, 0},
        {"eq, whole event", "id=eq.", "", ~0u, true, 1},
    };
    static const uint32_t counts[] = {1000, 10000, 100000};
    static bench b = {.seed = 88172645463325252u};
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 1.0;
    b.relation = (core_relation){.oid = 16400,
                                 .schema = core_slice_text("public"),
                                 .table = core_slice_text("orders"),
                                 .replica_identity = 'd',
                                 .version = 1,
                                 .column_count = COLUMNS,
                                 .columns = bench_columns};
    b.rules = calloc(counts[CORE_COUNT_OF(counts) - 1], sizeof(hub_rule *));
    b.positions = calloc(counts[CORE_COUNT_OF(counts) - 1], sizeof(uint32_t));
    if (b.rules == NULL || b.positions == NULL)
        return 1;
    core_run_writer_init(&b.writer, RUN_MAX_BYTES);
    core_arena_init(&b.arena, 1u << 14, RUN_MAX_BYTES);
    core_buffer_init(&b.json, RUN_MAX_BYTES);
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++)
        for (size_t n = 0; n < CORE_COUNT_OF(counts); n++)
            case_run(&b, &cases[i], counts[n], seconds);
    core_buffer_fini(&b.json);
    core_arena_fini(&b.arena);
    core_run_writer_fini(&b.writer);
    hub_index_fini(&b.index);
    free(b.positions);
    free(b.rules);
    return 0;
}
