/* JSON messages: every operation there and back, exactly; what JSON cannot tell is carried; parts
 * come together; anything else is refused. */
#include "core/core.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MAX = 1 << 20 };

#define EPOCH "0k3xw2"

typedef struct {
    core_event_json_writer writer;
    core_buffer out;
    core_arena arena;
    core_run run;
    core_run_reader reader;
    core_error error;
} fixture;

static int setup(void **state) {
    static const core_event_json_source source = {"1.2.3", "WALCAST", "shop"};
    fixture *it = calloc(1, sizeof *it);
    if (it == NULL)
        return 1;
    core_event_json_writer_init(&it->writer, &source, MAX);
    core_buffer_init(&it->out, MAX);
    core_arena_init(&it->arena, 4096, CORE_EVENT_JSON_ARENA_FACTOR * MAX);
    *state = it;
    return 0;
}

static int teardown(void **state) {
    fixture *it = *state;
    core_event_json_writer_fini(&it->writer);
    core_buffer_fini(&it->out);
    core_arena_fini(&it->arena);
    free(it);
    return 0;
}

#define TEXT_SLICE(text_)                                                                          \
    { (const uint8_t *)(text_), sizeof(text_) - 1 }
#define TEXT_VALUE(text_)                                                                          \
    { .kind = CORE_VALUE_TEXT, .bytes = TEXT_SLICE(text_) }

static const core_column columns[] = {
    {.name = TEXT_SLICE("id"),
     .type_name = TEXT_SLICE("int8"),
     .type_oid = 20,
     .typmod = -1,
     .key = true},
    {.name = TEXT_SLICE("t\"\n"),
     .type_name = TEXT_SLICE("varchar"),
     .type_oid = 1043,
     .typmod = 14},
    {.name = TEXT_SLICE("\xff"),
     .type_name = TEXT_SLICE("_mood"),
     .type_oid = 16500,
     .typmod = -1,
     .element_oid = 16499,
     .delimiter = '|'},
    {.name = TEXT_SLICE(""), .type_oid = 16700, .typmod = 0, .base_oid = 3802},
};

static core_relation relation_make(void) {
    return (core_relation){.oid = 16385,
                           .schema = TEXT_SLICE("public"),
                           .table = TEXT_SLICE("o'dd \xfe"),
                           .replica_identity = 'd',
                           .version = 3,
                           .column_count = CORE_COUNT_OF(columns),
                           .columns = columns};
}

/* Documents of the maximum depth in it may make it deeper than core_json_valid takes. */
static void assert_is_json(core_slice message) {
    core_json_reader reader = core_json_envelope_reader_make(message);
    core_json_kind kind;
    do
        kind = core_json_next(&reader).kind;
    while (kind != CORE_JSON_INVALID && kind != CORE_JSON_END);
    assert_int_equal(kind, CORE_JSON_END);
    assert_true(core_utf8_valid(message));
}

static core_slice message_write(fixture *it, const core_change *change) {
    core_run run = {.op = change->op, .epoch = EPOCH, .has_relation = change->relation != NULL};
    if (change->relation != NULL)
        run.relation = *change->relation;
    core_buffer_reset(&it->out);
    core_event_json_begin(&it->writer, &run, 1763511760880123);
    core_event_json_change(&it->writer, change, &it->out);
    assert_true(core_buffer_ok(&it->out));
    assert_is_json(core_buffer_slice(&it->out));
    return core_buffer_slice(&it->out);
}

static const core_change *change_read(fixture *it, core_slice message) {
    core_arena_reset(&it->arena);
    if (!core_run_decode(message, &it->arena, &it->run, &it->error))
        fail_msg("%s", it->error.text);
    assert_int_equal(it->run.rows, 1);
    assert_string_equal(it->run.epoch, EPOCH);
    assert_true(core_run_reader_init(&it->reader, &it->run, &it->arena, &it->error));
    const core_change *change = core_run_next(&it->reader);
    assert_non_null(change);
    return change;
}

static void assert_slices(core_slice a, core_slice b) {
    if (!core_slice_equal(a, b))
        fail_msg("%.*s is not %.*s", CORE_SLICE_ARGS(a), CORE_SLICE_ARGS(b));
}

static void assert_tuples(const core_tuple *a, const core_tuple *b) {
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_int_equal(a->values[i].kind, b->values[i].kind);
        assert_int_equal(a->values[i].read_later, b->values[i].read_later);
        assert_slices(a->values[i].bytes, b->values[i].bytes);
    }
}

static void assert_relations(const core_relation *a, const core_relation *b) {
    assert_int_equal(a->oid, b->oid);
    assert_int_equal(a->version, b->version);
    assert_int_equal(a->replica_identity, b->replica_identity);
    assert_slices(a->schema, b->schema);
    assert_slices(a->table, b->table);
    assert_int_equal(a->column_count, b->column_count);
    for (size_t i = 0; i < a->column_count; i++) {
        const core_column *left = &a->columns[i], *right = &b->columns[i];
        assert_slices(left->name, right->name);
        assert_slices(left->type_name, right->type_name);
        assert_true(left->type_oid == right->type_oid && left->typmod == right->typmod &&
                    left->key == right->key && left->delimiter == right->delimiter &&
                    left->base_oid == right->base_oid && left->element_oid == right->element_oid);
    }
}

/* The change comes back from its message as it was, and the message says where the stream stands.
 */
static void assert_round_trip(fixture *it, const core_change *change) {
    const core_change *again = change_read(it, message_write(it, change));
    assert_int_equal(again->op, change->op);
    assert_int_equal(again->index, change->index);
    assert_int_equal(again->last, change->last);
    assert_int_equal(again->old_kind, change->old_kind);
    assert_int_equal(again->truncate_flags, change->truncate_flags);
    assert_true(again->transaction.xid == change->transaction.xid &&
                again->transaction.commit_lsn == change->transaction.commit_lsn &&
                again->transaction.end_lsn == change->transaction.end_lsn &&
                again->transaction.commit_time_us == change->transaction.commit_time_us);
    assert_slices(again->transaction.origin, change->transaction.origin);
    assert_slices(again->message.prefix, change->message.prefix);
    assert_slices(again->message.content, change->message.content);
    assert_int_equal(again->message.lsn, change->message.lsn);
    assert_int_equal(again->message.transactional, change->message.transactional);
    assert_true((again->relation == NULL) == (change->relation == NULL));
    if (change->relation != NULL)
        assert_relations(again->relation, change->relation);
    assert_tuples(&again->new_tuple, &change->new_tuple);
    assert_tuples(&again->old_tuple, &change->old_tuple);
    assert_int_equal(it->run.last_index, change->index);
    assert_int_equal(it->run.last_complete, change->last);
    assert_int_equal(it->run.last_transaction.commit_lsn, change->transaction.commit_lsn);
}

static core_change change_make(core_op op, const core_relation *relation) {
    return (core_change){.op = op,
                         .relation = relation,
                         .transaction = {.xid = 737,
                                         .commit_lsn = 0x16B374D848,
                                         .end_lsn = 0x16B374D878,
                                         .commit_time_us = 1763511760877123},
                         .index = 4};
}

#define IS_THERE(message_, text_)                                                                  \
    assert_non_null(memmem((message_).data, (message_).length, (text_), strlen(text_)))

static void rows_come_back(void **state) {
    fixture *it = *state;
    core_relation relation = relation_make();
    core_value new_values[] = {TEXT_VALUE("9007199254740993"),
                               {.kind = CORE_VALUE_NULL},
                               TEXT_VALUE("{sad|\"so| so\"}"),
                               TEXT_VALUE("{\"a\": 1.10}")};
    core_value old_values[] = {TEXT_VALUE("7"),
                               {.kind = CORE_VALUE_NULL},
                               {.kind = CORE_VALUE_NULL},
                               {.kind = CORE_VALUE_NULL}};
    core_change change = change_make(CORE_OP_INSERT, &relation);
    change.new_tuple = (core_tuple){4, new_values};
    assert_round_trip(it, &change);
    change.op = CORE_OP_READ;
    change.transaction.xid = 0;
    assert_round_trip(it, &change);
    IS_THERE(core_buffer_slice(&it->out), "\"snapshot\":\"true\"");
    change.op = CORE_OP_UPDATE;
    change.last = true;
    change.transaction.origin = core_slice_make("away \xff", 6);
    assert_round_trip(it, &change);
    change.old_kind = CORE_OLD_KEY;
    change.old_tuple = (core_tuple){4, old_values};
    assert_round_trip(it, &change);
    IS_THERE(core_buffer_slice(&it->out),
             "{\"before\":{\"id\":7},\"after\":{\"id\":9007199254740993,");
    change.old_kind = CORE_OLD_FULL;
    assert_round_trip(it, &change);
    change.op = CORE_OP_DELETE;
    change.new_tuple.count = 0;
    assert_round_trip(it, &change);
}

static void unchanged_is_named_and_never_null(void **state) {
    fixture *it = *state;
    core_relation relation = relation_make();
    core_value values[] = {TEXT_VALUE("1"),
                           {.kind = CORE_VALUE_UNCHANGED},
                           {.kind = CORE_VALUE_UNCHANGED},
                           TEXT_VALUE("[]")};
    core_change change = change_make(CORE_OP_UPDATE, &relation);
    change.new_tuple = (core_tuple){4, values};
    values[3].read_later = true;
    assert_round_trip(it, &change);
    core_slice message = core_buffer_slice(&it->out);
    IS_THERE(message, "\"after\":{\"id\":1,\"\":[]}");
    IS_THERE(message, "\"unchanged\":[\"t\\\"\\n\",\"\xEF\xBF\xBD\"]");
    IS_THERE(message, "\"read_later\":[\"\"]");
}

/* Bounds, line ends, documents that are null, bytes that are not UTF-8, binary values. */
static void what_json_cannot_tell_is_carried(void **state) {
    fixture *it = *state;
    core_relation relation = relation_make();
    core_value values[] = {TEXT_VALUE("not a number\xff"), TEXT_VALUE("\xc3\x28"),
                           TEXT_VALUE("[0:0]={sad}"), TEXT_VALUE("{\n}")};
    core_change change = change_make(CORE_OP_UPDATE, &relation);
    change.new_tuple = (core_tuple){4, values};
    assert_round_trip(it, &change);
    IS_THERE(core_buffer_slice(&it->out), "\"exact\":{\"after\":{\"id\":{\"text_base64\":");
    change.old_kind = CORE_OLD_FULL;
    change.old_tuple = (core_tuple){4, values};
    core_value null_document[] = {TEXT_VALUE("1"),
                                  {.kind = CORE_VALUE_BINARY, .bytes = TEXT_SLICE("\0\1")},
                                  TEXT_VALUE("{}"),
                                  TEXT_VALUE("null")};
    change.new_tuple = (core_tuple){4, null_document};
    assert_round_trip(it, &change);
}

/* Malformed text of a type whose JSON cannot be read back at all. */
static void a_value_that_only_exact_tells_comes_back(void **state) {
    fixture *it = *state;
    const core_column column = {.name = TEXT_SLICE("v"), .type_oid = 30, .typmod = -1};
    core_relation relation = {
        .oid = 1, .replica_identity = 'f', .column_count = 1, .columns = &column};
    core_value value = TEXT_VALUE("a\"b\n c");
    core_change change = change_make(CORE_OP_DELETE, &relation);
    change.old_kind = CORE_OLD_FULL;
    change.old_tuple = (core_tuple){1, &value};
    assert_round_trip(it, &change);
}

/* A document of the maximum depth in an array, in a row, in a message. */
static void the_deepest_document_comes_back(void **state) {
    fixture *it = *state;
    const core_column column = {
        .name = TEXT_SLICE("d"), .type_name = TEXT_SLICE("_json"), .type_oid = 199, .typmod = -1};
    core_relation relation = {.oid = 1,
                              .schema = TEXT_SLICE("s"),
                              .table = TEXT_SLICE("t"),
                              .replica_identity = 'n',
                              .column_count = 1,
                              .columns = &column};
    for (size_t depth = CORE_JSON_MAX_DEPTH - 1; depth <= CORE_JSON_MAX_DEPTH + 1; depth++) {
        char text[2 * CORE_JSON_MAX_DEPTH + 32] = "{{{{{{";
        size_t length = 6;
        text[length++] = '"';
        memset(text + length, '[', depth);
        length += depth;
        memset(text + length, ']', depth);
        length += depth;
        text[length++] = '"';
        memcpy(text + length, "}}}}}}", 6);
        length += 6;
        core_value value = {.kind = CORE_VALUE_TEXT, .bytes = core_slice_make(text, length)};
        core_change change = change_make(CORE_OP_INSERT, &relation);
        change.new_tuple = (core_tuple){1, &value};
        assert_round_trip(it, &change);
    }
}

static void changes_without_rows_come_back(void **state) {
    fixture *it = *state;
    core_relation relation = relation_make();
    core_change change = change_make(CORE_OP_TRUNCATE, &relation);
    for (unsigned flags = 0; flags < 4; flags++) {
        change.truncate_flags = flags;
        assert_round_trip(it, &change);
    }
    change = change_make(CORE_OP_SCHEMA, &relation);
    change.message.content = core_slice_text("{\"previous_version\": 1.0}");
    assert_round_trip(it, &change);
    IS_THERE(core_buffer_slice(&it->out), "\"content\":{\"previous_version\": 1.0}");
    change = change_make(CORE_OP_GAP, NULL);
    change.transaction = (core_transaction){0};
    change.message.content = core_slice_text("{\"reason\":\"slot lost\"}");
    assert_round_trip(it, &change);
    change.message.content = core_slice_text("no JSON");
    assert_round_trip(it, &change);
    change = change_make(CORE_OP_MESSAGE, NULL);
    change.message = (core_message){.prefix = core_slice_text("order\"s"),
                                    .content = core_slice_text("{\"a\":1}"),
                                    .lsn = 77,
                                    .transactional = true};
    assert_round_trip(it, &change);
    change.message.content = core_slice_make("\xff\0\xfe", 3);
    change.message.transactional = false;
    change.transaction.xid = 0;
    assert_round_trip(it, &change);
    IS_THERE(core_buffer_slice(&it->out), "\"content_base64\":\"/wD+\"");
}

/* ---- Parts ---- */

static void parts_come_together(void **state) {
    fixture *it = *state;
    core_relation relation = relation_make();
    static char large[20000];
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (char)(i % 90 + ' ');
    core_value values[] = {
        TEXT_VALUE("1"),
        {.kind = CORE_VALUE_TEXT, .bytes = {(const uint8_t *)large, sizeof large}},
        {.kind = CORE_VALUE_NULL},
        {.kind = CORE_VALUE_NULL}};
    core_change change = change_make(CORE_OP_INSERT, &relation);
    change.new_tuple = (core_tuple){4, values};
    core_slice message = message_write(it, &change);
    core_assembly assembly;
    core_buffer part_out;
    core_slice whole;
    core_assembly_init(&assembly, MAX);
    core_buffer_init(&part_out, MAX);
    size_t chunk = message.length / 3;
    for (uint32_t i = 0; i < 4; i++) {
        size_t from = i * chunk, left = message.length - from;
        core_part part = {.index = i,
                          .count = 4,
                          .total_bytes = message.length,
                          .chunk = {message.data + from, left < chunk ? left : chunk}};
        core_change place = change;
        place.relation = NULL;
        place.last = i == 3;
        place.transaction.end_lsn = i == 3 ? UINT64_MAX : 0;
        core_buffer_reset(&part_out);
        core_event_json_part(&it->writer, &place, &part, &part_out);
        assert_true(core_json_valid(core_buffer_slice(&part_out)));
        assert_in_range(part_out.length, 1,
                        core_event_json_part_overhead(&it->writer, &place) +
                            core_base64_size(part.chunk.length));
        assert_true(core_run_decode(core_buffer_slice(&part_out), NULL, &it->run, &it->error));
        assert_true(it->run.is_part && it->run.op == CORE_OP_INSERT && it->run.last_index == 4);
        assert_int_equal(it->run.last_complete, i == 3);
        assert_int_equal(it->run.last_transaction.end_lsn, place.transaction.end_lsn);
        assert_int_equal(core_run_holds_last(&it->run), i == 3);
        bool ends;
        assert_int_equal(core_assembly_first(core_buffer_slice(&part_out), 10 + i, &ends), 10);
        assert_int_equal(ends, i == 3);
        assert_int_equal(
            core_assembly_feed(&assembly, core_buffer_slice(&part_out), 10 + i, &whole, &it->error),
            i == 3 ? CORE_ASSEMBLY_WHOLE : CORE_ASSEMBLY_MORE);
    }
    assert_slices(whole, message);
    assert_tuples(&change_read(it, whole)->new_tuple, &change.new_tuple);
    core_buffer_fini(&part_out);
    core_assembly_fini(&assembly);
}

/* ---- Refusals ---- */

#define HEAD(op_)                                                                                  \
    "\"source\":{\"commit_lsn\":\"0/1\"},\"transaction\":{\"index\":0,\"last\":true},"             \
    "\"op\":\"" op_ "\",\"format\":1,\"epoch\":\"e\""
#define RELATION                                                                                   \
    "\"relation\":{\"columns\":[{\"name\":\"a\",\"oid\":23},{\"name\":\"b\",\"oid\":25}]}"

static void what_is_needed_is_little(void **state) {
    fixture *it = *state;
    static const char *const texts[] = {
        "{" HEAD("m") "}",
        "{" HEAD("c") "," RELATION ",\"after\":{\"b\":\"x\",\"a\":1},\"unknown\":[{}]}",
        "{" HEAD("c") "," RELATION ",\"after\":{\"a\":1}}",
        "{\"part\":{\"index\":0,\"count\":1,\"total_bytes\":3,\"chunk\":\"Zm9v\"}," HEAD("c") "}",
    };
    for (size_t i = 0; i < CORE_COUNT_OF(texts); i++) {
        core_arena_reset(&it->arena);
        if (!core_run_decode(core_slice_text(texts[i]), &it->arena, &it->run, &it->error))
            fail_msg("%s: %s", texts[i], it->error.text);
    }
}

static void anything_else_is_refused(void **state) {
    fixture *it = *state;
    static const char *const texts[] = {
        "{",
        "{}",
        "{]",
        "{" HEAD("m") "} ,",
        "{" HEAD("m") ",}",
        "{" HEAD("x") "}",
        "{" HEAD("") "}",
        "{\"transaction\":{\"index\":0,\"last\":true},\"op\":\"m\",\"format\":1,\"epoch\":\"e\"}",
        "{\"source\":{},\"transaction\":{\"index\":0,\"last\":true},\"op\":\"m\",\"format\":1,"
        "\"epoch\":\"e\"}",
        "{\"source\":{\"commit_lsn\":\"1\"},\"transaction\":{\"index\":0,\"last\":true},\"op\":"
        "\"m\",\"format\":1,\"epoch\":\"e\"}",
        "{\"source\":{\"commit_lsn\":\"0/"
        "1\"},\"transaction\":{\"index\":0},\"op\":\"m\",\"format\":1,\"epoch\":\"e\"}",
        "{\"source\":{\"commit_lsn\":\"0/"
        "1\"},\"transaction\":{\"index\":-1,\"last\":true},\"op\":\"m\",\"format\":1,\"epoch\":"
        "\"e\"}",
        "{\"source\":{\"commit_lsn\":\"0/"
        "1\"},\"transaction\":{\"index\":0,\"last\":true},\"op\":\"m\",\"format\":2,\"epoch\":"
        "\"e\"}",
        "{\"source\":{\"commit_lsn\":\"0/"
        "1\"},\"transaction\":{\"index\":0,\"last\":true},\"op\":\"m\",\"format\":1,\"epoch\":"
        "\"E\"}",
        "{" HEAD("c") "}",                                          /* no relation */
        "{" HEAD("c") "," RELATION ",\"after\":{\"b\":\"x\"}}",     /* lacks a */
        "{" HEAD("c") "," RELATION ",\"after\":{\"a\":1,\"a\":1}}", /* twice */
        "{" HEAD("c") "," RELATION ",\"after\":{\"c\":1}}",
        "{" HEAD("c") "," RELATION ",\"after\":{\"a\":{}}}",
        "{" HEAD("c") "," RELATION ",\"after\":[1]}",
        "{" HEAD("c") "," RELATION ",\"after\":{},\"unchanged\":[1]}",
        "{" HEAD("c") "," RELATION ",\"after\":{},\"unchanged\":[\"c\"]}",
        "{" HEAD("c") "," RELATION ",\"after\":{\"a\":1},\"exact\":{\"after\":{\"a\":{}}}}",
        "{" HEAD("c") "," RELATION
                      ",\"after\":{\"a\":1},\"exact\":{\"after\":{\"a\":{\"text_base64\":\"*\"}}}}",
        "{" HEAD("u") "," RELATION ",\"old_kind\":\"some\"}",
        "{" HEAD("c") ",\"relation\":{\"columns\":[{\"oid\":1}]}}",
        "{" HEAD("c") ",\"relation\":{\"columns\":[{\"name\":\"a\",\"oid\":4294967296}]}}",
        "{" HEAD("c") ",\"relation\":{\"columns\":[{\"name\":\"a\",\"delimiter\":\"ab\"}]}}",
        "{" HEAD("m") ",\"part\":{\"index\":0,\"count\":1,\"total_bytes\":3,\"chunk\":\"Zm9v\"}}",
        "{\"part\":{\"index\":1,\"count\":1,\"total_bytes\":3,\"chunk\":\"Zm9v\"}," HEAD("c") "}",
        "{\"part\":{\"index\":0,\"count\":1,\"total_bytes\":3,\"chunk\":\"\"}," HEAD("c") "}",
    };
    for (size_t i = 0; i < CORE_COUNT_OF(texts); i++) {
        it->error = (core_error){0};
        core_arena_reset(&it->arena);
        if (core_run_decode(core_slice_text(texts[i]), &it->arena, &it->run, &it->error))
            fail_msg("%s: was taken", texts[i]);
        assert_int_equal(it->error.code, CORE_ERROR_INPUT);
    }
}

static void more_than_the_arena_holds_is_a_limit(void **state) {
    fixture *it = *state;
    core_arena small;
    core_arena_init(&small, 64, 128);
    assert_false(
        core_run_decode(core_slice_text("{" HEAD("c") "," RELATION ",\"after\":{\"a\":1}}"), &small,
                        &it->run, &it->error));
    assert_int_equal(it->error.code, CORE_ERROR_LIMIT);
    core_arena_fini(&small);
}

static void a_message_beyond_its_maximum_fails_the_buffer(void **state) {
    fixture *it = *state;
    core_relation relation = relation_make();
    core_value values[] = {TEXT_VALUE("1")};
    core_change change = change_make(CORE_OP_INSERT, &relation);
    change.new_tuple = (core_tuple){1, values};
    size_t length = message_write(it, &change).length;
    for (size_t max = 0; max <= length; max++) {
        core_buffer out;
        core_buffer_init(&out, max);
        core_event_json_change(&it->writer, &change, &out);
        assert_int_equal(core_buffer_ok(&out), max == length);
        core_buffer_fini(&out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(unchanged_is_named_and_never_null, setup, teardown),
        cmocka_unit_test_setup_teardown(what_json_cannot_tell_is_carried, setup, teardown),
        cmocka_unit_test_setup_teardown(a_value_that_only_exact_tells_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(the_deepest_document_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(changes_without_rows_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(parts_come_together, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_needed_is_little, setup, teardown),
        cmocka_unit_test_setup_teardown(anything_else_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(more_than_the_arena_holds_is_a_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(a_message_beyond_its_maximum_fails_the_buffer, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
