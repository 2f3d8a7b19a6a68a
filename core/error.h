/* An error that its reader can act on: what failed, on which object, what was expected, what to do.
 *
 * Errors are values in the caller's frame. A function that can fail takes a `core_error *` last,
 * returns false (or NULL) and fills it; on success it leaves it alone. The code says how the
 * caller should treat it; the text is one line without secrets, ready for a log or a terminal. */
#ifndef WALCAST_CORE_ERROR_H
#define WALCAST_CORE_ERROR_H

#include "core/base.h"

#define CORE_ERROR_TEXT_MAX 1024

typedef enum {
    CORE_ERROR_NONE = 0,
    CORE_ERROR_CONFIG,    /* the configuration is wrong: exit 2, a retry cannot help */
    CORE_ERROR_INPUT,     /* bytes or a request from outside are not valid: refuse them */
    CORE_ERROR_TRANSIENT, /* a peer is away or busy: try again with backoff */
    CORE_ERROR_CONFLICT,  /* somebody else wrote (the fence held): re-read, then decide */
    CORE_ERROR_DENIED,    /* not permitted */
    CORE_ERROR_LIMIT,     /* a stated maximum was reached */
    CORE_ERROR_FULL,      /* a store has no room now: wait until it has, nothing is lost */
    CORE_ERROR_GAP,       /* history is missing: needs a decision, never a silent skip */
    CORE_ERROR_INTERNAL,  /* a bug or an exhausted system */
} core_error_code;

typedef struct {
    core_error_code code;
    char text[CORE_ERROR_TEXT_MAX];
} core_error;

/* Fills `error` (ignored when NULL) and returns false, so that `return core_error_set(...)` reads
 * well. Text past the maximum is cut. */
bool core_error_set(core_error *error, core_error_code code, const char *format, ...)
    CORE_PRINTF(3, 4);

/* Puts context in front of the text that `error` holds: "CONTEXT: TEXT". Returns false. */
bool core_error_wrap(core_error *error, const char *format, ...) CORE_PRINTF(2, 3);

/* The code's name in the form used in logs, e.g. "transient". Static. */
const char *core_error_code_name(core_error_code code);

#endif
