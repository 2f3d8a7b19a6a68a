/* A subject as nats.c must be given it where it goes into a request's JSON: the library writes it
 * there as it is, so a table's name with a quote or backslash would break the request. */
#ifndef WALCAST_FANOUT_FILTER_H
#define WALCAST_FANOUT_FILTER_H

#include "core/core.h"

#define FANOUT_FILTER_MAX (2 * CORE_SUBJECT_MAX)

/* Quotes and backslashes escaped; a subject holds no control characters. INPUT error when it is
 * longer than CORE_SUBJECT_MAX. */
CORE_MUST_CHECK bool fanout_filter_escape(const char *subject, char escaped[FANOUT_FILTER_MAX],
                                          core_error *error);

#endif
