/* Definitions: what is read of a text, and what is refused, where and with which words. */
#include "triggers/set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const triggers_definition *read_text(const char *text, core_problems *problems) {
    triggers_definition_facts given = {.project = core_slice_text("shop"),
                                       .environment = core_slice_text("dev"),
                                       .revision = 7,
                                       .since = core_slice_text("abc-5.0")};
    core_problems_init(problems);
    return triggers_definition_read(core_slice_text(text), &given, problems);
}

static const triggers_definition *read_good(const char *text) {
    core_problems problems;
    const triggers_definition *definition = read_text(text, &problems);
    for (size_t i = 0; i < problems.count; i++)
        print_message("%zu:%zu %s\n", problems.items[i].place.line, problems.items[i].place.column,
                      problems.items[i].text);
    assert_non_null(definition);
    assert_int_equal(problems.errors, 0);
    core_problems_fini(&problems);
    return definition;
}

static void assert_slice(core_slice slice, const char *text) {
    if (!core_slice_is(slice, text))
        fail_msg("\"%.*s\" instead of \"%s\"", CORE_SLICE_ARGS(slice), text);
}

/* ---- What is read ---- */

static void test_example(void **state) {
    (void)state;
    const triggers_definition *it = read_good(
        "name: order-paid\n"
        "on: { table: public.orders, ops: [insert, update] }\n"
        "when: new.status = 'paid' and old.status is distinct from new.status\n"
        "select: [new.id, new.total, new.customer_id]\n"
        "do: { webhook: { url: https://example.org/x?y=1, secret: \"${secret:HOOK}\" } }\n"
        "key: new.customer_id      # ordering\n");
    assert_slice(it->name, "order-paid");
    assert_slice(it->project, "shop");
    assert_slice(it->environment, "dev");
    assert_int_equal(it->revision, 7);
    assert_slice(it->since, "abc-5.0");
    assert_int_equal(it->on, TRIGGERS_ON_TABLE);
    assert_slice(it->schema, "public");
    assert_slice(it->table, "orders");
    assert_int_equal(it->ops, TRIGGERS_OP_INSERT | TRIGGERS_OP_UPDATE);
    assert_slice(it->when, "new.status = 'paid' and old.status is distinct from new.status");
    assert_int_equal(it->selected_count, 3);
    assert_slice(it->selected[2].column, "customer_id");
    assert_slice(it->selected[2].name, "customer_id");
    assert_slice(it->key, "new.customer_id");
    assert_int_equal(it->keyed_count, 1);
    assert_int_equal(it->action, TRIGGERS_DO_WEBHOOK);
    assert_slice(it->webhook.url, "https://example.org/x?y=1");
    assert_int_equal(it->webhook.secret_count, 1);
    assert_slice(it->webhook.secrets[0], "${secret:HOOK}");
    assert_int_equal(it->webhook.timeout_ms, 15000);
    assert_int_equal(it->webhook.concurrency, 50);
    assert_int_equal(it->webhook.rate_count, 0);
    assert_int_equal(it->webhook.batch_size, 1);
    assert_int_equal(it->retry.count, 9);
    assert_int_equal(it->retry.delays_ms[0], 5000);
    assert_int_equal(it->retry.delays_ms[8], 24 * 3600 * 1000);
    assert_int_equal(it->retry.jitter_percent, 20);
    assert_int_equal(it->start, TRIGGERS_START_NOW);
    assert_false(it->disabled);
    triggers_definition_release(it);
}

static void test_json(void **state) {
    (void)state;
    const triggers_definition *it = read_good(
        "{\"name\":\"a\",\"on\":{\"table\":\"\\\"My.Schema\\\".\\\"T\\\"\",\"ops\":\"delete\"},"
        "\"select\":{\"was\":\"old.\\\"Total\\\"\",\"id\":\"old.ID\"},\"key\":[\"old.id\","
        "\"old.b\"],\"paused\":true,\n\t\"retry\":{\"delays\":[],\"jitter\":0},"
        "\"do\":{\"sql\":{\"statement\":\"insert into x values "
        "($1,$2)\",\"parameters\":[\"old.id\","
        "\"data\"],\"timeout\":\"2s\"}}}");
    assert_slice(it->schema, "My.Schema");
    assert_slice(it->table, "T");
    assert_int_equal(it->ops, TRIGGERS_OP_DELETE);
    assert_slice(it->selected[0].name, "was");
    assert_slice(it->selected[0].column, "Total");
    assert_true(it->selected[0].is_old);
    assert_slice(it->selected[1].column, "id");
    assert_slice(it->key, "old.id, old.b");
    assert_true(it->paused);
    assert_int_equal(it->retry.count, 0);
    assert_int_equal(it->sql.parameter_count, 2);
    assert_int_equal(it->sql.parameters[0].of, TRIGGERS_VALUE_OLD);
    assert_int_equal(it->sql.parameters[1].of, TRIGGERS_VALUE_DATA);
    assert_int_equal(it->sql.timeout_ms, 2000);
    triggers_definition_release(it);
}

static void test_other_sources_and_actions(void **state) {
    (void)state;
    const triggers_definition *it = read_good(
        "{name: c, on: {cron: '0 9 * * 1-5', time_zone: Europe/Berlin, catch_up: all, tolerance: "
        "5m}, do: {job: {queue: mail, priority: -3, unique: new.time, delay: 1h}}}");
    assert_int_equal(it->on, TRIGGERS_ON_CRON);
    assert_slice(it->schedule.expression, "0 9 * * 1-5");
    assert_slice(it->schedule.time_zone, "Europe/Berlin");
    assert_int_equal(it->schedule.catch_up, TRIGGERS_CATCH_UP_ALL);
    assert_int_equal(it->schedule.tolerance_ms, 300000);
    assert_int_equal(it->job.priority, -3);
    assert_int_equal(it->job.delay_ms, 3600000);
    assert_int_equal(it->job.unique_count, 1);
    triggers_definition_release(it);
    it = read_good("{name: e, on: {event: auth.user.*}, start_from: 2025-11-19T00:22:40Z, "
                   "do: {broadcast: {channel: room, event: up}}}");
    assert_int_equal(it->on, TRIGGERS_ON_EVENT);
    assert_slice(it->event_type, "auth.user.*");
    assert_true(it->broadcast.is_private);
    assert_int_equal(it->start, TRIGGERS_START_TIME);
    assert_true(it->start_us == INT64_C(1763511760000000));
    triggers_definition_release(it);
    it = read_good("{name: r, on: {result: e, outcome: dead}, start_from: first,"
                   "do: {nats: {subject: alerts.dead, request: true}}}");
    assert_int_equal(it->results, TRIGGERS_RESULT_DEAD);
    assert_true(it->nats.request);
    assert_int_equal(it->start, TRIGGERS_START_FIRST);
    triggers_definition_release(it);
    it = read_good("{name: w, on: {table: t, ops: [read, truncate]}, do: {workflow: {name: ship}},"
                   "start_from: abcdefghijklmnop-7.2}");
    assert_slice(it->schema, "public");
    assert_int_equal(it->ops, TRIGGERS_OP_READ | TRIGGERS_OP_TRUNCATE);
    assert_int_equal(it->start, TRIGGERS_START_OFFSET);
    assert_int_equal(it->start_offset.sequence, 7);
    triggers_definition_release(it);
}

static void test_webhook_in_full(void **state) {
    (void)state;
    const triggers_definition *it =
        read_good("name: w\non: {table: public.t}\ndo:\n  webhook:\n    url: http://h:8/\n"
                  "    secret:\n    - ${secret:NEW}\n    - ${secret:OLD}\n"
                  "    headers: {x-a: '1', Authorization: 'Bearer ${secret:T}'}\n"
                  "    timeout: 500ms\n    rate: 600/m\n    concurrency: 3\n"
                  "    batch: {size: 10, wait: 200ms}\n");
    assert_int_equal(it->webhook.secret_count, 2);
    assert_slice(it->webhook.secrets[1], "${secret:OLD}");
    assert_int_equal(it->webhook.header_count, 2);
    assert_slice(it->webhook.headers[1].name, "Authorization");
    assert_int_equal(it->webhook.rate_count, 600);
    assert_int_equal(it->webhook.rate_ms, 60000);
    assert_int_equal(it->webhook.concurrency, 3);
    assert_int_equal(it->webhook.batch_size, 10);
    assert_int_equal(it->webhook.batch_ms, 200);
    triggers_definition_release(it);
}

/* ---- What is refused ---- */

#define TAIL "\non: {table: public.t}\ndo: {webhook: {url: http://h/}}\n"

static const struct {
    const char *text;
    size_t line, column;
    const char *says; /* part of it */
} refused[] = {
    {"", 1, 1, "expected a map with the keys name, on and do"},
    {"- a\n", 1, 1, "expected a map"},
    {"name: a" TAIL "whn: x", 4, 1, "whn: unknown key; did you mean when?"},
    {"name: a" TAIL "zzzzzz: x", 4, 1, "unknown key; expected name, project"},
    {"name: a\nname: b" TAIL, 2, 1, "name: given twice, first in line 1"},
    {"name: a b" TAIL, 1, 7, "name: expected a name"},
    {"name: [a]" TAIL, 1, 7, "name: expected a name"},
    {"name:" TAIL, 1, 1, "name: has no value"},
    {"on: {table: public.t}\ndo: {webhook: {url: http://h/}}\n", 1, 1, "name: expected, and not"},
    {"name: a\ndo: {webhook: {url: http://h/}}\n", 1, 1, "on: expected, and not"},
    {"name: a\non: {}\ndo: {webhook: {url: http://h/}}\n", 2, 5, "on: expected one of table, ev"},
    {"name: a\non: {table: t, cron: x}\ndo: {webhook: {url: http://h/}}\n", 2, 16,
     "not both table and cron"},
    {"name: a\non: {event: e, ops: read}\ndo: {webhook: {url: http://h/}}\n", 2, 16,
     "ops: goes with table, which"},
    {"name: a\non: {table: a.b.c}\ndo: {webhook: {url: http://h/}}\n", 2, 13, "expected SCHEMA."},
    {"name: a\non: {table: t, ops: [insert, upsert]}\ndo: {webhook: {url: http://h/}}\n", 2, 30,
     "expected a list of insert|update|delete"},
    {"name: a\non: {event: a.*.b}\ndo: {webhook: {url: http://h/}}\n", 2, 13, "a * only at its"},
    {"name: a\non: orders\ndo: {webhook: {url: http://h/}}\n", 2, 5,
     "on: expected keys below it: table, ops"},
    {"name: a\non: {table: t}\ndo: {}\n", 3, 5, "do: expected one of webhook"},
    {"name: a\non: {queue: q}\ndo: {nats: {subject: s}}\n", 3, 5, "queue's jobs expected webhook"},
    {"name: a\non: {queue: q}\nwhen: new.a = 1\ndo: {webhook: {url: http://h/}}\n", 3, 1,
     "when: does not go with a queue"},
    {"name: a\non: {queue: q}\nretry: {jitter: 5}\ndo: {webhook: {url: http://h/}}\n", 3, 1,
     "retry: does not go with a queue"},
    {"name: a\non: {queue: q}\ndo: {webhook: {url: http://h/, batch: {size: 2}}}\n", 3, 32,
     "batch: jobs go out one by one"},
    {"name: a\non: {queue: a a}\ndo: {webhook: {url: http://h/}}\n", 2, 13,
     "queue: expected a name"},
    {"name: a\non: {table: t}\ndo: {webhook: {}}\n", 3, 15, "do.webhook.url: expected, and not"},
    {"name: a\non: {table: t}\ndo: {webhook: {url: ftp://h/}}\n", 3, 21, "url: expected a URL"},
    {"name: a\non: {table: t}\ndo: {webhook: {url: 'http://u:p@h/'}}\n", 3, 21, "without user or"},
    {"name: a\non: {table: t}\ndo: {webhook: {url: http:///x}}\n", 3, 21, "url: expected a URL"},
    {"name: a\non: {table: t}\ndo: {webhook: {url: http://h/, timeout: 9h}}\n", 3, 41,
     "timeout: expected 100ms to 2m"},
    {"name: a\non: {table: t}\ndo: {webhook: {url: http://h/, rate: 5}}\n", 3, 38, "100/s"},
    {"name: a\non: {table: t}\ndo: {webhook: {url: http://h/, concurrency: 0}}\n", 3, 45,
     "concurrency: expected"},
    {"name: a\non: {table: t}\ndo: {webhook: {url: http://h/, headers: {Host: x}}}\n", 3, 42,
     "Host is set by the delivery itself"},
    {"name: a\non: {table: t}\ndo: {webhook: {url: http://h/, headers: {a: \"x\\ny\"}}}\n", 3, 45,
     "in one line"},
    {"name: a\non: {table: t}\ndo: {nats: {subject: a.*.b}}\n", 3, 22, "NATS subject"},
    {"name: a\non: {table: t}\ndo: {nats: {subject: $JS.API}}\n", 3, 22, "NATS subject"},
    {"name: a" TAIL "select: [new.a, total]", 4, 17, "select: expected a column such as new.t"},
    {"name: a" TAIL "select: [new.a, new.A]", 4, 17, "a is in it twice"},
    {"name: a" TAIL "select: []", 4, 9, "at least one"},
    {"name: a" TAIL "key: id", 4, 6, "key: expected a column such as"},
    {"name: a" TAIL "key: [new.a, new.b, new.c, new.d, new.e, new.f, new.g, new.h, new.i]", 4, 6,
     "up to 8"},
    {"name: a" TAIL "retry: {delays: [5s, soon]}", 4, 22, "delays: expected a duration"},
    {"name: a" TAIL "start_from: yesterday", 4, 13, "start_from: expected now, first"},
    {"name: a" TAIL "disabled: yes", 4, 11, "disabled: expected true or false"},
    {"name: a" TAIL "template: x\nselect: new.a", 4, 1, "takes the place of select"},
    {"name: a\non: {event: e}\nselect: [old.id]\ndo: {workflow: {name: x}}\n", 3, 9,
     "only changes of a table have an old row"},
    {"name: a" TAIL "key: &x new.a", 4, 6, "an anchor (&) is not supported"},
    {"name: a" TAIL "key: *x", 4, 6, "an alias (*) is not supported"},
    {"name: a" TAIL "---\nname: b", 4, 1, "expected one document"},
    {"name: a" TAIL "when: 'x", 4, 9, "not valid YAML or JSON"},
    {"name: \"a\\0b\"" TAIL, 1, 7, "without NUL"},
};

static void test_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(refused); i++) {
        core_problems problems;
        const triggers_definition *it = read_text(refused[i].text, &problems);
        if (it != NULL || problems.errors == 0)
            fail_msg("taken: %s", refused[i].text);
        const core_problem *first = &problems.items[0];
        if (first->place.line != refused[i].line || first->place.column != refused[i].column ||
            strstr(first->text, refused[i].says) == NULL)
            fail_msg("%s\n%zu:%zu: %s", refused[i].text, first->place.line, first->place.column,
                     first->text);
        core_problems_fini(&problems);
    }
}

/* All problems of a text at once. */
static void test_all_at_once(void **state) {
    (void)state;
    core_problems problems;
    assert_null(read_text("nam: a\non: {table: t, ops: [x]}\ndo: {webhook: {url: 7, timeot: 1s}}\n"
                          "key: 5\n",
                          &problems));
    assert_int_equal(problems.errors, 6);
    core_buffer text;
    core_buffer_init(&text, 1 << 16);
    core_problems_print(&problems, "a.yaml", &text);
    core_buffer_text(&text, "");
    core_buffer_u8(&text, 0);
    assert_non_null(
        strstr((char *)text.data, "a.yaml:1:1: nam: unknown key; did you mean name?\n"));
    assert_non_null(strstr((char *)text.data, "a.yaml:3:24: timeot: unknown key; did you mean "
                                              "timeout?\n"));
    core_buffer_fini(&text);
    core_problems_fini(&problems);
}

static void test_literal_secret_warns(void **state) {
    (void)state;
    core_problems problems;
    const triggers_definition *it =
        read_text("name: a\non: {table: t}\ndo: {webhook: {url: http://h/, secret: whsec_x, "
                  "headers: {x-api-key: abc}}}\n",
                  &problems);
    assert_non_null(it);
    assert_int_equal(problems.errors, 0);
    assert_int_equal(problems.count, 2);
    assert_true(problems.items[0].is_warning);
    assert_null(strstr(problems.items[0].text, "whsec_x"));
    assert_int_equal(problems.items[0].place.column, 40);
    core_problems_fini(&problems);
    triggers_definition_release(it);
}

/* ---- Sets ---- */

static void test_set(void **state) {
    (void)state;
    const triggers_definition *items[3] = {
        read_good("{name: b, on: {table: t}, do: {workflow: {name: x}}}"),
        read_good("{name: a, on: {table: t}, do: {workflow: {name: x}}}"),
        read_good("{name: a, project: acme, on: {table: t}, do: {workflow: {name: x}}}"),
    };
    const triggers_set *set = triggers_set_new(items, 3, 42, 1);
    for (size_t i = 0; i < 3; i++)
        triggers_definition_release(items[i]);
    assert_int_equal(set->count, 3);
    assert_int_equal(set->generation, 42);
    assert_ptr_equal(set->definitions[0], items[2]);
    assert_ptr_equal(triggers_set_find(set, core_slice_text("shop"), core_slice_text("b")),
                     items[0]);
    assert_null(triggers_set_find(set, core_slice_text("shop"), core_slice_text("c")));
    triggers_set_release(triggers_set_hold(set));
    triggers_set_release(set);
    set = triggers_set_new(NULL, 0, 1, 0);
    assert_null(triggers_set_find(set, core_slice_text("shop"), core_slice_text("c")));
    triggers_set_release(set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_example),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_other_sources_and_actions),
        cmocka_unit_test(test_webhook_in_full),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_all_at_once),
        cmocka_unit_test(test_literal_secret_warns),
        cmocka_unit_test(test_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
