/* Stored events as they are shown, their ids, and parameters of addresses. */
#include "triggers/event_view.h"
#include "triggers/query.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void an_id_is_of_its_stream_only(void **state) {
    (void)state;
    char id[TRIGGERS_EVENT_ID_SIZE];
    uint64_t sequence = 0;
    triggers_event_id(INT64_C(0x5f00aa), 17, id);
    assert_string_equal(id, "5f00aa-17");
    assert_int_equal(triggers_event_id_read(core_slice_text(id), 0x5f00aa, &sequence),
                     TRIGGERS_EVENT_ID_OURS);
    assert_int_equal(sequence, 17);
    assert_int_equal(triggers_event_id_read(core_slice_text(id), 0x5f00ab, &sequence),
                     TRIGGERS_EVENT_ID_OTHERS);
    static const char *const wrong[] = {"",
                                        "-",
                                        "-1",
                                        "5f00aa-",
                                        "5f00aa",
                                        "x-1",
                                        "1--1",
                                        "1-1 ",
                                        "1-1-1",
                                        "1-18446744073709551616",
                                        "12345678901234567-1"};
    for (size_t i = 0; i < CORE_COUNT_OF(wrong); i++)
        assert_int_equal(triggers_event_id_read(core_slice_text(wrong[i]), 1, &sequence),
                         TRIGGERS_EVENT_ID_NONE);
}

static void shown(const fanout_answer *answer, const char *expected) {
    core_buffer out;
    core_buffer_init(&out, 4096);
    core_json_writer json = core_json_writer_make(&out);
    triggers_event_write(answer, 10, &json);
    if (!core_slice_is(core_buffer_slice(&out), expected))
        fail_msg("%.*s", CORE_SLICE_ARGS(core_buffer_slice(&out)));
    core_buffer_fini(&out);
}

static void events_are_shown(void **state) {
    (void)state;
    fanout_answer answer = {
        .sequence = 3,
        .subject = core_slice_text("p.events.x.a%2Eb"),
        .headers = core_slice_text("NATS/1.0\r\nNats-Msg-Id: 1\r\nWalcast-Source: api\r\n"
                                   "Walcast-Time: T\r\nWalcast-Depth: 2\r\n\r\n"),
        .payload = core_slice_text("{\"n\": 1.0}"),
    };
    shown(&answer, "{\"id\":\"a-3\",\"type\":\"a.b\",\"time\":\"T\",\"source\":\"api\",\"depth\":2,"
                   "\"data\":{\"n\": 1.0}}");
    answer.headers = core_slice_text("");
    answer.subject = core_slice_text("p.events.x._");
    answer.payload = core_slice_text("plain");
    shown(&answer, "{\"id\":\"a-3\",\"type\":\"\",\"time\":\"1970-01-01T00:00:00.000Z\","
                   "\"data\":\"plain\"}");
    answer.subject = core_slice_text("p.events.x.cut%~0123456789ABCDEF");
    answer.payload = core_slice_text("\xff");
    shown(&answer, "{\"id\":\"a-3\",\"type\":\"cut%~0123456789ABCDEF\","
                   "\"time\":\"1970-01-01T00:00:00.000Z\",\"data_base64\":\"/w==\"}");
}

static void headers_are_found(void **state) {
    (void)state;
    const fanout_answer answer = {
        .headers = core_slice_text("NATS/1.0\r\nAb: 1\r\nA:2\r\nEmpty: \r\nLast: x")};
    assert_true(core_slice_is(fanout_answer_header(&answer, "A"), "2"));
    assert_true(core_slice_is(fanout_answer_header(&answer, "Ab"), "1"));
    assert_true(core_slice_is(fanout_answer_header(&answer, "Last"), "x"));
    assert_int_equal(fanout_answer_header(&answer, "Empty").length, 0);
    assert_int_equal(fanout_answer_header(&answer, "None").length, 0);
}

static void parameters_are_found(void **state) {
    (void)state;
    static const struct {
        const char *query;
        triggers_query_result result;
        const char *value;
    } cases[] = {
        {"", TRIGGERS_QUERY_NONE, ""},
        {"ab=1&xa=2", TRIGGERS_QUERY_NONE, ""},
        {"ab=1&a=2", TRIGGERS_QUERY_FOUND, "2"},
        {"a=%41+%c3%a4", TRIGGERS_QUERY_FOUND, "A \xc3\xa4"},
        {"a=1%2", TRIGGERS_QUERY_WRONG, ""},
        {"a=%4", TRIGGERS_QUERY_WRONG, ""},
        {"a=%41", TRIGGERS_QUERY_FOUND, "A"},
        {"a=%00", TRIGGERS_QUERY_WRONG, ""},
        {"a=%ff", TRIGGERS_QUERY_WRONG, ""},
        {"a=", TRIGGERS_QUERY_WRONG, ""},
        {"a", TRIGGERS_QUERY_WRONG, ""},
        {"a=1&a=1", TRIGGERS_QUERY_WRONG, ""},
        {"a=1234567", TRIGGERS_QUERY_FOUND, "1234567"},
        {"a=12345678", TRIGGERS_QUERY_WRONG, ""},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++) {
        char value[8];
        triggers_query_result result =
            triggers_query_find(core_slice_text(cases[i].query), "a", value, sizeof value);
        if (result != cases[i].result || strcmp(value, cases[i].value) != 0)
            fail_msg("%s: %d, \"%s\"", cases[i].query, result, value);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_of_its_stream_only),
        cmocka_unit_test(events_are_shown),
        cmocka_unit_test(headers_are_found),
        cmocka_unit_test(parameters_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
