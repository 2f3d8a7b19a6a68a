/* PCRE2 behind regex.h: the only file that knows it.
 *
 * The pattern comes from anybody, so everything has a limit: its length (a filter's), how deep its
 * groups stand in each other, the size it compiles to, the steps and the memory of a match. Past
 * the last two the answer is UNKNOWN. JIT is used where the system allows it; where not, matching
 * is slower and holds 20 KiB a pattern. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "expr/regex.h"

#include <pcre2.h>
#include <stdatomic.h>
#include <stdlib.h>

#define PATTERN_BYTES_MAX (16 * EXPR_FILTER_TEXT_MAX) /* of a translation */
#define COMPILED_MAX      ((size_t)32 << 10)
#define GROUP_DEPTH_MAX   50u
#define HEAP_KIB_MAX      1024u
/* Steps of one match: some for any text, more for a long one. */
#define STEPS_BASE 20000u
#define STEPS_MAX  1000000u

struct expr_regex {
    pcre2_code *code;
    atomic_flag busy;             /* of the next two, for expr_regex_match_shared */
    pcre2_match_data *data;       /* NULL until prepared */
    pcre2_match_context *context; /* the same */
};

static bool refuse(core_error *error, core_slice pattern, const char *reason) {
    return core_error_set(error, CORE_ERROR_INPUT, "filter: regular expression \"%.*s\": %s",
                          CORE_SLICE_ARGS(pattern), reason);
}

/* PCRE2 wants an address even of nothing. */
static const uint8_t *start_of(core_slice text) {
    static const uint8_t nothing[1] = {0};
    return text.length > 0 ? text.data : nothing;
}

static pcre2_code *code_new(core_slice translated, core_slice pattern, core_error *error) {
    int number = 0;
    PCRE2_SIZE at = 0;
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (context == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "filter: no memory");
        return NULL;
    }
    (void)pcre2_set_parens_nest_limit(context, GROUP_DEPTH_MAX);
    (void)pcre2_set_max_pattern_length(context, PATTERN_BYTES_MAX);
    const uint32_t options =
        PCRE2_UTF | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UCP;
    pcre2_code *code =
        pcre2_compile(start_of(translated), translated.length, options, &number, &at, context);
    pcre2_compile_context_free(context);
    if (code == NULL) {
        PCRE2_UCHAR text[128];
        if (pcre2_get_error_message(number, text, sizeof text) < 0)
            text[0] = '\0';
        (void)refuse(error, pattern, (const char *)text);
    }
    return code;
}

static bool code_is_small(const pcre2_code *code) {
    size_t size = 0;
    return pcre2_pattern_info(code, PCRE2_INFO_SIZE, &size) == 0 && size <= COMPILED_MAX;
}

expr_regex *expr_regex_new(core_slice pattern, bool fold, core_error *error) {
    core_buffer translated;
    core_buffer_init(&translated, PATTERN_BYTES_MAX);
    expr_regex *regex = calloc(1, sizeof *regex);
    if (regex == NULL)
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "filter: no memory");
    else if (expr_regex_translate(pattern, fold, &translated, error))
        regex->code = code_new(core_buffer_slice(&translated), pattern, error);
    core_buffer_fini(&translated);
    if (regex != NULL && regex->code != NULL && code_is_small(regex->code))
        return regex;
    if (regex != NULL && regex->code != NULL)
        (void)refuse(error, pattern, "is too complex: use fewer or smaller {m,n}");
    expr_regex_free(regex);
    return NULL;
}

void expr_regex_free(expr_regex *regex) {
    if (regex == NULL)
        return;
    pcre2_match_data_free(regex->data);
    pcre2_match_context_free(regex->context);
    pcre2_code_free(regex->code);
    free(regex);
}

bool expr_regex_prepare(expr_regex *regex) {
    if (regex->data != NULL)
        return true;
    if (regex->context == NULL)
        regex->context = pcre2_match_context_create(NULL);
    if (regex->context == NULL)
        return false;
    (void)pcre2_set_depth_limit(regex->context, STEPS_MAX);
    (void)pcre2_set_heap_limit(regex->context, HEAP_KIB_MAX);
    (void)pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE);
    regex->data = pcre2_match_data_create(1, NULL);
    return regex->data != NULL;
}

static expr_truth match(const expr_regex *regex, core_slice text, pcre2_match_data *data,
                        pcre2_match_context *context) {
    size_t steps = STEPS_BASE + 4 * (text.length < STEPS_MAX ? text.length : STEPS_MAX);
    (void)pcre2_set_match_limit(context, (uint32_t)(steps < STEPS_MAX ? steps : STEPS_MAX));
    int result = pcre2_match(regex->code, start_of(text), text.length, 0, 0, data, context);
    if (result == PCRE2_ERROR_NOMATCH)
        return EXPR_FALSE;
    return result >= 0 ? EXPR_TRUE : EXPR_UNKNOWN;
}

expr_truth expr_regex_match(const expr_regex *regex, core_slice text) {
    assert(regex->data != NULL);
    return match(regex, text, regex->data, regex->context);
}

expr_truth expr_regex_match_shared(expr_regex *regex, core_slice text) {
    assert(regex->data != NULL);
    if (!atomic_flag_test_and_set_explicit(&regex->busy, memory_order_acquire)) {
        expr_truth truth = match(regex, text, regex->data, regex->context);
        atomic_flag_clear_explicit(&regex->busy, memory_order_release);
        return truth;
    }
    expr_truth truth = EXPR_UNKNOWN;
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    pcre2_match_context *context = pcre2_match_context_copy(regex->context);
    if (data != NULL && context != NULL)
        truth = match(regex, text, data, context);
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    return truth;
}
