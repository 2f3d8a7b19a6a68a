/* Bases of the search log in their stream: one writer at a time, and only what is whole counts. */
#include "search-index/base_stream.h"
#include "tests/integration/fanout/house.h"

#include <stdlib.h>

typedef struct {
    fanout_house house;
    fanout_connection *connection;
    search_spec spec;
    core_error error;
} scene;

static int scene_open(void **state) {
    scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    house_open(&s->house, "");
    house_set(&s->house, "search.base_bytes", "1MiB");
    s->connection = fanout_connection_new(s->house.config, "test", s->house.log, NULL, &s->error);
    assert_non_null(s->connection);
    s->spec =
        (search_spec){.config = s->house.config, .log = s->house.log, .clock = core_clock_system()};
    *state = s;
    return 0;
}

static int scene_close(void **state) {
    scene *s = *state;
    fanout_connection_free(s->connection);
    house_close(&s->house);
    free(s);
    return 0;
}

static search_base_writer begin(scene *s, search_base_found *found) {
    search_base_writer writer;
    if (!search_base_write_begin(&writer, &s->spec, s->connection, found, &s->error))
        fail_msg("%s", s->error.text);
    return writer;
}

static bool put(scene *s, search_base_writer *writer, const char *text) {
    return search_base_write(writer, core_slice_text(text), &s->error);
}

static bool end(scene *s, search_base_writer *writer, uint64_t position) {
    search_base_head head = {.position = position, .known = position, .catalog = writer->last + 1};
    return search_base_write_head(writer, &head, &s->error);
}

static search_base_found find(scene *s) {
    search_base_found found;
    if (!search_base_find(&s->spec, s->connection, &found, &s->error))
        fail_msg("%s", s->error.text);
    return found;
}

/* The text of the message; false: it is not there any more. */
static bool is_message(scene *s, uint64_t sequence, const char *text) {
    core_buffer bytes;
    core_buffer_init(&bytes, 65536);
    bool there = search_base_message(&s->spec, s->connection, sequence, &bytes, &s->error);
    assert_true(there || s->error.code == CORE_ERROR_INPUT);
    if (there)
        assert_true(core_slice_is(core_buffer_slice(&bytes), text));
    core_buffer_fini(&bytes);
    return there;
}

static void what_is_whole_is_found(void **state) {
    scene *s = *state;
    search_base_found before;
    assert_false(find(s).exists);
    search_base_writer writer = begin(s, &before);
    assert_false(before.exists);
    assert_true(put(s, &writer, "a") && put(s, &writer, "b"));
    assert_false(find(s).exists);
    assert_true(end(s, &writer, 7));
    search_base_found found = find(s);
    assert_true(found.exists);
    assert_int_equal(found.head.position, 7);
    assert_int_equal(found.sequence, writer.last);
    assert_true(is_message(s, writer.first + 1, "a") && is_message(s, writer.first + 2, "b"));
}

static void who_has_begun_keeps_others_out(void **state) {
    scene *s = *state;
    search_base_found found;
    search_base_writer former = begin(s, &found);
    assert_true(put(s, &former, "former"));
    uint64_t left = former.last;
    search_base_writer writer = begin(s, &found);
    assert_false(is_message(s, left, ""));
    assert_false(put(s, &former, "more"));
    assert_int_equal(s->error.code, CORE_ERROR_CONFLICT);
    assert_false(end(s, &former, 9));
    assert_int_equal(s->error.code, CORE_ERROR_CONFLICT);
    assert_true(put(s, &writer, "own") && end(s, &writer, 5));
    assert_int_equal(find(s).head.position, 5);
    /* One that slept on its way to remove what was left removes nothing of it. */
    assert_true(
        fanout_stream_purge(s->connection, former.stream, former.subject, former.first, &s->error));
    assert_true(is_message(s, writer.first + 1, "own"));
}

static void the_older_one_stays_until_the_newer_is_whole(void **state) {
    scene *s = *state;
    search_base_found found;
    search_base_writer first = begin(s, &found);
    assert_true(put(s, &first, "first") && end(s, &first, 1));
    search_base_writer cut = begin(s, &found);
    assert_int_equal(found.head.position, 1);
    assert_true(put(s, &cut, "cut"));
    search_base_writer second = begin(s, &found);
    assert_false(is_message(s, cut.last, ""));
    assert_true(is_message(s, first.first + 1, "first"));
    assert_true(put(s, &second, "second") && end(s, &second, 2));
    found = find(s);
    assert_int_equal(found.head.position, 2);
    assert_true(search_base_forget_older(&s->spec, s->connection, &found.head, &s->error));
    assert_false(is_message(s, first.first + 1, ""));
    assert_true(is_message(s, second.first + 1, "second"));
    search_base_writer third = begin(s, &found);
    assert_true(is_message(s, second.first + 1, "second"));
    assert_true(put(s, &third, "third") && end(s, &third, 3));
    assert_int_equal(find(s).head.position, 3);
}

static void what_does_not_fit_leaves_no_less_room(void **state) {
    scene *s = *state;
    search_base_found found;
    static char text[100001];
    memset(text, 'x', sizeof text - 1);
    size_t count = 0, again = 0;
    for (int i = 0; i < 3; i++) {
        search_base_writer writer = begin(s, &found);
        for (again = 0; put(s, &writer, text); again++)
            ;
        assert_int_equal(s->error.code, CORE_ERROR_FULL);
        assert_true(i == 0 || again == count);
        count = again;
    }
    assert_true(count >= 8);
}

#define SCENE_TEST(NAME) cmocka_unit_test_setup_teardown(NAME, scene_open, scene_close)

int main(void) {
    const struct CMUnitTest tests[] = {SCENE_TEST(what_is_whole_is_found),
                                       SCENE_TEST(who_has_begun_keeps_others_out),
                                       SCENE_TEST(the_older_one_stays_until_the_newer_is_whole),
                                       SCENE_TEST(what_does_not_fit_leaves_no_less_room)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
