/* Between the run builder and the publisher: a finished run in, its messages out.
 *
 * In protobuf the run is the message. Where `nats.encoding` is json each change of it is one
 * (core/event_json.h), which says for the ledger and the start what the run would say if it ended
 * there: so positions, skipping and `last` are right in the middle of a run too.
 *
 * A message of one row that is larger than the broker takes goes out in parts (event.proto, Part).
 * They have the run's subject and consecutive sequences, since nothing else is sent between them.
 * Only the last one says that the row is stored: until then a restart finds a tail that stands
 * before the row, and the row is sent again from part 0. Memory: one message and one part. Owned by
 * one thread. */
#ifndef WALCAST_CDC_MESSAGE_STAGE_H
#define WALCAST_CDC_MESSAGE_STAGE_H

#include "cdc/run_builder.h"
#include "core/event_json.h"

typedef struct cdc_message_stage cdc_message_stage;

/* `json`: what the messages' `source` says, its texts outliving the stage; NULL: protobuf.
 * `row_max`: the largest message, in whatever parts it goes. NULL when memory is out. */
CORE_MUST_CHECK cdc_message_stage *cdc_message_stage_new(const core_event_json_source *json,
                                                         size_t row_max, const core_clock *clock);
void cdc_message_stage_free(cdc_message_stage *stage);
/* Before the first run of a connection: forgets what was at hand. `message_max`: what the broker
 * takes. */
void cdc_message_stage_start(cdc_message_stage *stage, size_t message_max);

/* The next message of `run`, whose payload must stay as it is until the last one was taken; valid
 * until `taken`, and the same until then. NULL: LIMIT when a change is larger than row_max as JSON
 * or cannot be parted, INTERNAL when the run is none or memory is out. */
CORE_MUST_CHECK const cdc_run *cdc_message_stage_next(cdc_message_stage *stage, const cdc_run *run,
                                                      core_error *error);
/* True: that was the run's last message. */
CORE_MUST_CHECK bool cdc_message_stage_taken(cdc_message_stage *stage);

#endif
