/* One column that a definition names: is there such a one, and does the log tell its value?
 *
 * Of an UPDATE PostgreSQL sends the old row only as far as the replica identity goes, and leaves
 * out of the new one what is stored beside the row and did not change. Neither is null; so what
 * cannot be known is refused here with the statement that mends it. */
#include "triggers/check_private.h"

#include <stdio.h>

static bool column_missing(const triggers_check_case *it, core_place place,
                           const triggers_reference *reference) {
    char nearest[CORE_TENANT_SCHEMA_SIZE] = "";
    const core_relation *relation = &it->table->relation;
    const char *image = reference->is_old ? "old" : "new";
    for (size_t i = 0; i < relation->column_count; i++)
        triggers_nearest(reference->column, (const char *)relation->columns[i].name.data, nearest);
    if (*nearest == '\0')
        return core_problem_tell(it->problems, place, "%s.%s: table %.*s.%.*s has no such column",
                                 image, reference->column, CORE_SLICE_ARGS(relation->schema),
                                 CORE_SLICE_ARGS(relation->table));
    triggers_reference folded;
    char text[CORE_TENANT_SCHEMA_SIZE + 8];
    (void)snprintf(text, sizeof text, "new.%s", nearest);
    bool plain = triggers_reference_read(core_slice_text(text), &folded) &&
                 strcmp(folded.column, nearest) == 0;
    return core_problem_tell(
        it->problems, place, "%s.%s: table %.*s.%.*s has no such column; did you mean %s.%s%s%s?",
        image, reference->column, CORE_SLICE_ARGS(relation->schema),
        CORE_SLICE_ARGS(relation->table), image, plain ? "" : "\"", nearest, plain ? "" : "\"");
}

/* The old row of an UPDATE or DELETE does not hold it. */
static bool old_untold(const triggers_check_case *it, core_place place, const char *column,
                       const char *what) {
    return core_problem_tell(it->problems, place,
                             "old.%s: %s does not tell it with the table's replica identity; "
                             "run: %s",
                             column, what, it->mending);
}

static bool old_check(const triggers_check_case *it, core_place place, const char *column,
                      const triggers_check_column *checked) {
    unsigned ops = it->definition->ops;
    if ((ops & (TRIGGERS_OP_UPDATE | TRIGGERS_OP_DELETE)) != 0 && !checked->in_identity)
        return old_untold(it, place, column,
                          (ops & TRIGGERS_OP_UPDATE) != 0 ? "an UPDATE" : "a DELETE");
    if ((ops & (TRIGGERS_OP_UPDATE | TRIGGERS_OP_DELETE)) == 0)
        core_problem_warn(it->problems, place,
                          "old.%s: always null, for no UPDATE or DELETE counts", column);
    return true;
}

/* Of an UPDATE it may come without its value. With the whole old row it is there. */
static bool unchanged_check(const triggers_check_case *it, core_place place, triggers_use use,
                            const char *column, const triggers_check_column *checked) {
    if ((it->definition->ops & TRIGGERS_OP_UPDATE) == 0 || !checked->is_toastable ||
        it->table->relation.replica_identity == 'f' || it->reads_unchanged)
        return true;
    if (it->table->holds_long_values && use != TRIGGERS_USE_DATA)
        return core_problem_tell(it->problems, place,
                                 "new.%s: an UPDATE that leaves a long value as it is does not "
                                 "tell it; run: %s",
                                 column, it->mending);
    core_problem_warn(it->problems, place,
                      "new.%s: an UPDATE does not tell it where it is long (some 2 kB) and did not "
                      "change: %s; to have it always, run: %s",
                      column,
                      use == TRIGGERS_USE_DATA ? "it is left out of data then"
                                               : "the delivery is refused then, with that reason",
                      it->mending);
    return true;
}

/* Of a DELETE, which has no new row, a key's columns are the old row's. */
static bool key_check(const triggers_check_case *it, core_place place, const char *column,
                      const triggers_check_column *checked) {
    return (it->definition->ops & TRIGGERS_OP_DELETE) == 0 || checked->in_identity ||
           old_untold(it, place, column, "a DELETE");
}

bool triggers_check_reference(const triggers_check_case *it, core_place place, triggers_use use,
                              const triggers_reference *reference) {
    if (reference->is_old && it->definition->on != TRIGGERS_ON_TABLE)
        return core_problem_tell(it->problems, place,
                                 "old.%s: only changes of a table have an old row",
                                 reference->column);
    int index = triggers_check_column_find(it->table, reference->column);
    if (index < 0)
        return column_missing(it, place, reference);
    const triggers_check_column *checked = &it->table->columns[index];
    if (checked->is_generated)
        return core_problem_tell(it->problems, place,
                                 "%s.%s: a generated column, which PostgreSQL does not send",
                                 reference->is_old ? "old" : "new", reference->column);
    if (reference->is_old)
        return old_check(it, place, reference->column, checked);
    return unchanged_check(it, place, use, reference->column, checked) &&
           (use != TRIGGERS_USE_KEY || key_check(it, place, reference->column, checked));
}

bool triggers_check_text(const triggers_check_case *it, const core_node *node, triggers_use use) {
    triggers_reference reference;
    size_t at = 0, position = 0, errors = it->problems->errors;
    while (triggers_reference_next(node->text, &at, &position, &reference))
        (void)triggers_check_reference(it, core_node_place_of(it->document, node, position), use,
                                       &reference);
    return it->problems->errors == errors;
}
