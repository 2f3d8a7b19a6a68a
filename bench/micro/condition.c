/* What a condition in SQL costs: to compile, to fold for one set of claims, to evaluate; and the
 * memory of a folded one. Best of several rounds; one core. */
#include "expr/expr.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 5

#define COLUMN(text, oid)                                                                          \
    { .name = {(const uint8_t *)(text), sizeof(text) - 1}, .type_oid = (oid) }

static const core_column columns[] = {COLUMN("id", 20),     COLUMN("user_id", 2950),
                                      COLUMN("status", 25), COLUMN("total", 1700),
                                      COLUMN("done", 16),   COLUMN("meta", 3802)};
static const char *const row[] = {"42",   "00000000-0000-0000-0000-00000000000a",
                                  "paid", "129.90",
                                  "f",    "{\"plan\": \"pro\", \"tags\": [\"a\", \"b\"]}"};

#define CLAIMS "{\"sub\":\"00000000-0000-0000-0000-00000000000a\",\"role\":\"authenticated\"}"

static bool function_find(void *context, core_slice schema, core_slice name, size_t arguments,
                          expr_function *function) {
    (void)context;
    (void)arguments;
    if (!core_slice_is(schema, "auth") || !core_slice_is(name, "uid"))
        return false;
    *function = (expr_function){
        .body = core_slice_text(
            "SELECT coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''), "
            "(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'))::uuid"),
        .result_oid = 2950};
    return true;
}

static expr_condition *compile(const char *text) {
    expr_refusal refusal;
    core_relation relation = {.schema = core_slice_text("public"),
                              .table = core_slice_text("orders"),
                              .column_count = CORE_COUNT_OF(columns),
                              .columns = columns};
    expr_condition_spec spec = {
        .text = core_slice_text(text), .relation = &relation, .function = function_find};
    expr_condition *condition = expr_condition_new(&spec, &refusal);
    if (condition == NULL) {
        (void)fprintf(stderr, "%s: %s\n", text, refusal.error.text);
        exit(1);
    }
    return condition;
}

static expr_condition *fold(const expr_condition *condition) {
    expr_refusal refusal;
    expr_settings settings = {.claims_json = core_slice_text(CLAIMS), .role = "authenticated"};
    expr_condition *folded = expr_condition_fold(condition, &settings, &refusal);
    if (folded == NULL)
        exit(1);
    return folded;
}

static int64_t now_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static double best(double now, double before) {
    return before == 0 || now < before ? now : before;
}

static double compile_ns(const char *text) {
    double result = 0;
    for (size_t round = 0; round < ROUNDS; round++) {
        int64_t start = now_ns();
        for (size_t i = 0; i < 500; i++)
            expr_condition_release(compile(text));
        result = best((double)(now_ns() - start) / 500, result);
    }
    return result;
}

static double fold_ns(const expr_condition *condition) {
    double result = 0;
    for (size_t round = 0; round < ROUNDS; round++) {
        int64_t start = now_ns();
        for (size_t i = 0; i < 5000; i++)
            expr_condition_release(fold(condition));
        result = best((double)(now_ns() - start) / 5000, result);
    }
    return result;
}

static double evaluate_ns(const expr_condition *folded, expr_verdict *verdict) {
    core_value values[CORE_COUNT_OF(columns)];
    core_tuple tuple = {.count = CORE_COUNT_OF(columns), .values = values};
    double result = 0;
    for (size_t i = 0; i < CORE_COUNT_OF(columns); i++)
        values[i] = (core_value){.kind = CORE_VALUE_TEXT, .bytes = core_slice_text(row[i])};
    for (size_t round = 0; round < ROUNDS; round++) {
        int64_t start = now_ns();
        for (size_t i = 0; i < 500000; i++)
            *verdict = expr_condition_evaluate(folded, &tuple, NULL, NULL);
        result = best((double)(now_ns() - start) / 500000, result);
    }
    return result;
}

static size_t resident_bytes(void) {
    unsigned long total = 0;
    unsigned long resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%lu %lu", &total, &resident) != 2)
        resident = 0;
    (void)fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* Of many that live at once, by what the process holds more. */
static size_t folded_bytes(const expr_condition *condition) {
    enum { COUNT = 50000 };
    static expr_condition *kept[COUNT];
    size_t before = resident_bytes();
    for (size_t i = 0; i < COUNT; i++)
        kept[i] = fold(condition);
    size_t after = resident_bytes();
    for (size_t i = 0; i < COUNT; i++)
        expr_condition_release(kept[i]);
    return after > before ? (after - before) / COUNT : 0;
}

int main(void) {
    static const char *const texts[] = {
        "user_id = auth.uid()",
        "status = 'paid' AND total > 100 AND done IS NOT TRUE AND id IN (1, 2, 42)",
        "user_id = auth.uid() AND status <> 'void' AND total BETWEEN 1 AND 1000 AND NOT done",
        "(meta ->> 'plan') = 'pro' OR status LIKE 'p%d'",
        "status ~ '^(paid|open)$'",
    };
    for (size_t i = 0; i < CORE_COUNT_OF(texts); i++) {
        expr_verdict verdict = EXPR_VERDICT_FALSE;
        expr_condition *condition = compile(texts[i]);
        expr_condition *folded = fold(condition);
        double evaluate = evaluate_ns(folded, &verdict);
        (void)printf("%s\n    compile %.1f us, fold %.2f us, %zu bytes folded, evaluate %.0f ns "
                     "(%s)\n",
                     texts[i], compile_ns(texts[i]) / 1000, fold_ns(condition) / 1000,
                     folded_bytes(condition), evaluate, expr_verdict_name(verdict));
        expr_condition_release(folded);
        expr_condition_release(condition);
    }
    return 0;
}
