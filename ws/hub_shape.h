/* A table's shape as the stream last told it, kept while filters are bound to it. */
#ifndef WALCAST_WS_HUB_SHAPE_H
#define WALCAST_WS_HUB_SHAPE_H

#include "core/core.h"

typedef struct {
    core_arena arena;
    core_relation relation; /* a copy */
} hub_shape;

/* NULL when memory is out. */
CORE_MUST_CHECK hub_shape *hub_shape_new(const core_relation *relation);
void hub_shape_free(hub_shape *shape);
/* The same columns of the same types with the same keys, and the same replica identity. */
bool hub_shape_is(const hub_shape *shape, const core_relation *relation);

#endif
