/* Any bytes as a run: decode refuses them, or every row can be walked and written again, and what
 * is written reads back with the same rows. */
#include "core/core.h"

#include <stdlib.h>

#define RUN_MAX_BYTES (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds) {
    if (!holds)
        abort();
}

static void rows_copy(core_run_writer *writer, const core_run *run, core_arena *arena) {
    core_run_reader reader;
    core_error error;
    check(core_run_reader_init(&reader, run, arena, &error));
    core_run_open(writer, run->epoch, run->op, run->has_relation ? &run->relation : NULL);
    uint32_t rows = 0;
    uint64_t last_index = 0;
    for (const core_change *change = core_run_next(&reader); change != NULL;
         change = core_run_next(&reader)) {
        check(core_run_row(&reader) == rows++);
        check(core_run_append(writer, change));
        if (reader.transaction_rows_left == 0)
            core_run_transaction_end(writer, change->last);
        last_index = change->index;
    }
    check(rows == run->rows && last_index == run->last_index);
}

/* What a writer that finds this run at the stream's end must know: whether the row that last_index
 * names is stored. Of a SCHEMA before its row and of all parts but the last it is not. */
static void tail_check(const core_run *run) {
    bool held = core_run_holds_last(run);
    bool is_last_part = !run->is_part || run->part.index + 1 == run->part.count;
    if (run->op == CORE_OP_READ || (run->op == CORE_OP_SCHEMA && run->last_complete))
        check(held); /* behind whole transactions */
    else
        check(held == (run->op != CORE_OP_SCHEMA && is_last_part));
}

static void part_copy(core_run_writer *writer, const core_run *run) {
    core_change change = {
        .op = run->op, .transaction = run->last_transaction, .index = run->last_index};
    core_run_open(writer, run->epoch, run->op, NULL);
    check(core_run_append_part(writer, &change, &run->part));
    core_run_transaction_end(writer, run->last_complete);
}

/* A part alone is whole only when it is the only one. */
static void part_assemble(const core_run *run) {
    core_assembly assembly;
    core_slice whole;
    core_error error;
    core_assembly_init(&assembly, RUN_MAX_BYTES);
    bool is_whole =
        core_assembly_feed(&assembly, run->payload, 1, &whole, &error) == CORE_ASSEMBLY_WHOLE;
    bool is_part = core_run_part_peek(run->payload);
    check(!is_whole || !is_part || run->part.count == 1);
    core_assembly_fini(&assembly);
}

static void round_trip(const core_run *run, core_arena *arena) {
    core_run_writer writer;
    core_run again;
    core_error error;
    core_run_writer_init(&writer, RUN_MAX_BYTES);
    tail_check(run);
    part_assemble(run);
    if (run->is_part)
        part_copy(&writer, run);
    else
        rows_copy(&writer, run, arena);
    check(core_run_decode(core_run_close(&writer), arena, &again, &error));
    check(core_run_holds_last(&again) == core_run_holds_last(run));
    check(run->is_part || (again.has_relation == run->has_relation &&
                           again.relation.version == run->relation.version));
    check(again.rows == run->rows && again.op == run->op && again.last_index == run->last_index &&
          again.last_complete == run->last_complete &&
          again.last_transaction.commit_lsn == run->last_transaction.commit_lsn);
    core_run_writer_fini(&writer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    core_arena arena;
    core_run run;
    core_error error = {0};
    core_arena_init(&arena, 1024, 8 * RUN_MAX_BYTES);
    if (core_run_decode(core_slice_make(data, size), &arena, &run, &error))
        round_trip(&run, &arena);
    else
        check(error.code == CORE_ERROR_INPUT && error.text[0] != '\0');
    core_arena_fini(&arena);
    return 0;
}
