/* A timeline's history: at which LSN the timelines before it were left.
 *
 * TIMELINE_HISTORY gives the file that a promotion or a restore writes: a line for each parent,
 * "TLI<tab>LSN<tab>REASON"; blank lines and lines after '#' say nothing. What is before that LSN on
 * the parent is the new timeline's history too, what is behind it is not. */
#ifndef WALCAST_CDC_TIMELINE_H
#define WALCAST_CDC_TIMELINE_H

#include "core/core.h"

/* The LSN at which `timeline` was left; 0 when it is none of the parents. INPUT error when the file
 * is not such a history. */
CORE_MUST_CHECK bool cdc_timeline_fork(core_slice history, uint32_t timeline, core_lsn *fork_lsn,
                                       core_error *error);

#endif
