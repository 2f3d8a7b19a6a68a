/* A body taken apart again, for actions that need its members: a job's input is `data`, a
 * statement's parameters may be any of them. */
#ifndef WALCAST_TRIGGERS_BODY_READ_H
#define WALCAST_TRIGGERS_BODY_READ_H

#include "core/core.h"

/* As they stand in the body; they point into it. */
typedef struct {
    core_slice data;                    /* JSON */
    core_slice type, timestamp, offset; /* raw strings: core_json_unescape */
} triggers_body_parts;

/* INPUT error when it is none. */
CORE_MUST_CHECK bool triggers_body_read(core_slice body, triggers_body_parts *parts,
                                        core_error *error);

#endif
