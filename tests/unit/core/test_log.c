/* The log: whole lines, nothing that a terminal would obey, repeats told instead of written. */
#include "core/core.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define TEXT_MAX (1024 * 1024)

/* A clock that stands where the test puts it. */
typedef struct {
    core_clock clock;
    int64_t now_ms;
} test_clock;

static int64_t test_monotonic_ns(const core_clock *clock) {
    return ((const test_clock *)clock)->now_ms * CORE_NS_PER_MS;
}

static int64_t test_wall_us(const core_clock *clock) {
    (void)clock;
    return INT64_C(1763511760877654);
}

static test_clock test_clock_make(void) {
    return (test_clock){.clock = {test_monotonic_ns, test_wall_us}, .now_ms = 1000};
}

/* What was written to the file, NUL-terminated, and the file emptied. */
static char *taken(int fd) {
    static char text[TEXT_MAX];
    ssize_t got = pread(fd, text, sizeof text - 1, 0);
    assert_true(got >= 0);
    text[got] = '\0';
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return text;
}

static size_t lines_in(const char *text) {
    size_t lines = 0;
    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

static void a_line_says_when_where_what(void **state) {
    (void)state;
    int fd = memfd_create("log", 0);
    test_clock clock = test_clock_make();
    core_log *log = core_log_new(fd, CORE_LOG_INFO, false, &clock.clock);
    CORE_LOG(log, INFO, "cdc", "slot made", CORE_LOG_TEXT("slot", "walcast"),
             CORE_LOG_NUMBER("rows", -7), CORE_LOG_TEXT("table", "my \"t\"\n\x1B[2J"),
             CORE_LOG_TEXT("empty", ""));
    assert_string_equal(taken(fd), "2025-11-19T00:22:40.877Z info  cdc: slot made slot=walcast "
                                   "rows=-7 table=\"my \\\"t\\\"\\n\\u001b[2J\" empty=\"\"\n");
    CORE_LOG(log, WARN, "ws", "no fields");
    assert_string_equal(taken(fd), "2025-11-19T00:22:40.877Z warn  ws: no fields\n");
    core_log_free(log);
    close(fd);
}

static void a_sources_lines_say_whose_they_are(void **state) {
    (void)state;
    for (int json = 0; json < 2; json++) {
        int fd = memfd_create("log", 0);
        test_clock clock = test_clock_make();
        core_log *log = core_log_new(fd, CORE_LOG_INFO, json, &clock.clock);
        core_log *acme = core_log_source(log, "acme"), *beta = core_log_source(log, "beta");
        CORE_LOG(acme, DEBUG, "cdc", "no");
        CORE_LOG(acme, INFO, "cdc", "slot made", CORE_LOG_NUMBER("rows", 1));
        CORE_LOG(log, INFO, "cdc", "slot made");
        for (int i = 0; i < 21; i++)
            CORE_LOG(beta, INFO, "cdc", "again");
        core_log_free(log);
        char *text = taken(fd);
        assert_int_equal(lines_in(text), 2 + 21);
        assert_non_null(strstr(text, json ? "\"slot made\",\"source\":\"acme\",\"rows\":1}\n"
                                          : "slot made source=acme rows=1\n"));
        assert_non_null(strstr(text, json ? "\"slot made\"}\n" : "slot made\n"));
        assert_non_null(strstr(text, json ? "\"again\",\"source\":\"beta\",\"repeated\":1}\n"
                                          : "again source=beta repeated=1\n"));
        close(fd);
    }
}

static void json_lines_are_json(void **state) {
    (void)state;
    int fd = memfd_create("log", 0);
    test_clock clock = test_clock_make();
    core_log *log = core_log_new(fd, CORE_LOG_DEBUG, true, &clock.clock);
    CORE_LOG(log, DEBUG, "cdc", "slot made", CORE_LOG_TEXT("slot", "a\nb"),
             CORE_LOG_NUMBER("rows", INT64_MAX));
    char *line = taken(fd);
    assert_string_equal(line, "{\"time\":\"2025-11-19T00:22:40.877Z\",\"level\":\"debug\",\"room\":"
                              "\"cdc\",\"message\":\"slot made\",\"slot\":\"a\\nb\",\"rows\":"
                              "9223372036854775807}\n");
    assert_true(core_json_valid(core_slice_text(line)));
    core_log_free(log);
    close(fd);
}

static void levels_below_are_left_out(void **state) {
    (void)state;
    int fd = memfd_create("log", 0);
    test_clock clock = test_clock_make();
    core_log *log = core_log_new(fd, CORE_LOG_WARN, false, &clock.clock);
    CORE_LOG(log, DEBUG, "cdc", "a");
    CORE_LOG(log, INFO, "cdc", "b");
    assert_string_equal(taken(fd), "");
    CORE_LOG(log, ERROR, "cdc", "c");
    assert_int_equal(lines_in(taken(fd)), 1);
    assert_true(core_log_enabled(log, CORE_LOG_ERROR));
    assert_false(core_log_enabled(log, CORE_LOG_INFO));
    assert_false(core_log_enabled(NULL, CORE_LOG_ERROR));
    CORE_LOG((core_log *)NULL, ERROR, "cdc", "nobody listens");
    core_log_free(log);
    core_log_free(NULL);
    close(fd);
}

/* Both forms: the line stays under a pipe's atomic size, says that it is cut, and stays whole. */
static void long_values_are_cut(void **state) {
    (void)state;
    for (int json = 0; json < 2; json++) {
        int fd = memfd_create("log", 0);
        test_clock clock = test_clock_make();
        core_log *log = core_log_new(fd, CORE_LOG_INFO, json, &clock.clock);
        char value[8000];
        memset(value, '"', sizeof value - 1);
        value[sizeof value - 1] = '\0';
        CORE_LOG(log, INFO, "cdc", "long", CORE_LOG_TEXT("a", value), CORE_LOG_TEXT("b", value),
                 CORE_LOG_NUMBER("c", 7));
        const char *line = taken(fd);
        assert_true(strlen(line) <= 4096);
        assert_int_equal(lines_in(line), 1);
        assert_non_null(strstr(line, "..."));
        assert_non_null(strstr(line, json ? "\"c\":7,\"cut\":true}\n" : " c=7 cut=true\n"));
        if (json)
            assert_true(core_json_valid(core_slice_text(line)));
        core_log_free(log);
        close(fd);
    }
}

static void repeats_are_counted_and_told(void **state) {
    (void)state;
    int fd = memfd_create("log", 0);
    test_clock clock = test_clock_make();
    core_log *log = core_log_new(fd, CORE_LOG_INFO, false, &clock.clock);
    for (int i = 0; i < 1000; i++)
        CORE_LOG(log, WARN, "ws", "malformed frame", CORE_LOG_NUMBER("client", i));
    size_t burst = lines_in(taken(fd));
    assert_in_range(burst, 1, 100);
    CORE_LOG(log, WARN, "ws", "another kind");
    CORE_LOG(log, WARN, "cdc", "malformed frame");
    assert_int_equal(lines_in(taken(fd)), 2);

    clock.now_ms += 1000; /* the next line of any kind tells what was held back */
    CORE_LOG(log, INFO, "cdc", "quiet");
    char expected[100];
    (void)snprintf(expected, sizeof expected, "warn  ws: malformed frame repeated=%zu\n",
                   1000 - burst);
    const char *text = taken(fd);
    assert_non_null(strstr(text, expected));
    assert_int_equal(lines_in(text), 2);

    CORE_LOG(log, WARN, "ws", "malformed frame", CORE_LOG_NUMBER("client", 1));
    assert_non_null(strstr(taken(fd), "client=1"));
    core_log_free(log);
    close(fd);
}

static void closing_tells_what_was_held_back(void **state) {
    (void)state;
    int fd = memfd_create("log", 0);
    test_clock clock = test_clock_make();
    core_log *log = core_log_new(fd, CORE_LOG_INFO, false, &clock.clock);
    for (int i = 0; i < 1000; i++)
        CORE_LOG(log, INFO, "cdc", "again");
    (void)taken(fd);
    core_log_free(log);
    assert_non_null(strstr(taken(fd), "again repeated="));
    close(fd);
}

/* More kinds than there are places: lines are written, none is lost. */
static void many_kinds_are_all_written(void **state) {
    (void)state;
    int fd = memfd_create("log", 0);
    test_clock clock = test_clock_make();
    core_log *log = core_log_new(fd, CORE_LOG_INFO, false, &clock.clock);
    for (int i = 0; i < 500; i++) {
        char message[32];
        (void)snprintf(message, sizeof message, "kind %d", i);
        core_log_write(log, CORE_LOG_INFO, "cdc", message, NULL, 0);
    }
    assert_int_equal(lines_in(taken(fd)), 500);
    core_log_free(log);
    close(fd);
}

static void *write_lines(void *context) {
    core_log *log = context;
    for (int i = 0; i < 500; i++) {
        char message[32];
        (void)snprintf(message, sizeof message, "kind %d", i);
        core_log_field field = CORE_LOG_NUMBER("i", i);
        core_log_write(log, CORE_LOG_INFO, "cdc", message, &field, 1);
    }
    return NULL;
}

static void threads_do_not_mix_their_lines(void **state) {
    (void)state;
    int fd = memfd_create("log", 0);
    core_log *log = core_log_new(fd, CORE_LOG_INFO, true, core_clock_system());
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, log), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    char *line = taken(fd);
    assert_int_equal(lines_in(line), 2000);
    while (*line != '\0') {
        size_t length = strcspn(line, "\n") + 1;
        assert_true(core_json_valid(core_slice_make(line, length)));
        line += length;
    }
    core_log_free(log);
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_says_when_where_what),
        cmocka_unit_test(a_sources_lines_say_whose_they_are),
        cmocka_unit_test(json_lines_are_json),
        cmocka_unit_test(levels_below_are_left_out),
        cmocka_unit_test(long_values_are_cut),
        cmocka_unit_test(repeats_are_counted_and_told),
        cmocka_unit_test(closing_tells_what_was_held_back),
        cmocka_unit_test(many_kinds_are_all_written),
        cmocka_unit_test(threads_do_not_mix_their_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
