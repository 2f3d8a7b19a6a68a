/* See hub_class.h. Numbers of freed classes are given out again: by then every thread has left it
 * (hub_ring.h). */
#include "ws/hub_class.h"

#include <stdlib.h>

#define CLASS_HEAD_MAX 16384

void hub_classes_init(hub_classes *classes, hub_ids *ids, size_t threads,
                      const core_tenants *tenants) {
    *classes = (hub_classes){.ids = ids, .threads = threads, .index = {.tenants = tenants}};
}

/* ---- One class ---- */

static void class_drop_binding(hub_classes *classes, hub_class *class, size_t binding) {
    hub_rule *rule = class->rules[binding];
    const hub_user *moved = hub_rule_drop_user(rule, class->positions[binding]);
    if (moved != NULL)
        moved->class->positions[moved->binding] = class->positions[binding];
    if (rule->user_count == 0)
        hub_index_drop(&classes->index, rule);
}

static void class_free(hub_classes *classes, hub_class *class, size_t bindings) {
    for (size_t i = 0; i < bindings; i++)
        class_drop_binding(classes, class, i);
    ws_subscription_free(class->subscription);
    hub_class_policies_fini(&class->policies);
    hub_role_release(class->role);
    free(class->told);
    core_buffer_fini(&class->head);
    free(class->rules);
    free(class->positions);
    free(class->matched);
    free(class);
}

hub_user hub_class_user(hub_class *class, uint32_t binding) {
    const ws_binding *wanted = &class->subscription->bindings[binding];
    return (hub_user){.class = class,
                      .binding = binding,
                      .operations = wanted->operations,
                      .leaves = wanted->leaves};
}

hub_rule_key hub_class_rule(const hub_class *class, uint32_t binding) {
    const ws_binding *wanted = &class->subscription->bindings[binding];
    return (hub_rule_key){.tenant = class->subscription->home.tenant,
                          .schema = wanted->schema,
                          .table = wanted->table,
                          .filter = wanted->filter};
}

static bool class_add_bindings(hub_classes *classes, hub_class *class, size_t *added,
                               core_error *error) {
    for (*added = 0; *added < class->subscription->count; (*added)++) {
        hub_rule_key rule = hub_class_rule(class, (uint32_t)*added);
        hub_user user = hub_class_user(class, (uint32_t)*added);
        class->rules[*added] =
            hub_index_add(&classes->index, &rule, &user, &class->positions[*added], error);
        if (class->rules[*added] == NULL)
            return false;
    }
    return true;
}

static hub_class *class_new(hub_classes *classes, ws_subscription *subscription, bool by_claims,
                            core_error *error) {
    hub_class *class = calloc(1, sizeof *class + classes->threads * sizeof class->members[0]);
    if (class == NULL) {
        ws_subscription_free(subscription);
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    size_t added = 0, room = subscription->count + 1;
    class->home = classes;
    class->subscription = subscription;
    class->by_claims = by_claims;
    class->rules = calloc(room, sizeof(hub_rule *));
    class->positions = calloc(room, sizeof *class->positions);
    class->matched = calloc(room, sizeof *class->matched);
    core_buffer_init(&class->head, CLASS_HEAD_MAX);
    ws_protocol_change_head(subscription->protocol, ws_topic_plain(subscription->topic),
                            &class->head);
    bool ok = class->rules != NULL && class->positions != NULL && class->matched != NULL &&
              core_buffer_ok(&class->head);
    if (!ok)
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory");
    if (ok && class_add_bindings(classes, class, &added, error))
        return class;
    class_free(classes, class, added);
    return NULL;
}

/* ---- All of them ---- */

static hub_class *classes_find(const hub_classes *classes, core_slice key, bool by_claims) {
    hub_map_node *node = hub_map_first(&classes->by_key, core_slice_hash(key));
    for (; node != NULL; node = hub_map_next(node)) {
        hub_class *class = node->owner;
        if (class->by_claims == by_claims &&
            core_slice_equal(hub_class_key(class->subscription, by_claims), key))
            return class;
    }
    return NULL;
}

static hub_class *classes_add(hub_classes *classes, ws_subscription *subscription, bool by_claims,
                              core_error *error) {
    hub_class *class = class_new(classes, subscription, by_claims, error);
    if (class == NULL)
        return NULL;
    uint64_t hash = core_slice_hash(hub_class_key(subscription, by_claims));
    if (hub_map_add(&classes->by_key, &class->node, hash, class)) {
        if (hub_ids_take(classes->ids, class, &class->id))
            return class;
        hub_map_remove(&classes->by_key, &class->node);
    }
    class_free(classes, class, subscription->count);
    (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory");
    return NULL;
}

hub_class *hub_classes_enter(hub_classes *classes, ws_subscription *subscription, bool by_claims,
                             size_t thread, core_error *error) {
    hub_class *class = classes_find(classes, hub_class_key(subscription, by_claims), by_claims);
    if (class != NULL)
        ws_subscription_free(subscription);
    else
        class = classes_add(classes, subscription, by_claims, error);
    if (class == NULL)
        return NULL;
    class->members[thread]++;
    class->total++;
    return class;
}

static void class_remove(hub_class *class) {
    hub_map_remove(&class->home->by_key, &class->node);
    hub_ids_give_back(class->home->ids, class->id);
    class_free(class->home, class, class->subscription->count);
}

void hub_class_leave(hub_class *class, size_t thread) {
    assert(class->members[thread] > 0);
    class->members[thread]--;
    if (--class->total == 0)
        class_remove(class);
}

void hub_classes_fini(hub_classes *classes) {
    for (uint32_t id = 0; id < classes->ids->count; id++) {
        hub_class *class = hub_ids_owner(classes->ids, id);
        if (class != NULL && class->home == classes)
            class_remove(class);
    }
    hub_map_fini(&classes->by_key);
    hub_map_fini(&classes->asked);
    hub_index_fini(&classes->index);
}
