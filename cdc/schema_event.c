/* See schema_event.h. */
#include "cdc/schema_event.h"

/* ---- Fingerprint: FNV-1a over everything that makes the shape ---- */

static uint64_t hash_bytes(uint64_t hash, const void *data, size_t length) {
    const uint8_t *bytes = data;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t hash_number(uint64_t hash, uint64_t number) {
    uint8_t bytes[8];
    for (size_t i = 0; i < sizeof bytes; i++, number >>= 8)
        bytes[i] = (uint8_t)number;
    return hash_bytes(hash, bytes, sizeof bytes);
}

static uint64_t hash_slice(uint64_t hash, core_slice slice) {
    return hash_bytes(hash_number(hash, slice.length), slice.data, slice.length);
}

static uint64_t hash_column(uint64_t hash, const core_column *column) {
    hash = hash_slice(hash, column->name);
    hash = hash_slice(hash, column->type_name);
    hash = hash_number(hash, column->type_oid);
    hash = hash_number(hash, (uint32_t)column->typmod);
    return hash_number(hash, column->key);
}

uint32_t cdc_shape_version(const core_relation *relation) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    hash = hash_number(hash, relation->oid);
    hash = hash_slice(hash, relation->schema);
    hash = hash_slice(hash, relation->table);
    hash = hash_number(hash, (uint8_t)relation->replica_identity);
    for (size_t i = 0; i < relation->column_count; i++)
        hash = hash_column(hash, &relation->columns[i]);
    uint32_t version = (uint32_t)(hash ^ hash >> 32);
    return version != 0 ? version : 1;
}

/* ---- The event ---- */

static void column_json(core_json_writer *writer, const core_column *column) {
    core_json_object_open(writer);
    core_json_key_text(writer, "name");
    core_json_string(writer, column->name);
    core_json_key_text(writer, "type");
    core_json_string(writer, core_column_type_name(column));
    core_json_key_text(writer, "type_oid");
    core_json_unsigned(writer, column->type_oid);
    core_json_key_text(writer, "typmod");
    core_json_signed(writer, column->typmod);
    core_json_key_text(writer, "key");
    core_json_bool(writer, column->key);
    core_json_object_close(writer);
}

void cdc_shape_json(core_buffer *out, const core_relation *relation, uint32_t previous) {
    core_json_writer writer = core_json_writer_make(out);
    const char identity[] = {relation->replica_identity, '\0'};
    core_json_object_open(&writer);
    core_json_key_text(&writer, "version");
    core_json_unsigned(&writer, relation->version);
    core_json_key_text(&writer, "previous_version");
    if (previous != 0)
        core_json_unsigned(&writer, previous);
    else
        core_json_null(&writer);
    core_json_key_text(&writer, "replica_identity");
    core_json_text(&writer, identity);
    core_json_key_text(&writer, "columns");
    core_json_array_open(&writer);
    for (size_t i = 0; i < relation->column_count; i++)
        column_json(&writer, &relation->columns[i]);
    core_json_array_close(&writer);
    core_json_object_close(&writer);
}
