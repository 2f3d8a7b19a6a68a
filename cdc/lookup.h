/* What the database tells beside its WAL: of types that are not built in, and the values that an
 * UPDATE left unchanged.
 *
 * An interface, so that tests can simulate it; lookup.c is the real one, on a connection of its own
 * that is opened when first needed. Used by the source's thread only, which it blocks: for a types
 * query up to postgres.connect_timeout, for a row about a second. */
#ifndef WALCAST_CDC_LOOKUP_H
#define WALCAST_CDC_LOOKUP_H

#include "core/core.h"

/* As in core_column. A type is never altered in this, so what was told once stays true. */
typedef struct {
    uint32_t oid;
    uint32_t base_oid;
    uint32_t element_oid;
    char delimiter;
} cdc_type_facts;

typedef struct cdc_lookup cdc_lookup;
struct cdc_lookup {
    /* Fills what pg_type says of each `oid`; all 0 for one that is gone. */
    bool (*types)(cdc_lookup *lookup, cdc_type_facts *types, size_t count, core_error *error);
    /* Reads the new row's unchanged values from its table, by its key, and puts them into the tuple
     * as `read_later`; at most `max_bytes` in all. They live until the next call. What cannot be
     * read (no such row any more, no key, no privilege, a lock) stays unchanged: still true. False
     * when the database is away: TRANSIENT. */
    bool (*values)(cdc_lookup *lookup, core_change *change, size_t max_bytes, core_error *error);
    void (*free)(cdc_lookup *lookup);
};

/* The real one. `cancel_fd` readable calls off what blocks. NULL when memory is out. */
CORE_MUST_CHECK cdc_lookup *cdc_lookup_new(const core_config *config, core_log *log, int cancel_fd);

#endif
