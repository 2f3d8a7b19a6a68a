/* Whether a stream takes a subject: asked of JetStream, and remembered for a while. */
#ifndef WALCAST_FANOUT_MESSENGER_STREAM_H
#define WALCAST_FANOUT_MESSENGER_STREAM_H

#include "fanout/connection.h"

#define FANOUT_KNOWN_SUBJECTS 128

typedef struct {
    uint64_t hash; /* of the subject; 0: free */
    bool takes;
    int64_t until_ms;
} fanout_known_subject;

typedef struct {
    fanout_known_subject known[FANOUT_KNOWN_SUBJECTS];
    int64_t silent_until_ms; /* JetStream did not answer: it is not asked before */
} fanout_stream_book;

/* One thread; may wait for the broker, a second. False: it does not answer, so nobody knows. */
CORE_MUST_CHECK bool fanout_stream_takes(fanout_stream_book *book, fanout_connection *connection,
                                         const char *subject, int64_t now_ms, bool *takes,
                                         core_error *error);

#endif
