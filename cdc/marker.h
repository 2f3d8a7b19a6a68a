/* Keeps the marks (cdc/mark.h) of a source: one at each start and then one an hour.
 *
 * Used by the source's thread, which it blocks for one query and two requests to the broker. A mark
 * that could not be written is no failure of the source: it is tried again with the next. */
#ifndef WALCAST_CDC_MARKER_H
#define WALCAST_CDC_MARKER_H

#include "cdc/mark.h"
#include "fanout/fanout.h"

/* The record's key. */
extern const char cdc_marks_key[];

/* Adds a mark to the record in `bucket`. CONFLICT when another process was first. */
CORE_MUST_CHECK bool cdc_marker_put(fanout_bucket *bucket, const char *epoch, const cdc_mark *mark,
                                    core_error *error);

#endif
