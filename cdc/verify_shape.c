/* See verify_shape.h. Pure. */
#include "cdc/verify_shape.h"

enum { VALUE_INLINE_MAX = 64, SCRATCH_BYTES = CORE_COLUMNS_MAX * (5 + VALUE_INLINE_MAX) };

/* ---- Columns ---- */

static uint16_t column_find(const core_relation *relation, core_slice name, uint16_t guess) {
    if (guess < relation->column_count && core_slice_equal(relation->columns[guess].name, name))
        return guess;
    for (uint16_t i = 0; i < relation->column_count; i++)
        if (core_slice_equal(relation->columns[i].name, name))
            return i;
    return CDC_VERIFY_ABSENT;
}

void cdc_verify_map_make(const cdc_verify_shape *shape, const core_relation *relation,
                         cdc_verify_map *map) {
    map->has_all = true;
    for (uint16_t i = 0; i < shape->column_count; i++) {
        const core_column *column = &shape->columns[i];
        map->at[i] = column_find(relation, column->name, i);
        map->has_all = map->has_all && map->at[i] != CDC_VERIFY_ABSENT;
        const core_column *was =
            map->at[i] != CDC_VERIFY_ABSENT ? &relation->columns[map->at[i]] : NULL;
        map->same_type[i] =
            was != NULL && was->type_oid == column->type_oid && was->typmod == column->typmod;
    }
}

static const core_value *tuple_value(const cdc_verify_map *map, const core_tuple *tuple, size_t i) {
    size_t at = map != NULL ? map->at[i] : i;
    return at < tuple->count ? &tuple->values[at] : NULL;
}

static cdc_verify_value value_make(const cdc_verify_seed *seed, const core_value *value,
                                   bool same_type) {
    cdc_verify_value made = {.kind = CDC_VERIFY_UNKNOWN};
    if (value == NULL || value->kind == CORE_VALUE_BINARY)
        return made;
    if (value->kind == CORE_VALUE_UNCHANGED) {
        made.kind = CDC_VERIFY_UNCHANGED;
    } else if (value->kind == CORE_VALUE_NULL && !value->read_later) {
        made.kind = CDC_VERIFY_NULL;
    } else {
        made.kind = value->read_later ? CDC_VERIFY_LATER
                    : same_type       ? CDC_VERIFY_VALUE
                                      : CDC_VERIFY_OTHER;
        made.hash = value->kind == CORE_VALUE_NULL ? 0 : cdc_verify_hash_of(seed, value->bytes).low;
    }
    return made;
}

void cdc_verify_values_make(const cdc_verify_seed *seed, const cdc_verify_shape *shape,
                            const cdc_verify_map *map, const core_tuple *tuple,
                            cdc_verify_value *values) {
    for (size_t i = 0; i < shape->column_count; i++)
        values[i] = value_make(seed, tuple_value(map, tuple, i), map == NULL || map->same_type[i]);
}

/* ---- Key ---- */

void cdc_verify_scratch_init(cdc_verify_scratch *scratch) {
    core_buffer_init(&scratch->bytes, SCRATCH_BYTES);
    core_buffer_init(&scratch->text, CDC_VERIFY_TEXT_MAX);
    core_buffer_init(&scratch->shown, CDC_VERIFY_TEXT_MAX);
}

void cdc_verify_scratch_fini(cdc_verify_scratch *scratch) {
    core_buffer_fini(&scratch->bytes);
    core_buffer_fini(&scratch->text);
    core_buffer_fini(&scratch->shown);
}

/* Long values by their own hash, so that the scratch is bounded whatever the row's size. */
static void value_append(const cdc_verify_seed *seed, core_buffer *bytes, const core_value *value) {
    core_buffer_u8(bytes, (uint8_t)value->kind);
    core_buffer_u32(bytes, (uint32_t)value->bytes.length);
    if (value->bytes.length <= VALUE_INLINE_MAX) {
        core_buffer_slice_append(bytes, value->bytes);
        return;
    }
    cdc_verify_hash hash = cdc_verify_hash_of(seed, value->bytes);
    core_buffer_u64(bytes, hash.high);
    core_buffer_u64(bytes, hash.low);
}

static bool is_at_hand(const cdc_verify_map *map, const core_relation *only_key,
                       const core_value *value, size_t i) {
    if (value == NULL || (value->kind != CORE_VALUE_TEXT && value->kind != CORE_VALUE_NULL) ||
        value->read_later)
        return false;
    return only_key == NULL || only_key->columns[map->at[i]].key;
}

bool cdc_verify_key_make(const cdc_verify_seed *seed, const cdc_verify_shape *shape,
                         const cdc_verify_map *map, const core_relation *only_key,
                         const core_tuple *tuple, cdc_verify_scratch *scratch,
                         cdc_verify_key *key) {
    assert(only_key == NULL || map != NULL);
    core_buffer_reset(&scratch->bytes);
    core_buffer_reset(&scratch->text);
    for (size_t i = 0; i < shape->column_count; i++) {
        if (shape->key_count > 0 && !shape->columns[i].key)
            continue;
        const core_value *value = tuple_value(map, tuple, i);
        if (!is_at_hand(map, only_key, value, i))
            return false;
        value_append(seed, &scratch->bytes, value);
        cdc_verify_text_append(&scratch->text, value, CDC_VERIFY_KEY_MAX);
    }
    *key = (cdc_verify_key){
        .hash = cdc_verify_hash_of(seed, core_buffer_slice(&scratch->bytes)),
        .text = core_buffer_slice(&scratch->text),
    };
    return core_buffer_ok(&scratch->bytes);
}

core_slice cdc_verify_shown_make(const cdc_verify_shape *shape, const cdc_verify_map *map,
                                 const core_tuple *tuple, cdc_verify_scratch *scratch) {
    static const core_value unknown = {.kind = CORE_VALUE_UNCHANGED};
    core_buffer_reset(&scratch->shown);
    for (size_t i = 0; i < shape->column_count; i++) {
        const core_value *value = tuple_value(map, tuple, i);
        cdc_verify_text_append(&scratch->shown, value != NULL ? value : &unknown,
                               CDC_VERIFY_VALUE_MAX);
    }
    return core_buffer_slice(&scratch->shown);
}
