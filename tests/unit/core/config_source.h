/* A configuration from texts, for the tests: a file of its own, an environment without WALCAST_*.
 */
#ifndef WALCAST_TESTS_CONFIG_SOURCE_H
#define WALCAST_TESTS_CONFIG_SOURCE_H

#include "core/core.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* What the last load reported. */
static char config_report[64 * 1024];

static inline void config_environment_clear(void) {
    size_t count;
    const core_config_row *rows = core_config_rows(&count);
    (void)unsetenv("WALCAST_CONFIG");
    for (size_t i = 0; i < count; i++) {
        char name[128] = "WALCAST_";
        for (size_t at = 0; at < strlen(rows[i].key) + 1; at++) {
            char byte = rows[i].key[at];
            name[8 + at] = (char)(byte == '.'                  ? '_'
                                  : byte >= 'a' && byte <= 'z' ? byte - 32
                                                               : byte);
        }
        (void)unsetenv(name);
    }
}

static inline core_config *config_load(const char *path) {
    FILE *report = fmemopen(config_report, sizeof config_report, "w");
    assert_non_null(report);
    core_config *config = core_config_load(path, report);
    (void)fclose(report);
    if (config != NULL)
        assert_string_equal(config_report, "");
    return config;
}

/* The file is called "walcast.yaml" in messages: the test runs in a directory of its own. */
static inline core_config *config_load_bytes(const char *text, size_t length) {
    char directory[] = "/tmp/walcast-config-XXXXXX";
    char *before = getcwd(NULL, 0);
    assert_non_null(mkdtemp(directory));
    assert_int_equal(chdir(directory), 0);
    FILE *file = fopen("walcast.yaml", "we");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    (void)fclose(file);
    memset(config_report, 0, sizeof config_report);
    core_config *config = config_load(NULL);
    (void)unlink("walcast.yaml");
    assert_int_equal(chdir(before), 0);
    (void)rmdir(directory);
    free(before);
    return config;
}

static inline core_config *config_load_text(const char *text) {
    return config_load_bytes(text, strlen(text));
}

/* The text is refused, with exactly these lines. */
static inline void assert_refused(const char *text, const char *expected) {
    core_config *config = config_load_text(text);
    assert_null(config);
    assert_string_equal(config_report, expected);
}

#endif
