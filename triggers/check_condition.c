/* A definition's condition against its table: the columns first, each with its place, then as the
 * engine compiles it. */
#include "triggers/check_private.h"

/* One that no row passes is a mistake. */
static void constant_check(const triggers_check_case *it, const core_node *node,
                           const expr_condition *condition) {
    expr_verdict verdict;
    const char *reason = NULL;
    if (!expr_condition_constant(condition, &verdict, &reason) || verdict == EXPR_VERDICT_TRUE)
        return;
    (void)core_problem_tell(
        it->problems, node->place, "when: is %s for every row, so never true%s%s",
        expr_verdict_name(verdict), reason != NULL ? ": " : "", reason != NULL ? reason : "");
}

static void compile(const triggers_check_case *it, const core_node *node) {
    expr_refusal refusal = {.kind = EXPR_REFUSED_NOT};
    const expr_condition_spec spec = {.text = node->text,
                                      .relation = &it->table->relation,
                                      .facts = it->table->facts.columns,
                                      .has_images = true};
    expr_condition *condition = expr_condition_new(&spec, &refusal);
    if (condition == NULL) {
        core_place place = refusal.position > 0
                               ? core_node_place_of(it->document, node, refusal.position)
                               : node->place;
        (void)core_problem_tell(it->problems, place, "when: %s", refusal.error.text);
        return;
    }
    if (expr_condition_reads_settings(condition))
        (void)core_problem_tell(it->problems, node->place,
                                "when: asks who the user is (current_setting, current_user, or a "
                                "sub-select, which is for these): a trigger has none");
    else
        constant_check(it, node, condition);
    expr_condition_release(condition);
}

void triggers_check_condition(const triggers_check_case *it, const core_node *node) {
    if (triggers_check_text(it, node, TRIGGERS_USE_CONDITION))
        compile(it, node);
}
