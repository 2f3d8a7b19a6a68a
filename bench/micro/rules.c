/* What a change costs to match against many triggers on one table, each change matching one.
 *
 *   micro_rules CASE RULES SECONDS index|linear|event
 *
 * Prints {"events_per_s", "evaluated", "made_ms"}: the median of many batches by one thread's own
 * processor time, how many
 * conditions were evaluated for a change, and how long the index took to make. `linear` asks every
 * rule, with the same compiled conditions. `event` is what a matcher does of a change in the
 * stream: the run of one row is decoded from its bytes, matched, and its key and body are written.
 * `micro_rules list` names the cases. Each change goes through triggers_rule_index_match, images
 * included. */
#include "triggers/body.h"
#include "triggers/rule_index.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define COLUMNS CORE_COUNT_OF(bench_columns)
#define EVENTS  4096
#define BATCH   500
#define FIGURES 100000
#define TEXT    48

#define COLUMN(text, oid)                                                                          \
    { .name = {(const uint8_t *)(text), sizeof(text) - 1}, .type_oid = (oid), .typmod = -1 }

static const core_column bench_columns[] = {
    COLUMN("id", 20),     COLUMN("customer_id", 20), COLUMN("total", 1700), COLUMN("path", 25),
    COLUMN("status", 25), COLUMN("kind", 21),        COLUMN("region", 23),  COLUMN("at", 1184)};

/* %1$u is the rule's number; the row of event N has customer_id N, total N.5, path /users/N/x,
 * kind N % 10, status sNN of N / 10 % 100, region N / 1000, and is an UPDATE from status `open`. */
static const struct {
    const char *name;
    const char *forms[5]; /* in turn */
} cases[] = {
    {"equality", {"new.customer_id = %1$u"}},
    {"in", {"new.customer_id in (%1$u, 1000000 + %1$u, 2000000 + %1$u)"}},
    {"range", {"new.total >= %1$u and new.total < %1$u + 1"}},
    {"prefix", {"new.path like '/users/%1$u/%%'"}},
    {"or", {"new.customer_id = %1$u or new.path like '/items/%1$u/%%'"}},
    {"changed",
     {"new.customer_id = %1$u and old.status = 'open' and new.status is distinct from "
      "old.status"}},
    {"mixed",
     {"new.customer_id = %1$u", "new.total between %1$u and %1$u + 0.9",
      "new.path like '/users/%1$u/%%'", "new.customer_id in (%1$u, 1000000 + %1$u)",
      "new.customer_id = %1$u or new.total between 1000000 + %1$u and 1000001 + %1$u"}},
    /* Of each equality there are hundreds. */
    {"common",
     {"new.kind = %1$u %% 10 and new.region = %1$u / 1000 and new.status = 's' || (%1$u / 10 %% "
      "100)"}},
    {"common-range",
     {"old.status = 'open' and new.kind = %1$u %% 10 and new.total > %1$u and new.total < %1$u + "
      "1"}},
    {"common-mixed",
     {"new.kind = %1$u %% 10 and new.region = %1$u / 1000 and new.status = 's' || (%1$u / 10 %% "
      "100)",
      "new.kind = %1$u %% 10 and new.total between %1$u and %1$u + 0.9",
      "old.status = 'open' and new.path like '/users/%1$u/%%'",
      "new.status = 's' || (%1$u / 10 %% 100) and new.kind in (%1$u %% 10, 100) and new.region = "
      "%1$u / 1000"}},
};

typedef struct {
    char texts[COLUMNS][TEXT];
    core_value now[COLUMNS], before[COLUMNS];
    core_change change;
    core_slice run; /* the same, as the stream has it */
    uint32_t number;
} event;

typedef enum { MODE_INDEX, MODE_LINEAR, MODE_EVENT } bench_mode;

typedef struct {
    core_relation relation;
    const triggers_definition **definitions;
    uint32_t rules;
    triggers_rule_index *index;
    triggers_rule **alone; /* of linear */
    core_value room[COLUMNS];
    core_arena runs;  /* all events' */
    core_arena arena; /* of one decoded */
    core_run_writer writer;
    core_buffer body;
    event *events;
    size_t next;
    uint64_t matched;
    uint64_t evaluated;
    uint64_t looks;
} bench;

static void fail(const char *what) {
    (void)fprintf(stderr, "micro_rules: %s\n", what);
    exit(1);
}

/* The thread's own time: what others of the machine take is not in it. */
static int64_t now_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static const triggers_definition *definition_make(size_t which, uint32_t number) {
    char when[512], text[1024];
    size_t forms = 0;
    core_problems problems;
    const triggers_definition_facts facts = {.project = core_slice_text("default"),
                                             .environment = core_slice_text("dev")};
    while (forms < CORE_COUNT_OF(cases[which].forms) && cases[which].forms[forms] != NULL)
        forms++;
    (void)snprintf(when, sizeof when, cases[which].forms[number % forms], number);
    (void)snprintf(text, sizeof text,
                   "name: t%08u\non: { table: public.orders, ops: [insert, update] }\n"
                   "select: [new.id, new.total, new.status, old.status]\nkey: new.customer_id\n"
                   "when: >-\n  %s\ndo: { nats: { subject: x } }\n",
                   number, when);
    core_problems_init(&problems);
    const triggers_definition *made =
        triggers_definition_read(core_slice_text(text), &facts, &problems);
    if (made == NULL)
        fail(problems.count > 0 ? problems.items[0].text : "no memory");
    core_problems_fini(&problems);
    return made;
}

static void event_make(bench *b, event *e, uint32_t number) {
    static const char *const formats[COLUMNS] = {"%u",  "%u", "%u.5", "/users/%u/x",
                                                 "s%u", "%u", "%u",   "2026-01-01 00:00:%02u+00"};
    const uint32_t numbers[COLUMNS] = {
        number, number, number, number, number / 10 % 100, number % 10, number / 1000, number % 60};
    e->number = number;
    for (size_t i = 0; i < COLUMNS; i++) {
        (void)snprintf(e->texts[i], TEXT, formats[i], numbers[i]);
        e->now[i] = (core_value){.kind = CORE_VALUE_TEXT, .bytes = core_slice_text(e->texts[i])};
        e->before[i] = e->now[i];
    }
    e->before[4].bytes = core_slice_text("open");
    e->change = (core_change){.op = CORE_OP_UPDATE,
                              .relation = &b->relation,
                              .transaction = {.xid = 740, .commit_lsn = 0x16B3748},
                              .old_kind = CORE_OLD_FULL,
                              .old_tuple = {.count = COLUMNS, .values = e->before},
                              .new_tuple = {.count = COLUMNS, .values = e->now}};
}

static void event_encode(bench *b, event *e) {
    core_run_open(&b->writer, "0k3xw2", e->change.op, &b->relation);
    if (!core_run_append(&b->writer, &e->change))
        fail("a change does not fit");
    core_run_transaction_end(&b->writer, true);
    e->run = core_arena_copy(&b->runs, core_run_close(&b->writer));
    if (e->run.data == NULL)
        fail("no memory");
}

static void bench_make(bench *b, size_t which, bool is_linear) {
    core_error error;
    triggers_rule_problem problem;
    static const core_tenants tenants = {.project = "default", .environment = "dev"};
    b->relation = (core_relation){.schema = core_slice_text("public"),
                                  .table = core_slice_text("orders"),
                                  .replica_identity = 'f',
                                  .column_count = COLUMNS,
                                  .columns = bench_columns};
    b->definitions = calloc(b->rules, sizeof *b->definitions);
    b->alone = calloc(b->rules, sizeof *b->alone);
    b->events = calloc(EVENTS, sizeof *b->events);
    if (b->definitions == NULL || b->alone == NULL || b->events == NULL)
        fail("no memory");
    for (uint32_t i = 0; i < b->rules; i++)
        b->definitions[i] = definition_make(which, i);
    for (uint32_t i = 0; is_linear && i < b->rules; i++)
        if ((b->alone[i] = triggers_rule_new(b->definitions[i], &b->relation, NULL, &problem)) ==
            NULL)
            fail(problem.error.text);
    core_arena_init(&b->runs, 1u << 20, (size_t)64 << 20);
    core_arena_init(&b->arena, 1u << 14, 1u << 20);
    core_buffer_init(&b->body, 1u << 16);
    core_run_writer_init(&b->writer, 1u << 16);
    for (uint32_t i = 0; i < EVENTS; i++) {
        event_make(b, &b->events[i], (uint32_t)(((uint64_t)i * 2654435761u >> 7) % b->rules));
        event_encode(b, &b->events[i]);
    }
    const triggers_set *set = triggers_set_new(b->definitions, b->rules, 1, 1);
    b->index = triggers_rule_index_new(set, &tenants, &b->relation, NULL, &error);
    if (b->index == NULL)
        fail(error.text);
    triggers_set_release(set);
}

static void bench_free(bench *b) {
    for (uint32_t i = 0; i < b->rules; i++) {
        triggers_definition_release(b->definitions[i]);
        triggers_rule_free(b->alone[i]);
    }
    triggers_rule_index_free(b->index);
    core_arena_fini(&b->runs);
    core_arena_fini(&b->arena);
    core_buffer_fini(&b->body);
    core_run_writer_fini(&b->writer);
    free(b->definitions);
    free(b->alone);
    free(b->events);
}

static const triggers_match *look_index(bench *b, const event *e, const core_change *change,
                                        const triggers_images **images) {
    const triggers_match *matches;
    size_t count = triggers_rule_index_match(b->index, change, &matches, images);
    if (count != 1 || matches[0].number != e->number)
        fail("a change did not match its one rule");
    b->evaluated += triggers_rule_index_evaluated(b->index);
    return &matches[0];
}

static void look_event(bench *b, const event *e) {
    core_run run;
    core_run_reader reader;
    core_error error;
    const triggers_images *images;
    bool missing = false;
    const triggers_body_facts facts = {.time_us = 1767225600000000,
                                       .offset = core_slice_text("0k3xw2-1.0")};
    core_arena_reset(&b->arena);
    core_buffer_reset(&b->body);
    if (!core_run_decode(e->run, &b->arena, &run, &error) ||
        !core_run_reader_init(&reader, &run, &b->arena, &error))
        fail(error.text);
    const core_change *change = core_run_next(&reader);
    const triggers_match *match = look_index(b, e, change, &images);
    if (!triggers_key_write(match->rule, change, images, &b->body, &missing) ||
        !triggers_body_write(match->rule, change, images, &facts, &b->body, &missing))
        fail("a body could not be written");
}

static void look_linear(bench *b, const event *e) {
    triggers_images images;
    uint64_t count = 0;
    triggers_images_make(&images, &e->change, b->room);
    for (uint32_t i = 0; i < b->rules; i++)
        count += expr_condition_evaluate(b->alone[i]->condition, images.new_tuple, images.old_tuple,
                                         NULL) == EXPR_VERDICT_TRUE;
    if (count != 1)
        fail("a change did not match its one rule");
    b->evaluated += b->rules;
}

static int by_value(const void *left, const void *right) {
    double a = *(const double *)left, c = *(const double *)right;
    return (a > c) - (a < c);
}

/* Nanoseconds a change: the median batch. */
static double run(bench *b, bench_mode mode, double seconds) {
    static double figures[FIGURES];
    size_t count = 0;
    size_t batch = mode == MODE_LINEAR ? 10 : BATCH;
    const triggers_images *images;
    int64_t start = now_ns();
    int64_t end = start + (int64_t)(seconds * 1e9);
    for (; count == 0 || (start < end && count < FIGURES); count++) {
        for (size_t i = 0; i < batch; i++, b->next = (b->next + 1) % EVENTS) {
            const event *e = &b->events[b->next];
            if (mode == MODE_LINEAR)
                look_linear(b, e);
            else if (mode == MODE_EVENT)
                look_event(b, e);
            else
                (void)look_index(b, e, &e->change, &images);
        }
        b->looks += batch;
        int64_t now = now_ns();
        figures[count] = (double)(now - start) / (double)batch;
        start = now;
    }
    qsort(figures, count, sizeof figures[0], by_value);
    return figures[count / 2];
}

int main(int argc, char **argv) {
    static bench b;
    uint64_t rules = 0;
    size_t which = 0;
    for (size_t i = 0; argc == 2 && strcmp(argv[1], "list") == 0 && i < CORE_COUNT_OF(cases); i++)
        (void)printf("%s\n", cases[i].name);
    if (argc == 2)
        return 0;
    while (argc == 5 && which < CORE_COUNT_OF(cases) && strcmp(cases[which].name, argv[1]) != 0)
        which++;
    if (argc != 5 || which == CORE_COUNT_OF(cases) ||
        !core_slice_to_u64(core_slice_text(argv[2]), &rules) || rules == 0 || rules > 100000)
        fail("usage: micro_rules CASE RULES SECONDS index|linear|event");
    bench_mode mode = strcmp(argv[4], "linear") == 0  ? MODE_LINEAR
                      : strcmp(argv[4], "event") == 0 ? MODE_EVENT
                                                      : MODE_INDEX;
    b.rules = (uint32_t)rules;
    int64_t start = now_ns();
    bench_make(&b, which, mode == MODE_LINEAR);
    double made_ms = (double)(now_ns() - start) / 1e6;
    double ns = run(&b, mode, strtod(argv[3], NULL));
    (void)printf("{\"events_per_s\":%.0f,\"evaluated\":%.2f,\"made_ms\":%.0f}\n", 1e9 / ns,
                 (double)b.evaluated / (double)b.looks, made_ms);
    bench_free(&b);
    return 0;
}
