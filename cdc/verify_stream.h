/* Reads a table's part of the stream into events for the fold: an ordered consumer calls back on
 * its own thread, the caller waits and tells of the progress. */
#ifndef WALCAST_CDC_VERIFY_STREAM_H
#define WALCAST_CDC_VERIFY_STREAM_H

#include "cdc/cdc.h"
#include "cdc/verify_events.h"
#include "fanout/fanout.h"

typedef struct {
    const char *stream;
    const char *filter;
    uint64_t from;      /* the stream's first sequence that counts */
    uint64_t until;     /* the table's last message that counts; 0: none */
    int64_t timeout_ms; /* longest silence */
} cdc_verify_stream_spec;

/* GAP: messages aged away while they were read. TRANSIENT: the broker is away, or silent. */
CORE_MUST_CHECK bool cdc_verify_stream_read(fanout_connection *connection,
                                            const cdc_verify_stream_spec *spec,
                                            cdc_verify_events *events,
                                            const cdc_verify_options *options, core_log *log,
                                            core_error *error);

#endif
