/* How rows of a definition's tables become documents: which columns are taken of each table, in
 * which order they are kept, and where each stands in the document. Made once of a definition and
 * what its check saw; immutable, owned by one generation of the index. Pure.
 *
 * The id of a document is the text of its primary key; of several columns their texts joined by `_`
 * with `_` and `%` in them written as %5F and %25; of an index of several tables `TABLE:` stands in
 * front. Where that is not one column's value alone, the document has it as `_id`. */
#ifndef WALCAST_SEARCH_INDEX_PLAN_H
#define WALCAST_SEARCH_INDEX_PLAN_H

#include "search-index/facts.h"

#define SEARCH_ID_ATTRIBUTE    "_id"
#define SEARCH_TABLE_ATTRIBUTE "_table" /* of an index of several tables: the row's */
#define SEARCH_OUTPUT_PARTS    (SEARCH_PATH_MAX + 2)

/* A member of the document. */
typedef struct {
    const core_slice *parts; /* of its name */
    size_t part_count;
    size_t column; /* in its table's plan */
    const core_slice *steps;
    size_t step_count;
} search_output;

typedef struct {
    core_slice schema, table;
    const core_slice *columns; /* those that are kept, by name */
    size_t column_count;
    const size_t *key; /* places in `columns` of the primary key */
    size_t key_count;
    const search_output *outputs; /* those of one object beside one another */
    size_t output_count;
    uint64_t fingerprint; /* of the columns' names and order */
} search_plan_table;

typedef struct {
    core_slice name; /* the document's member */
    bool is_child;
    size_t column; /* JOIN: in the row's plan; CHILD: in its own: where the other's key stands */
} search_plan_related;

typedef struct search_plan {
    const search_definition *definition; /* held */
    core_arena arena;
    search_facts facts;
    search_plan_table *tables; /* as the facts have them */
    size_t table_count;        /* all, the related ones last */
    size_t own_count;          /* the definition's own */
    search_plan_related *related;
    size_t related_count;
    bool has_id; /* documents have `_id` */
} search_plan;

/* Keeps the definition. NULL with the error. */
CORE_MUST_CHECK search_plan *search_plan_new(const search_definition *definition, core_slice facts,
                                             core_error *error);
void search_plan_free(search_plan *plan); /* NULL is allowed */
/* The attribute that is the document's id. */
core_slice search_plan_primary_key(const search_plan *plan);
/* The schema that the definition asks for. */
CORE_MUST_CHECK search_schema *search_plan_schema(const search_plan *plan, core_error *error);

#endif
