/* What the stream holds: its last message that can be trusted, found at each connect; see
 * source_private.h.
 *
 * Happy path: the stream's last message. When the broker has lost messages in the middle, which
 * only the count of deleted ones shows, it is the last one before the first hole that no GAP has
 * told of yet. A message that is not a run of ours, or a GAP without its position, stops the
 * source: guessing where to go on could lose or repeat changes. */
#include "cdc/source_private.h"

enum { ANCHOR_MAX_BYTES = 64 << 20 }; /* the largest max_payload nats-server allows */

/* The run, or of a GAP the position behind it. */
static bool message_decode(cdc_source *source, core_slice payload, uint64_t sequence,
                           core_error *error) {
    cdc_source_tail *tail = &source->tail_found;
    core_arena_reset(&source->tail_arena);
    if (!core_run_decode(payload, &source->tail_arena, &source->tail_run, error))
        return core_error_wrap(error, "message %llu of stream %s is not a run of Walcast's",
                               (unsigned long long)sequence,
                               core_config_text(source->config, "nats.stream"));
    tail->sequence = sequence;
    tail->is_gap = source->tail_run.op == CORE_OP_GAP;
    tail->is_run = !tail->is_gap;
    return tail->is_run ||
           cdc_gap_run_decode(&source->tail_run, &source->tail_arena, &tail->gap,
                              &tail->wants_snapshot, error) ||
           core_error_wrap(error, "message %llu of stream %s", (unsigned long long)sequence,
                           core_config_text(source->config, "nats.stream"));
}

/* Holes up to the last GAP have been told; none is known any more when the stream ends before it.
 */
static uint64_t holes_told(const cdc_source *source) {
    cdc_start_facts facts = {0};
    cdc_source_tail_facts(source, &facts);
    const cdc_position *known = cdc_start_known(&facts);
    bool stands = known != NULL && known->gap_sequence <= facts.last_sequence;
    return stands ? known->gap_sequence : 0;
}

/* The last message before the hole stands in for the tail. */
static bool anchor_read(cdc_source *source, core_error *error) {
    core_buffer *payload = &source->anchor_payload;
    uint64_t sequence = source->tail_found.first_missing - 1;
    source->tail_found.is_run = source->tail_found.is_gap = false;
    source->tail_found.sequence = sequence;
    if (sequence < source->tail->stream.first_sequence)
        return true;
    core_buffer_fini(payload);
    core_buffer_init(payload, ANCHOR_MAX_BYTES);
    return fanout_stream_message(fanout_publisher_connection(source->publisher),
                                 core_config_text(source->config, "nats.stream"), sequence, payload,
                                 error) &&
           message_decode(source, core_buffer_slice(payload), sequence, error);
}

static bool hole_find(cdc_source *source, core_error *error) {
    char subjects[CORE_SUBJECT_MAX];
    fanout_stream_spec spec = fanout_stream_change_spec(source->config, subjects, sizeof subjects);
    uint64_t *missing = &source->tail_found.first_missing;
    if (!fanout_stream_hole(fanout_publisher_connection(source->publisher), &spec,
                            &source->tail->stream, holes_told(source), missing, error))
        return false;
    return *missing == 0 || anchor_read(source, error);
}

bool cdc_source_tail_read(cdc_source *source, core_error *error) {
    uint64_t last_sequence = source->tail->stream.last_sequence;
    source->tail_found = (cdc_source_tail){.sequence = last_sequence};
    if (source->tail->has_message &&
        !message_decode(source, core_buffer_slice(&source->tail->payload), last_sequence, error))
        return false;
    return hole_find(source, error);
}

void cdc_source_tail_facts(const cdc_source *source, cdc_start_facts *facts) {
    const cdc_source_tail *tail = &source->tail_found;
    const fanout_stream_info *stream = &source->tail->stream;
    facts->tail = tail->is_run ? &source->tail_run : NULL;
    facts->tail_gap = tail->is_gap ? &tail->gap : NULL;
    facts->tail_sequence = tail->sequence;
    facts->first_missing = tail->first_missing;
    facts->last_sequence = stream->last_sequence;
    facts->stream_created_us = stream->created_us;
    facts->record = source->has_record ? &source->record : NULL;
    facts->record_is_older = source->record_revision == source->record_revision_before;
    /* What another Walcast has told of since is settled. */
    const cdc_position *known = cdc_start_known(facts);
    if (source->acked_created_us == stream->created_us &&
        (known == NULL || known->gaps == source->acked_gaps))
        facts->acked_sequence = source->acked_sequence;
}
