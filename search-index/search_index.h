/* The search room's public header: documents from changes, the full-text index, its query API.
 *
 * It will offer one role (core/role.h) that follows the change stream and keeps its position in the
 * same transaction as its documents; the only room that may include SQLite. The role does not exist
 * yet: `--roles search` is refused. */
#ifndef WALCAST_SEARCH_INDEX_SEARCH_INDEX_H
#define WALCAST_SEARCH_INDEX_SEARCH_INDEX_H

#include "core/core.h"

#endif
