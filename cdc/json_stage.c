/* See json_stage.h. The run is decoded as any reader decodes it and walked change by change; of the
 * run's last change the builder's own facts are kept. */
#include "cdc/json_stage.h"

#include "cdc/start.h"

#include <stdlib.h>

enum {
    ARENA_CHUNK_BYTES = 64 << 10,
    ARENA_MAX_BYTES = 4 << 20, /* relation and value arrays of one run */
    CHUNK_MIN_BYTES = 64,
};

struct cdc_json_stage {
    core_event_json_writer writer;
    size_t row_max;
    size_t message_max;
    core_arena arena; /* of the run at hand */
    core_run decoded;
    core_run_reader reader;
    cdc_run run;
    bool in_run;
    uint32_t changes_left;
    core_lsn whole_lsn; /* the end of the last transaction that is wholly in messages given out */
    core_buffer out;    /* the change's message */
    core_change place;  /* of it, for its parts */
    bool made;
    cdc_run message; /* given out: the change's, or a part of it */
    cdc_run whole;   /* the change's, while parts of it are given out */
    core_buffer part_out;
    size_t chunk_bytes;
    uint32_t part_count; /* 0: it fits */
    uint32_t part_next;
};

cdc_json_stage *cdc_json_stage_new(const core_event_json_source *source, size_t row_max) {
    cdc_json_stage *stage = calloc(1, sizeof *stage);
    if (stage == NULL)
        return NULL;
    stage->row_max = row_max;
    core_event_json_writer_init(&stage->writer, source, row_max);
    core_arena_init(&stage->arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    core_buffer_init(&stage->out, row_max);
    core_buffer_init(&stage->part_out, 0);
    return stage;
}

void cdc_json_stage_free(cdc_json_stage *stage) {
    if (stage == NULL)
        return;
    core_event_json_writer_fini(&stage->writer);
    core_arena_fini(&stage->arena);
    core_buffer_fini(&stage->out);
    core_buffer_fini(&stage->part_out);
    free(stage);
}

void cdc_json_stage_start(cdc_json_stage *stage, size_t message_max) {
    core_buffer_fini(&stage->part_out);
    core_buffer_init(&stage->part_out, message_max);
    stage->message_max = message_max;
    stage->in_run = stage->made = false;
    stage->part_count = stage->part_next = 0;
}

/* ---- The run ---- */

static bool run_begin(cdc_json_stage *stage, const cdc_run *run, int64_t now_us,
                      core_error *error) {
    core_arena_reset(&stage->arena);
    if (!core_run_decode(run->payload, &stage->arena, &stage->decoded, error) ||
        !core_run_reader_init(&stage->reader, &stage->decoded, &stage->arena, error))
        return core_error_wrap(error, "a run for subject %s", run->subject);
    core_event_json_begin(&stage->writer, &stage->decoded, now_us);
    stage->run = *run;
    stage->whole_lsn = run->before_lsn;
    stage->changes_left = stage->decoded.rows;
    stage->in_run = true;
    return true;
}

static core_lsn later(core_lsn a, core_lsn b) {
    return a > b ? a : b;
}

/* What the run would say if this change were its last. */
static cdc_run facts_of(cdc_json_stage *stage, const core_change *change) {
    cdc_run facts = stage->run;
    facts.rows = 1;
    facts.before_lsn = stage->whole_lsn;
    if (stage->changes_left == 1 || stage->decoded.op == CORE_OP_READ)
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

static bool parts_begin(cdc_json_stage *stage, core_error *error) {
    size_t overhead = core_event_json_part_overhead(&stage->writer, &stage->place);
    if (overhead > stage->message_max ||
        stage->message_max - overhead < core_base64_size(CHUNK_MIN_BYTES))
        return core_error_set(error, CORE_ERROR_LIMIT,
                              "the broker's messages of at most %zu bytes are too small for parts "
                              "of a row; raise max_payload",
                              stage->message_max);
    stage->chunk_bytes = (stage->message_max - overhead) / 4 * 3;
    stage->part_next = 0;
    stage->part_count =
        (uint32_t)((stage->out.length + stage->chunk_bytes - 1) / stage->chunk_bytes);
    return true;
}

/* What stands before the row is whole; of the row nothing is stored. */
static void part_unfinished(cdc_json_stage *stage) {
    cdc_run *part = &stage->message;
    if (core_run_is_behind(stage->decoded.op, stage->whole.last_complete))
        return; /* no change: what stands before it is whole with and without it */
    part->holds_last = part->last_complete = false;
    part->last.end_lsn = part->last.xid == 0 ? part->before_lsn : 0;
    part->shown_lsn = part->last.xid == 0 ? part->before_lsn : part->last.commit_lsn;
    part->safe_lsn = part->before_lsn;
}

static bool part_make(cdc_json_stage *stage, core_error *error) {
    size_t from = stage->part_next * stage->chunk_bytes;
    size_t left = stage->out.length - from;
    core_part part = {
        .index = stage->part_next,
        .count = stage->part_count,
        .total_bytes = stage->out.length,
        .chunk = core_slice_make(stage->out.data + from,
                                 left < stage->chunk_bytes ? left : stage->chunk_bytes),
    };
    stage->message = stage->whole;
    if (part.index + 1 < part.count)
        part_unfinished(stage);
    core_change place = stage->place;
    place.transaction = stage->message.last;
    place.last = stage->message.last_complete;
    core_buffer_reset(&stage->part_out);
    core_event_json_part(&stage->writer, &place, &part, &stage->part_out);
    stage->message.payload = core_buffer_slice(&stage->part_out);
    return core_buffer_ok(&stage->part_out) ||
           core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for a part of a row");
}

/* ---- Messages ---- */

static bool message_too_large(const cdc_json_stage *stage, const core_change *change,
                              core_error *error) {
    return core_error_set(error, CORE_ERROR_LIMIT,
                          "a change of the transaction that commits at " CORE_LSN_FORMAT
                          ", for subject %s, is larger as JSON than cdc.max_row_bytes (%zu), or "
                          "there is no memory for it; raise it, here and where the stream is read "
                          "(PostgreSQL keeps the WAL until then)",
                          CORE_LSN_ARGS(change->transaction.commit_lsn), stage->run.subject,
                          stage->row_max);
}

static bool message_make(cdc_json_stage *stage, core_error *error) {
    const core_change *change = core_run_next(&stage->reader);
    assert(change != NULL && stage->changes_left > 0);
    core_buffer_reset(&stage->out);
    core_event_json_change(&stage->writer, change, &stage->out);
    if (!core_buffer_ok(&stage->out))
        return message_too_large(stage, change, error);
    stage->whole = facts_of(stage, change);
    stage->whole.payload = core_buffer_slice(&stage->out);
    stage->message = stage->whole;
    stage->place = *change;
    stage->place.relation = NULL;
    bool ok = stage->out.length <= stage->message_max ||
              (parts_begin(stage, error) && part_make(stage, error));
    stage->made = ok;
    return ok;
}

const cdc_run *cdc_json_stage_message(cdc_json_stage *stage, const cdc_run *run, int64_t now_us,
                                      core_error *error) {
    if (!stage->in_run && !run_begin(stage, run, now_us, error))
        return NULL;
    bool is_part = stage->part_count > 0;
    if (!stage->made && !(is_part ? part_make(stage, error) : message_make(stage, error)))
        return NULL;
    stage->made = true;
    return &stage->message;
}

/* A large row's memory is not kept. */
static void memory_trim(cdc_json_stage *stage) {
    size_t kept = 2 * stage->message_max;
    if (stage->out.capacity > kept)
        core_buffer_fini(&stage->out);
    if (stage->writer.scratch.capacity > kept)
        core_buffer_fini(&stage->writer.scratch);
}

bool cdc_json_stage_taken(cdc_json_stage *stage) {
    assert(stage->made);
    stage->made = false;
    if (stage->part_count > 0 && ++stage->part_next < stage->part_count)
        return false;
    stage->part_count = stage->part_next = 0;
    stage->whole_lsn = later(stage->whole_lsn, stage->whole.safe_lsn);
    memory_trim(stage);
    stage->in_run = --stage->changes_left > 0;
    return !stage->in_run;
}
