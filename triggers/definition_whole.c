/* What several keys of a definition together must be; see definition_private.h. */
#include "triggers/definition_private.h"
#include "triggers/job.h"

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
    static const char *const names[] = {"table", "event", "cron", "result", "queue", NULL};
    int which = 0;
    if (!one_of(reader, on, "on", names, "table, event, cron, result, queue", &which))
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

/* Jobs have their own retries, keys and times, and go out as they are. */
static bool queue_check(triggers_definition_reader *reader, const core_node *root) {
    static const char *const others[] = {"when", "select", "template",
                                         "key",  "retry",  "start_from"};
    const core_node *on = core_node_find(root, "on"), *action = core_node_find(root, "do");
    const core_node *webhook = core_node_find(action, "webhook");
    if (webhook == NULL)
        return core_problem_tell(reader->problems, action->place,
                                 "do: of a queue's jobs expected webhook");
    if (reader->out->queue.length > TRIGGERS_JOB_QUEUE_MAX)
        return core_problem_tell(reader->problems, core_node_find(on, "queue")->place,
                                 "queue: expected at most %d characters", TRIGGERS_JOB_QUEUE_MAX);
    for (size_t i = 0; i < CORE_COUNT_OF(others); i++) {
        const core_node *other = core_node_find(root, others[i]);
        if (other != NULL)
            return core_problem_tell(reader->problems, other->key_place,
                                     "%s: does not go with a queue, whose jobs say such things",
                                     others[i]);
    }
    const core_node *batch = core_node_find(webhook, "batch");
    return batch == NULL ||
           core_problem_tell(reader->problems, batch->key_place, "batch: jobs go out one by one");
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
    if (out->on == TRIGGERS_ON_QUEUE)
        good = queue_check(reader, root) && good;
    return good && images_check(reader, select, out->selected, out->selected_count) &&
           images_check(reader, key, out->keyed, out->keyed_count);
}
