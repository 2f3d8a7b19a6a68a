/* A stream as the run builder and the message stage make it, in memory: rows small and large,
 * written on after a kill from where the tail says, and read as any reader does. In either
 * encoding. */
#ifndef WALCAST_TESTS_UNIT_CDC_RUN_STREAM_H
#define WALCAST_TESTS_UNIT_CDC_RUN_STREAM_H

#include "cdc/message_stage.h"
#include "cdc/run_builder.h"
#include "cdc/start.h"
#include "tests/unit/cdc/run_script.h"

#include <stdlib.h>

enum { MESSAGE_MAX = 4096, LARGE = 30000, ROW_MAX = 2 * LARGE, MESSAGES_MAX = 256, ROWS_MAX = 64 };

#define EPOCH "abcdefghij012345"

/* The stream: what was published, in order. */
typedef struct {
    core_buffer messages[MESSAGES_MAX];
    size_t count;
    core_lsn safe_lsn[MESSAGES_MAX];
    core_lsn shown_lsn[MESSAGES_MAX];
} stream;

typedef struct {
    uint64_t index;
    core_lsn commit_lsn;
    core_lsn end_lsn;
    size_t length; /* of the first value, or the message's content */
    uint32_t sum;
    uint32_t last; /* no padding: rows are compared as bytes */
} flat_row;

typedef struct {
    script script;
    stream stream;
    flat_row rows[ROWS_MAX];
    size_t row_count;
    char large[LARGE];
    bool json; /* how it is written from now on */
} fixture;

static inline int setup(void **state) {
    fixture *it = calloc(1, sizeof *it);
    if (it == NULL)
        return 1;
    for (size_t i = 0; i < LARGE; i++)
        it->large[i] = (char)('a' + (i * i) % 23);
    *state = it;
    return 0;
}

static inline void stream_cut(stream *target, size_t count) {
    while (target->count > count)
        core_buffer_fini(&target->messages[--target->count]);
}

static inline int teardown(void **state) {
    fixture *it = *state;
    stream_cut(&it->stream, 0);
    free(it);
    return 0;
}

/* ---- The writer ---- */

static inline void message_publish(stream *target, const cdc_run *run) {
    assert_true(target->count < MESSAGES_MAX);
    assert_in_range(run->payload.length, 1, MESSAGE_MAX);
    core_buffer *message = &target->messages[target->count];
    core_buffer_init(message, MESSAGE_MAX);
    core_buffer_slice_append(message, run->payload);
    target->safe_lsn[target->count] = run->safe_lsn;
    target->shown_lsn[target->count] = run->shown_lsn;
    target->count++;
}

static inline void run_publish(cdc_run_builder *builder, cdc_message_stage *stage, stream *target) {
    const cdc_run *run;
    core_error error = {0};
    while ((run = cdc_run_builder_run(builder)) != NULL) {
        const cdc_run *message = cdc_message_stage_next(stage, run, &error);
        assert_non_null(message);
        assert_string_equal(message->subject, run->subject);
        message_publish(target, message);
        if (cdc_message_stage_taken(stage))
            cdc_run_builder_taken(builder);
    }
}

/* What the server sends from there on. */
static inline size_t script_from(const script *it, core_lsn lsn) {
    for (size_t i = 0; i < it->count; i++) {
        const cdc_message *message = &it->messages[i];
        if ((message->kind == CDC_BEGIN && message->begin.commit_lsn >= lsn) ||
            (message->kind == CDC_MESSAGE && !message->message.transactional &&
             message->message.lsn > lsn))
            return i;
    }
    return it->count;
}

static inline void play(fixture *it, size_t from, const cdc_position *stored) {
    core_error error = {0};
    cdc_run_limits limits = {
        .scope = {.prefix = "p", .project = "d", .environment = "e", .home_schema = "public"},
        .run_rows = 16,
        .run_bytes = 2048,
        .message_max = MESSAGE_MAX,
        .row_max = ROW_MAX,
    };
    const core_event_json_source source = {"1", "S", "d"};
    cdc_message_stage *stage =
        cdc_message_stage_new(it->json ? &source : NULL, ROW_MAX, core_clock_system());
    assert_non_null(stage);
    cdc_message_stage_start(stage, MESSAGE_MAX);
    script relations = {0};
    cdc_run_builder *builder = cdc_run_builder_new(&error);
    assert_non_null(builder);
    cdc_run_builder_start(builder, &limits, stored);
    script_relations(&relations);
    for (size_t i = 0; i < relations.count; i++)
        assert_int_equal(cdc_run_builder_feed(builder, &relations.messages[i], 1, &error), CDC_FED);
    for (size_t i = from; i < it->script.count; i++) {
        while (cdc_run_builder_feed(builder, &it->script.messages[i], 9, &error) == CDC_RUN_READY)
            run_publish(builder, stage, &it->stream);
        assert_string_equal(error.text, "");
    }
    cdc_run_builder_flush(builder);
    run_publish(builder, stage, &it->stream);
    assert_false(cdc_run_builder_pending(builder));
    cdc_run_builder_free(builder);
    cdc_message_stage_free(stage);
}

/* As a process does that comes up after a kill: the tail says where to go on. */
static inline void restart(fixture *it) {
    core_arena arena;
    core_run tail;
    core_error error = {0};
    cdc_start start;
    core_arena_init(&arena, 4096, CORE_EVENT_JSON_ARENA_FACTOR * ROW_MAX);
    cdc_start_facts facts = {.slot = "s", .stream = "S", .fresh_epoch = EPOCH};
    if (it->stream.count > 0) {
        core_slice payload = core_buffer_slice(&it->stream.messages[it->stream.count - 1]);
        assert_true(core_run_decode(payload, &arena, &tail, &error));
        facts.tail = &tail;
        facts.last_sequence = it->stream.count;
    }
    assert_true(cdc_start_decide(&facts, &start, &error));
    play(it, script_from(&it->script, start.start_lsn), &start.position);
    core_arena_fini(&arena);
}

/* ---- The reader ---- */

static inline flat_row row_of(const core_change *change) {
    core_slice text =
        change->new_tuple.count > 0 ? change->new_tuple.values[0].bytes : change->message.content;
    flat_row row = {
        .index = change->index,
        .commit_lsn = change->transaction.commit_lsn,
        .end_lsn = change->last ? change->transaction.end_lsn : 0,
        .length = text.length,
        .last = change->last,
    };
    for (size_t i = 0; i < text.length; i++)
        row.sum = row.sum * 31 + text.data[i];
    return row;
}

static inline size_t rows_read(const stream *source, flat_row rows[ROWS_MAX]) {
    size_t count = 0;
    core_assembly assembly;
    core_arena arena;
    core_error error = {0};
    core_assembly_init(&assembly, ROW_MAX);
    core_arena_init(&arena, 4096, CORE_EVENT_JSON_ARENA_FACTOR * ROW_MAX);
    for (size_t i = 0; i < source->count; i++) {
        core_slice whole;
        core_run run;
        core_run_reader reader;
        core_assembly_result result = core_assembly_feed(
            &assembly, core_buffer_slice(&source->messages[i]), i + 1, &whole, &error);
        assert_int_not_equal(result, CORE_ASSEMBLY_REFUSED);
        if (result == CORE_ASSEMBLY_MORE)
            continue;
        assert_true(core_run_decode(whole, &arena, &run, &error));
        assert_true(core_run_reader_init(&reader, &run, &arena, &error));
        for (const core_change *change; (change = core_run_next(&reader)) != NULL;) {
            assert_true(count < ROWS_MAX);
            rows[count++] = row_of(change);
        }
    }
    core_assembly_fini(&assembly);
    core_arena_fini(&arena);
    return count;
}

/* ---- Scripts ---- */

static inline void large_row(fixture *it, uint32_t oid) {
    script_row(&it->script, CDC_INSERT, oid);
    script_values[it->script.count - 1].bytes = core_slice_make(it->large, LARGE);
}

static inline void large_message(fixture *it, bool transactional, core_lsn lsn) {
    script_message(&it->script, transactional, lsn);
    it->script.messages[it->script.count - 1].message.content = core_slice_make(it->large, LARGE);
}

static inline void mixed_script(fixture *it) {
    script_begin(&it->script, 1); /* the large row is the first and only one */
    large_row(it, 1);
    script_commit(&it->script);
    script_begin(&it->script, 2); /* in the middle, twice, of two tables */
    script_row(&it->script, CDC_INSERT, 1);
    large_row(it, 1);
    large_row(it, 2);
    script_row(&it->script, CDC_INSERT, 2);
    script_commit(&it->script);
    large_message(it, false, it->script.lsn + 80);
    script_begin(&it->script, 3); /* the last one */
    large_message(it, true, it->script.lsn - 10);
    script_row(&it->script, CDC_INSERT, 3);
    large_row(it, 3);
    script_commit(&it->script);
}

static const cdc_position nothing_stored = {.epoch = EPOCH};

/* ---- Kills ---- */

/* Keeps in it->rows what a reader gets of the script when nothing is killed. */
static inline void play_whole(fixture *it) {
    stream_cut(&it->stream, 0);
    play(it, 0, &nothing_stored);
    it->row_count = rows_read(&it->stream, it->rows);
}

static inline void assert_rows_again(const fixture *it) {
    flat_row again[ROWS_MAX];
    assert_int_equal(rows_read(&it->stream, again), it->row_count);
    assert_memory_equal(again, it->rows, it->row_count * sizeof again[0]);
}

/* Written in one encoding, cut behind each message, written on in another. */
static inline void assert_survives_kills(fixture *it, bool first_json, bool then_json) {
    it->json = first_json;
    play_whole(it);
    size_t messages = it->stream.count;
    for (size_t kept = 0; kept <= messages; kept++) {
        stream_cut(&it->stream, 0);
        it->json = first_json;
        play(it, 0, &nothing_stored);
        stream_cut(&it->stream, kept);
        it->json = then_json;
        restart(it);
        assert_rows_again(it);
    }
}

/* Until the last part of its large row is stored, nothing of the first transaction may be
 * confirmed. */
static inline void assert_parts_promise_nothing(const stream *target) {
    assert_true(target->count > LARGE / MESSAGE_MAX);
    for (size_t i = 0; i + 1 < target->count; i++) {
        assert_int_equal(target->safe_lsn[i], 0);
        assert_int_equal(target->shown_lsn[i], 100); /* the commit record's start */
    }
    assert_int_equal(target->safe_lsn[target->count - 1], 150);
    assert_int_equal(target->shown_lsn[target->count - 1], 150);
}

#endif
