/* The bar's figures; where there is no terminal nothing is drawn. */
#include "cli/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <unistd.h>

static void counts_are_short(void **state) {
    (void)state;
    static const struct {
        double count;
        const char *text;
    } cases[] = {{0, "0"},
                 {9999, "9999"},
                 {10000, "10.0 k"},
                 {123456, "123.5 k"},
                 {1234567, "1.23 M"},
                 {2.5e9, "2.50 G"}};
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++) {
        char text[CLI_COUNT_TEXT_SIZE];
        cli_count_format(cases[i].count, text);
        assert_string_equal(text, cases[i].text);
    }
}

/* What one draw after another writes to standard error. */
static size_t drawn(bool shown, char *text, size_t size) {
    FILE *file = tmpfile();
    int kept = dup(STDERR_FILENO);
    assert_true(file != NULL && kept >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    cli_progress progress = cli_progress_make();
    assert_false(progress.shown); /* a file is no terminal */
    progress.shown = shown;
    cli_progress_draw(&progress, 50, 200, "rows");
    progress.started_ms -= 10000;
    cli_progress_draw(&progress, 150, 200, "rows");
    cli_progress_draw(&progress, 250, 200, "rows");
    cli_progress_draw(&progress, 250, 0, "rows");
    cli_progress_end(&progress);
    cli_progress_end(&progress);
    (void)fflush(stderr);
    rewind(file);
    size_t length = fread(text, 1, size - 1, file);
    text[length] = '\0';
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    (void)close(kept);
    (void)fclose(file);
    return length;
}

static void a_bar_with_rate_and_time_left(void **state) {
    (void)state;
    char text[1024];
    (void)drawn(true, text, sizeof text);
    assert_non_null(strstr(text, "[#######.......................]  25 %  50 rows, "));
    /* 100 more in 10 s: 10 a second, 50 to go. */
    assert_non_null(strstr(text, "[######################........]  75 %  150 rows, 10/s, 0:0"));
    assert_non_null(strstr(text, " left"));
    assert_non_null(strstr(text, "[##############################] 100 %  250 rows, "));
    assert_non_null(strstr(text, "\r\033[K250 rows, "));
    assert_int_equal(text[strlen(text) - 1], '\n');
    assert_int_not_equal(text[strlen(text) - 2], '\n');
}

static void elsewhere_nothing(void **state) {
    (void)state;
    char text[1024];
    assert_int_equal(drawn(false, text, sizeof text), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_short),
        cmocka_unit_test(a_bar_with_rate_and_time_left),
        cmocka_unit_test(elsewhere_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
