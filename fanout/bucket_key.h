/* Keys of a bucket as subject tokens. The server allows letters, digits, - / _ = and . between
 * others; every other byte, and = itself, becomes =XX (hexadecimal), so any bytes are a key and
 * different keys stay different. A dot is kept where it is allowed, since it makes keys readable
 * and watchable by prefix. The empty key is a single =. */
#ifndef WALCAST_FANOUT_BUCKET_KEY_H
#define WALCAST_FANOUT_BUCKET_KEY_H

#include "fanout/fanout.h"

#define FANOUT_BUCKET_KEY_MAX 1024

/* "{prefix}{escaped key}" and NUL. LIMIT error when that does not fit. */
CORE_MUST_CHECK bool fanout_bucket_subject(const char *prefix, const char *key,
                                           char subject[FANOUT_BUCKET_KEY_MAX], core_error *error);

#endif
