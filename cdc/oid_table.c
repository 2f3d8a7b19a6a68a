/* See oid_table.h. Kept at most half full, so that a probe is short. */
#include "cdc/oid_table.h"

#include <stdlib.h>

enum { FIRST_CAPACITY = 64 };

void cdc_oid_table_init(cdc_oid_table *table, size_t max_length) {
    *table = (cdc_oid_table){.max_length = max_length};
}

void cdc_oid_table_fini(cdc_oid_table *table) {
    free(table->slots);
    *table = (cdc_oid_table){.max_length = table->max_length};
}

/* The slot that holds `oid`, or the free one where it belongs. */
static cdc_oid_slot *slot_find(cdc_oid_slot *slots, size_t capacity, uint32_t oid) {
    size_t at = (oid * UINT32_C(2654435761)) & (capacity - 1); /* Knuth's multiplicative hash */
    while (slots[at].oid != 0 && slots[at].oid != oid)
        at = (at + 1) & (capacity - 1);
    return &slots[at];
}

static bool table_grow(cdc_oid_table *table) {
    size_t capacity = table->capacity > 0 ? table->capacity * 2 : FIRST_CAPACITY;
    cdc_oid_slot *slots = calloc(capacity, sizeof *slots);
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < table->capacity; i++)
        if (table->slots[i].oid != 0)
            *slot_find(slots, capacity, table->slots[i].oid) = table->slots[i];
    free(table->slots);
    table->slots = slots;
    table->capacity = capacity;
    return true;
}

void **cdc_oid_table_add(cdc_oid_table *table, uint32_t oid) {
    assert(oid != 0);
    cdc_oid_slot *slot = NULL;
    if (table->capacity > 0) {
        slot = slot_find(table->slots, table->capacity, oid);
        if (slot->oid == oid)
            return &slot->value;
    }
    if (table->length == table->max_length)
        return NULL;
    if (table->length * 2 >= table->capacity) {
        if (!table_grow(table))
            return NULL;
        slot = slot_find(table->slots, table->capacity, oid);
    }
    *slot = (cdc_oid_slot){.oid = oid};
    table->length++;
    return &slot->value;
}

void *cdc_oid_table_get(const cdc_oid_table *table, uint32_t oid) {
    if (table->capacity == 0 || oid == 0)
        return NULL;
    return slot_find(table->slots, table->capacity, oid)->value;
}
