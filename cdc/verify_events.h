/* The stream's side: messages of a table's subjects in, events for the fold out.
 *
 * Changes of transactions that the table's reader does not see are left out, and so are rows of a
 * snapshot (READ) that may have been read after it. Where the history is cut (another epoch, a
 * change whose key cannot be read) it begins anew behind the cut: events before it do not count,
 * and what the stream says of older rows is not known. Pure but for the spill. Owned by one thread
 * at a time. */
#ifndef WALCAST_CDC_VERIFY_EVENTS_H
#define WALCAST_CDC_VERIFY_EVENTS_H

#include "cdc/verify_shape.h"
#include "cdc/verify_spill.h"

typedef struct {
    const cdc_verify_seed *seed;
    const cdc_verify_shape *shape;
    core_visibility *visibility;
    uint64_t reads_until;    /* READ rows up to this message were read before the table */
    uint64_t reads_after;    /* and of its last beginning: Snapshot.after_sequence */
    core_slice reads_of;     /* without a key: only rows of this snapshot count; empty: of none */
    uint64_t first_sequence; /* where the history begins */
    size_t max_row_bytes;
    bool shows_values;
    cdc_verify_spill *spill;
} cdc_verify_events_spec;

typedef struct {
    cdc_verify_events_spec spec;
    core_assembly assembly;
    core_arena arena;
    cdc_verify_scratch scratch;
    cdc_verify_map map;
    cdc_verify_value *values;
    char epoch[CORE_EPOCH_TEXT_SIZE];
    /* What came out. */
    uint64_t number;         /* of the next event */
    uint64_t first_number;   /* events before it do not count */
    uint64_t first_sequence; /* the history counts from here */
    bool truncated;          /* since then: every row after is in the stream */
    uint64_t changes;
    uint64_t later;     /* left out: not seen by the reader */
    uint64_t cuts;      /* times that the history began anew */
    uint64_t strangers; /* changes of another table of that name, left out */
} cdc_verify_events;

/* `spec`'s pointers must outlive it. INTERNAL when memory is out. */
CORE_MUST_CHECK bool cdc_verify_events_init(cdc_verify_events *events,
                                            const cdc_verify_events_spec *spec, core_error *error);
void cdc_verify_events_fini(cdc_verify_events *events);
/* One message, in order. INPUT error when it is no run of Walcast's. */
CORE_MUST_CHECK bool cdc_verify_events_feed(cdc_verify_events *events, core_slice payload,
                                            uint64_t sequence, core_error *error);
/* What was fed so far does not count: the history begins behind `sequence`. */
void cdc_verify_events_cut(cdc_verify_events *events, uint64_t sequence);

#endif
