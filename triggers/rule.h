/* A definition bound to one shape of its table: the condition compiled, columns found, the template
 * taken apart. Immutable; any thread may use it while it lives.
 *
 * What the definition reads and the write-ahead log does not carry is refused here, with the
 * statement that mends it (docs/TRIGGERS.md). */
#ifndef WALCAST_TRIGGERS_RULE_H
#define WALCAST_TRIGGERS_RULE_H

#include "expr/expr.h"
#include "triggers/definition.h"

/* What the relation of a change does not tell; all may be NULL. */
typedef struct {
    const expr_column_facts *columns; /* one a column, of the live schema */
    const core_slice *primary_key;    /* names; needed under REPLICA IDENTITY FULL, where each
                                         column counts as the identity's */
    size_t primary_key_count;
} triggers_relation_facts;

typedef struct {
    bool is_old;
    uint16_t column; /* its index in the relation */
    core_slice name; /* in `data` */
} triggers_rule_value;

/* A piece of the template: text as it is, or a value behind it. */
typedef struct {
    core_slice text;
    bool has_value;
    bool in_string; /* the value stands in a JSON string, or in a template that is no JSON */
    triggers_rule_value value;
} triggers_template_part;

typedef struct triggers_rule {
    const triggers_definition *definition; /* held */
    triggers_relation_facts facts;   /* those given, else the definition's own, or its shape's */
    const expr_condition *condition; /* held; NULL: always true */
    const triggers_rule_value *selected;
    size_t selected_count;
    const triggers_rule_value *keyed;     /* the primary key's where the definition names none */
    size_t keyed_count;                   /* 0: the whole table is one key */
    const triggers_rule_value *arguments; /* of the action, as arguments.c takes them */
    const triggers_template_part *parts;
    size_t part_count;
    bool template_is_json;
    core_arena arena;
} triggers_rule;

/* What does not fit, and where. */
typedef struct {
    const char *part; /* "when", "select", "template", "key", "do": the definition's key */
    size_t position;  /* of characters in that part's text, from 1; 0: not told */
    core_error error; /* one line, the part's name in front */
} triggers_rule_problem;

/* Keeps the definition; the relation is not needed afterwards. NULL with the problem. */
CORE_MUST_CHECK triggers_rule *triggers_rule_new(const triggers_definition *definition,
                                                 const core_relation *relation,
                                                 const triggers_relation_facts *facts,
                                                 triggers_rule_problem *problem);
void triggers_rule_free(triggers_rule *rule);

/* TRIGGERS_OP_* of a change's operation; 0: none of them. */
static inline unsigned triggers_op_of(core_op op) {
    return op >= CORE_OP_INSERT && op <= CORE_OP_READ ? 1u << (op - CORE_OP_INSERT) : 0;
}

/* ---- The two images of a change, as conditions and references see them ----
 *
 * A row that is not (old of an INSERT, new of a DELETE, both of a TRUNCATE) is NULL: its columns
 * are null. What the write-ahead log did not carry of a row that was is unchanged, never null; an
 * UPDATE without an old image has left the key as it is. */
typedef struct {
    const core_tuple *new_tuple, *old_tuple;
    core_tuple old_room;
} triggers_images;

/* `values` has room for the relation's columns and lives, as the change does, as long as the
 * images. */
void triggers_images_make(triggers_images *images, const core_change *change, core_value *values);
/* NULL: it was not carried. */
const core_value *triggers_images_value(const triggers_images *images,
                                        const triggers_rule_value *which);

/* ---- rule_column.c ---- */

/* Finds a column; false with the problem: there is none, or the log does not carry it. */
CORE_MUST_CHECK bool triggers_rule_column_find(const core_relation *relation, unsigned ops,
                                               const triggers_selected *selected,
                                               triggers_rule_value *value,
                                               triggers_rule_problem *problem);
/* Whether the log carries the old image's column for these operations; false with the problem. */
CORE_MUST_CHECK bool triggers_rule_old_carried(const core_relation *relation, unsigned ops,
                                               uint16_t column, triggers_rule_problem *problem);

/* ---- template.c ---- */

#define TRIGGERS_TEMPLATE_PARTS_MAX 1000

/* The template's parts, in the rule's arena. `ops`: the definition's. */
CORE_MUST_CHECK bool triggers_template_read(triggers_rule *rule, const core_relation *relation,
                                            triggers_rule_problem *problem);

#endif
