/* A bucket's inside, for the watch (bucket_watch.c). */
#ifndef WALCAST_FANOUT_BUCKET_H
#define WALCAST_FANOUT_BUCKET_H

#include "fanout/connection.h"

struct fanout_bucket {
    uint32_t magic;
    fanout_connection *connection;
    int64_t replicas;
    int64_t max_age_ms; /* of a value; 0: no limit */
    char name[FANOUT_NAME_MAX];
    char stream[FANOUT_NAME_MAX + 4];
    char prefix[FANOUT_NAME_MAX + 8]; /* $KV.{name}. */
};

/* Makes the bucket's stream when it is missing, and checks it. */
CORE_MUST_CHECK bool fanout_bucket_ensure(fanout_bucket *bucket, core_error *error);
/* A marker that says: deleted. */
bool fanout_bucket_is_marker(natsMsg *message);

#endif
