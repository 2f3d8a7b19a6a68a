/* What START_REPLICATION asks of pgoutput: the best that the server's version and the configuration
 * allow. Pure logic. */
#ifndef WALCAST_CDC_STREAM_OPTIONS_H
#define WALCAST_CDC_STREAM_OPTIONS_H

#include "core/core.h"

typedef struct {
    int protocol;
    const char *streaming; /* "on", "parallel"; NULL: only whole transactions */
    bool two_phase;
    bool binary;
    bool messages; /* logical ones */
} cdc_stream_options;

/* `version` as libpq gives it (150004). `whole`: no streaming, whatever is configured.
 * CONFIG when what is configured needs a newer server. */
CORE_MUST_CHECK bool cdc_stream_options_decide(const core_config *config, int version, bool whole,
                                               cdc_stream_options *options, core_error *error);
/* "proto_version '4', streaming 'parallel'". */
void cdc_stream_options_append(const cdc_stream_options *options, core_buffer *sql);

#endif
