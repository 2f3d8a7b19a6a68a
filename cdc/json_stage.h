/* Between the run builder and the publisher where `nats.encoding` is json: a finished run in, its
 * changes out as messages of their own (core/event_json.h).
 *
 * Each message has what a run has for the ledger and the start, as the run would have it if it
 * ended there: so positions, skipping and `last` are right in the middle of a run too. A message
 * larger than the broker takes goes out in parts, as in run_split.h. Memory: one message and one
 * part. Owned by one thread. */
#ifndef WALCAST_CDC_JSON_STAGE_H
#define WALCAST_CDC_JSON_STAGE_H

#include "cdc/run_builder.h"

typedef struct cdc_json_stage cdc_json_stage;

/* `source`'s texts must outlive it. `row_max`: a larger message stops the source. NULL: out of
 * memory. */
CORE_MUST_CHECK cdc_json_stage *cdc_json_stage_new(const core_event_json_source *source,
                                                   size_t row_max);
void cdc_json_stage_free(cdc_json_stage *stage);
/* Before the first run of a connection: forgets what was at hand. */
void cdc_json_stage_start(cdc_json_stage *stage, size_t message_max);

/* The run's next message, made when it is asked for first and the same until it is taken; `run` is
 * the builder's, valid until `taken` says that all of it was given out. NULL with `error`: LIMIT
 * when the message is too large. */
CORE_MUST_CHECK const cdc_run *cdc_json_stage_message(cdc_json_stage *stage, const cdc_run *run,
                                                      int64_t now_us, core_error *error);
/* The message was sent; true when it was the run's last. */
CORE_MUST_CHECK bool cdc_json_stage_taken(cdc_json_stage *stage);

#endif
