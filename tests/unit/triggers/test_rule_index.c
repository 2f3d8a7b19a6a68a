/* The rule index gives exactly what asking each rule by itself gives: thousands of rules and rows
 * from a seed, of both images, with nulls and values that did not come. */
#include "tests/unit/triggers/definitions.h"
#include "triggers/rule_index.h"

#include <stdio.h>
#include <stdlib.h>

static const core_column columns[] = {
    {.name = {(const uint8_t *)"id", 2}, .type_oid = 23, .key = true},
    {.name = {(const uint8_t *)"total", 5}, .type_oid = 1700},
    {.name = {(const uint8_t *)"name", 4}, .type_oid = 25},
    {.name = {(const uint8_t *)"kind", 4}, .type_oid = 21},
    {.name = {(const uint8_t *)"at", 2}, .type_oid = 1114},
    {.name = {(const uint8_t *)"done", 4}, .type_oid = 16},
};
#define COLUMNS CORE_COUNT_OF(columns)

static core_relation relation_make(char identity) {
    return orders_relation(columns, COLUMNS, identity);
}

static const core_tenants tenants = {.project = "shop", .environment = "dev"};

static uint32_t random_below(uint64_t *seed, uint32_t below) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return (uint32_t)(*seed >> 20) % below;
}

/* ---- Definitions ---- */

static const triggers_definition *definition_make(size_t number, const char *ops, const char *when,
                                                  const char *rest) {
    char text[4096];
    (void)snprintf(text, sizeof text,
                   "name: t%05zu\non: { table: public.orders, ops: [%s] }\n%s%s%s\n"
                   "do: { nats: { subject: x } }\n",
                   number, ops, when != NULL ? "when: >-\n  " : "", when != NULL ? when : "", rest);
    return definition_of("shop", text);
}

static triggers_rule_index *index_make(const char *const *whens, const char *const *ops,
                                       size_t count, char identity) {
    core_error error;
    core_relation relation = relation_make(identity);
    const triggers_definition **made = calloc(count, sizeof *made);
    assert_non_null(made);
    for (size_t i = 0; i < count; i++)
        made[i] = definition_make(i, ops[i], whens[i], "");
    const triggers_set *set = triggers_set_new(made, count, 1, 1);
    assert_non_null(set);
    triggers_rule_index *index = triggers_rule_index_new(set, &tenants, &relation, NULL, &error);
    if (index == NULL)
        fail_msg("%s", error.text);
    triggers_set_release(set);
    for (size_t i = 0; i < count; i++)
        triggers_definition_release(made[i]);
    free(made);
    return index;
}

/* ---- Conditions from a seed ---- */

static const char *image(uint64_t *seed) {
    return random_below(seed, 4) == 0 ? "old" : "new";
}

static void term_write(uint64_t *seed, core_buffer *out) {
    static const char *const signs[] = {"=", "<", "<=", ">", ">=", "<>"};
    uint32_t number = random_below(seed, 12);
    const char *sign = signs[random_below(seed, 6)];
    switch (random_below(seed, 12)) {
    case 0:
    case 1:
        core_buffer_format(out, "%s.id = %u", image(seed), number);
        break;
    case 2:
        core_buffer_format(out, "%s.kind in (%u, %u)", image(seed), number % 4, number % 3);
        break;
    case 3:
        core_buffer_format(out, "%s.total %s %u.%u", image(seed), sign, number, number % 3);
        break;
    case 4:
        core_buffer_format(out, "%s.total between %u and %u", image(seed), number, number + 2);
        break;
    case 5:
        core_buffer_format(out, "%s.name like 'a%.*s%%'", image(seed), (int)(number % 3), "bc");
        break;
    case 6:
        core_buffer_format(out, "%s.name = 'ab%u'", image(seed), number % 4);
        break;
    case 7:
        core_buffer_format(out, "new.%s is distinct from old.%s", number % 2 ? "kind" : "name",
                           number % 2 ? "kind" : "name");
        break;
    case 8:
        core_buffer_format(out, "%s.at %s '2024-02-%02u 00:00:00'", image(seed), sign, number + 1);
        break;
    case 9:
        core_buffer_format(out, "%s.done is %snull", image(seed), number % 2 ? "not " : "");
        break;
    case 10:
        core_buffer_format(out, "%u / %s.kind = 2", number, image(seed)); /* of 0: an error */
        break;
    default:
        core_buffer_format(out, "%s.done", number % 3 ? "new" : "not new");
    }
}

static void condition_write(uint64_t *seed, core_buffer *out, unsigned depth) {
    uint32_t count = 1 + random_below(seed, 3);
    const char *join = random_below(seed, 3) == 0 ? " or " : " and ";
    for (uint32_t i = 0; i < count; i++) {
        core_buffer_text(out, i > 0 ? join : "");
        if (depth > 0 && random_below(seed, 3) == 0) {
            core_buffer_text(out, "(");
            condition_write(seed, out, depth - 1);
            core_buffer_text(out, ")");
        } else {
            term_write(seed, out);
        }
    }
}

/* ---- Changes from a seed ---- */

typedef struct {
    char texts[2][COLUMNS][32];
    core_value values[2][COLUMNS];
} room;

static void tuple_fill(uint64_t *seed, room *r, size_t which, core_tuple *tuple) {
    for (size_t i = 0; i < COLUMNS; i++) {
        static const char *const forms[] = {"%u", "%u.5", "ab%u", "%u", "2024-02-%02u 00:00:00"};
        char *text = r->texts[which][i];
        uint32_t number = random_below(seed, 12);
        number = i == 3 ? number % 4 : number + (i == 4 ? 1 : 0);
        if (i < CORE_COUNT_OF(forms))
            (void)snprintf(text, sizeof r->texts[which][i], forms[i], number);
        else
            (void)snprintf(text, sizeof r->texts[which][i], "%s", number % 2 ? "t" : "f");
        r->values[which][i] = (core_value){.kind = CORE_VALUE_TEXT, .bytes = core_slice_text(text)};
        if (random_below(seed, 8) == 0 && !columns[i].key)
            r->values[which][i] = (core_value){.kind = CORE_VALUE_NULL};
        else if (random_below(seed, 20) == 0 && !columns[i].key && which == 0)
            r->values[which][i] = (core_value){.kind = CORE_VALUE_UNCHANGED};
    }
    *tuple = (core_tuple){.count = COLUMNS, .values = r->values[which]};
}

static void change_make(uint64_t *seed, const core_relation *relation, room *r,
                        core_change *change) {
    static const core_op ops[] = {CORE_OP_INSERT, CORE_OP_UPDATE, CORE_OP_UPDATE,
                                  CORE_OP_DELETE, CORE_OP_READ,   CORE_OP_TRUNCATE};
    *change =
        (core_change){.op = ops[random_below(seed, CORE_COUNT_OF(ops))], .relation = relation};
    if (change->op == CORE_OP_INSERT || change->op == CORE_OP_READ || change->op == CORE_OP_UPDATE)
        tuple_fill(seed, r, 0, &change->new_tuple);
    if (change->op == CORE_OP_UPDATE || change->op == CORE_OP_DELETE) {
        tuple_fill(seed, r, 1, &change->old_tuple);
        change->old_kind = CORE_OLD_FULL;
    }
    if (change->op == CORE_OP_UPDATE && random_below(seed, 2) == 0) /* nothing but the name */
        for (size_t i = 0; i < COLUMNS; i++)
            if (i != 2 && r->values[0][i].kind != CORE_VALUE_UNCHANGED)
                r->values[0][i] = r->values[1][i];
}

/* ---- Held against each rule by itself ---- */

#define RULES 600

typedef struct {
    triggers_rule_index *index;
    triggers_rule *rules[RULES];
    uint32_t seen[8];
    uint64_t evaluated;
} both;

static bool is_told(expr_verdict verdict) {
    return verdict != EXPR_VERDICT_FALSE && verdict != EXPR_VERDICT_UNKNOWN;
}

static triggers_verdict told_of(expr_verdict verdict) {
    static const triggers_verdict told[] = {[EXPR_VERDICT_TRUE] = TRIGGERS_VERDICT_TRUE,
                                            [EXPR_VERDICT_MISSING] = TRIGGERS_VERDICT_MISSING,
                                            [EXPR_VERDICT_UNDECIDED] = TRIGGERS_VERDICT_UNDECIDED,
                                            [EXPR_VERDICT_ERROR] = TRIGGERS_VERDICT_ERROR};
    return told[verdict];
}

/* What is null in a conjunct by which the rule is found makes it not true, whatever did not come of
 * the others: the index need not say "missing" then. */
static void change_check(both *b, const core_change *change) {
    const triggers_match *matches;
    const triggers_images *images;
    size_t count = triggers_rule_index_match(b->index, change, &matches, &images);
    size_t at = 0;
    b->evaluated += triggers_rule_index_evaluated(b->index);
    for (uint32_t i = 0; i < RULES; i++) {
        bool found = at < count && matches[at].number == i;
        const char *reason = NULL;
        expr_verdict verdict = EXPR_VERDICT_FALSE;
        if ((b->rules[i]->definition->ops & triggers_op_of(change->op)) != 0)
            verdict = expr_condition_evaluate(b->rules[i]->condition, images->new_tuple,
                                              images->old_tuple, &reason);
        b->seen[verdict]++;
        if (found ? !is_told(verdict) || matches[at].verdict != told_of(verdict)
                  : is_told(verdict) && verdict != EXPR_VERDICT_MISSING)
            fail_msg("%s of %.*s: by itself %s, in the index %s", core_op_name(change->op),
                     CORE_SLICE_ARGS(b->rules[i]->definition->when), expr_verdict_name(verdict),
                     found ? triggers_verdict_name(matches[at].verdict) : "nothing");
        b->seen[6] += verdict == EXPR_VERDICT_MISSING && !found;
        at += found ? 1 : 0;
    }
    assert_int_equal(at, count);
}

static void test_same_as_alone(void **state) {
    static const char *const op_lists[] = {"insert, update", "update",
                                           "delete",         "insert, update, delete, read",
                                           "insert",         "update, truncate"};
    static char texts[RULES][1024];
    const char *whens[RULES];
    const char *ops[RULES];
    both b = {.index = NULL};
    uint64_t seed = 88172645463325252u;
    core_relation relation = relation_make('f');
    (void)state;
    for (size_t i = 0; i < RULES; i++) {
        core_buffer out = core_buffer_over(texts[i], sizeof texts[i] - 1);
        condition_write(&seed, &out, 2);
        core_buffer_u8(&out, 0);
        assert_true(core_buffer_ok(&out));
        whens[i] = texts[i];
        ops[i] = op_lists[random_below(&seed, CORE_COUNT_OF(op_lists))];
    }
    b.index = index_make(whens, ops, RULES, 'f');
    for (size_t i = 0; i < RULES; i++) {
        triggers_rule_problem problem;
        const triggers_definition *definition = definition_make(i, ops[i], whens[i], "");
        b.rules[i] = triggers_rule_new(definition, &relation, NULL, &problem);
        if (b.rules[i] == NULL)
            fail_msg("%s: %s", whens[i], problem.error.text);
        triggers_definition_release(definition);
    }
    for (size_t i = 0; i < 3000; i++) {
        room r;
        core_change change;
        change_make(&seed, &relation, &r, &change);
        change_check(&b, &change);
    }
    print_message("false %u, true %u, null %u, missing %u (%u not told), undecided %u, error %u; "
                  "%.1f of %u conditions looked at\n",
                  b.seen[0], b.seen[1], b.seen[2], b.seen[3], b.seen[6], b.seen[4], b.seen[5],
                  (double)b.evaluated / 3000, RULES);
    assert_true(b.seen[EXPR_VERDICT_TRUE] > 10000);
    assert_true(b.seen[EXPR_VERDICT_ERROR] > 1000);
    assert_true(b.seen[EXPR_VERDICT_MISSING] > 1000);
    assert_true(b.evaluated / 3000 < RULES / 3);
    for (size_t i = 0; i < RULES; i++)
        triggers_rule_free(b.rules[i]);
    triggers_rule_index_free(b.index);
}

/* ---- Costs: how many conditions one look evaluates ---- */

static void row_set(core_value *values, const char *const texts[COLUMNS]) {
    for (size_t i = 0; i < COLUMNS; i++)
        values[i] = texts[i] != NULL
                        ? (core_value){.kind = CORE_VALUE_TEXT, .bytes = core_slice_text(texts[i])}
                        : (core_value){.kind = CORE_VALUE_NULL};
}

static void test_cost(void **state) {
    /* %zu is the rule's number, the row is number 700's. Each finds one rule. */
    static const char *const forms[] = {
        "new.id = %1$zu",
        "new.id in (%1$zu, 100000)",
        "new.total >= %1$zu and new.total < %1$zu + 1",
        "new.name like 'name %1$zu:%%'",
        "new.done and new.id = %1$zu",
        "new.id = %1$zu or new.total between 1000000 + %1$zu and 1000000.5 + %1$zu",
        /* Each of these equalities is shared by many. */
        "new.kind = %1$zu %% 10 and new.done and new.name = 'name ' || (%1$zu / 10) || ':'",
    };
    enum { COUNT = 1000 };
    static char texts[COUNT][256];
    const char *whens[COUNT];
    const char *ops[COUNT];
    core_relation relation = relation_make('d');
    core_value values[COLUMNS];
    (void)state;
    for (size_t form = 0; form < CORE_COUNT_OF(forms); form++) {
        for (size_t i = 0; i < COUNT; i++) {
            (void)snprintf(texts[i], sizeof texts[i], forms[form], i);
            whens[i] = texts[i];
            ops[i] = "insert";
        }
        triggers_rule_index *index = index_make(whens, ops, COUNT, 'd');
        bool is_last = form + 1 == CORE_COUNT_OF(forms);
        row_set(values, (const char *const[COLUMNS]){
                            "700", "700.5", is_last ? "name 70:" : "name 700: x", "0", NULL, "t"});
        core_change change = {.op = CORE_OP_INSERT,
                              .relation = &relation,
                              .new_tuple = {.count = COLUMNS, .values = values}};
        const triggers_match *matches;
        const triggers_images *images;
        assert_int_equal(triggers_rule_index_match(index, &change, &matches, &images), 1);
        assert_int_equal(matches[0].number, 700);
        if (triggers_rule_index_evaluated(index) > 2)
            fail_msg("%s: %zu evaluated", forms[form], triggers_rule_index_evaluated(index));
        triggers_rule_index_free(index);
    }
}

static void test_shared(void **state) {
    static const char *const whens[] = {"new.id = 1", "1 = new.id", NULL,
                                        "new.id = 1", "false",      "new.id = 1"};
    static const char *const ops[] = {"insert", "insert, update", "update",
                                      "update", "insert",         "insert"};
    core_relation relation = relation_make('d');
    core_value values[COLUMNS];
    const triggers_match *matches;
    const triggers_images *images;
    (void)state;
    triggers_rule_index *index = index_make(whens, ops, CORE_COUNT_OF(whens), 'd');
    row_set(values, (const char *const[COLUMNS]){"1", "1", "a", "0", NULL, NULL});
    core_change change = {.op = CORE_OP_UPDATE,
                          .relation = &relation,
                          .new_tuple = {.count = COLUMNS, .values = values}};
    assert_int_equal(triggers_rule_index_match(index, &change, &matches, &images), 3);
    assert_int_equal(matches[0].number, 1);
    assert_int_equal(matches[1].number, 2);
    assert_int_equal(matches[2].number, 3);
    assert_int_equal(triggers_rule_index_evaluated(index), 2);
    assert_int_equal(triggers_rule_index_ops(index), TRIGGERS_OP_INSERT | TRIGGERS_OP_UPDATE);
    triggers_rule_index_free(index);
}

/* One condition of one text where the table was seen alike, wherever such stand in the set. */
static void test_facts(void **state) {
    static const char *const facts[] = {"{\"enum\":[\"kind\"]}", "{}", "{\"enum\":[\"kind\"]}",
                                        "{}"};
    enum { COUNT = CORE_COUNT_OF(facts) };
    const triggers_definition *made[COUNT];
    core_relation relation = relation_make('d');
    core_value values[COLUMNS];
    core_error error;
    core_problems problems;
    const triggers_match *matches;
    const triggers_images *images;
    (void)state;
    core_problems_init(&problems);
    for (size_t i = 0; i < COUNT; i++) {
        char text[256];
        const triggers_definition_facts given = {.project = core_slice_text("shop"),
                                                 .environment = core_slice_text("dev"),
                                                 .facts = core_slice_text(facts[i])};
        (void)snprintf(text, sizeof text,
                       "name: t%zu\non: { table: orders }\nwhen: new.id = 1\n"
                       "do: { nats: { subject: x } }\n",
                       i);
        made[i] = triggers_definition_read(core_slice_text(text), &given, &problems);
        assert_non_null(made[i]);
    }
    triggers_rule_index *index = triggers_rule_index_of(made, COUNT, &relation, NULL, &error);
    assert_non_null(index);
    row_set(values, (const char *const[COLUMNS]){"1", "1", "a", "0", NULL, NULL});
    const core_change change = {.op = CORE_OP_INSERT,
                                .relation = &relation,
                                .new_tuple = {.count = COLUMNS, .values = values}};
    assert_int_equal(triggers_rule_index_match(index, &change, &matches, &images), COUNT);
    assert_int_equal(triggers_rule_index_evaluated(index), 2);
    triggers_rule_index_free(index);
    for (size_t i = 0; i < COUNT; i++)
        triggers_definition_release(made[i]);
    core_problems_fini(&problems);
}

/* What does not fit is an outcome of each change that it asks for. */
static void test_unfit(void **state) {
    static const char *const whens[] = {"new.gone = 1", "new.id = 1", "old.name = 'a'",
                                        "new.at > now()"};
    static const char *const ops[] = {"insert", "insert", "insert, delete", "insert"};
    static const char *const reasons[] = {
        "when: at character 1: column \"gone\" does not exist in \"public\".\"orders\"", NULL,
        "when: old.name is not in the write-ahead log: the table's replica identity is only its "
        "key; mend it with: ALTER TABLE \"public\".\"orders\" REPLICA IDENTITY FULL",
        "when: at character 10: what now() gives hangs on the time"};
    core_relation relation = relation_make('d');
    core_value values[COLUMNS];
    const triggers_match *matches;
    const triggers_images *images;
    (void)state;
    triggers_rule_index *index = index_make(whens, ops, CORE_COUNT_OF(whens), 'd');
    row_set(values, (const char *const[COLUMNS]){"1", "1", "a", "0", NULL, NULL});
    core_change change = {.op = CORE_OP_INSERT,
                          .relation = &relation,
                          .new_tuple = {.count = COLUMNS, .values = values}};
    assert_int_equal(triggers_rule_index_match(index, &change, &matches, &images), 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(matches[i].verdict,
                         reasons[i] == NULL ? TRIGGERS_VERDICT_TRUE : TRIGGERS_VERDICT_UNFIT);
        if (i < 3 && reasons[i] != NULL)
            assert_string_equal(matches[i].reason, reasons[i]);
    }
    triggers_rule_index_free(index);
}

/* The old image is what the log told of it: an update that sends none has left the key alone. */
static void test_images(void **state) {
    static const char *const whens[] = {"old.id = 1", "old.id = 2", "old.id <> new.id"};
    static const char *const ops[] = {"insert, update, delete", "update, delete", "update"};
    core_relation relation = relation_make('d');
    core_value now[COLUMNS], before[COLUMNS];
    const triggers_match *matches;
    const triggers_images *images;
    (void)state;
    triggers_rule_index *index = index_make(whens, ops, CORE_COUNT_OF(whens), 'd');
    row_set(now, (const char *const[COLUMNS]){"1", "1", "a", "0", NULL, NULL});
    row_set(before, (const char *const[COLUMNS]){"2", NULL, NULL, NULL, NULL, NULL});
    core_change change = {.op = CORE_OP_UPDATE,
                          .relation = &relation,
                          .new_tuple = {.count = COLUMNS, .values = now}};
    assert_int_equal(triggers_rule_index_match(index, &change, &matches, &images), 1);
    assert_int_equal(matches[0].number, 0);
    change.old_kind = CORE_OLD_KEY;
    change.old_tuple = (core_tuple){.count = COLUMNS, .values = before};
    assert_int_equal(triggers_rule_index_match(index, &change, &matches, &images), 2);
    assert_int_equal(matches[0].number, 1);
    assert_int_equal(matches[1].number, 2);
    assert_int_equal(images->old_tuple->values[2].kind, CORE_VALUE_UNCHANGED);
    change.op = CORE_OP_INSERT;
    assert_int_equal(triggers_rule_index_match(index, &change, &matches, &images), 0);
    change.op = CORE_OP_DELETE;
    assert_int_equal(triggers_rule_index_match(index, &change, &matches, &images), 1);
    assert_int_equal(matches[0].number, 1);
    triggers_rule_index_free(index);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_alone), cmocka_unit_test(test_cost),
        cmocka_unit_test(test_shared),        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_unfit),         cmocka_unit_test(test_images)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
