/* Any bytes as a regular expression, a LIKE pattern and the text: first the pattern, behind a NUL
 * the text. What is taken must compile in both forms; without regard to case matches no less. */
#include "expr/like.h"
#include "expr/regex.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static expr_truth regex_use(core_slice pattern, core_slice text, bool fold) {
    core_error error;
    expr_regex *regex = expr_regex_new(pattern, fold, &error);
    if (regex == NULL)
        return EXPR_UNKNOWN;
    if (!expr_regex_prepare(regex))
        abort();
    expr_truth truth = expr_regex_match(regex, text);
    expr_regex_free(regex);
    return truth;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const uint8_t *split = size > 0 ? memchr(data, '\0', size) : NULL;
    if (split == NULL)
        return 0;
    core_slice pattern = core_slice_make(data, (size_t)(split - data));
    core_slice text = core_slice_make(split + 1, size - pattern.length - 1);
    if (!core_utf8_valid(pattern)) /* a filter's text is */
        return 0;
    (void)regex_use(pattern, text, false);
    (void)regex_use(pattern, text, true);
    if (expr_like_check(pattern) && expr_like(text, pattern, false) == EXPR_TRUE &&
        expr_like(text, pattern, true) != EXPR_TRUE)
        abort();
    return 0;
}
