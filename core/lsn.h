/* Positions in PostgreSQL's write-ahead log as text; CORE_LSN_FORMAT writes them. */
#ifndef WALCAST_CORE_LSN_H
#define WALCAST_CORE_LSN_H

#include "core/slice.h"

/* "16/B374D848" to a position; false when it is none. */
CORE_MUST_CHECK bool core_lsn_parse(core_slice text, core_lsn *lsn);
/* An insert position just behind a page's header is where the last record ended, at the page's
 * beginning: what is sent never stands at the former. No record ends so near behind a header. */
core_lsn core_lsn_settle(core_lsn lsn, uint32_t page_bytes);

#endif
