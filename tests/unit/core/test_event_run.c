/* The run's hand-written writer and reader against each other and, both ways, against what
 * protobuf-c makes of event.proto. Random runs come from a fixed seed; the seed and round are in
 * every failure's text. */
#include "core/core.h"
#include "core/event.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define RUN_MAX_BYTES (1u << 20)
#define EPOCH         "0k3xw2"
#define ROUNDS        2000
#define COLUMNS       12
#define ROWS          40

/* ---- Random changes ---- */

typedef struct {
    uint64_t state;
    core_arena arena;
    core_column columns[COLUMNS];
    core_relation relation;
    core_change changes[ROWS];
    size_t count;
    core_op op;
} sample;

static uint64_t random_next(sample *s) {
    s->state ^= s->state >> 12;
    s->state ^= s->state << 25;
    s->state ^= s->state >> 27;
    return s->state * UINT64_C(0x2545F4914F6CDD1D);
}

static uint32_t random_below(sample *s, uint32_t limit) {
    return (uint32_t)((random_next(s) >> 20) % limit);
}

/* Lengths around where the length's own varint grows, bytes of any value. */
static core_slice random_bytes(sample *s) {
    static const uint32_t lengths[] = {0, 1, 5, 20, 125, 126, 127, 128, 129, 300};
    size_t length = lengths[random_below(s, CORE_COUNT_OF(lengths))];
    uint8_t *bytes = core_arena_alloc(&s->arena, length + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)random_next(s);
    return core_slice_make(bytes, length);
}

static uint64_t random_number(sample *s) {
    return random_next(s) >> random_below(s, 64);
}

static core_tuple random_tuple(sample *s) {
    core_tuple tuple = {.count = s->relation.column_count};
    tuple.values = core_arena_array(&s->arena, COLUMNS, sizeof *tuple.values);
    assert_non_null(tuple.values);
    for (size_t i = 0; i < tuple.count; i++) {
        core_value *value = &tuple.values[i];
        value->kind = (core_value_kind)random_below(s, 4);
        if (value->kind == CORE_VALUE_TEXT || value->kind == CORE_VALUE_BINARY)
            value->bytes = random_bytes(s);
        value->read_later = random_below(s, 8) == 0;
    }
    return tuple;
}

static void random_relation(sample *s) {
    s->relation = (core_relation){
        .oid = (uint32_t)random_number(s),
        .schema = random_bytes(s),
        .table = random_bytes(s),
        .replica_identity = "dnfi"[random_below(s, 4)],
        .version = (uint32_t)random_number(s),
        .column_count = (uint16_t)random_below(s, COLUMNS + 1),
        .columns = s->columns,
    };
    for (size_t i = 0; i < s->relation.column_count; i++)
        s->columns[i] = (core_column){
            .name = random_bytes(s),
            .type_name = random_bytes(s),
            .type_oid = (uint32_t)random_number(s),
            .typmod = (int32_t)random_number(s) * (random_below(s, 2) ? 1 : -1),
            .key = random_below(s, 2),
            .delimiter = (char)random_below(s, 128),
            .base_oid = random_below(s, 2) ? 0 : (uint32_t)random_number(s),
            .element_oid = random_below(s, 2) ? 0 : (uint32_t)random_number(s),
        };
    if (random_below(s, 2))
        assert_true(core_relation_encode(&s->relation, &s->arena));
}

static core_transaction random_transaction(sample *s) {
    return (core_transaction){
        .xid = (uint32_t)random_number(s),
        .commit_lsn = random_number(s),
        .end_lsn = random_number(s),
        .commit_time_us = (int64_t)random_next(s),
        .origin = random_below(s, 4) ? core_slice_make(NULL, 0) : random_bytes(s),
    };
}

static void random_parts(sample *s, core_change *change) {
    bool has_new = s->op == CORE_OP_INSERT || s->op == CORE_OP_UPDATE || s->op == CORE_OP_READ;
    bool has_old = s->op == CORE_OP_UPDATE || s->op == CORE_OP_DELETE;
    if (has_new)
        change->new_tuple = random_tuple(s);
    if (has_old)
        change->old_kind = (core_old_kind)random_below(s, 3);
    if (change->old_kind != CORE_OLD_NONE)
        change->old_tuple = random_tuple(s);
    if (s->op == CORE_OP_TRUNCATE)
        change->truncate_flags = random_below(s, 4);
    if (s->op >= CORE_OP_SCHEMA)
        change->message = (core_message){
            .prefix = random_bytes(s),
            .content = random_bytes(s),
            .lsn = random_number(s),
            .transactional = random_below(s, 2),
        };
}

/* Transactions of a few rows, some with jumps in their index. */
static void sample_fill(sample *s) {
    core_arena_reset(&s->arena);
    s->op = (core_op)(1 + random_below(s, CORE_OP_GAP));
    random_relation(s);
    s->count = 1 + random_below(s, ROWS);
    core_transaction transaction = random_transaction(s);
    uint64_t index = random_number(s) >> 1;
    for (size_t i = 0; i < s->count; i++) {
        core_change *change = &s->changes[i];
        bool has_relation = s->op != CORE_OP_MESSAGE && s->op != CORE_OP_GAP;
        *change = (core_change){.op = s->op, .relation = has_relation ? &s->relation : NULL};
        change->transaction = transaction;
        change->index = index;
        random_parts(s, change);
        index += random_below(s, 8) ? 1 : 3;
        bool ends = random_below(s, 4) == 0 || i + 1 == s->count;
        change->last = ends && (i + 1 < s->count || random_below(s, 2));
        if (ends) {
            transaction = random_transaction(s);
            index = 0;
        }
    }
}

static core_slice sample_write(const sample *s, core_run_writer *writer) {
    core_run_open(writer, EPOCH, s->op, s->changes[0].relation);
    for (size_t i = 0; i < s->count; i++) {
        size_t before = writer->body.length;
        size_t most = core_run_change_size(&s->changes[i]);
        assert_true(core_run_append(writer, &s->changes[i]));
        if (s->changes[i].last || i + 1 == s->count)
            core_run_transaction_end(writer, s->changes[i].last);
        assert_in_range(writer->body.length - before, 1, most);
    }
    return core_run_close(writer);
}

/* ---- Comparing ---- */

static void assert_slice(core_slice left, core_slice right) {
    assert_int_equal(left.length, right.length);
    assert_true(core_slice_equal(left, right));
}

static void assert_tuple(const core_tuple *left, const core_tuple *right) {
    assert_int_equal(left->count, right->count);
    for (size_t i = 0; i < left->count; i++) {
        assert_int_equal(left->values[i].kind, right->values[i].kind);
        assert_slice(left->values[i].bytes, right->values[i].bytes);
        assert_int_equal(left->values[i].read_later, right->values[i].read_later);
    }
}

static void assert_transaction(const core_transaction *left, const core_transaction *right) {
    assert_int_equal(left->xid, right->xid);
    assert_int_equal(left->commit_lsn, right->commit_lsn);
    assert_int_equal(left->end_lsn, right->end_lsn);
    assert_int_equal(left->commit_time_us, right->commit_time_us);
    assert_slice(left->origin, right->origin);
}

static void assert_change(const core_change *left, const core_change *right) {
    assert_int_equal(left->op, right->op);
    assert_transaction(&left->transaction, &right->transaction);
    assert_int_equal(left->index, right->index);
    assert_int_equal(left->last, right->last);
    assert_int_equal(left->old_kind, right->old_kind);
    assert_tuple(&left->old_tuple, &right->old_tuple);
    assert_tuple(&left->new_tuple, &right->new_tuple);
    assert_int_equal(left->truncate_flags, right->truncate_flags);
    assert_slice(left->message.prefix, right->message.prefix);
    assert_slice(left->message.content, right->message.content);
    assert_int_equal(left->message.lsn, right->message.lsn);
    assert_int_equal(left->message.transactional, right->message.transactional);
}

static void assert_relation(const core_relation *left, const core_relation *right) {
    assert_int_equal(left->oid, right->oid);
    assert_slice(left->schema, right->schema);
    assert_slice(left->table, right->table);
    assert_int_equal(left->replica_identity, right->replica_identity);
    assert_int_equal(left->version, right->version);
    assert_int_equal(left->column_count, right->column_count);
    for (size_t i = 0; i < left->column_count; i++) {
        assert_slice(left->columns[i].name, right->columns[i].name);
        assert_slice(left->columns[i].type_name, right->columns[i].type_name);
        assert_int_equal(left->columns[i].type_oid, right->columns[i].type_oid);
        assert_int_equal(left->columns[i].typmod, right->columns[i].typmod);
        assert_int_equal(left->columns[i].key, right->columns[i].key);
        assert_int_equal(left->columns[i].delimiter, right->columns[i].delimiter);
        assert_int_equal(left->columns[i].base_oid, right->columns[i].base_oid);
        assert_int_equal(left->columns[i].element_oid, right->columns[i].element_oid);
    }
}

/* What was written, but for unchanged values that the old image has. */
static void assert_reads_as_change(const core_change *change, const core_change *written) {
    core_value values[COLUMNS];
    core_change expected = *written;
    if (written->new_tuple.count > 0) {
        memcpy(values, written->new_tuple.values, written->new_tuple.count * sizeof *values);
        expected.new_tuple.values = values;
    }
    core_change_fill_unchanged(&expected);
    assert_change(change, &expected);
}

static void assert_reads_as(core_slice payload, const sample *s) {
    core_arena arena;
    core_arena_init(&arena, 4096, RUN_MAX_BYTES);
    core_error error = {0};
    core_run run;
    core_run_reader reader;
    if (!core_run_decode(payload, &arena, &run, &error))
        fail_msg("%s", error.text);
    assert_int_equal(run.op, s->op);
    assert_string_equal(run.epoch, EPOCH);
    assert_int_equal(run.rows, s->count);
    assert_int_equal(run.has_relation, s->changes[0].relation != NULL);
    if (run.has_relation)
        assert_relation(&run.relation, &s->relation);
    const core_change *last = &s->changes[s->count - 1];
    assert_transaction(&run.last_transaction, &last->transaction);
    assert_int_equal(run.last_index, last->index);
    assert_int_equal(run.last_complete, last->last);
    assert_true(core_run_reader_init(&reader, &run, &arena, &error));
    for (size_t i = 0; i < s->count; i++) {
        const core_change *change = core_run_next(&reader);
        assert_non_null(change);
        assert_int_equal(core_run_row(&reader), i);
        assert_ptr_equal(change->relation, run.has_relation ? &run.relation : NULL);
        assert_reads_as_change(change, &s->changes[i]);
    }
    assert_null(core_run_next(&reader));
    assert_null(core_run_next(&reader));
    core_arena_fini(&arena);
}

static void each_sample(uint64_t seed, void (*check)(sample *, core_run_writer *)) {
    sample *s = calloc(1, sizeof *s);
    assert_non_null(s);
    core_run_writer writer;
    s->state = seed;
    core_arena_init(&s->arena, 4096, 16 * RUN_MAX_BYTES);
    core_run_writer_init(&writer, RUN_MAX_BYTES);
    for (unsigned round = 0; round < ROUNDS; round++) {
        sample_fill(s);
        check(s, &writer);
    }
    core_run_writer_fini(&writer);
    core_arena_fini(&s->arena);
    free(s);
}

/* ---- Tests ---- */

static void check_round_trip(sample *s, core_run_writer *writer) {
    assert_reads_as(sample_write(s, writer), s);
}

static void what_is_written_is_read(void **state) {
    (void)state;
    each_sample(1, check_round_trip);
}

static void assert_packed(core_slice slice, ProtobufCBinaryData data) {
    assert_slice(slice, core_slice_make(data.data, data.len));
}

static void assert_packed_value(const core_value *value, const Walcast__V1__Value *packed) {
    assert_int_equal(value->read_later, packed->read_later);
    switch (value->kind) {
    case CORE_VALUE_TEXT:
        assert_int_equal(packed->kind_case, WALCAST__V1__VALUE__KIND_TEXT);
        assert_packed(value->bytes, packed->text);
        break;
    case CORE_VALUE_BINARY:
        assert_int_equal(packed->kind_case, WALCAST__V1__VALUE__KIND_BINARY);
        assert_packed(value->bytes, packed->binary);
        break;
    case CORE_VALUE_NULL:
        assert_int_equal(packed->kind_case, WALCAST__V1__VALUE__KIND_NULL);
        assert_true(packed->null);
        break;
    case CORE_VALUE_UNCHANGED:
        assert_int_equal(packed->kind_case, WALCAST__V1__VALUE__KIND_UNCHANGED);
        assert_true(packed->unchanged);
        break;
    }
}

static void assert_packed_tuple(const core_tuple *tuple, const Walcast__V1__Tuple *packed) {
    assert_int_equal(tuple->count, packed != NULL ? packed->n_values : 0);
    for (size_t i = 0; i < tuple->count; i++)
        assert_packed_value(&tuple->values[i], packed->values[i]);
}

static void assert_packed_row(const core_change *change, const Walcast__V1__Row *row) {
    static const Walcast__V1__Message none = WALCAST__V1__MESSAGE__INIT;
    const Walcast__V1__Message *message = row->message != NULL ? row->message : &none;
    assert_packed_tuple(&change->new_tuple, row->new_);
    assert_packed_tuple(&change->old_tuple, row->old);
    assert_int_equal(change->old_kind, row->old_kind);
    assert_int_equal(change->truncate_flags, row->truncate_flags);
    assert_packed(change->message.prefix, message->prefix);
    assert_packed(change->message.content, message->content);
    assert_int_equal(change->message.lsn, message->lsn);
    assert_int_equal(change->message.transactional, message->transactional);
}

static void assert_packed_relation(const core_relation *relation,
                                   const Walcast__V1__Relation *packed) {
    assert_int_equal(relation->oid, packed->oid);
    assert_packed(relation->schema, packed->schema);
    assert_packed(relation->table, packed->table);
    assert_int_equal(relation->replica_identity, packed->replica_identity);
    assert_int_equal(relation->version, packed->version);
    assert_int_equal(relation->column_count, packed->n_columns);
    for (size_t i = 0; i < packed->n_columns; i++) {
        assert_packed(relation->columns[i].name, packed->columns[i]->name);
        assert_packed(relation->columns[i].type_name, packed->columns[i]->type_name);
        assert_int_equal(relation->columns[i].type_oid, packed->columns[i]->type_oid);
        assert_int_equal(relation->columns[i].typmod, packed->columns[i]->typmod);
        assert_int_equal(relation->columns[i].key, packed->columns[i]->key);
        assert_int_equal(relation->columns[i].delimiter, packed->columns[i]->delimiter);
        assert_int_equal(relation->columns[i].base_oid, packed->columns[i]->base_type_oid);
        assert_int_equal(relation->columns[i].element_oid, packed->columns[i]->element_type_oid);
    }
}

/* protobuf-c reads what we wrote; the size shows that both choose the shortest form; and what it
 * then packs, with the shares before the rows, reads back as the same changes. */
static void check_against_protobuf_c(sample *s, core_run_writer *writer) {
    core_slice payload = sample_write(s, writer);
    Walcast__V1__Run *run = walcast__v1__run__unpack(NULL, payload.length, payload.data);
    assert_non_null(run);
    assert_int_equal(run->version, CORE_RUN_VERSION);
    assert_string_equal(run->epoch, EPOCH);
    assert_int_equal(run->op, s->op);
    assert_int_equal(run->n_rows, s->count);
    assert_int_equal(run->relation != NULL, s->changes[0].relation != NULL);
    if (run->relation != NULL)
        assert_packed_relation(&s->relation, run->relation);
    size_t row = 0;
    for (size_t i = 0; i < run->n_transactions; i++) {
        const Walcast__V1__Transaction *share = run->transactions[i];
        for (uint32_t k = 0; k < share->count; k++, row++) {
            const core_change *change = &s->changes[row];
            assert_packed_row(change, run->rows[row]);
            assert_int_equal(share->xid, change->transaction.xid);
            assert_int_equal(share->commit_lsn, change->transaction.commit_lsn);
            assert_int_equal(share->end_lsn, change->transaction.end_lsn);
            assert_int_equal(share->commit_time_us, change->transaction.commit_time_us);
            assert_packed(change->transaction.origin, share->origin);
            assert_int_equal(share->first_index + k, change->index);
            assert_int_equal(share->last && k + 1 == share->count, change->last);
        }
    }
    assert_int_equal(row, s->count);
    assert_int_equal(walcast__v1__run__get_packed_size(run), payload.length);
    uint8_t *packed = malloc(payload.length);
    assert_non_null(packed);
    assert_int_equal(walcast__v1__run__pack(run, packed), payload.length);
    assert_reads_as(core_slice_make(packed, payload.length), s);
    free(packed);
    walcast__v1__run__free_unpacked(run, NULL);
}

static void protobuf_c_agrees_both_ways(void **state) {
    (void)state;
    each_sample(2, check_against_protobuf_c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(protobuf_c_agrees_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
