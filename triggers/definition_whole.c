/* What several keys of a definition together must be; see definition_private.h. */
#include "triggers/definition_private.h"

/* The one child of the map that is named in `names` (ended by NULL); its place among them. Told
 * when there is none, or more than one. */
static bool one_of(triggers_definition_reader *reader, const core_node *map, const char *key,
                   const char *const *names, const char *listed, int *which) {
    const core_node *found = NULL;
    for (int i = 0; names[i] != NULL; i++) {
        const core_node *child = core_node_find(map, names[i]);
        if (child != NULL && found != NULL)
            return core_problem_tell(reader->problems, child->key_place,
                                     "%s: expected one of %s, not both %s and %s", key, listed,
                                     (const char *)found->key.data, names[i]);
        if (child != NULL) {
            found = child;
            *which = i;
        }
    }
    return found != NULL ||
           core_problem_tell(reader->problems, map->place, "%s: expected one of %s", key, listed);
}

bool triggers_on_check(triggers_definition_reader *reader, const core_node *on) {
    static const char *const names[] = {"table", "event", "cron", "result", NULL};
    int which = 0;
    if (!one_of(reader, on, "on", names, "table, event, cron, result", &which))
        return false;
    reader->out->on = (triggers_on)which;
    return true;
}

bool triggers_do_check(triggers_definition_reader *reader, const core_node *action) {
    static const char *const names[] = {"webhook", "nats",     "sql", "broadcast",
                                        "job",     "workflow", NULL};
    int which = 0;
    if (!one_of(reader, action, "do", names, "webhook, nats, sql, broadcast, job, workflow",
                &which))
        return false;
    reader->out->action = (triggers_do)which;
    return true;
}

/* Where the images are no table's rows only `new` is known. */
static bool images_check(triggers_definition_reader *reader, const core_node *node,
                         const triggers_selected *items, size_t count) {
    for (size_t i = 0; i < count && reader->out->on != TRIGGERS_ON_TABLE; i++)
        if (items[i].is_old)
            return core_problem_tell(reader->problems, node->place,
                                     "old.%.*s: only changes of a table have an old row",
                                     CORE_SLICE_ARGS(items[i].column));
    return true;
}

bool triggers_whole_check(triggers_definition_reader *reader, const core_node *root) {
    const triggers_definition *out = reader->out;
    const core_node *select = core_node_find(root, "select"), *key = core_node_find(root, "key");
    const core_node *template_text = core_node_find(root, "template");
    bool good = true;
    if (select != NULL && template_text != NULL)
        good = core_problem_tell(reader->problems, template_text->key_place,
                                 "template: takes the place of select: remove one of them");
    if (out->webhook.batch_size == 0 && out->action == TRIGGERS_DO_WEBHOOK)
        reader->out->webhook.batch_size = 1;
    return good && images_check(reader, select, out->selected, out->selected_count) &&
           images_check(reader, key, out->keyed, out->keyed_count);
}
