/* Classes: shared by equal subscriptions, counted a thread, freed with the last member. */
#include "ws/hub_class.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static ws_subscription *subscription(const char *topic, const char *json) {
    core_buffer response;
    core_buffer_init(&response, 1 << 16);
    static const ws_identity identity = {.references = 1, .claims = {.role = "anon"}};
    ws_subscription_request request = {.protocol = WS_PROTOCOL_2,
                                       .identity = &identity,
                                       .topic = core_slice_text(topic),
                                       .postgres_changes = core_slice_text(json)};
    ws_subscription *made = ws_subscription_new(&request, &response, NULL);
    core_buffer_fini(&response);
    assert_non_null(made);
    return made;
}

#define TODOS "[{\"event\":\"*\",\"schema\":\"public\",\"table\":\"todos\"}]"

static void test_equal_subscriptions_share_a_class(void **state) {
    (void)state;
    hub_classes classes;
    hub_ids numbers = {0};
    core_error error;
    hub_classes_init(&classes, &numbers, 2, NULL);
    hub_class *a = hub_classes_enter(&classes, subscription("t", TODOS), false, 0, &error);
    assert_ptr_equal(hub_classes_enter(&classes, subscription("t", TODOS), false, 1, &error), a);
    assert_ptr_equal(hub_classes_enter(&classes, subscription("t", TODOS), false, 1, &error), a);
    hub_class *b = hub_classes_enter(&classes, subscription("u", TODOS), false, 0, &error);
    assert_ptr_not_equal(a, b);
    assert_int_equal(a->members[0], 1);
    assert_int_equal(a->members[1], 2);
    assert_int_equal(classes.index.rules.count, 1); /* the two classes share the rule */
    assert_int_equal(a->rules[0]->user_count, 2);
    uint32_t id = a->id;
    hub_class_leave(hub_ids_owner(&numbers, id), 1);
    hub_class_leave(hub_ids_owner(&numbers, id), 0);
    assert_non_null(hub_ids_owner(&numbers, id));
    hub_class_leave(hub_ids_owner(&numbers, id), 1);
    assert_null(hub_ids_owner(&numbers, id));
    hub_class *c = hub_classes_enter(&classes, subscription("v", TODOS), false, 0, &error);
    assert_int_equal(c->id, id); /* the number is given out again */
    hub_classes_fini(&classes);
    hub_ids_fini(&numbers);
}

static void test_many_come_and_go(void **state) {
    (void)state;
    hub_classes classes;
    hub_ids numbers = {0};
    core_error error;
    static uint32_t ids[3000];
    static bool in[3000];
    unsigned random = 7;
    hub_classes_init(&classes, &numbers, 1, NULL);
    for (int step = 0; step < 20000; step++) {
        random = random * 1103515245u + 12345u;
        unsigned at = (random >> 8) % CORE_COUNT_OF(ids);
        char json[128];
        (void)snprintf(json, sizeof json,
                       "[{\"event\":\"*\",\"schema\":\"public\",\"table\":\"todos\",\"filter\":"
                       "\"id=eq.%u\"},{\"event\":\"*\",\"schema\":\"s%u\"}]",
                       at % 50, at % 3);
        if (in[at]) {
            hub_class_leave(hub_ids_owner(&numbers, ids[at]), 0);
        } else {
            char topic[16];
            (void)snprintf(topic, sizeof topic, "t%u", at % 40);
            hub_class *class =
                hub_classes_enter(&classes, subscription(topic, json), false, 0, &error);
            assert_non_null(class);
            ids[at] = class->id;
        }
        in[at] = !in[at];
    }
    assert_in_range(classes.index.rules.count, 1, 53);
    for (size_t at = 0; at < CORE_COUNT_OF(ids); at++)
        if (in[at])
            hub_class_leave(hub_ids_owner(&numbers, ids[at]), 0);
    assert_int_equal(classes.by_key.count, 0);
    assert_int_equal(classes.index.rules.count, 0);
    hub_classes_fini(&classes);
    hub_ids_fini(&numbers);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_subscriptions_share_a_class),
        cmocka_unit_test(test_many_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
