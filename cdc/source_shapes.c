/* What the stream was told of shapes, read from it before streaming; see source_private.h.
 *
 * One pass over the last message of each table's SCHEMA subject, in stream order, so that of a
 * table that was renamed the name told last counts. It comes after the tail was read: should
 * another writer be at work between, the fence refuses our first message and everything begins
 * anew. */
#include "cdc/source_private.h"

enum {
    ARENA_CHUNK_BYTES = 64 << 10,
    ARENA_MAX_BYTES = 8 << 20,
    MESSAGE_MAX_BYTES = 64 << 20, /* nats-server's own limit */
};

typedef struct {
    uint32_t magic;
    cdc_source *source;
    core_arena arena;
} shapes_pass;

#define SHAPES_MAGIC UINT32_C(0x73686170)

static bool shape_put(shapes_pass *pass, core_slice payload, core_error *error) {
    core_run run;
    core_arena_reset(&pass->arena);
    if (!core_run_decode(payload, &pass->arena, &run, error))
        return false;
    if (run.op == CORE_OP_SCHEMA && run.has_relation && run.relation.oid != 0)
        cdc_shape_log_put(pass->source->shapes, &run.relation);
    return true;
}

/* All messages of a shape that was split, up to its last one. */
static bool parts_put(shapes_pass *pass, uint64_t first, uint64_t last, core_error *error) {
    cdc_source *source = pass->source;
    const char *stream = core_config_text(source->config, "nats.stream");
    core_assembly assembly;
    core_buffer payload;
    core_slice whole;
    bool ok = true;
    core_assembly_init(&assembly, (size_t)core_config_integer(source->config, "cdc.max_row_bytes"));
    core_buffer_init(&payload, MESSAGE_MAX_BYTES);
    for (uint64_t at = first; ok && at <= last; at++) {
        ok = fanout_stream_message(fanout_publisher_connection(source->publisher), stream, at,
                                   &payload, error);
        core_assembly_result result =
            ok ? core_assembly_feed(&assembly, core_buffer_slice(&payload), at, &whole, error)
               : CORE_ASSEMBLY_REFUSED;
        ok = result != CORE_ASSEMBLY_REFUSED;
        if (result == CORE_ASSEMBLY_WHOLE)
            ok = shape_put(pass, whole, error);
    }
    core_buffer_fini(&payload);
    core_assembly_fini(&assembly);
    return ok;
}

/* Of a shape whose last part is missing, or that cannot be read, nothing was told: it comes again.
 */
static bool shape_take(void *context, const fanout_message *message, core_error *error) {
    shapes_pass *pass = context;
    bool ends;
    CORE_MAGIC_CHECK(pass, SHAPES_MAGIC);
    uint64_t first = core_assembly_first(message->payload, message->sequence, &ends);
    if (!ends)
        return true;
    bool ok = core_run_part_peek(message->payload)
                  ? parts_put(pass, first, message->sequence, error)
                  : shape_put(pass, message->payload, error);
    if (ok || error->code != CORE_ERROR_INPUT)
        return ok;
    CORE_LOG(pass->source->log, WARN, "cdc", "a SCHEMA in the stream is not of walcast's",
             CORE_LOG_NUMBER("sequence", message->sequence), CORE_LOG_TEXT("error", error->text));
    return true;
}

bool cdc_source_shapes_read(cdc_source *source, core_error *error) {
    const core_subject_scope scope = core_subject_scope_of(source->config);
    char filter[CORE_SUBJECT_MAX];
    cdc_shape_log_reset(source->shapes);
    if (!source->tail->has_message)
        return true;
    if (!core_subject_filter_op(&scope, CORE_OP_SCHEMA, filter))
        return core_error_set(error, CORE_ERROR_CONFIG,
                              "a subject is longer than %d bytes; shorten nats.prefix, project or "
                              "environment",
                              CORE_SUBJECT_MAX);
    shapes_pass pass = {.magic = SHAPES_MAGIC, .source = source};
    core_arena_init(&pass.arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    bool ok = fanout_stream_last_each(fanout_publisher_connection(source->publisher),
                                      core_config_text(source->config, "nats.stream"), filter,
                                      shape_take, &pass, error);
    core_arena_fini(&pass.arena);
    return ok;
}
