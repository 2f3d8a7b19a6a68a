/* The rows of a change that a class may see, where row-level security applies; see hub_private.h.
 *
 * The new row of an INSERT or UPDATE must pass; the old row of a DELETE where the stream has it
 * whole, else its key, and then only if the policies read nothing else. Who loses sight of a row in
 * an UPDATE gets nothing of it, or with `leave` what it saw before; who gains sight of one gets no
 * old row. What cannot be known (a value that the stream does not carry, a policy that fails) is
 * not shown, and told once. */
#include "ws/hub_private.h"

#include <stdio.h>

#define SECURE_TEXT_MAX (HUB_POLICY_REASON_MAX + 256)

/* What the policies say of one image. */
typedef enum {
    ROW_HIDDEN,
    ROW_SEEN,
    ROW_MISSING, /* they read what the stream does not carry */
    ROW_ASKED,   /* PostgreSQL is asked */
} row_sight;

typedef struct {
    ws_hub *hub;
    hub_class *class;
    hub_policy *policy;
    const hub_class_policy *own; /* with the claims; NULL: the engine cannot */
    core_slice condition;        /* in SQL */
} secured;

static void secure_tell(const secured *it, hub_told kind, const char *why) {
    static const char *const whats[] = {
        [HUB_TOLD_FAILED] = "some rows are not shown: a policy",
        [HUB_TOLD_UPDATE] =
            "some changes are not shown: their policies read a large value that an UPDATE left as "
            "it was and the stream does not carry: REPLICA IDENTITY FULL mends it",
        [HUB_TOLD_DELETE] = "DELETEs are not shown: their policies read more of the old row than "
                            "the stream carries: REPLICA IDENTITY FULL mends it",
        [HUB_TOLD_OLD_KEY] =
            "UPDATEs that change the key do not tell the old one: the policies read more of the "
            "old row than the stream carries: REPLICA IDENTITY FULL mends it",
        [HUB_TOLD_LEAVE] = "rows that leave by becoming hidden are not told: the stream does not "
                           "carry the row before it: REPLICA IDENTITY FULL mends it",
    };
    char text[SECURE_TEXT_MAX];
    const core_relation *relation = it->hub->change->relation;
    (void)snprintf(text, sizeof text, "%.*s.%.*s: %s%s%s", CORE_SLICE_ARGS(relation->schema),
                   CORE_SLICE_ARGS(relation->table), whats[kind], why[0] != '\0' ? ": " : "", why);
    hub_access_tell(it->hub, it->class, kind, text);
}

/* Its members are asked to join anew, into the class that is now theirs, and the change waits for
 * that. */
static hub_secured secure_renew(ws_hub *hub, hub_class *class) {
    for (size_t thread = 0; !class->renewing && thread < hub->threads; thread++) {
        if (class->members[thread] == 0)
            continue;
        ws_delivery delivery = {.kind = WS_DELIVERY_RENEW, .class_id = class->id};
        hub_deliver(hub, thread, &delivery);
    }
    class->renewing = true;
    return HUB_SECURED_LATER;
}

/* Only the slow audience and history wait for PostgreSQL: those of the live one move there. */
static row_sight secure_move(const secured *it) {
    hub_policy_note_asks(it->policy, it->class->subscription->claims_hash);
    (void)secure_renew(it->hub, it->class);
    return ROW_ASKED;
}

/* By SQL. */
static row_sight row_ask(const secured *it, bool is_old) {
    auth_row_verdict verdict;
    const char *reason;
    const core_change *change = it->hub->change;
    if (!hub_policy_covers(it->policy, is_old ? &change->old_tuple : &change->new_tuple,
                           is_old && change->old_kind == CORE_OLD_KEY))
        return ROW_MISSING;
    if (it->hub->audience == &it->hub->classes)
        return secure_move(it);
    switch (hub_ask_row(it->hub, it->class, it->policy, it->condition, is_old, &verdict, &reason)) {
    case HUB_ASK_LATER:
        return ROW_ASKED;
    case HUB_ASK_MISSING:
        return ROW_MISSING;
    case HUB_ASK_ANSWERED:
        break;
    }
    if (verdict == AUTH_ROW_UNKNOWN)
        hub_access_cut(it->hub, it->class,
                       "DatabaseUnavailable: the database does not answer what "
                       "its policies show of a row; join again");
    if (verdict == AUTH_ROW_FAILED)
        secure_tell(it, HUB_TOLD_FAILED, reason);
    return verdict == AUTH_ROW_SEEN ? ROW_SEEN : ROW_HIDDEN;
}

/* The image without what is not the change's own: a value that was read later may be of a row that
 * the policies show while this one was hidden. NULL when memory is out. */
static const core_tuple *image_of(ws_hub *hub, const core_tuple *image, bool only_key) {
    const core_relation *relation = hub->change->relation;
    size_t at = 0;
    while (!only_key && at < image->count && !image->values[at].read_later)
        at++;
    if (at == image->count)
        return image;
    core_tuple *made = core_arena_array(&hub->arena, 1, sizeof *made);
    core_value *values = core_arena_array(&hub->arena, image->count, sizeof *values);
    if (made == NULL || values == NULL)
        return NULL;
    for (size_t i = 0; i < image->count; i++) {
        bool own = !image->values[i].read_later &&
                   (!only_key || (i < relation->column_count && relation->columns[i].key));
        values[i] = own ? image->values[i] : (core_value){.kind = CORE_VALUE_UNCHANGED};
    }
    *made = (core_tuple){.count = image->count, .values = values};
    return made;
}

/* Once a change, for all its classes. */
static const core_tuple *image_now(ws_hub *hub, bool is_old) {
    const core_change *change = hub->change;
    const core_tuple **kept = &hub->images[is_old ? 1 : 0];
    if (hub->images_stamp != hub->stamp)
        hub->images[0] = hub->images[1] = NULL;
    hub->images_stamp = hub->stamp;
    if (*kept == NULL)
        *kept = image_of(hub, is_old ? &change->old_tuple : &change->new_tuple,
                         is_old && change->old_kind == CORE_OLD_KEY);
    return *kept;
}

static row_sight row_see(const secured *it, bool is_old) {
    const char *reason = NULL;
    if (it->own == NULL)
        return row_ask(it, is_old);
    const core_tuple *row = image_now(it->hub, is_old);
    if (row == NULL)
        return ROW_MISSING;
    switch (expr_condition_evaluate(it->own->condition, row, NULL, &reason)) {
    case EXPR_VERDICT_TRUE:
        return ROW_SEEN;
    case EXPR_VERDICT_MISSING:
        return ROW_MISSING;
    case EXPR_VERDICT_UNDECIDED:
        return row_ask(it, is_old);
    case EXPR_VERDICT_ERROR:
        secure_tell(it, HUB_TOLD_FAILED, reason != NULL ? reason : "failed");
        return ROW_HIDDEN;
    default:
        return ROW_HIDDEN;
    }
}

/* The old image, as far as it came. */
static row_sight old_see(const secured *it) {
    return it->hub->change->old_kind == CORE_OLD_NONE ? ROW_MISSING : row_see(it, true);
}

/* The old row passed the binding's filter; that the hidden new one does would tell of its contents.
 * A filter is of one table. */
static bool binding_held_old(const secured *it, const hub_hit *hit) {
    const hub_entry *entry = it->class->rules[hit->binding]->entries;
    return hit->left ||
           (entry != NULL && entry->bound != NULL &&
            expr_bound_evaluate(entry->bound, &it->hub->change->old_tuple) == EXPR_TRUE);
}

static bool class_leaves(const hub_class *class) {
    for (uint32_t i = 0; i < class->matched_count; i++)
        if (class->subscription->bindings[class->matched[i].binding].leaves)
            return true;
    return false;
}

/* Of an UPDATE whose new row is hidden: those who asked to hear of rows that leave hear of one that
 * they saw. */
static hub_secured secure_leave(const secured *it) {
    uint32_t left = 0;
    hub_class *class = it->class;
    bool leaves = class_leaves(class), whole = it->hub->change->old_kind == CORE_OLD_FULL;
    row_sight before = leaves && whole ? old_see(it) : ROW_HIDDEN;
    if (leaves && !whole)
        secure_tell(it, HUB_TOLD_LEAVE, "");
    if (before == ROW_ASKED)
        return HUB_SECURED_LATER;
    for (uint32_t i = 0; before == ROW_SEEN && i < class->matched_count; i++) {
        const ws_binding *binding = &class->subscription->bindings[class->matched[i].binding];
        if (binding->leaves && binding_held_old(it, &class->matched[i]))
            class->matched[left++] = (hub_hit){class->matched[i].binding, true};
    }
    class->matched_count = left;
    return left > 0 ? HUB_SECURED_YES : HUB_SECURED_NO;
}

/* That a row left a filter tells of the old row. */
static hub_secured secure_hide_old(const secured *it) {
    uint32_t kept = 0;
    hub_class *class = it->class;
    class->hides_old = true;
    for (uint32_t i = 0; i < class->matched_count; i++)
        if (!class->matched[i].left)
            class->matched[kept++] = class->matched[i];
    class->matched_count = kept;
    return kept > 0 ? HUB_SECURED_YES : HUB_SECURED_NO;
}

static hub_secured secure_update(const secured *it) {
    row_sight before;
    switch (row_see(it, false)) {
    case ROW_SEEN:
        before = it->hub->change->old_kind == CORE_OLD_NONE ? ROW_SEEN : old_see(it);
        if (before == ROW_ASKED)
            return HUB_SECURED_LATER;
        if (before == ROW_MISSING)
            secure_tell(it, HUB_TOLD_OLD_KEY, "");
        return before == ROW_SEEN ? HUB_SECURED_YES : secure_hide_old(it);
    case ROW_HIDDEN:
        return secure_leave(it);
    case ROW_ASKED:
        return HUB_SECURED_LATER;
    case ROW_MISSING:
        break;
    }
    secure_tell(it, HUB_TOLD_UPDATE, "");
    return HUB_SECURED_NO;
}

static hub_secured secure_row(const secured *it, row_sight sight) {
    if (sight == ROW_MISSING)
        secure_tell(it, HUB_TOLD_DELETE, "");
    if (sight == ROW_ASKED)
        return HUB_SECURED_LATER;
    return sight == ROW_SEEN ? HUB_SECURED_YES : HUB_SECURED_NO;
}

static hub_secured secure_change(const secured *it) {
    switch (it->hub->change->op) {
    case CORE_OP_INSERT:
        return secure_row(it, row_see(it, false));
    case CORE_OP_UPDATE:
        return secure_update(it);
    case CORE_OP_DELETE:
        return secure_row(it, old_see(it));
    default: /* a TRUNCATE is of no row in particular */
        return it->hub->change->op == CORE_OP_TRUNCATE ? HUB_SECURED_YES : HUB_SECURED_NO;
    }
}

/* The engine's view of the class; NULL where PostgreSQL must be asked. */
static const hub_class_policy *secure_own(hub_class *class, hub_policy *policy) {
    const hub_class_policy *own =
        policy->condition != NULL
            ? hub_class_policy_of(&class->policies, policy, class->subscription)
            : NULL;
    return own != NULL && own->condition != NULL ? own : NULL;
}

hub_secured hub_secure(ws_hub *hub, hub_class *class, const auth_table_decision *sight) {
    if (!class->by_claims)
        return secure_renew(hub, class);
    hub_policy *policy = hub_role_policy(class->role, hub->change->relation);
    if (policy == NULL) {
        hub->unsaid = true;
        return HUB_SECURED_NO;
    }
    const secured it = {.hub = hub,
                        .class = class,
                        .policy = policy,
                        .own = secure_own(class, policy),
                        .condition = auth_table_policy(sight->table)};
    bool asks = it.own == NULL || hub_policy_asks(policy, class->subscription->claims_hash);
    if (asks && hub->audience == &hub->classes) {
        (void)secure_move(&it);
        return HUB_SECURED_LATER;
    }
    if (it.own != NULL)
        hub_settle_note(hub, class, it.own, sight->generation);
    return secure_change(&it);
}
