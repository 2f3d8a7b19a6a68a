/* See message_stage.h. A run that is not its own message is decoded as any reader decodes it; in
 * JSON it is walked change by change, and of its last change the builder's own facts are kept. */
#include "cdc/message_stage.h"

#include "cdc/start.h"

#include <stdlib.h>

enum {
    ARENA_CHUNK_BYTES = 64 << 10,
    ARENA_MAX_BYTES = 4 << 20, /* relation and value arrays of one run */
    CHUNK_MIN_BYTES = 64,
};

struct cdc_message_stage {
    bool is_json;
    size_t row_max;
    const core_clock *clock;
    size_t message_max;
    bool in_run;
    cdc_run run;
    core_arena arena; /* of its decoding */
    core_run decoded;
    uint32_t messages_left; /* parts not counted */
    cdc_run whole;          /* the message at hand, were there no message_max */
    core_change place;      /* of it, for its parts */
    cdc_run message;        /* given out: `whole`, or a part of it */
    bool made;
    /* Its parts. */
    core_run_writer part_run;
    core_buffer part_json;
    size_t chunk_bytes;
    uint32_t part_count; /* 0: it fits */
    uint32_t part_next;
    /* In JSON. */
    core_event_json_writer writer;
    core_run_reader reader;
    core_lsn whole_lsn; /* the end of the last transaction that is wholly in messages given out */
    core_buffer out;
};

cdc_message_stage *cdc_message_stage_new(const core_event_json_source *json, size_t row_max,
                                         const core_clock *clock) {
    static const core_event_json_source none = {0};
    cdc_message_stage *stage = calloc(1, sizeof *stage);
    if (stage == NULL)
        return NULL;
    stage->is_json = json != NULL;
    stage->row_max = row_max;
    stage->clock = clock;
    core_arena_init(&stage->arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    core_run_writer_init(&stage->part_run, 0);
    core_buffer_init(&stage->part_json, 0);
    core_event_json_writer_init(&stage->writer, json != NULL ? json : &none, row_max);
    core_buffer_init(&stage->out, row_max);
    return stage;
}

void cdc_message_stage_free(cdc_message_stage *stage) {
    if (stage == NULL)
        return;
    core_arena_fini(&stage->arena);
    core_run_writer_fini(&stage->part_run);
    core_buffer_fini(&stage->part_json);
    core_event_json_writer_fini(&stage->writer);
    core_buffer_fini(&stage->out);
    free(stage);
}

void cdc_message_stage_start(cdc_message_stage *stage, size_t message_max) {
    core_run_writer_fini(&stage->part_run);
    core_run_writer_init(&stage->part_run, message_max);
    core_buffer_fini(&stage->part_json);
    core_buffer_init(&stage->part_json, message_max);
    stage->message_max = message_max;
    stage->in_run = stage->made = false;
    stage->part_count = stage->part_next = 0;
}

/* ---- The run ---- */

static bool run_begin(cdc_message_stage *stage, const cdc_run *run, core_error *error) {
    core_arena_reset(&stage->arena);
    if (!core_run_decode(run->payload, &stage->arena, &stage->decoded, error) ||
        !core_run_reader_init(&stage->reader, &stage->decoded, &stage->arena, error))
        return core_error_wrap(error, "a run for subject %s", run->subject);
    if (stage->is_json)
        core_event_json_begin(&stage->writer, &stage->decoded, core_clock_wall_us(stage->clock));
    stage->run = *run;
    stage->whole_lsn = run->before_lsn;
    stage->messages_left = stage->is_json ? stage->decoded.rows : 1;
    stage->in_run = true;
    return true;
}

static core_lsn later(core_lsn a, core_lsn b) {
    return a > b ? a : b;
}

/* It stands between transactions: what it says of them holds with and without it. */
static bool is_behind(const cdc_message_stage *stage) {
    return core_run_is_behind(stage->decoded.op, stage->run.last_complete);
}

/* What the run would say if this change were its last. */
static cdc_run facts_of(cdc_message_stage *stage, const core_change *change) {
    cdc_run facts = stage->run;
    facts.rows = 1;
    facts.before_lsn = stage->whole_lsn;
    if (stage->messages_left == 1 || is_behind(stage))
        return facts;
    facts.last = change->transaction;
    facts.last_index = change->index;
    facts.last_complete = change->last;
    facts.shown_lsn = cdc_run_shown_lsn(&change->transaction, change->last);
    facts.safe_lsn =
        change->last ? later(stage->whole_lsn, change->transaction.end_lsn) : stage->whole_lsn;
    return facts;
}

/* ---- Parts ---- */

static size_t part_overhead(cdc_message_stage *stage) {
    return stage->is_json ? core_event_json_part_overhead(&stage->writer, &stage->place)
                          : core_run_part_overhead(&stage->place.transaction);
}

static bool parts_begin(cdc_message_stage *stage, core_error *error) {
    size_t overhead = part_overhead(stage);
    size_t least = stage->is_json ? core_base64_size(CHUNK_MIN_BYTES) : CHUNK_MIN_BYTES;
    if (overhead > stage->message_max || stage->message_max - overhead < least)
        return core_error_set(error, CORE_ERROR_LIMIT,
                              "the broker's messages of at most %zu bytes are too small for parts "
                              "of a row; raise max_payload",
                              stage->message_max);
    size_t room = stage->message_max - overhead;
    size_t length = stage->whole.payload.length;
    stage->chunk_bytes = stage->is_json ? room / 4 * 3 : room;
    stage->part_next = 0;
    stage->part_count = (uint32_t)((length + stage->chunk_bytes - 1) / stage->chunk_bytes);
    return true;
}

/* What stands before the row is whole; of the row nothing is stored. */
static void part_unfinished(cdc_message_stage *stage) {
    cdc_run *part = &stage->message;
    if (is_behind(stage))
        return;
    part->holds_last = part->last_complete = false;
    part->last.end_lsn = part->last.xid == 0 ? part->before_lsn : 0;
    part->shown_lsn = part->last.xid == 0 ? part->before_lsn : part->last.commit_lsn;
    part->safe_lsn = part->before_lsn;
}

static bool part_json(cdc_message_stage *stage, const core_change *place, const core_part *part) {
    core_buffer_reset(&stage->part_json);
    core_event_json_part(&stage->writer, place, part, &stage->part_json);
    stage->message.payload = core_buffer_slice(&stage->part_json);
    return core_buffer_ok(&stage->part_json);
}

static bool part_run(cdc_message_stage *stage, const core_change *place, const core_part *part) {
    core_run_writer *writer = &stage->part_run;
    core_run_open(writer, stage->decoded.epoch, place->op, NULL);
    if (!core_run_append_part(writer, place, part)) {
        core_run_abandon(writer);
        return false;
    }
    core_run_transaction_end(writer, place->last);
    stage->message.payload = core_run_close(writer);
    return true;
}

static bool part_make(cdc_message_stage *stage, core_error *error) {
    core_slice payload = stage->whole.payload;
    size_t from = stage->part_next * stage->chunk_bytes;
    size_t left = payload.length - from;
    core_part part = {
        .index = stage->part_next,
        .count = stage->part_count,
        .total_bytes = payload.length,
        .chunk = core_slice_make(payload.data + from,
                                 left < stage->chunk_bytes ? left : stage->chunk_bytes),
    };
    stage->message = stage->whole;
    if (part.index + 1 < part.count)
        part_unfinished(stage);
    core_change place = stage->place;
    place.transaction = stage->message.last;
    place.last = stage->message.last_complete;
    bool ok = stage->is_json ? part_json(stage, &place, &part) : part_run(stage, &place, &part);
    return ok || core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for a part of a row");
}

/* ---- Messages ---- */

static bool message_too_large(const cdc_message_stage *stage, const core_change *change,
                              core_error *error) {
    return core_error_set(error, CORE_ERROR_LIMIT,
                          "a change of the transaction that commits at " CORE_LSN_FORMAT
                          ", for subject %s, is larger as JSON than cdc.max_row_bytes (%zu), or "
                          "there is no memory for it; raise it, here and where the stream is read "
                          "(PostgreSQL keeps the WAL until then)",
                          CORE_LSN_ARGS(change->transaction.commit_lsn), stage->run.subject,
                          stage->row_max);
}

/* The next change. */
static bool change_make(cdc_message_stage *stage, core_error *error) {
    const core_change *change = core_run_next(&stage->reader);
    assert(change != NULL && stage->messages_left > 0);
    core_buffer_reset(&stage->out);
    core_event_json_change(&stage->writer, change, &stage->out);
    if (!core_buffer_ok(&stage->out))
        return message_too_large(stage, change, error);
    stage->whole = facts_of(stage, change);
    stage->whole.payload = core_buffer_slice(&stage->out);
    stage->place = *change;
    stage->place.relation = NULL;
    return true;
}

/* The run itself, of one row and too large. */
static void run_make(cdc_message_stage *stage) {
    assert(stage->decoded.rows == 1);
    stage->whole = stage->run;
    stage->place = (core_change){
        .op = stage->decoded.op, .transaction = stage->run.last, .index = stage->run.last_index};
}

static bool message_make(cdc_message_stage *stage, core_error *error) {
    if (!stage->is_json)
        run_make(stage);
    else if (!change_make(stage, error))
        return false;
    stage->message = stage->whole;
    return stage->whole.payload.length <= stage->message_max ||
           (parts_begin(stage, error) && part_make(stage, error));
}

const cdc_run *cdc_message_stage_next(cdc_message_stage *stage, const cdc_run *run,
                                      core_error *error) {
    if (!stage->in_run && !stage->is_json && run->payload.length <= stage->message_max)
        return run;
    if (!stage->in_run && !run_begin(stage, run, error))
        return NULL;
    if (!stage->made)
        stage->made = stage->part_count > 0 ? part_make(stage, error) : message_make(stage, error);
    return stage->made ? &stage->message : NULL;
}

/* A large row's memory is not kept. */
static void memory_trim(cdc_message_stage *stage) {
    size_t kept = 2 * stage->message_max;
    if (stage->out.capacity > kept)
        core_buffer_fini(&stage->out);
    if (stage->writer.scratch.capacity > kept)
        core_buffer_fini(&stage->writer.scratch);
}

bool cdc_message_stage_taken(cdc_message_stage *stage) {
    if (!stage->in_run)
        return true; /* the run itself was it */
    assert(stage->made);
    stage->made = false;
    if (stage->part_count > 0 && ++stage->part_next < stage->part_count)
        return false;
    stage->part_count = stage->part_next = 0;
    stage->whole_lsn = later(stage->whole_lsn, stage->whole.safe_lsn);
    memory_trim(stage);
    stage->in_run = --stage->messages_left > 0;
    return !stage->in_run;
}
