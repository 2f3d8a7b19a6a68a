/* The run builder, driven by scripts of messages: what comes out, flattened to one entry a change,
 * must be what went in, whatever the bounds and wherever a restart cuts. */
#include "cdc/run_builder.h"
#include "tests/unit/cdc/run_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { FLAT_MAX = 4096 };

#define EPOCH "abcdefghij012345"

/* ---- What came out ---- */

typedef struct {
    core_op op;
    uint32_t xid;
    core_lsn commit_lsn;
    core_lsn end_lsn;
    uint64_t index;
    bool last;
    uint32_t relation_oid;
    uint32_t relation_version;
    char text[16]; /* the first value, or a message's content */
} flat_change;

typedef struct {
    flat_change changes[FLAT_MAX];
    size_t count;
    size_t runs;
    /* Where each run ended: a restart may happen there. */
    size_t run_ends[FLAT_MAX];
    cdc_position run_positions[FLAT_MAX];
    core_lsn shown_lsn[FLAT_MAX];
    core_lsn safe_lsn[FLAT_MAX];
    size_t bytes[FLAT_MAX];
    char subjects[FLAT_MAX][64];
} flat;

/* ---- Driving ---- */

static cdc_run_limits limits_make(uint32_t run_rows, size_t run_bytes) {
    return (cdc_run_limits){
        .scope = {.prefix = "atlasdb",
                  .project = "default",
                  .environment = "dev",
                  .home_schema = "public"},
        .run_rows = run_rows,
        .run_bytes = run_bytes,
        .message_max = 1 << 20,
    };
}

static void flat_change_add(flat *out, const core_change *change) {
    assert_true(out->count < FLAT_MAX);
    flat_change *entry = &out->changes[out->count++];
    *entry = (flat_change){
        .op = change->op,
        .xid = change->transaction.xid,
        .commit_lsn = change->transaction.commit_lsn,
        .index = change->index,
        .last = change->last,
        .relation_oid = change->relation ? change->relation->oid : 0,
        .relation_version = change->relation ? change->relation->version : 0,
    };
    if (change->last)
        entry->end_lsn = change->transaction.end_lsn;
    core_slice text = change->message.content;
    if (change->new_tuple.count > 0)
        text = change->new_tuple.values[0].bytes;
    else if (change->old_tuple.count > 0)
        text = change->old_tuple.values[0].bytes;
    assert_true(core_slice_to_text(text, entry->text, sizeof entry->text));
}

/* Takes the closed run as a consumer of the stream would: by decoding its payload. */
static void run_take(cdc_run_builder *builder, flat *out) {
    const cdc_run *run = cdc_run_builder_run(builder);
    core_arena arena;
    core_run decoded;
    core_run_reader reader;
    core_error error = {0};
    core_arena_init(&arena, 4096, 1 << 20);
    if (!core_run_decode(run->payload, &arena, &decoded, &error) ||
        !core_run_reader_init(&reader, &decoded, &arena, &error))
        fail_msg("%s", error.text);
    assert_int_equal(decoded.rows, run->rows);
    assert_string_equal(decoded.epoch, EPOCH);
    assert_int_equal(decoded.last_transaction.commit_lsn, run->last.commit_lsn);
    assert_int_equal(decoded.last_index, run->last_index);
    assert_int_equal(decoded.last_complete, run->last_complete);
    for (const core_change *change; (change = core_run_next(&reader)) != NULL;)
        flat_change_add(out, change);
    out->run_ends[out->runs] = out->count;
    out->run_positions[out->runs] = (cdc_position){
        .epoch = EPOCH,
        .commit_lsn = decoded.last_transaction.commit_lsn,
        .index = decoded.last_index,
        .complete = decoded.last_complete,
    };
    out->shown_lsn[out->runs] = run->shown_lsn;
    out->safe_lsn[out->runs] = run->safe_lsn;
    out->bytes[out->runs] = run->payload.length;
    (void)snprintf(out->subjects[out->runs], sizeof out->subjects[0], "%s", run->subject);
    out->runs++;
    core_arena_fini(&arena);
    cdc_run_builder_taken(builder);
}

static void feed_one(cdc_run_builder *builder, const cdc_message *message, flat *out) {
    core_error error = {0};
    cdc_feed_result result;
    while ((result = cdc_run_builder_feed(builder, message, 9, &error)) == CDC_RUN_READY)
        run_take(builder, out);
    if (result != CDC_FED)
        fail_msg("%s", error.text);
}

static void flush(cdc_run_builder *builder, flat *out) {
    cdc_run_builder_flush(builder);
    if (cdc_run_builder_run(builder) != NULL)
        run_take(builder, out);
}

/* Feeds messages [from, count), flushing after every `flush_every`th. */
static void script_play(cdc_run_builder *builder, const script *it, size_t from, size_t flush_every,
                        flat *out) {
    for (size_t i = from; i < it->count; i++) {
        feed_one(builder, &it->messages[i], out);
        if (flush_every > 0 && i % flush_every == 0)
            flush(builder, out);
    }
    flush(builder, out);
}

static cdc_run_builder *builder_start(const cdc_run_limits *limits, const cdc_position *stored) {
    core_error error = {0};
    cdc_run_builder *builder = cdc_run_builder_new(&error);
    assert_non_null(builder);
    cdc_run_builder_start(builder, limits, stored);
    return builder;
}

static const cdc_position nothing_stored = {.epoch = EPOCH};

typedef struct {
    script script;
    flat out;
    flat again;
} fixture;

static int setup(void **state) {
    *state = calloc(1, sizeof(fixture));
    return *state == NULL;
}

static int teardown(void **state) {
    free(*state);
    return 0;
}

static void play_new(fixture *it, uint32_t run_rows, size_t run_bytes, size_t flush_every) {
    cdc_run_limits limits = limits_make(run_rows, run_bytes);
    cdc_run_builder *builder = builder_start(&limits, &nothing_stored);
    script_play(builder, &it->script, 0, flush_every, &it->out);
    assert_false(cdc_run_builder_pending(builder));
    cdc_run_builder_free(builder);
}

/* ---- Tests ---- */

static void one_row_is_one_run_with_everything_on_it(void **state) {
    fixture *it = *state;
    script_begin(&it->script, 748);
    script_relations(&it->script);
    script_row(&it->script, CDC_INSERT, 1);
    script_commit(&it->script);
    play_new(it, 128, 1 << 18, 0);
    const flat_change *change = &it->out.changes[0];
    assert_int_equal(it->out.count, 1);
    assert_int_equal(it->out.runs, 1);
    assert_int_equal(change->op, CORE_OP_INSERT);
    assert_int_equal(change->xid, 748);
    assert_int_equal(change->commit_lsn, 100);
    assert_int_equal(change->end_lsn, 150);
    assert_int_equal(change->index, 0);
    assert_true(change->last);
    assert_string_equal(it->out.subjects[0], "atlasdb.default.dev.a.INSERT");
    assert_int_equal(it->out.shown_lsn[0], 150);
    assert_int_equal(it->out.safe_lsn[0], 150);
}

static void a_run_closes_when_table_or_operation_changes(void **state) {
    fixture *it = *state;
    script_begin(&it->script, 1);
    script_relations(&it->script);
    script_row(&it->script, CDC_INSERT, 1);
    script_row(&it->script, CDC_INSERT, 1);
    script_row(&it->script, CDC_INSERT, 2);
    script_row(&it->script, CDC_DELETE, 2);
    script_commit(&it->script);
    play_new(it, 128, 1 << 18, 0);
    assert_int_equal(it->out.runs, 3);
    assert_int_equal(it->out.run_ends[0], 2);
    assert_string_equal(it->out.subjects[1], "atlasdb.default.dev.b.INSERT");
    assert_string_equal(it->out.subjects[2], "atlasdb.default.dev.b.DELETE");
    assert_false(it->out.changes[2].last);
    assert_true(it->out.changes[3].last);
    /* Not whole before the last run: only what came before the transaction is safe. */
    assert_int_equal(it->out.safe_lsn[1], 0);
    assert_int_equal(it->out.shown_lsn[1], 100);
    assert_int_equal(it->out.safe_lsn[2], 150);
}

static void a_run_spans_transactions(void **state) {
    fixture *it = *state;
    script_begin(&it->script, 1);
    script_relations(&it->script);
    for (uint32_t xid = 2; xid <= 4; xid++) {
        script_row(&it->script, CDC_INSERT, 1);
        script_row(&it->script, CDC_INSERT, 1);
        script_commit(&it->script);
        script_begin(&it->script, xid);
    }
    script_commit(&it->script); /* an empty one */
    play_new(it, 128, 1 << 18, 0);
    assert_int_equal(it->out.runs, 1);
    assert_int_equal(it->out.count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(it->out.changes[i].xid, 1 + i / 2);
        assert_int_equal(it->out.changes[i].index, i % 2);
        assert_int_equal(it->out.changes[i].last, i % 2 == 1);
    }
    assert_int_equal(it->out.shown_lsn[0], 350);
    assert_int_equal(it->out.safe_lsn[0], 450); /* the empty one too */
}

static void a_flush_waits_for_the_commit(void **state) {
    fixture *it = *state;
    cdc_run_limits limits = limits_make(128, 1 << 18);
    cdc_run_builder *builder = builder_start(&limits, &nothing_stored);
    script_begin(&it->script, 1);
    script_relations(&it->script);
    script_row(&it->script, CDC_INSERT, 1);
    for (size_t i = 0; i < it->script.count; i++)
        feed_one(builder, &it->script.messages[i], &it->out);
    flush(builder, &it->out);
    assert_int_equal(it->out.runs, 0);
    assert_true(cdc_run_builder_pending(builder));
    assert_true(cdc_run_builder_in_transaction(builder));
    script_commit(&it->script);
    feed_one(builder, &it->script.messages[it->script.count - 1], &it->out);
    flush(builder, &it->out);
    assert_int_equal(it->out.runs, 1);
    assert_true(it->out.changes[0].last);
    assert_int_equal(cdc_run_builder_counts(builder).changing, 1);
    cdc_run_builder_free(builder);
}

/* The bound is reached by exactly the last row: it is still at hand when its Commit comes. */
static void last_is_right_at_the_bound(void **state) {
    fixture *it = *state;
    script_begin(&it->script, 1);
    script_relations(&it->script);
    for (int i = 0; i < 8; i++)
        script_row(&it->script, CDC_INSERT, 1);
    script_commit(&it->script);
    play_new(it, 4, 1 << 18, 0);
    assert_int_equal(it->out.runs, 2);
    assert_int_equal(it->out.run_ends[0], 4);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(it->out.changes[i].last, i == 7);
}

static void a_run_keeps_within_its_bytes(void **state) {
    fixture *it = *state;
    script_begin(&it->script, 1);
    script_relations(&it->script);
    for (int i = 0; i < 100; i++)
        script_row(&it->script, CDC_INSERT, 1);
    script_commit(&it->script);
    play_new(it, 1000, 600, 0);
    assert_int_equal(it->out.count, 100);
    assert_true(it->out.runs > 1 && it->out.runs < 50);
    for (size_t i = 0; i < it->out.runs; i++)
        assert_in_range(it->out.bytes[i], 1, 600);
}

static void a_row_beyond_the_maximum_stops_with_its_table(void **state) {
    fixture *it = *state;
    cdc_run_limits limits = limits_make(128, 100);
    limits.message_max = 100;
    cdc_run_builder *builder = builder_start(&limits, &nothing_stored);
    core_error error = {0};
    script_begin(&it->script, 1);
    script_relations(&it->script);
    script_row(&it->script, CDC_INSERT, 1);
    size_t last = it->script.count - 1;
    for (size_t i = 0; i < last; i++)
        feed_one(builder, &it->script.messages[i], &it->out);
    assert_int_equal(cdc_run_builder_feed(builder, &it->script.messages[last], 0, &error),
                     CDC_REFUSED);
    assert_int_equal(error.code, CORE_ERROR_LIMIT);
    assert_non_null(strstr(error.text, "\"public\".\"a\""));
    assert_non_null(strstr(error.text, "cdc.max_row_bytes"));
    cdc_run_builder_free(builder);
}

static void an_empty_transaction_moves_only_the_position(void **state) {
    fixture *it = *state;
    cdc_run_limits limits = limits_make(128, 1 << 18);
    cdc_run_builder *builder = builder_start(&limits, &nothing_stored);
    script_begin(&it->script, 1);
    script_commit(&it->script);
    script_play(builder, &it->script, 0, 1, &it->out);
    assert_int_equal(it->out.runs, 0);
    assert_int_equal(cdc_run_builder_whole_lsn(builder), 150);
    assert_int_equal(cdc_run_builder_counts(builder).transactions, 1);
    assert_int_equal(cdc_run_builder_counts(builder).changing, 0);
    cdc_run_builder_free(builder);
}

/* One entry a table, numbered; READY in the middle of it repeats and loses none. */
static void truncate_gives_one_change_a_table(void **state) {
    fixture *it = *state;
    script_begin(&it->script, 1);
    script_relations(&it->script);
    script_row(&it->script, CDC_INSERT, 1);
    script_truncate(&it->script);
    script_commit(&it->script);
    play_new(it, 128, 1 << 18, 0);
    assert_int_equal(it->out.count, 4);
    assert_int_equal(it->out.runs, 4);
    for (size_t i = 1; i < 4; i++) {
        assert_int_equal(it->out.changes[i].op, CORE_OP_TRUNCATE);
        assert_int_equal(it->out.changes[i].relation_oid, i);
        assert_int_equal(it->out.changes[i].index, i);
        assert_int_equal(it->out.changes[i].last, i == 3);
    }
}

static void a_changed_relation_starts_a_run_of_its_version(void **state) {
    fixture *it = *state;
    script_begin(&it->script, 1);
    script_relations(&it->script);
    script_row(&it->script, CDC_INSERT, 1);
    script_relation(&it->script, 1, one_column, 1); /* said again: no change */
    script_row(&it->script, CDC_INSERT, 1);
    script_relation(&it->script, 1, two_columns, 2);
    script_row_wide(&it->script, 1);
    script_relation(&it->script, 1, one_column, 1);
    script_row(&it->script, CDC_INSERT, 1);
    script_commit(&it->script);
    play_new(it, 128, 1 << 18, 0);
    assert_int_equal(it->out.runs, 3);
    assert_int_equal(it->out.run_ends[0], 2);
    const flat_change *changes = it->out.changes;
    assert_int_not_equal(changes[0].relation_version, changes[2].relation_version);
    assert_int_equal(changes[0].relation_version, changes[3].relation_version); /* the old shape */
}

/* Its LSN is the end of its record and may be the next commit record's start. */
static void a_lone_message_has_a_place_of_its_own(void **state) {
    fixture *it = *state;
    script_message(&it->script, false, 100);
    script_begin(&it->script, 5); /* commits at 100 too */
    script_message(&it->script, true, 90);
    script_commit(&it->script);
    play_new(it, 128, 1 << 18, 0);
    assert_int_equal(it->out.count, 2);
    assert_int_equal(it->out.runs, 1);
    assert_string_equal(it->out.subjects[0], "atlasdb.default.dev._.MESSAGE");
    assert_int_equal(it->out.changes[0].xid, 0);
    assert_int_equal(it->out.changes[0].commit_lsn, 99);
    assert_int_equal(it->out.changes[0].end_lsn, 100);
    assert_true(it->out.changes[0].last);
    assert_int_equal(it->out.changes[1].xid, 5);
    assert_int_equal(it->out.changes[1].commit_lsn, 100);
    assert_string_equal(it->out.changes[1].text, "content");
}

static void mixed_script(script *it, unsigned seed) {
    uint64_t random = seed;
    for (uint32_t xid = 1; xid <= 30; xid++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        if (random >> 60 == 0)
            script_message(it, false, it->lsn + 80);
        script_begin(it, xid);
        if (xid == 1)
            script_relations(it);
        unsigned rows = (unsigned)(random >> 40) % 9;
        for (unsigned i = 0; i < rows; i++) {
            unsigned what = (unsigned)(random >> (i * 3)) % 8;
            if (what == 0)
                script_truncate(it);
            else if (what == 1)
                script_message(it, true, it->lsn - 10);
            else
                script_row(it, what < 6 ? CDC_INSERT : CDC_DELETE, 1 + what % 2);
        }
        script_commit(it);
    }
}

static void marks_of_our_own_are_counted_and_not_published(void **state) {
    fixture *it = *state;
    script *sent = &it->script;
    script_relations(sent);
    script_begin(sent, 1);
    script_row(sent, CDC_INSERT, 1);
    script_message(sent, true, 90);
    sent->messages[sent->count - 1].message.prefix = core_slice_text("walcast.mark");
    script_row(sent, CDC_INSERT, 1);
    script_message(sent, true, 95);
    sent->messages[sent->count - 1].message.prefix = core_slice_text("walcast.");
    script_commit(sent);
    script_message(sent, false, 500);
    sent->messages[sent->count - 1].message.prefix = core_slice_text("walcast.heartbeat");
    play_new(it, 128, 1 << 18, 0);
    assert_int_equal(it->out.count, 2);
    assert_int_equal(it->out.changes[0].index, 0);
    assert_false(it->out.changes[0].last);
    assert_int_equal(it->out.changes[1].index, 2);
    assert_true(it->out.changes[1].last);
    assert_int_equal(it->out.safe_lsn[0], 500); /* what the heartbeat is for */
}

/* What `walcast setup`'s event triggers write, and a trigger's statement; only within one. */
static void own_words_are_published_in_their_place(void **state) {
    fixture *it = *state;
    script *sent = &it->script;
    script_relations(sent);
    script_begin(sent, 1);
    script_row(sent, CDC_INSERT, 1);
    script_message(sent, true, 90);
    sent->messages[sent->count - 1].message.prefix = core_slice_text(CORE_DDL_PREFIX);
    script_message(sent, true, 95);
    sent->messages[sent->count - 1].message.prefix = core_slice_text(CORE_CHAIN_PREFIX);
    script_row(sent, CDC_INSERT, 1);
    script_commit(sent);
    script_message(sent, false, 500);
    sent->messages[sent->count - 1].message.prefix = core_slice_text(CORE_CHAIN_PREFIX);
    play_new(it, 128, 1 << 18, 0);
    assert_int_equal(it->out.count, 4);
    assert_int_equal(it->out.changes[1].op, CORE_OP_MESSAGE);
    assert_int_equal(it->out.changes[2].index, 2);
    assert_int_equal(it->out.changes[3].op, CORE_OP_INSERT);
    assert_true(it->out.changes[3].last);
}

/* The first message of the first transaction whose commit is at or beyond `lsn`: what the server
 * sends when asked to start there. */
static size_t script_from(const script *it, core_lsn lsn) {
    for (size_t i = 0; i < it->count; i++) {
        const cdc_message *message = &it->messages[i];
        if (message->kind == CDC_BEGIN && message->begin.commit_lsn >= lsn)
            return i;
    }
    return it->count;
}

/* Another process: it has heard no Relation yet, so the server says them again. */
static void restart_play(fixture *it, size_t run, const cdc_run_limits *limits) {
    const cdc_position *stored = &it->out.run_positions[run];
    cdc_run_builder *builder = builder_start(limits, stored);
    it->again.count = it->again.runs = 0;
    script relations = {0};
    script_relations(&relations);
    for (size_t i = 0; i < relations.count; i++)
        feed_one(builder, &relations.messages[i], &it->again);
    script_play(builder, &it->script, script_from(&it->script, stored->commit_lsn), 0, &it->again);
    cdc_run_builder_free(builder);
}

static void assert_same_rest(const flat *whole, size_t from, const flat *again) {
    assert_int_equal(whole->count - from, again->count);
    for (size_t i = 0; i < again->count; i++)
        assert_memory_equal(&whole->changes[from + i], &again->changes[i], sizeof(flat_change));
}

/* Promise 1: cut after any run, with other bounds than before, and the rest follows on exactly. */
static void a_restart_after_any_run_goes_on_exactly(void **state) {
    fixture *it = *state;
    static const uint32_t run_rows[] = {1, 2, 3, 128};
    for (unsigned seed = 1; seed <= 8; seed++) {
        *it = (fixture){0};
        mixed_script(&it->script, seed * 7919);
        play_new(it, run_rows[seed % 4], 1 << 18, 5);
        for (size_t run = 0; run < it->out.runs; run++) {
            cdc_run_limits limits = limits_make(run_rows[run % 4], 1 << 18);
            restart_play(it, run, &limits);
            assert_same_rest(&it->out, it->out.run_ends[run], &it->again);
        }
    }
}

/* However the input is cut into runs, the changes are the same. */
static void bounds_and_flushes_change_nothing_but_runs(void **state) {
    fixture *it = *state;
    mixed_script(&it->script, 4711);
    play_new(it, 128, 1 << 18, 0);
    flat *whole = calloc(1, sizeof *whole);
    assert_non_null(whole);
    *whole = it->out;
    for (uint32_t rows = 1; rows < 6; rows++) {
        it->out = (flat){0};
        play_new(it, rows, 400, rows);
        assert_true(it->out.runs >= whole->runs);
        assert_same_rest(whole, 0, &it->out);
    }
    free(whole);
}

static void assert_refused(const script *it) {
    cdc_run_limits limits = limits_make(128, 1 << 18);
    cdc_run_builder *builder = builder_start(&limits, &nothing_stored);
    flat *out = calloc(1, sizeof *out);
    core_error error = {0};
    assert_non_null(out);
    for (size_t i = 0; i + 1 < it->count; i++)
        feed_one(builder, &it->messages[i], out);
    assert_int_equal(cdc_run_builder_feed(builder, &it->messages[it->count - 1], 0, &error),
                     CDC_REFUSED);
    assert_int_equal(error.code, CORE_ERROR_INPUT);
    cdc_run_builder_free(builder);
    free(out);
}

static void what_does_not_follow_is_refused(void **state) {
    fixture *it = *state;
    script *sent = &it->script;
    script_relations(sent);
    size_t base = sent->count;

    script_row(sent, CDC_INSERT, 1); /* outside a transaction */
    assert_refused(sent);
    sent->count = base;
    script_commit(sent); /* ends nothing */
    assert_refused(sent);
    sent->count = base;
    script_message(sent, true, 5);
    assert_refused(sent);

    sent->count = base;
    script_begin(sent, 1);
    size_t begun = sent->count;
    script_row(sent, CDC_INSERT, 4711); /* never described */
    assert_refused(sent);
    sent->count = begun;
    script_begin(sent, 2); /* within a transaction */
    assert_refused(sent);
    sent->count = begun;
    script_message(sent, false, 5); /* a lone one within a transaction */
    assert_refused(sent);
    sent->count = begun;
    script_relation(sent, 1, two_columns, 2);
    script_row(sent, CDC_INSERT, 1); /* one value for two columns */
    assert_refused(sent);
}

static void commits_that_go_back_are_refused(void **state) {
    fixture *it = *state;
    script_begin(&it->script, 1);
    script_commit(&it->script);
    it->script.lsn -= 100; /* the next begin commits at the same LSN again */
    script_begin(&it->script, 2);
    assert_refused(&it->script);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(one_row_is_one_run_with_everything_on_it),
        TEST(a_run_closes_when_table_or_operation_changes),
        TEST(a_run_spans_transactions),
        TEST(a_flush_waits_for_the_commit),
        TEST(last_is_right_at_the_bound),
        TEST(a_run_keeps_within_its_bytes),
        TEST(a_row_beyond_the_maximum_stops_with_its_table),
        TEST(an_empty_transaction_moves_only_the_position),
        TEST(truncate_gives_one_change_a_table),
        TEST(a_changed_relation_starts_a_run_of_its_version),
        TEST(a_lone_message_has_a_place_of_its_own),
        TEST(marks_of_our_own_are_counted_and_not_published),
        TEST(own_words_are_published_in_their_place),
        TEST(a_restart_after_any_run_goes_on_exactly),
        TEST(bounds_and_flushes_change_nothing_but_runs),
        TEST(what_does_not_follow_is_refused),
        TEST(commits_that_go_back_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
