/* A gap: history that the stream cannot tell, or tells a second time, and the GAP event that says
 * so in the stream.
 *
 * The event's Row.message has the prefix `walcast.gap` and a JSON object as content: reason, text,
 * missing, from_lsn, to_lsn, from_sequence, what cluster, timeline and epoch it was and is, policy,
 * time, and `position`: the position record as it stands right behind the event. The last makes it
 * exactly once: a writer that was killed after the event and before its record finds both in the
 * event. */
#ifndef WALCAST_CDC_GAP_H
#define WALCAST_CDC_GAP_H

#include "cdc/position.h"

#define CDC_GAP_TEXT_MAX    768
#define CDC_GAP_CONTENT_MAX ((size_t)8 << 10)
#define CDC_GAP_PREFIX      "walcast.gap"

typedef enum {
    CDC_GAP_NONE = 0,
    CDC_GAP_SLOT_MISSING,
    CDC_GAP_SLOT_LOST,
    CDC_GAP_SLOT_AHEAD,
    CDC_GAP_PUBLICATION_REMADE,
    CDC_GAP_OTHER_CLUSTER,
    CDC_GAP_OTHER_TIMELINE,
    CDC_GAP_SERVER_BEHIND,
    CDC_GAP_STREAM_LOST,
    CDC_GAP_STREAM_HOLED,
    CDC_GAP_RECORD_MISSING,
    CDC_GAP_STREAM_REMADE,
    CDC_GAP_REPLAYED,
    CDC_GAP_REASONS
} cdc_gap_reason;

typedef struct {
    cdc_gap_reason reason;
    char text[CDC_GAP_TEXT_MAX]; /* what happened, to what, and what was expected */
    core_lsn from_lsn;           /* all before it is in the stream; 0: not known */
    core_lsn to_lsn;             /* the stream goes on from here */
    uint64_t from_sequence;      /* the last message that stands; 0: none */
    /* What the stream was made from; system id 0: not known. */
    char old_epoch[CORE_EPOCH_TEXT_SIZE];
    uint64_t old_system_id;
    uint32_t old_timeline;
} cdc_gap;

/* "slot_missing", ...; static. */
const char *cdc_gap_reason_name(cdc_gap_reason reason);
/* Changes are missing, so that a snapshot would help; else some only come a second time. */
bool cdc_gap_misses(cdc_gap_reason reason);
/* `cdc.on_gap` decides whether to go on; else it is told and gone on at once. */
bool cdc_gap_asks(cdc_gap_reason reason);
/* LSNs, or sequences, may come a second time: what follows is of a new epoch. */
bool cdc_gap_new_epoch(cdc_gap_reason reason);

/* The content. `after` is the position record right behind the event. */
void cdc_gap_encode(const cdc_gap *gap, const cdc_position *after, const char *policy,
                    int64_t time_us, core_buffer *out);
/* Of it what the writer needs: the position, and whether the policy was `snapshot` and the reason
 * one where changes are missing. INPUT error when it is not such a content. */
CORE_MUST_CHECK bool cdc_gap_decode(core_slice content, cdc_position *after, bool *wants_snapshot,
                                    core_error *error);
/* The same of a stored run, whose op must be GAP; `arena` is used for its reader. */
CORE_MUST_CHECK bool cdc_gap_run_decode(const core_run *run, core_arena *arena, cdc_position *after,
                                        bool *wants_snapshot, core_error *error);

#endif
