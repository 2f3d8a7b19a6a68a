/* What the slot has told about tables and types: relations by OID, with names and versions.
 *
 * pgoutput describes a table once a connection and again after each change of its shape; every
 * description is compared with the one held, and a difference gives the relation another version: a
 * fingerprint of its shape (schema_event.h), the same after a restart.
 * Nothing is evicted, since nothing would be sent again: past the maximum the slot stops (LIMIT).
 * Owned by one thread; a relation that was given out is valid until the next `put` of its OID. */
#ifndef WALCAST_CDC_RELATION_CACHE_H
#define WALCAST_CDC_RELATION_CACHE_H

#include "cdc/lookup.h"

#define CDC_RELATIONS_MAX 65536
#define CDC_TYPES_MAX     65536

typedef struct cdc_relation_cache cdc_relation_cache;

/* NULL when memory is out. */
CORE_MUST_CHECK cdc_relation_cache *cdc_relation_cache_new(void);
void cdc_relation_cache_free(cdc_relation_cache *cache);

/* Names a type that is not built in. */
CORE_MUST_CHECK bool cdc_relation_cache_type_put(cdc_relation_cache *cache, uint32_t oid,
                                                 core_slice name, core_error *error);
/* Asks `lookup` about the types of `relation` that are not built in and that were not asked about
 * yet: before `put`, so that the copy says it. */
CORE_MUST_CHECK bool cdc_relation_cache_types_ask(cdc_relation_cache *cache,
                                                  const core_relation *relation, cdc_lookup *lookup,
                                                  core_error *error);
/* Takes a copy of `relation` as decoded (its version and type names are not looked at). */
CORE_MUST_CHECK bool cdc_relation_cache_put(cdc_relation_cache *cache,
                                            const core_relation *relation, core_error *error);
/* NULL when the slot has not described it. */
const core_relation *cdc_relation_cache_get(const cdc_relation_cache *cache, uint32_t oid);
/* The version of the shape that the stream was told last (schema_event.h), as this connection
 * knows; 0: it has not looked yet. Outlives a new description of the relation. */
uint32_t cdc_relation_cache_told(const cdc_relation_cache *cache, uint32_t oid);
void cdc_relation_cache_tell(cdc_relation_cache *cache, uint32_t oid, uint32_t version);
/* A new connection: what was on its way may not have arrived. */
void cdc_relation_cache_untell(cdc_relation_cache *cache);
size_t cdc_relation_cache_length(const cdc_relation_cache *cache);

#endif
