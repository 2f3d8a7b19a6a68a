/* All rules of one table in one shape, and which of them a change makes true.
 *
 * Made anew for another set of definitions or another shape; made on any thread, then used by one
 * at a time. A look allocates nothing, and costs by what may match (rule_table.h); rules whose
 * conditions are the same share one evaluation. */
#ifndef WALCAST_TRIGGERS_RULE_INDEX_H
#define WALCAST_TRIGGERS_RULE_INDEX_H

#include "triggers/rule.h"
#include "triggers/set.h"

/* Rules of one table; what is beyond is a problem of the whole index. */
#define TRIGGERS_INDEX_RULES_MAX 100000u

/* What a change is to a rule. Each but the first is an outcome that must be told: the rule was not
 * decided, and nothing else will say so. */
typedef enum {
    TRIGGERS_VERDICT_TRUE = 0,
    TRIGGERS_VERDICT_ERROR,     /* PostgreSQL would raise an error */
    TRIGGERS_VERDICT_MISSING,   /* it hangs on a value that the change does not carry */
    TRIGGERS_VERDICT_UNDECIDED, /* only PostgreSQL could tell, of this row */
    TRIGGERS_VERDICT_UNFIT,     /* the definition does not fit the table's shape any more */
} triggers_verdict;
/* "matched", "error", "missing", "undecided", "unfit". Static. */
const char *triggers_verdict_name(triggers_verdict verdict);

typedef struct {
    uint32_t number; /* of the rule in the index: in the set's order */
    const triggers_definition *definition;
    const triggers_rule *rule; /* NULL with UNFIT */
    triggers_verdict verdict;
    const char *reason; /* one line; NULL with TRUE. Lives as long as the index */
} triggers_match;

typedef struct triggers_rule_index triggers_rule_index;

/* Whether a definition is on that table: not disabled, of the source's environment, and its table
 * in its project's schema (`public` is a tenant's home). */
bool triggers_definition_is_on(const triggers_definition *definition, const core_tenants *tenants,
                               core_slice schema, core_slice table);

/* Of the set's definitions that are on the relation's table. Holds what it needs of the set and
 * copies the relation. `facts` may be NULL. NULL with a LIMIT or INTERNAL error; a definition that
 * does not fit is no error but an outcome. */
CORE_MUST_CHECK triggers_rule_index *triggers_rule_index_new(const triggers_set *set,
                                                             const core_tenants *tenants,
                                                             const core_relation *relation,
                                                             const triggers_relation_facts *facts,
                                                             core_error *error);
/* The same of these definitions, whatever they are on: of one that is on no table each change is an
 * INSERT of `relation`, the shape of what it is on (definition.h). The order is theirs. */
CORE_MUST_CHECK triggers_rule_index *
triggers_rule_index_of(const triggers_definition *const *definitions, size_t count,
                       const core_relation *relation, const triggers_relation_facts *facts,
                       core_error *error);
void triggers_rule_index_free(triggers_rule_index *index);
/* How many rules there are; of which operations (TRIGGERS_OP_*) there is one. */
size_t triggers_rule_index_count(const triggers_rule_index *index);
unsigned triggers_rule_index_ops(const triggers_rule_index *index);

/* The rules that the change makes true, and those that it leaves undecided, in the set's order:
 * `*matches` has as many as it returns, until the next call. `images` are the change's, for
 * triggers_body_write and triggers_key_write, and live as long. The change's relation must have the
 * index's shape. */
size_t triggers_rule_index_match(triggers_rule_index *index, const core_change *change,
                                 const triggers_match **matches, const triggers_images **images);
/* Conditions that the last look evaluated, of all there are. For tests and metrics. */
size_t triggers_rule_index_evaluated(const triggers_rule_index *index);

#endif
