/* Subjects: five tokens whatever the names, each reversible unless it says that it is cut. */
#include "core/core.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const core_subject_scope scope = {"atlasdb", "default", "dev", "public", {0}};

static void assert_subject(const char *schema, const char *table, core_op op,
                           const char *expected) {
    char text[CORE_SUBJECT_MAX];
    assert_true(
        core_subject_change(&scope, core_slice_text(schema), core_slice_text(table), op, text));
    assert_string_equal(text, expected);
}

static void tables_have_their_token(void **state) {
    (void)state;
    assert_subject("public", "todos", CORE_OP_INSERT, "atlasdb.default.dev.todos.INSERT");
    assert_subject("audit", "log", CORE_OP_DELETE, "atlasdb.default.dev.audit:log.DELETE");
    assert_subject("", "", CORE_OP_MESSAGE, "atlasdb.default.dev._.MESSAGE");
    assert_subject("public", "_", CORE_OP_READ, "atlasdb.default.dev.%5F.READ");
    assert_subject("_", "_", CORE_OP_READ, "atlasdb.default.dev.%5F:%5F.READ");
    assert_subject("public", "Order Items", CORE_OP_UPDATE,
                   "atlasdb.default.dev.Order%20Items.UPDATE");
    assert_subject("a.b", "c:d", CORE_OP_GAP, "atlasdb.default.dev.a%2Eb:c%3Ad.GAP");
    assert_subject("public", "*>%\t\x7f", CORE_OP_SCHEMA,
                   "atlasdb.default.dev.%2A%3E%25%09%7F.SCHEMA");
    assert_subject("public", "größe", CORE_OP_TRUNCATE, "atlasdb.default.dev.größe.TRUNCATE");
    assert_subject("public", "b\xE4r", CORE_OP_INSERT, "atlasdb.default.dev.b%E4r.INSERT");
}

/* A colon in a home table's name must not look like a schema's. */
static void home_and_foreign_tables_differ(void **state) {
    (void)state;
    char home[CORE_SUBJECT_MAX], foreign[CORE_SUBJECT_MAX];
    assert_true(core_subject_change(&scope, core_slice_text("public"), core_slice_text("a:b"),
                                    CORE_OP_INSERT, home));
    assert_true(core_subject_change(&scope, core_slice_text("a"), core_slice_text("b"),
                                    CORE_OP_INSERT, foreign));
    assert_string_not_equal(home, foreign);
}

static void ids_are_encoded_too(void **state) {
    (void)state;
    core_subject_scope dotted = {"atlasdb", "acme.eu", "pre prod", "public", {0}};
    char text[CORE_SUBJECT_MAX];
    assert_true(core_subject_change(&dotted, core_slice_text("public"), core_slice_text("t"),
                                    CORE_OP_INSERT, text));
    assert_string_equal(text, "atlasdb.acme%2Eeu.pre%20prod.t.INSERT");
    assert_true(core_subject_filter(&dotted, text));
    assert_string_equal(text, "atlasdb.acme%2Eeu.pre%20prod.*.*");
    assert_true(core_subject_filter_op(&dotted, CORE_OP_SCHEMA, text));
    assert_string_equal(text, "atlasdb.acme%2Eeu.pre%20prod.*.SCHEMA");
    assert_true(
        core_subject_filter_table(&dotted, core_slice_text("s"), core_slice_text("a.b"), text));
    assert_string_equal(text, "atlasdb.acme%2Eeu.pre%20prod.s:a%2Eb.*");
    dotted.project = NULL;
    dotted.environment = NULL;
    assert_true(core_subject_filter(&dotted, text));
    assert_string_equal(text, "atlasdb.*.*.*.*");
    assert_true(core_subject_filter_op(&dotted, CORE_OP_GAP, text));
    assert_string_equal(text, "atlasdb.*.*.*.GAP");
}

static void what_does_not_fit_is_refused(void **state) {
    (void)state;
    char name[400] = {0};
    memset(name, 'p', sizeof name - 1);
    core_subject_scope wide = {name, name, name, "public", {0}};
    char text[CORE_SUBJECT_MAX];
    assert_false(core_subject_change(&wide, core_slice_text("s"), core_slice_text(name),
                                     CORE_OP_TRUNCATE, text));
    assert_string_equal(text, "");
}

static size_t tokens_of(const char *subject) {
    size_t count = 1;
    for (; *subject != '\0'; subject++)
        count += *subject == '.';
    return count;
}

/* The change stream takes five tokens, events and snapshots four under their own word: a stored
 * broadcast is four under `realtime`, and what is heard live only is six, which no stream takes. */
static void broadcasts_and_presence_have_subjects_of_their_own(void **state) {
    (void)state;
    char text[CORE_SUBJECT_MAX];
    core_subject_scope dotted = {"atlasdb", "acme.eu", "pre prod", "public", {0}};
    assert_true(core_subject_realtime_stored(&dotted, core_slice_text("room:1.a"), text));
    assert_string_equal(text, "atlasdb.realtime.acme%2Eeu.room%3A1%2Ea");
    assert_true(core_subject_realtime_live(&dotted, core_slice_text("room:1.a"), text));
    assert_string_equal(text, "atlasdb.realtime.acme%2Eeu.pre%20prod.b.room%3A1%2Ea");
    assert_true(core_subject_realtime_presence(&dotted, core_slice_text("node-1"), text));
    assert_string_equal(text, "atlasdb.realtime.acme%2Eeu.pre%20prod.p.node-1");
    assert_true(core_subject_audit("atlasdb", "acme.eu", "request", text));
    assert_string_equal(text, "atlasdb.audit.acme%2Eeu.request");
    assert_int_equal(tokens_of(text), 4);
    assert_true(core_subject_filter_realtime(&scope, text));
    assert_string_equal(text, "atlasdb.realtime.default.>");
    static const char *const channels[] = {"", "_", "*", ">", "a b", "%", "x.y.z", "\xFF"};
    for (size_t i = 0; i < CORE_COUNT_OF(channels); i++) {
        assert_true(core_subject_realtime_stored(&scope, core_slice_text(channels[i]), text));
        assert_int_equal(tokens_of(text), 4);
        assert_true(core_subject_realtime_live(&scope, core_slice_text(channels[i]), text));
        assert_int_equal(tokens_of(text), 6);
    }
}

/* One filter lets all of them through: what is for this gateway the subject says. */
static void what_is_heard_is_told_by_its_subject(void **state) {
    (void)state;
    static const struct {
        const char *subject;
        core_subject_realtime what;
    } cases[] = {
        {"atlasdb.realtime.default.room", CORE_SUBJECT_REALTIME_BROADCAST},
        {"atlasdb.realtime.default.p", CORE_SUBJECT_REALTIME_BROADCAST},
        {"atlasdb.realtime.default.dev.b.room", CORE_SUBJECT_REALTIME_BROADCAST},
        {"atlasdb.realtime.default.dev.p.node1", CORE_SUBJECT_REALTIME_PRESENCE},
        {"atlasdb.realtime.default.prod.b.room", CORE_SUBJECT_REALTIME_OTHERS},
        {"atlasdb.realtime.default.prod.p.node1", CORE_SUBJECT_REALTIME_OTHERS},
        {"atlasdb.realtime.default.dev.x.room", CORE_SUBJECT_REALTIME_OTHERS},
        {"atlasdb.realtime.default", CORE_SUBJECT_REALTIME_OTHERS},
        {"atlasdb.realtime.default.dev.b", CORE_SUBJECT_REALTIME_OTHERS},
        {"atlasdb.realtime.default.dev.b.room.2", CORE_SUBJECT_REALTIME_OTHERS},
        {"", CORE_SUBJECT_REALTIME_OTHERS},
        /* A tenant's broadcasts are the source's; presence is not told by tenants. */
        {"atlasdb.realtime.acme.dev.b.room", CORE_SUBJECT_REALTIME_BROADCAST},
        {"atlasdb.realtime.acme.dev.p.node1", CORE_SUBJECT_REALTIME_OTHERS},
    };
    core_slice project;
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++)
        assert_int_equal(core_subject_realtime_of(&scope, cases[i].subject, &project),
                         cases[i].what);
    char text[CORE_SUBJECT_MAX], environment[65];
    memset(environment, ' ', sizeof environment - 1); /* too long for a token once it is encoded */
    environment[sizeof environment - 1] = '\0';
    core_subject_scope dotted = {"atlasdb", "acme.eu", environment, "public", {0}};
    assert_true(core_subject_realtime_live(&dotted, core_slice_text("a.b"), text));
    assert_int_equal(core_subject_realtime_of(&dotted, text, &project),
                     CORE_SUBJECT_REALTIME_BROADCAST);
    assert_true(core_slice_is(project, "acme%2Eeu"));
    assert_true(core_subject_realtime_presence(&dotted, core_slice_text("a.b"), text));
    assert_int_equal(core_subject_realtime_of(&dotted, text, &project),
                     CORE_SUBJECT_REALTIME_PRESENCE);
}

static void long_channels_end_in_a_hash(void **state) {
    (void)state;
    char one[CORE_SUBJECT_MAX], two[CORE_SUBJECT_MAX], name[1024];
    memset(name, 'r', sizeof name);
    assert_true(core_subject_realtime_stored(&scope, core_slice_make(name, sizeof name), one));
    assert_true(core_subject_realtime_stored(&scope, core_slice_make(name, sizeof name - 1), two));
    assert_non_null(strstr(one, "%~"));
    assert_string_not_equal(one, two);
}

/* ---- Tokens ---- */

static core_slice encoded(core_buffer *buffer, core_slice name) {
    core_buffer_reset(buffer);
    core_subject_token_append(buffer, name);
    assert_true(core_buffer_ok(buffer));
    return core_buffer_slice(buffer);
}

static bool is_allowed_token(core_slice token) {
    for (size_t i = 0; i < token.length; i++)
        if (token.data[i] <= ' ' || token.data[i] == 0x7F || strchr(".*>:", token.data[i]))
            return false;
    return token.length > 0 && token.length <= CORE_SUBJECT_TOKEN_MAX;
}

static uint64_t random_next(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545F4914F6CDD1D);
}

static void any_short_name_comes_back(void **unused) {
    (void)unused;
    uint64_t state = 7;
    core_buffer token, name;
    core_buffer_init(&token, 4096);
    core_buffer_init(&name, 4096);
    for (unsigned round = 0; round < 20000; round++) {
        uint8_t bytes[42];
        size_t length = random_next(&state) % (sizeof bytes + 1);
        unsigned mask = round & 1 ? 0xFF : 0x3F;
        for (size_t i = 0; i < length; i++)
            bytes[i] = (uint8_t)((random_next(&state) >> 33) & mask);
        core_slice given = core_slice_make(bytes, length);
        core_slice text = encoded(&token, given);
        assert_true(is_allowed_token(text));
        assert_true(core_utf8_valid(text));
        core_buffer_reset(&name);
        assert_true(core_subject_token_decode(text, &name));
        assert_true(core_slice_equal(core_buffer_slice(&name), given));
    }
    core_buffer_fini(&token);
    core_buffer_fini(&name);
}

static void long_names_end_in_a_hash(void **state) {
    (void)state;
    core_buffer one, other, name;
    core_buffer_init(&one, 4096);
    core_buffer_init(&other, 4096);
    core_buffer_init(&name, 4096);
    char text[201] = {0};
    memset(text, 'a', 200);
    assert_int_equal(encoded(&one, core_slice_make(text, 128)).length, 128);
    assert_true(core_subject_token_decode(core_buffer_slice(&one), &name));
    assert_int_equal(encoded(&one, core_slice_make(text, 129)).length, 128);
    assert_memory_equal(one.data + 110, "%~", 2);
    assert_false(core_subject_token_decode(core_buffer_slice(&one), &name));
    text[199] = 'b'; /* differs only in what is cut */
    core_slice cut = encoded(&one, core_slice_make(text, 200));
    text[199] = 'c';
    assert_false(core_slice_equal(cut, encoded(&other, core_slice_make(text, 200))));
    for (size_t i = 0; i < 200; i++)
        text[i] = i % 2 ? '\xB6' : '\xC3';
    for (size_t shift = 0; shift < 2; shift++) { /* never cuts a character or an escape */
        cut = encoded(&one, core_slice_make(text + shift, 198));
        assert_true(is_allowed_token(cut) && core_utf8_valid(cut));
    }
    core_buffer_fini(&one);
    core_buffer_fini(&other);
    core_buffer_fini(&name);
}

static void what_is_no_token_is_not_decoded(void **state) {
    (void)state;
    static const char *const wrong[] = {"",  "a.b", "a*",  ">",   "a b",  "a:b",
                                        "%", "%2",  "%2e", "%G0", "\x7f", "x%~0123456789ABCDEF"};
    core_buffer name;
    core_buffer_init(&name, 64);
    for (size_t i = 0; i < CORE_COUNT_OF(wrong); i++)
        assert_false(core_subject_token_decode(core_slice_text(wrong[i]), &name));
    core_buffer_reset(&name);
    assert_true(core_subject_token_decode(core_slice_text("_"), &name));
    assert_int_equal(name.length, 0);
    core_buffer_fini(&name);
}

static void events_have_four_tokens(void **state) {
    (void)state;
    const core_subject_scope shop = {.prefix = "atlasdb", .project = "p.1", .environment = "dev"};
    char text[CORE_SUBJECT_MAX];
    assert_true(core_subject_event(&shop, core_slice_text("order.paid"), text));
    assert_string_equal(text, "atlasdb.events.p%2E1.order%2Epaid");
    assert_true(core_subject_event(&shop, core_slice_text("a b:c\n"), text));
    assert_string_equal(text, "atlasdb.events.p%2E1.a%20b%3Ac%0A");
    assert_true(core_subject_event(&shop, core_slice_text(""), text));
    assert_string_equal(text, "atlasdb.events.p%2E1._");
    char type[1000];
    memset(type, 't', sizeof type);
    assert_true(core_subject_event(&shop, core_slice_make(type, sizeof type), text));
    assert_int_equal(strlen(text), strlen("atlasdb.events.p%2E1.") + CORE_SUBJECT_TOKEN_MAX);
}

static void long_types_are_told_whole(void **state) {
    (void)state;
    char text[CORE_SUBJECT_TYPE_SIZE], type[2000];
    core_buffer back;
    core_buffer_init(&back, sizeof type);
    memset(type, 't', sizeof type);
    assert_false(core_subject_type_long(core_slice_make(type, 0), text));
    assert_false(core_subject_type_long(core_slice_make(type, CORE_SUBJECT_TOKEN_MAX), text));
    assert_true(core_subject_type_long(core_slice_make(type, CORE_SUBJECT_TOKEN_MAX + 1), text));
    assert_int_equal(strlen(text), CORE_SUBJECT_TOKEN_MAX + 1);
    assert_true(core_subject_type_long(core_slice_make(type, CORE_SUBJECT_TYPE_SIZE - 1), text));
    assert_false(core_subject_type_long(core_slice_make(type, CORE_SUBJECT_TYPE_SIZE), text));
    memcpy(type + 1, ".\n\xC3\xB6\xFF%", 6); /* a dot, a line's end, two bytes of UTF-8, none */
    assert_true(core_subject_type_long(core_slice_make(type, 130), text));
    assert_non_null(strstr(text, "t%2E%0A\xC3\xB6%FF%25t"));
    assert_true(core_subject_type_decode(core_slice_text(text), &back));
    assert_true(core_slice_equal(core_buffer_slice(&back), core_slice_make(type, 130)));
    text[0] = '*';
    assert_false(core_subject_type_decode(core_slice_text(text), &back));
    assert_false(core_subject_type_decode(core_slice_text("t"), &back));
    core_buffer_fini(&back);
}

static void ids_are_checked(void **state) {
    (void)state;
    core_error error = {0};
    char wide[66] = {0};
    memset(wide, 'x', 65);
    assert_true(core_subject_id_valid("default", &error));
    assert_true(core_subject_id_valid("event", &error));
    assert_false(core_subject_id_valid("", &error));
    assert_false(core_subject_id_valid(wide, &error));
    assert_true(core_subject_id_valid(wide + 1, &error));
    assert_false(core_subject_id_valid("snapshots", &error));
    assert_false(core_subject_id_valid("audit", &error));
    assert_false(core_subject_id_valid("realtime", &error));
    assert_int_equal(error.code, CORE_ERROR_CONFIG);
    assert_non_null(strstr(error.text, "realtime"));
}

static void test_triggers_streams_have_four_tokens(void **state) {
    char text[CORE_SUBJECT_MAX];
    (void)state;
    core_config *config = core_config_load("/dev/null", stderr);
    assert_non_null(config);
    assert_true(core_subject_work(config, "deliveries", "07", text));
    assert_string_equal(text, "atlasdb.deliveries.default.07");
    assert_true(core_subject_work(config, "dlq", NULL, text));
    assert_string_equal(text, "atlasdb.dlq.default.*");
    assert_true(core_subject_work(config, "dlq", "order.paid", text));
    assert_int_equal(tokens_of(text), 4);
    core_config_free(config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_have_their_token),
        cmocka_unit_test(events_have_four_tokens),
        cmocka_unit_test(home_and_foreign_tables_differ),
        cmocka_unit_test(ids_are_encoded_too),
        cmocka_unit_test(broadcasts_and_presence_have_subjects_of_their_own),
        cmocka_unit_test(what_is_heard_is_told_by_its_subject),
        cmocka_unit_test(long_channels_end_in_a_hash),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(any_short_name_comes_back),
        cmocka_unit_test(long_names_end_in_a_hash),
        cmocka_unit_test(what_is_no_token_is_not_decoded),
        cmocka_unit_test(long_types_are_told_whole),
        cmocka_unit_test(ids_are_checked),
        cmocka_unit_test(test_triggers_streams_have_four_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
