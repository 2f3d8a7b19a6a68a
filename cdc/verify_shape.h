/* What of a table the stream should hold: its published columns, its key, what is published of it.
 * Read from the catalog (verify_table.c); here is how a change's own columns map to them. */
#ifndef WALCAST_CDC_VERIFY_SHAPE_H
#define WALCAST_CDC_VERIFY_SHAPE_H

#include "cdc/snapshot_table.h"
#include "cdc/verify_row.h"

typedef struct {
    core_slice schema;
    core_slice table;
    uint32_t oid;
    uint16_t column_count;
    core_column *columns; /* `key`: part of the key that rows are told apart by */
    uint16_t key_count;   /* 0: there is none, and rows alike are counted */
    cdc_published published;
    uint64_t born; /* the transaction that made the table, at full length; 0: not known */
} cdc_verify_shape;

/* Column i of the shape is column `at[i]` of a relation; CDC_VERIFY_ABSENT: it has none of that
 * name. `same_type[i]`: with the same type. */
#define CDC_VERIFY_ABSENT UINT16_MAX
typedef struct {
    uint16_t at[CORE_COLUMNS_MAX];
    bool same_type[CORE_COLUMNS_MAX];
    bool has_all;
} cdc_verify_map;

void cdc_verify_map_make(const cdc_verify_shape *shape, const core_relation *relation,
                         cdc_verify_map *map);

/* The new row's values; UNKNOWN where the relation lacks the column or the value is binary. */
void cdc_verify_values_make(const cdc_verify_seed *seed, const cdc_verify_shape *shape,
                            const cdc_verify_map *map, const core_tuple *tuple,
                            cdc_verify_value *values);

/* Hash and text of a row's key; of all its columns when the table has none. `scratch` is used. */
typedef struct {
    cdc_verify_hash hash;
    core_slice text; /* in `text_buffer` */
} cdc_verify_key;
typedef struct {
    core_buffer bytes;
    core_buffer text;
    core_buffer shown;
} cdc_verify_scratch;
void cdc_verify_scratch_init(cdc_verify_scratch *scratch);
void cdc_verify_scratch_fini(cdc_verify_scratch *scratch);

/* Every column's value as a text, in the scratch; see cdc_verify_text_append. */
core_slice cdc_verify_shown_make(const cdc_verify_shape *shape, const cdc_verify_map *map,
                                 const core_tuple *tuple, cdc_verify_scratch *scratch);
/* By the shape's column order. `map` NULL: the tuple's columns are the shape's. `only_key`: of a
 * tuple whose other columns are not meant (an old key), whose key columns are `relation`'s. False
 * when a value that counts is not at hand as text, or memory is out. */
CORE_MUST_CHECK bool cdc_verify_key_make(const cdc_verify_seed *seed, const cdc_verify_shape *shape,
                                         const cdc_verify_map *map, const core_relation *only_key,
                                         const core_tuple *tuple, cdc_verify_scratch *scratch,
                                         cdc_verify_key *key);

#endif
