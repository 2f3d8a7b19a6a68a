/* The configuration: defaults, file, environment and command line in that order. */
#include "tests/unit/core/config_source.h"

#include <sys/stat.h>

static int clear(void **state) {
    (void)state;
    config_environment_clear();
    return 0;
}

static void defaults_are_the_documented_ones(void **state) {
    (void)state;
    core_config *config = config_load_text("");
    assert_string_equal(core_config_text(config, "project"), "default");
    assert_string_equal(core_config_text(config, "environment"), "dev");
    assert_string_equal(core_config_text(config, "postgres.url"),
                        "postgres://postgres@127.0.0.1:5432/postgres");
    assert_string_equal(core_config_text(config, "postgres.slot"), "walcast");
    assert_string_equal(core_config_text(config, "postgres.publication"), "walcast");
    assert_int_equal(core_config_list_count(config, "postgres.tables"), 1);
    assert_string_equal(core_config_list_item(config, "postgres.tables", 0), "public.*");
    assert_string_equal(core_config_text(config, "nats.url"), "nats://127.0.0.1:4222");
    assert_string_equal(core_config_text(config, "nats.stream"), "WALCAST");
    assert_string_equal(core_config_text(config, "nats.prefix"), "atlasdb");
    assert_int_equal(core_config_integer(config, "nats.max_age"), INT64_C(7) * 24 * 3600 * 1000);
    assert_int_equal(core_config_integer(config, "nats.confirm_lag"), 0);
    assert_false(core_config_bool(config, "nats.tls_required"));
    assert_string_equal(core_config_text(config, "http.listen"), "127.0.0.1:4000");
    assert_null(core_config_text(config, "auth.jwt_secret"));
    assert_null(core_config_text(config, "auth.jwks_url"));
    assert_string_equal(core_config_text(config, "triggers.dir"), "triggers/");
    assert_string_equal(core_config_text(config, "workflows.dir"), "workflows/");
    assert_int_equal(core_config_list_count(config, "triggers.allow"), 0);
    assert_string_equal(core_config_text(config, "search.dir"), ".walcast/search");
    assert_string_equal(core_config_text(config, "search.definitions"), "indexes/");
    assert_string_equal(core_config_text(config, "log.level"), "info");
    assert_string_equal(core_config_text(config, "log.format"), "text");
    assert_string_equal(core_config_origin(config, "auth.jwt_secret"), "default");
    core_config_free(config);
}

/* Every default passes its own check, and every number lies within its bounds. */
static void the_table_is_sound(void **state) {
    (void)state;
    size_t count;
    const core_config_row *rows = core_config_rows(&count);
    for (size_t i = 0; i < count; i++) {
        assert_true(strlen(rows[i].key) < 64);
        assert_non_null(rows[i].doc);
        assert_int_equal(rows[i].doc[strlen(rows[i].doc) - 1], '.');
        assert_int_equal(rows[i].choices != NULL && rows[i].type != CORE_CONFIG_LIST,
                         rows[i].type == CORE_CONFIG_CHOICE);
        bool number = rows[i].type == CORE_CONFIG_INTEGER || rows[i].type == CORE_CONFIG_BYTES ||
                      rows[i].type == CORE_CONFIG_DURATION;
        assert_int_equal(rows[i].max > rows[i].min, number);
        assert_true(!number || rows[i].initial != NULL);
        assert_true(rows[i].type != CORE_CONFIG_INTEGER || rows[i].unit != NULL);
        for (size_t other = 0; other < i; other++)
            assert_string_not_equal(rows[i].key, rows[other].key);
    }
}

static void later_sources_win(void **state) {
    (void)state;
    const char *text = "nats: {stream: FILE, prefix: file}\nproject: file\n";
    assert_int_equal(setenv("WALCAST_NATS_PREFIX", "env", 1), 0);
    assert_int_equal(setenv("WALCAST_PROJECT", "env", 1), 0);
    core_config *config = config_load_text(text);
    core_error error;
    assert_true(core_config_set(config, "project", "command", "--project", &error));
    assert_string_equal(core_config_text(config, "nats.stream"), "FILE");
    assert_string_equal(core_config_origin(config, "nats.stream"), "walcast.yaml:1");
    assert_string_equal(core_config_text(config, "nats.prefix"), "env");
    assert_string_equal(core_config_origin(config, "nats.prefix"), "WALCAST_NATS_PREFIX");
    assert_string_equal(core_config_text(config, "project"), "command");
    assert_string_equal(core_config_origin(config, "project"), "--project");
    core_config_free(config);
}

static void a_command_line_value_is_checked(void **state) {
    (void)state;
    core_config *config = config_load_text("");
    core_error error;
    assert_true(core_config_set(config, "roles", "ws", "--roles", &error));
    assert_int_equal(core_config_list_count(config, "roles"), 1);
    assert_true(core_config_set(config, "roles", " ws , cdc", "--roles", &error));
    assert_string_equal(core_config_list_item(config, "roles", 1), "cdc");
    assert_false(core_config_set(config, "roles", "wss", "--roles", &error));
    assert_int_equal(error.code, CORE_ERROR_CONFIG);
    assert_string_equal(error.text,
                        "--roles: roles: \"wss\": expected one of cdc, ws, triggers, search");
    assert_int_equal(core_config_list_count(config, "roles"), 2);
    assert_false(core_config_set(config, "rolls", "ws", "--rolls", &error));
    core_config_free(config);
}

static void a_named_file_must_be_there(void **state) {
    (void)state;
    memset(config_report, 0, sizeof config_report);
    assert_null(config_load("/nowhere/walcast.yaml"));
    assert_string_equal(config_report,
                        "/nowhere/walcast.yaml: cannot be opened: No such file or directory; "
                        "expected a readable YAML file\n");
    assert_int_equal(setenv("WALCAST_CONFIG", "/nowhere/other.yaml", 1), 0);
    assert_null(config_load(NULL));
    assert_non_null(strstr(config_report, "/nowhere/other.yaml: cannot be opened"));
    assert_null(config_load("/proc/self"));
    assert_non_null(strstr(config_report, "/proc/self: cannot be "));
}

static void a_file_has_a_maximum(void **state) {
    (void)state;
    const size_t length = 1024 * 1024;
    char *text = malloc(length + 1);
    assert_non_null(text);
    memset(text, '#', length + 1);
    core_config *config = config_load_bytes(text, length);
    assert_non_null(config);
    core_config_free(config);
    assert_null(config_load_bytes(text, length + 1));
    assert_string_equal(config_report, "walcast.yaml: is too large: expected at most 1048576 bytes "
                                       "of YAML\n");
    free(text);
}

static void keys_that_belong_together_are_checked(void **state) {
    (void)state;
    assert_refused("nats.tls_cert: a.pem\n",
                   "walcast.yaml:1: nats.tls_cert: is set without nats.tls_key; set both or "
                   "neither\n");
    assert_refused("cdc.run_bytes: 8MiB\nnats.window_bytes: 1MiB\n",
                   "walcast.yaml:1: cdc.run_bytes: 8388608 bytes: expected at most "
                   "nats.window_bytes, which is 1048576; lower it or raise that\n");
    assert_refused("postgres.binary: true\nnats.encoding: json\n",
                   "walcast.yaml:2: nats.encoding: json: needs values as text, but "
                   "postgres.binary is true; set that to false, or this to protobuf\n");
    assert_refused("presence.heartbeat: 4s\npresence.down_after: 11s\n",
                   "walcast.yaml:2: presence.down_after: 11000 ms: expected at least three times "
                   "presence.heartbeat, which is 4000 ms; raise it or lower that\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(defaults_are_the_documented_ones, clear),
        cmocka_unit_test_setup(the_table_is_sound, clear),
        cmocka_unit_test_setup(later_sources_win, clear),
        cmocka_unit_test_setup(a_command_line_value_is_checked, clear),
        cmocka_unit_test_setup(a_named_file_must_be_there, clear),
        cmocka_unit_test_setup(a_file_has_a_maximum, clear),
        cmocka_unit_test_setup(keys_that_belong_together_are_checked, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
