/* The environment: each key has its variable; a mistaken one is told, a foreign one left alone. */
#include "tests/unit/core/config_source.h"

#include "core/config_private.h"

/* The report of applying these variables over the defaults. */
static const char *applied(char *const *environment, core_config **config) {
    memset(config_report, 0, sizeof config_report);
    FILE *report = fmemopen(config_report, sizeof config_report, "w");
    assert_non_null(report);
    *config = core_config_new();
    assert_non_null(*config);
    core_config_loader loader = {.config = *config, .report = report};
    core_config_env_apply(&loader, environment);
    (void)fclose(report);
    return config_report;
}

static void assert_told(const char *variable, const char *expected) {
    char text[256];
    (void)snprintf(text, sizeof text, "%s", variable);
    char *environment[] = {text, NULL};
    core_config *config;
    assert_string_equal(applied(environment, &config), expected);
    core_config_free(config);
}

static void every_key_has_its_variable(void **state) {
    (void)state;
    char name[CORE_CONFIG_KEY_MAX];
    core_config_env_name("ws.max_channels_per_connection", name);
    assert_string_equal(name, "WALCAST_WS_MAX_CHANNELS_PER_CONNECTION");
    size_t count;
    const core_config_row *rows = core_config_rows(&count);
    for (size_t i = 0; i < count; i++) { /* two keys may not meet in one variable */
        char other[CORE_CONFIG_KEY_MAX];
        core_config_env_name(rows[i].key, name);
        for (size_t j = 0; j < i; j++) {
            core_config_env_name(rows[j].key, other);
            assert_string_not_equal(name, other);
        }
    }
}

static void values_are_read_as_in_the_file(void **state) {
    (void)state;
    char url[] = "WALCAST_POSTGRES_URL=postgresql://a:b=c@h/d", age[] = "WALCAST_NATS_MAX_AGE=36h",
         tables[] = "WALCAST_POSTGRES_TABLES=public.a, audit.*",
         empty[] = "WALCAST_PROJECT=", other[] = "PATH=/bin";
    char *environment[] = {url, age, tables, empty, other, NULL};
    core_config *config;
    assert_string_equal(applied(environment, &config), "");
    assert_string_equal(core_config_text(config, "postgres.url"), "postgresql://a:b=c@h/d");
    assert_int_equal(core_config_integer(config, "nats.max_age"), 36 * 3600 * 1000);
    assert_int_equal(core_config_list_count(config, "postgres.tables"), 2);
    assert_null(core_config_text(config, "project"));
    core_config_free(config);
}

static void mistakes_are_told(void **state) {
    (void)state;
    assert_told("WALCAST_NATS_MAX_AGE=7", "WALCAST_NATS_MAX_AGE: nats.max_age: \"7\": expected a "
                                          "duration such as 7d, 12h or 500ms\n");
    assert_told("WALCAST_NATS_MAXAGE=7d", "WALCAST_NATS_MAXAGE: unknown variable; did you mean "
                                          "WALCAST_NATS_MAX_AGE, for nats.max_age?\n");
    assert_told("WALCAST_PROJET=a", "WALCAST_PROJET: unknown variable; did you mean "
                                    "WALCAST_PROJECT, for project?\n");
    assert_told("WALCAST_NATS_COLOUR_OF_THE_SHED=red",
                "WALCAST_NATS_COLOUR_OF_THE_SHED: unknown variable; docs/CONFIG.md lists all\n");
    assert_told("WALCAST_POSTGRES_URL=mysql://u:secret@h/d",
                "WALCAST_POSTGRES_URL: postgres.url: \"mysql://u:***@h/d\": expected a URL such as "
                "postgres://USER:PASSWORD@HOST:5432/DATABASE\n");
}

static void foreign_variables_are_left_alone(void **state) {
    (void)state;
    assert_told("WALCAST_CONFIG=/etc/walcast.yaml", "");
    assert_told("WALCAST_BINARY=/usr/bin/walcast", "");
    assert_told("WALCAST_PORT=tcp://10.0.0.1:4000", "");
    assert_told("WALCAST_SERVICE_HOST=10.0.0.1", "");
    assert_told("WALCAST_NATS_SERVICE_HOST=10.0.0.1", "");
    assert_told("WALCAST_NATS_PORT_4222_TCP_ADDR=10.0.0.1", "");
    assert_told("WALCAST_", "");
    assert_told("WALCAST_=x", "");
    assert_told("WALCASTX=1", "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_has_its_variable),
        cmocka_unit_test(values_are_read_as_in_the_file),
        cmocka_unit_test(mistakes_are_told),
        cmocka_unit_test(foreign_variables_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
