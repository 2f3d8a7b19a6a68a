/* The YAML file: nested or dotted, and every mistake told with its line. */
#include "tests/unit/core/config_source.h"

static int clear(void **state) {
    (void)state;
    config_environment_clear();
    return 0;
}

static void nested_and_dotted_are_the_same(void **state) {
    (void)state;
    core_config *config = config_load_text("nats:\n"
                                           "  # a comment\n"
                                           "  max_age: 12h\n"
                                           "  window_bytes: \"2MiB\"\n"
                                           "nats.replicas: 3\n"
                                           "postgres.tables: [public.todos, 'audit.*']\n"
                                           "nats.tls_required: true\n"
                                           "roles:\n"
                                           "- ws\n"
                                           "triggers.allow: 10.0.0.0/8, ::1\n"
                                           "search:\n");
    assert_int_equal(core_config_integer(config, "nats.max_age"), 12 * 3600 * 1000);
    assert_int_equal(core_config_integer(config, "nats.window_bytes"), 2 * 1024 * 1024);
    assert_int_equal(core_config_integer(config, "nats.replicas"), 3);
    assert_true(core_config_bool(config, "nats.tls_required"));
    assert_string_equal(core_config_list_item(config, "postgres.tables", 1), "audit.*");
    assert_int_equal(core_config_list_count(config, "roles"), 1);
    assert_string_equal(core_config_list_item(config, "triggers.allow", 1), "::1");
    assert_string_equal(core_config_origin(config, "nats.max_age"), "walcast.yaml:3");
    core_config_free(config);
}

static void empty_files_are_defaults(void **state) {
    (void)state;
    static const char *const texts[] = {"",
                                        "\n\n",
                                        "# only this\n",
                                        "---\n",
                                        "--- ~\n",
                                        "{}\n",
                                        "---\nproject: default\n...\n",
                                        "\xEF\xBB\xBFproject: x\n"};
    for (size_t i = 0; i < CORE_COUNT_OF(texts); i++) {
        core_config *config = config_load_text(texts[i]);
        assert_non_null(config);
        core_config_free(config);
    }
}

static void all_problems_are_told_at_once(void **state) {
    (void)state;
    assert_refused("nats:\n"
                   "  max_age: 7 parsecs\n"
                   "  max_aeg: 1d\n"
                   "  replicas: 9\n"
                   "log.level: loud\n"
                   "frobnicate: 1\n",
                   "walcast.yaml:2: nats.max_age: \"7 parsecs\": expected a duration such as 7d, "
                   "12h or 500ms\n"
                   "walcast.yaml:3: nats.max_aeg: unknown key; did you mean nats.max_age?\n"
                   "walcast.yaml:4: nats.replicas: \"9\": expected 1 to 5\n"
                   "walcast.yaml:5: log.level: \"loud\": expected one of debug, info, warn, error\n"
                   "walcast.yaml:6: frobnicate: unknown key; docs/CONFIG.md lists all keys\n");
}

static void a_key_is_given_once(void **state) {
    (void)state;
    assert_refused("project: a\nproject: b\n",
                   "walcast.yaml:2: project: is set twice, first at walcast.yaml:1; keep one\n");
    assert_refused("nats: {prefix: a}\nnats.prefix: b\n",
                   "walcast.yaml:2: nats.prefix: is set twice, first at walcast.yaml:1; keep "
                   "one\n");
    assert_refused("log: {level: info}\nlog: {format: text}\n",
                   "walcast.yaml:2: log: this section is given twice, first at line 1; join "
                   "them\n");
}

static void wrong_kinds_are_told(void **state) {
    (void)state;
    assert_refused("nats.url: [a, b]\n", "walcast.yaml:1: nats.url: \"a, b\": expected a text\n");
    assert_refused("nats.url: {a: b}\n", "walcast.yaml:1: nats.url: expected a text, not a map\n");
    assert_refused("nats: 5\n",
                   "walcast.yaml:1: nats: is a section: expected keys below it, indented\n");
    assert_refused("nats: [5]\n", "walcast.yaml:1: nats: expected keys below it, not a list\n");
    assert_refused("postgres.tables: [a.b, [c.d]]\n",
                   "walcast.yaml:1: postgres.tables: expected a list of plain values\n");
    assert_refused("postgres.tables: [a.b, ~]\n",
                   "walcast.yaml:1: postgres.tables: expected items that are not empty\n");
    assert_refused("postgres.tables: []\n",
                   "walcast.yaml:1: postgres.tables: \"\": expected at least one item\n");
    assert_refused("project:\n",
                   "walcast.yaml:1: project: has no value: give one or remove the line\n");
    assert_refused("project: ''\n",
                   "walcast.yaml:1: project: \"\": expected a text that is not empty\n");
    assert_refused("project: \"a\\0b\"\n",
                   "walcast.yaml:1: project: expected a text without control characters\n");
    assert_refused("project: \"a\\eb\"\n",
                   "walcast.yaml:1: project: \"a?b\": expected a text without control "
                   "characters\n");
    assert_refused("\"a\\eb\": \"a\\0b\"\n",
                   "walcast.yaml:1: a?b: expected a text without control characters\n");
    assert_refused("nats.tls_required: yes\n",
                   "walcast.yaml:1: nats.tls_required: \"yes\": expected true or false\n");
    assert_refused("- project\n", "walcast.yaml:1: expected a map of keys such as `nats.url: "
                                  "nats://127.0.0.1:4222`\n");
    assert_refused("a:\n  b:\n    c: [d]\n",
                   "walcast.yaml:2: a: unknown key; docs/CONFIG.md lists all keys\n");
    assert_refused("? [a]\n: b\nlog.level: x\n",
                   "walcast.yaml:1: expected a key that is a short plain name\n"
                   "walcast.yaml:3: log.level: \"x\": expected one of debug, info, warn, error\n");
}

static void what_else_yaml_can_do_is_refused(void **state) {
    (void)state;
    assert_refused("nats: &a\n  prefix: b\nlog: *a\n",
                   "walcast.yaml:1: nats: an anchor (&) is not supported: remove it\n"
                   "walcast.yaml:3: log: an alias (*) is not supported: write the value out\n");
    assert_refused("project: !!str a\n",
                   "walcast.yaml:1: project: a tag (!) is not supported: remove it\n");
    assert_refused("project: a\n---\nproject: b\n",
                   "walcast.yaml:2: expected one document: remove this `---`\n");
    assert_refused("postgres.tables: [&x a.b, *x]\n",
                   "walcast.yaml:1: postgres.tables: an anchor (&) is not supported: remove it\n"
                   "walcast.yaml:1: postgres.tables: an alias (*) is not supported: write the "
                   "value out\n");
}

static void syntax_errors_have_their_line(void **state) {
    (void)state;
    assert_refused("nats:\n\turl: a\n",
                   "walcast.yaml:2: not valid YAML: a tab indents the line; use spaces\n");
    assert_null(config_load_text("project: a\nnats: {url: b\n"));
    assert_non_null(strstr(config_report, "walcast.yaml:3: not valid YAML: did not find expected"));
    assert_null(config_load_text("project: 'a\n"));
    assert_non_null(strstr(config_report, ": not valid YAML: "));
    assert_null(config_load_text("project: \xFF\n"));
    assert_non_null(strstr(config_report, ": not valid YAML: "));
    assert_null(config_load_text("log.level: x\nproject: {\n"));
    assert_non_null(strstr(config_report, "walcast.yaml:1: log.level: \"x\""));
    assert_non_null(strstr(config_report, "not valid YAML"));
}

/* Deep nesting, long keys, many items and many problems end in a message, not in a crash. */
static void everything_has_a_maximum(void **state) {
    (void)state;
    core_buffer text;
    core_buffer_init(&text, 1024 * 1024);
    for (int i = 0; i < 5000; i++)
        core_buffer_text(&text, "[");
    assert_null(config_load_bytes((const char *)text.data, text.length));
    core_buffer_reset(&text);
    for (int i = 0; i < 900; i++)
        core_buffer_text(&text, "{nats: ");
    assert_null(config_load_bytes((const char *)text.data, text.length));
    core_buffer_reset(&text);
    core_buffer_format(&text, "%0500d: 1\n", 0);
    assert_null(config_load_bytes((const char *)text.data, text.length));
    assert_string_equal(config_report,
                        "walcast.yaml:1: expected a key that is a short plain name\n");
    core_buffer_reset(&text);
    core_buffer_text(&text, "triggers.allow: [");
    for (int i = 0; i < 1025; i++)
        core_buffer_text(&text, "a,");
    core_buffer_text(&text, "]\n");
    assert_null(config_load_bytes((const char *)text.data, text.length));
    assert_string_equal(config_report,
                        "walcast.yaml:1: triggers.allow: expected at most 1024 items\n");
    core_buffer_reset(&text);
    for (int i = 0; i < 1000; i++)
        core_buffer_format(&text, "unknown%d: 1\n", i);
    assert_null(config_load_bytes((const char *)text.data, text.length));
    assert_non_null(strstr(config_report, "configuration: 950 more problems\n"));
    core_buffer_fini(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nested_and_dotted_are_the_same, clear),
        cmocka_unit_test_setup(empty_files_are_defaults, clear),
        cmocka_unit_test_setup(all_problems_are_told_at_once, clear),
        cmocka_unit_test_setup(a_key_is_given_once, clear),
        cmocka_unit_test_setup(wrong_kinds_are_told, clear),
        cmocka_unit_test_setup(what_else_yaml_can_do_is_refused, clear),
        cmocka_unit_test_setup(syntax_errors_have_their_line, clear),
        cmocka_unit_test_setup(everything_has_a_maximum, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
