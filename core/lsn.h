/* Positions in PostgreSQL's write-ahead log as text; CORE_LSN_FORMAT writes them. */
#ifndef WALCAST_CORE_LSN_H
#define WALCAST_CORE_LSN_H

#include "core/slice.h"

/* "16/B374D848" to a position; false when it is none. */
CORE_MUST_CHECK bool core_lsn_parse(core_slice text, core_lsn *lsn);

#endif
