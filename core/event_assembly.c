/* See event_assembly.h. */
#include "core/event_assembly.h"

#include "core/base64.h"

void core_assembly_init(core_assembly *assembly, size_t max_bytes) {
    *assembly = (core_assembly){0};
    core_buffer_init(&assembly->bytes, max_bytes);
}

void core_assembly_fini(core_assembly *assembly) {
    core_buffer_fini(&assembly->bytes);
}

void core_assembly_reset(core_assembly *assembly) {
    core_buffer_fini(&assembly->bytes); /* rare and large: not kept */
    assembly->begun = assembly->joined = false;
}

/* The part begins a row. */
static bool assembly_begin(core_assembly *assembly, const core_run *part, core_error *error) {
    core_buffer_fini(&assembly->bytes);
    assembly->begun = assembly->joined = false; /* when refused, its other parts are skipped */
    if (part->part.total_bytes > assembly->bytes.max_bytes)
        return core_error_set(error, CORE_ERROR_LIMIT,
                              "a row of %llu bytes, split into %u messages, is larger than "
                              "cdc.max_row_bytes (%zu); raise it here too",
                              (unsigned long long)part->part.total_bytes, part->part.count,
                              assembly->bytes.max_bytes);
    assembly->begun = assembly->joined = true;
    return true;
}

static bool assembly_continues(const core_assembly *assembly, const core_run *part,
                               uint64_t sequence) {
    const core_run *last = &assembly->last;
    return assembly->begun && sequence == assembly->last_sequence + 1 &&
           part->part.index == last->part.index + 1 && part->part.count == last->part.count &&
           part->part.total_bytes == last->part.total_bytes && part->op == last->op &&
           part->last_transaction.commit_lsn == last->last_transaction.commit_lsn &&
           part->last_index == last->last_index && strcmp(part->epoch, last->epoch) == 0;
}

static core_assembly_result part_refuse(uint64_t sequence, const core_part *part, const char *what,
                                        core_error *error) {
    (void)core_error_set(error, CORE_ERROR_INPUT, "stream sequence %llu: part %u of %u of a row %s",
                         (unsigned long long)sequence, part->index, part->count, what);
    return CORE_ASSEMBLY_REFUSED;
}

static bool chunk_append(core_buffer *bytes, const core_part *part) {
    if (part->is_base64)
        return core_base64_decode(part->chunk, bytes);
    core_buffer_slice_append(bytes, part->chunk);
    return core_buffer_ok(bytes);
}

/* Appends the part; the row is whole with the last one. */
static core_assembly_result part_take(core_assembly *assembly, const core_run *part,
                                      uint64_t sequence, core_slice *whole, core_error *error) {
    core_buffer *bytes = &assembly->bytes;
    bool ends = part->part.index + 1 == part->part.count;
    assembly->last = *part; /* its slices end with this call and are not looked at */
    assembly->last_sequence = sequence;
    if (!chunk_append(bytes, &part->part) || bytes->length > part->part.total_bytes ||
        (ends && bytes->length != part->part.total_bytes)) {
        core_assembly_reset(assembly);
        return part_refuse(sequence, &part->part,
                           "does not add up to its total, or no memory is "
                           "left for it",
                           error);
    }
    if (!ends)
        return CORE_ASSEMBLY_MORE;
    assembly->begun = false;
    *whole = core_buffer_slice(bytes);
    return CORE_ASSEMBLY_WHOLE;
}

static core_assembly_result part_feed(core_assembly *assembly, const core_run *part,
                                      uint64_t sequence, core_slice *whole, core_error *error) {
    if (part->part.index == 0) {
        if (!assembly_begin(assembly, part, error))
            return CORE_ASSEMBLY_REFUSED;
    } else if (!assembly->joined) {
        return CORE_ASSEMBLY_MORE;
    } else if (!assembly_continues(assembly, part, sequence)) {
        core_assembly_reset(assembly);
        return part_refuse(sequence, &part->part, "does not follow the part before it", error);
    }
    return part_take(assembly, part, sequence, whole, error);
}

core_assembly_result core_assembly_feed(core_assembly *assembly, core_slice payload,
                                        uint64_t sequence, core_slice *whole, core_error *error) {
    if (!core_run_part_peek(payload)) {
        if (assembly->bytes.data != NULL)
            core_assembly_reset(assembly);
        assembly->begun = false;
        assembly->joined = true;
        *whole = payload;
        return CORE_ASSEMBLY_WHOLE;
    }
    core_run part;
    if (!core_run_decode(payload, NULL, &part, error))
        return CORE_ASSEMBLY_REFUSED;
    return part_feed(assembly, &part, sequence, whole, error);
}

uint64_t core_assembly_first(core_slice payload, uint64_t sequence, bool *ends) {
    core_run run;
    core_error error;
    *ends = true;
    if (!core_run_part_peek(payload) || !core_run_decode(payload, NULL, &run, &error))
        return sequence;
    *ends = run.part.index + 1 == run.part.count;
    return run.part.index < sequence ? sequence - run.part.index : sequence;
}
