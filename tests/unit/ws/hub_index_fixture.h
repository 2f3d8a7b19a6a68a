/* An index, what is put in it and what it has matched, for its tests. */
#ifndef WALCAST_TESTS_HUB_INDEX_FIXTURE_H
#define WALCAST_TESTS_HUB_INDEX_FIXTURE_H

#include "tests/unit/ws/hub_fixture.h"
#include "ws/hub_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ANY UINT32_MAX

typedef struct {
    hub_index index;
    char matched[512]; /* the rules' filters and tables, in order of the alphabet */
    unsigned matches, problems, left;
    char problem[CORE_ERROR_TEXT_MAX];
} fixture;

static inline void on_matched(void *context, const hub_rule *rule) {
    fixture *f = context;
    size_t used = strlen(f->matched);
    f->matches++;
    (void)snprintf(f->matched + used, sizeof f->matched - used, "%.*s.%.*s?%.*s ",
                   CORE_SLICE_ARGS(rule->schema), CORE_SLICE_ARGS(rule->table),
                   CORE_SLICE_ARGS(rule->filter));
}

static inline void on_left(void *context, const hub_rule *rule) {
    fixture *f = context;
    size_t used = strlen(f->matched);
    f->left++;
    (void)snprintf(f->matched + used, sizeof f->matched - used, "left %.*s ",
                   CORE_SLICE_ARGS(rule->filter));
}

static inline void on_problem(void *context, const hub_rule *rule, const char *text) {
    fixture *f = context;
    (void)rule;
    f->problems++;
    (void)snprintf(f->problem, sizeof f->problem, "%s", text);
}

static inline hub_rule *add(fixture *f, hub_rule_key key, hub_user user, core_error *error) {
    uint32_t position;
    return hub_index_add(&f->index, &key, &user, &position, error);
}

static inline hub_rule *must_add_key(fixture *f, hub_rule_key key, hub_user user) {
    core_error error;
    hub_rule *rule = add(f, key, user, &error);
    assert_non_null(rule);
    return rule;
}

static inline hub_rule *must_add(fixture *f, const char *schema, const char *table,
                                 const char *filter) {
    return must_add_key(f, fixture_key(schema, table, filter), (hub_user){.operations = ANY});
}

/* On public.todos. */
static inline hub_rule *must_add_user(fixture *f, const char *filter, unsigned operations,
                                      bool leaves) {
    hub_user user = {.operations = operations, .leaves = leaves};
    return must_add_key(f, fixture_key("public", "todos", filter), user);
}

static inline void must_add_tenant(fixture *f, const char *tenant, const char *table) {
    hub_rule_key key = fixture_key("", table, "");
    key.tenant = core_slice_text(tenant);
    (void)must_add_key(f, key, (hub_user){.operations = ANY});
}

static inline void drop(fixture *f, hub_rule *rule) {
    (void)hub_rule_drop_user(rule, rule->user_count - 1);
    if (rule->user_count == 0)
        hub_index_drop(&f->index, rule);
}

static inline void drop_all(fixture *f) {
    for (;;) {
        size_t cursor = 0;
        hub_map_node *at = NULL;
        hub_rule *rule = hub_map_each(&f->index.rules, &cursor, &at);
        if (rule == NULL)
            break;
        drop(f, rule);
    }
    assert_int_equal(f->index.tables.count, 0);
}

static inline unsigned match(fixture *f, const core_change *change) {
    hub_listener listener = {
        .matched = on_matched, .left = on_left, .problem = on_problem, .context = f};
    f->matches = 0;
    f->left = 0;
    f->matched[0] = '\0';
    assert_true(hub_index_match(&f->index, change, &listener));
    return f->matches;
}

static inline unsigned match_insert(fixture *f, const core_relation *relation, const char *id,
                                    const char *name, const char *price) {
    core_value values[3];
    core_change change = {.op = CORE_OP_INSERT,
                          .relation = relation,
                          .new_tuple = fixture_tuple(values, id, name, price)};
    return match(f, &change);
}

static inline unsigned match_delete(fixture *f, const core_relation *relation, core_old_kind kind,
                                    const char *id, const char *name) {
    core_value values[3];
    core_change change = {.op = CORE_OP_DELETE,
                          .relation = relation,
                          .old_kind = kind,
                          .old_tuple = fixture_tuple(values, id, name, NULL)};
    return match(f, &change);
}

static inline int setup(void **state) {
    *state = calloc(1, sizeof(fixture));
    return *state == NULL;
}

static inline int teardown(void **state) {
    fixture *f = *state;
    hub_index_fini(&f->index);
    free(f);
    return 0;
}

#endif
