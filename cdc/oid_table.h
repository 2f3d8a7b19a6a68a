/* A hash table from OID to an owned pointer: open addressing, linear probing, no removal. */
#ifndef WALCAST_CDC_OID_TABLE_H
#define WALCAST_CDC_OID_TABLE_H

#include "core/core.h"

typedef struct {
    uint32_t oid; /* 0: free, no object has it */
    void *value;
} cdc_oid_slot;

typedef struct {
    cdc_oid_slot *slots;
    size_t capacity; /* a power of two, or 0 */
    size_t length;
    size_t max_length;
} cdc_oid_table;

/* Allocates nothing yet. */
void cdc_oid_table_init(cdc_oid_table *table, size_t max_length);
/* Frees the slots, not the values. */
void cdc_oid_table_fini(cdc_oid_table *table);
/* The value's place for `oid`, added empty when it is not there. NULL when the maximum is reached
 * or memory is out. Valid until the next add. */
CORE_MUST_CHECK void **cdc_oid_table_add(cdc_oid_table *table, uint32_t oid);
void *cdc_oid_table_get(const cdc_oid_table *table, uint32_t oid);

#endif
