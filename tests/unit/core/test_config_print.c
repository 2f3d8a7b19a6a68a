/* Printing: secrets never, passwords in URLs never; and docs/CONFIG.md is what the table says. */
#include "tests/unit/core/config_source.h"

static int clear(void **state) {
    (void)state;
    config_environment_clear();
    return 0;
}

static void assert_redacted(const char *url, const char *expected) {
    char text[256];
    core_config_redact_url(url, text, sizeof text);
    assert_string_equal(text, expected);
}

static void urls_lose_their_password(void **state) {
    (void)state;
    assert_redacted("postgres://u:secret@h:5432/d", "postgres://u:***@h:5432/d");
    assert_redacted("postgres://u@h/d", "postgres://u@h/d");
    assert_redacted("postgres://h/d", "postgres://h/d");
    assert_redacted("postgres://u:se@cr:et/?@h/d", "postgres://u:***@h/d");
    assert_redacted("postgres://h/d?password=x&sslmode=require&sslpassword=y",
                    "postgres://h/d?password=***&sslmode=require&sslpassword=***");
    assert_redacted("postgres://u:p@h/d?PassWord=x", "postgres://u:***@h/d?PassWord=***");
    assert_redacted("nats://u:secret@a:1,nats://token@b,tls://c",
                    "nats://u:***@a:1,nats://***@b,tls://c");
    assert_redacted("nats://a:1, nats://u:p@b", "nats://a:1, nats://u:***@b");
    assert_redacted("no url at all: a@b", "no url at all: a@b");
    assert_redacted("", "");
}

static void redacted_text_is_cut_to_fit(void **state) {
    (void)state;
    static const char url[] = "postgres://user:secret@host:5432/database?password=secret";
    for (size_t size = 1; size < sizeof url; size++) {
        char *text = malloc(size);
        assert_non_null(text);
        core_config_redact_url(url, text, size);
        assert_true(strlen(text) < size);
        assert_null(strstr(text, "secr"));
        free(text);
    }
}

static const char *printed(const core_config *config, bool json) {
    static char text[64 * 1024];
    memset(text, 0, sizeof text);
    FILE *out = fmemopen(text, sizeof text, "w");
    assert_non_null(out);
    core_config_print(config, out, json);
    (void)fclose(out);
    return text;
}

static void values_show_with_their_origin(void **state) {
    (void)state;
    core_config *config = config_load_text("auth.jwt_secret: very-secret\n"
                                           "postgres.url: postgres://u:very-secret@h/d\n"
                                           "nats.max_age: 48h\n"
                                           "nats.replicas: 3\n"
                                           "postgres.tables: [a.b, 'c.*']\n");
    const char *text = printed(config, false);
    assert_null(strstr(text, "very-secret"));
    assert_non_null(strstr(text, "  ***  (walcast.yaml:1)\n"));
    assert_non_null(strstr(text, " postgres://u:***@h/d  (walcast.yaml:2)\n"));
    assert_non_null(strstr(text, " 2d  (walcast.yaml:3)\n"));
    assert_non_null(strstr(text, " a.b, c.*  (walcast.yaml:5)\n"));
    const char *json = printed(config, true);
    assert_null(strstr(json, "very-secret"));
    assert_true(core_json_valid(core_slice_text(json)));
    assert_non_null(strstr(json, "\"nats.replicas\":{\"value\":3,\"origin\":\"walcast.yaml:4\"}"));
    assert_non_null(strstr(json, "\"postgres.tables\":{\"value\":[\"a.b\",\"c.*\"],"));
    assert_non_null(strstr(json, "\"auth.jwks_url\":{\"value\":null,\"origin\":\"default\"}"));
    core_config_free(config);
}

static void the_reference_page_is_up_to_date(void **state) {
    (void)state;
    static char made[64 * 1024], kept[64 * 1024];
    FILE *out = fmemopen(made, sizeof made, "w");
    assert_non_null(out);
    core_config_reference(out);
    (void)fclose(out);
    FILE *file = fopen(WALCAST_SOURCE_DIR "/docs/CONFIG.md", "re");
    assert_non_null(file);
    kept[fread(kept, 1, sizeof kept - 1, file)] = '\0';
    (void)fclose(file);
    if (strcmp(made, kept) != 0)
        fail_msg("docs/CONFIG.md is not what core/config_table.c says; make it anew with "
                 "`cmake --build --preset debug --target config_reference`");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(urls_lose_their_password, clear),
        cmocka_unit_test_setup(redacted_text_is_cut_to_fit, clear),
        cmocka_unit_test_setup(values_show_with_their_origin, clear),
        cmocka_unit_test_setup(the_reference_page_is_up_to_date, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
