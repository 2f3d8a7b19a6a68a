/* nats.c's and JetStream's error codes as core_errors with a hint how to mend them. */
#ifndef WALCAST_FANOUT_STATUS_H
#define WALCAST_FANOUT_STATUS_H

#include "core/core.h"

#include <nats/nats.h>

/* How the JetStream API's err_code is to be treated; `hint` may be empty. */
typedef struct {
    int code;
    core_error_code error_code;
    const char *hint;
} fanout_api_code;

/* NULL: a code without a rule; treat it as TRANSIENT. */
const fanout_api_code *fanout_api_code_find(int code);

/* Fills `error` with "cannot DOING OBJECT: what nats.c says; hint" and returns false. `api_code` is
 * 0 when the server gave none. Call on the thread that got `status`: nats.c keeps its text there.
 */
bool fanout_status_error(core_error *error, natsStatus status, int api_code, const char *doing,
                         const char *object);

#endif
