/* All definitions of a kind in key-value; see definition.h. Writing is reading, deciding, and
 * compare-and-set; where somebody else was first and the caller did not name a revision, all of it
 * again. */
#include "fanout/fanout.h"

#include <stdio.h>
#include <stdlib.h>

#define STORE_MAGIC UINT32_C(0x46444546) /* "FDEF" */

enum { TRIES = 8 };

struct fanout_definitions {
    uint32_t magic;
    fanout_definitions_spec spec;
    const char *name;
    fanout_connection *connection;
    fanout_bucket *bucket;
    core_buffer value; /* of the definition at hand */
    core_arena arena;  /* the same */
};

fanout_definitions *fanout_definitions_new(const fanout_definitions_spec *spec, const char *name,
                                           core_error *error) {
    fanout_definitions *store = calloc(1, sizeof *store);
    if (store == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the store of %s",
                             spec->kind->several);
        return NULL;
    }
    *store = (fanout_definitions){.magic = STORE_MAGIC, .spec = *spec, .name = name};
    core_buffer_init(&store->value, FANOUT_DEFINITION_BYTES_MAX);
    core_arena_init(&store->arena, 4096, FANOUT_DEFINITION_BYTES_MAX);
    return store;
}

void fanout_definitions_free(fanout_definitions *store) {
    if (store == NULL)
        return;
    CORE_MAGIC_CHECK(store, STORE_MAGIC);
    if (store->bucket != NULL)
        fanout_bucket_free(store->bucket);
    if (store->connection != NULL)
        fanout_connection_free(store->connection);
    core_buffer_fini(&store->value);
    core_arena_fini(&store->arena);
    store->magic = 0;
    free(store);
}

fanout_connection *fanout_definitions_connection(fanout_definitions *store, core_error *error) {
    const fanout_definitions_spec *spec = &store->spec;
    if (store->connection == NULL)
        store->connection =
            fanout_connection_new(spec->config, store->name, spec->log, spec->metrics, error);
    return store->connection;
}

const fanout_definitions_spec *fanout_definitions_spec_of(const fanout_definitions *store) {
    return &store->spec;
}

static bool store_open(fanout_definitions *store, core_error *error) {
    CORE_MAGIC_CHECK(store, STORE_MAGIC);
    if (fanout_definitions_connection(store, error) != NULL && store->bucket == NULL)
        store->bucket = fanout_bucket_new(store->connection, store->spec.config, "defs", error);
    return store->bucket != NULL;
}

/* ---- Reading ---- */

static bool stored_get(fanout_definitions *store, const char *key, fanout_definition *stored,
                       uint64_t *revision, core_error *error) {
    if (!fanout_bucket_get(store->bucket, key, &store->value, revision, error))
        return false;
    core_arena_reset(&store->arena);
    *stored = (fanout_definition){.origin = FANOUT_ORIGIN_REST};
    return *revision == 0 ||
           fanout_definition_read(core_buffer_slice(&store->value), &store->arena, stored, error);
}

static bool key_make(const fanout_definitions *store, const char *project, const char *name,
                     char key[FANOUT_DEFINITION_KEY_MAX], core_error *error) {
    const core_definition_kind *kind = store->spec.kind;
    return (kind->name_ok(core_slice_text(name)) &&
            fanout_definition_key(kind->token, project, name, key)) ||
           core_error_set(error, CORE_ERROR_INPUT, "\"%s\" cannot be the name of %s", name,
                          kind->some_one);
}

bool fanout_definitions_get(fanout_definitions *store, const char *project, const char *name,
                            fanout_definition *stored, uint64_t *revision, core_error *error) {
    char key[FANOUT_DEFINITION_KEY_MAX];
    return key_make(store, project, name, key, error) && store_open(store, error) &&
           stored_get(store, key, stored, revision, error);
}

typedef struct {
    fanout_definitions *store;
    const char *project;
    fanout_definition_handler handler;
    void *context;
} store_walk;

static bool walk_take(void *context, const fanout_bucket_entry *entry, core_error *error) {
    const store_walk *walk = context;
    core_error problem = {.text = ""};
    fanout_definition stored;
    core_arena_reset(&walk->store->arena);
    bool read = fanout_definition_read(entry->value, &walk->store->arena, &stored, &problem);
    if (read && walk->project != NULL && !core_slice_is(stored.project, walk->project))
        return true;
    return walk->handler(walk->context, read ? &stored : NULL, entry->revision, entry->key,
                         read ? NULL : problem.text, error);
}

bool fanout_definitions_each(fanout_definitions *store, const char *project,
                             fanout_definition_handler handler, void *context, core_error *error) {
    store_walk walk = {.store = store, .project = project, .handler = handler, .context = context};
    return store_open(store, error) &&
           fanout_bucket_each(store->bucket, store->spec.kind->token, walk_take, &walk, error);
}

/* ---- Writing ---- */

static bool revision_ok(const fanout_definitions *store, uint64_t expected, uint64_t revision,
                        core_error *error) {
    if (expected == FANOUT_REVISION_ANY || expected == revision)
        return true;
    if (expected != 0)
        return core_error_set(error, CORE_ERROR_CONFLICT, "it has been changed since");
    return core_error_set(error, CORE_ERROR_CONFLICT, "there is %s of that name already",
                          store->spec.kind->some_one);
}

/* Who made it may change it. */
static bool origin_ok(const fanout_definition *before, fanout_origin origin, core_error *error) {
    bool was_file = before->origin != FANOUT_ORIGIN_REST;
    bool is_file = origin != FANOUT_ORIGIN_REST;
    if (was_file == is_file)
        return true;
    if (was_file)
        return core_error_set(error, CORE_ERROR_CONFLICT,
                              "it comes from the file %.*s: change it there",
                              CORE_SLICE_ARGS(before->file));
    return core_error_set(error, CORE_ERROR_CONFLICT,
                          "there is one of that name that was made over REST: delete that, or give "
                          "this another name");
}

static bool value_store(fanout_definitions *store, const char *key, const fanout_definition *stored,
                        uint64_t *revision, core_error *error) {
    core_buffer value;
    core_buffer_init(&value, FANOUT_DEFINITION_BYTES_MAX);
    fanout_definition_write(stored, &value);
    bool ok =
        core_buffer_ok(&value) ||
        core_error_set(error, CORE_ERROR_LIMIT, "the definition is too long: at most %zu bytes",
                       FANOUT_DEFINITION_BYTES_MAX);
    ok = ok && fanout_bucket_set(store->bucket, key, core_buffer_slice(&value), *revision, revision,
                                 error);
    core_buffer_fini(&value);
    return ok;
}

/* The text names the state, or it stays where the wish says so. */
static bool state_of(const fanout_definition_wish *wish, const char *name, bool given,
                     bool before) {
    const core_node *root = core_document_root(wish->document);
    return wish->keeps_state && core_node_find(root, name) == NULL ? before : given;
}

static fanout_definition wish_stored(const fanout_definitions *store,
                                     const fanout_definition_wish *wish,
                                     const fanout_definition *before, core_slice canonical) {
    int64_t now_us = core_clock_wall_us(store->spec.clock);
    const core_definition_kind *kind = store->spec.kind;
    core_definition_head head = kind->head(wish->definition);
    bool is_new = before->created_us == 0;
    /* The same text of another file is no change. */
    bool was_file = before->origin != FANOUT_ORIGIN_REST && wish->origin != FANOUT_ORIGIN_REST;
    bool stays = !is_new && was_file && core_slice_equal(before->definition, canonical);
    return (fanout_definition){
        .project = head.project,
        .name = head.name,
        .environment = kind->has_state ? core_slice_make(NULL, 0) : head.environment,
        .has_state = kind->has_state,
        .definition = canonical,
        .origin = stays ? before->origin : wish->origin,
        .file = stays ? before->file : core_slice_text(wish->file),
        .since = before->since,
        .partitions = is_new && store->spec.partitions != NULL
                          ? store->spec.partitions(wish->definition)
                          : before->partitions,
        .facts = wish->facts,
        .disabled = state_of(wish, "disabled", head.disabled, before->disabled),
        .paused = !is_new && core_node_find(core_document_root(wish->document), "paused") == NULL
                      ? before->paused
                      : head.paused,
        .created_us = is_new ? now_us : before->created_us,
        .changed_us = now_us,
    };
}

/* One try. CONFLICT from the bucket: somebody else was first. */
static bool put_once(fanout_definitions *store, const fanout_definition_wish *wish, const char *key,
                     core_slice canonical, fanout_outcome *outcome, uint64_t *revision,
                     core_error *error) {
    fanout_definition before;
    char since[CORE_OFFSET_TEXT_SIZE];
    if (!stored_get(store, key, &before, revision, error) ||
        !revision_ok(store, wish->expected, *revision, error) ||
        (*revision != 0 && !origin_ok(&before, wish->origin, error)))
        return false;
    fanout_definition after = wish_stored(store, wish, &before, canonical);
    *outcome = *revision == 0                             ? FANOUT_CREATED
               : fanout_definition_equal(&before, &after) ? FANOUT_UNCHANGED
                                                          : FANOUT_CHANGED;
    if (wish->dry || *outcome == FANOUT_UNCHANGED)
        return true;
    if (*outcome == FANOUT_CREATED && store->spec.since != NULL) {
        if (!store->spec.since(store->connection, store->spec.config, wish->definition, since,
                               error))
            return false;
        after.since = core_slice_text(since);
    }
    return value_store(store, key, &after, revision, error);
}

/* Whether another try is worth it. */
static bool try_again(const core_error *error, uint64_t expected, uint64_t seen,
                      fanout_definitions *store, const char *key) {
    uint64_t revision = 0;
    core_error ignored;
    return error->code == CORE_ERROR_CONFLICT && expected == FANOUT_REVISION_ANY &&
           fanout_bucket_get(store->bucket, key, &store->value, &revision, &ignored) &&
           revision != seen;
}

bool fanout_definitions_put(fanout_definitions *store, const fanout_definition_wish *wish,
                            fanout_outcome *outcome, uint64_t *revision, core_error *error) {
    char key[FANOUT_DEFINITION_KEY_MAX], project[FANOUT_PROJECT_MAX],
        name[FANOUT_DEFINITION_NAME_MAX + 1];
    core_definition_head head = store->spec.kind->head(wish->definition);
    core_buffer canonical;
    if (!core_slice_to_text(head.project, project, sizeof project) ||
        !core_slice_to_text(head.name, name, sizeof name))
        return core_error_set(error, CORE_ERROR_INPUT, "the project's name is too long");
    if (!key_make(store, project, name, key, error) || !store_open(store, error))
        return false;
    core_buffer_init(&canonical, FANOUT_DEFINITION_BYTES_MAX);
    fanout_definition_canonical(wish->document, &canonical);
    bool ok = core_buffer_ok(&canonical) ||
              core_error_set(error, CORE_ERROR_LIMIT, "the definition is too long");
    for (int tries = 1; ok; tries++) {
        *revision = 0;
        ok = put_once(store, wish, key, core_buffer_slice(&canonical), outcome, revision, error);
        if (ok || tries == TRIES || !try_again(error, wish->expected, *revision, store, key))
            break;
        ok = true;
    }
    core_buffer_fini(&canonical);
    return ok;
}

/* ---- Changing and removing ---- */

/* What is there, of the revision that was expected. */
static bool stored_find(fanout_definitions *store, const char *key, const char *name,
                        uint64_t expected, fanout_definition *stored, uint64_t *revision,
                        core_error *error) {
    if (!stored_get(store, key, stored, revision, error))
        return false;
    if (*revision == 0)
        return core_error_set(error, CORE_ERROR_INPUT, "there is no %s %s", store->spec.kind->one,
                              name);
    return revision_ok(store, expected, *revision, error);
}

bool fanout_definitions_state(fanout_definitions *store, const char *project, const char *name,
                              const fanout_definition_state *state, uint64_t expected,
                              uint64_t *revision, core_error *error) {
    char key[FANOUT_DEFINITION_KEY_MAX];
    fanout_definition stored;
    if (!key_make(store, project, name, key, error) || !store_open(store, error))
        return false;
    for (int tries = 1;; tries++) {
        if (!stored_find(store, key, name, expected, &stored, revision, error) ||
            (state->disabled != NULL && !origin_ok(&stored, FANOUT_ORIGIN_REST, error)))
            return false;
        bool disabled = state->disabled != NULL ? *state->disabled : stored.disabled;
        bool paused = state->paused != NULL ? *state->paused : stored.paused;
        if (disabled == stored.disabled && paused == stored.paused)
            return true;
        stored.disabled = disabled;
        stored.paused = paused;
        stored.changed_us = core_clock_wall_us(store->spec.clock);
        if (value_store(store, key, &stored, revision, error))
            return true;
        if (error->code != CORE_ERROR_CONFLICT || expected != FANOUT_REVISION_ANY || tries == TRIES)
            return false;
    }
}

bool fanout_definitions_remove(fanout_definitions *store, const char *project, const char *name,
                               bool over_rest, uint64_t expected, core_error *error) {
    char key[FANOUT_DEFINITION_KEY_MAX];
    fanout_definition stored;
    uint64_t revision = 0;
    return key_make(store, project, name, key, error) && store_open(store, error) &&
           stored_find(store, key, name, expected, &stored, &revision, error) &&
           (!over_rest || origin_ok(&stored, FANOUT_ORIGIN_REST, error)) &&
           fanout_bucket_delete(store->bucket, key, error);
}
