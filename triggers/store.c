/* See store.h. Writing is reading, deciding, and compare-and-set; where somebody else was first and
 * the caller did not name a revision, all of it again. */
#include "triggers/store.h"
#include "triggers/start.h"

#include <stdio.h>
#include <stdlib.h>

#define STORE_MAGIC UINT32_C(0x54535452) /* "TSTR" */

enum { TRIES = 8 };

struct triggers_store {
    uint32_t magic;
    triggers_spec spec;
    const char *name;
    fanout_connection *connection;
    fanout_bucket *bucket;
    core_buffer value; /* of the definition at hand */
    core_arena arena;  /* the same */
};

triggers_store *triggers_store_new(const triggers_spec *spec, const char *name, core_error *error) {
    triggers_store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the store of triggers");
        return NULL;
    }
    *store = (triggers_store){.magic = STORE_MAGIC, .spec = *spec, .name = name};
    core_buffer_init(&store->value, TRIGGERS_STORED_BYTES_MAX);
    core_arena_init(&store->arena, 4096, TRIGGERS_STORED_BYTES_MAX);
    return store;
}

void triggers_store_free(triggers_store *store) {
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

fanout_connection *triggers_store_connection(triggers_store *store, core_error *error) {
    const triggers_spec *spec = &store->spec;
    if (store->connection == NULL)
        store->connection =
            fanout_connection_new(spec->config, store->name, spec->log, spec->metrics, error);
    return store->connection;
}

static bool store_open(triggers_store *store, core_error *error) {
    CORE_MAGIC_CHECK(store, STORE_MAGIC);
    if (triggers_store_connection(store, error) != NULL && store->bucket == NULL)
        store->bucket = fanout_bucket_new(store->connection, store->spec.config, "defs", error);
    return store->bucket != NULL;
}

/* ---- Reading ---- */

static bool stored_get(triggers_store *store, const char *key, triggers_stored *stored,
                       uint64_t *revision, core_error *error) {
    if (!fanout_bucket_get(store->bucket, key, &store->value, revision, error))
        return false;
    core_arena_reset(&store->arena);
    *stored = (triggers_stored){.origin = TRIGGERS_ORIGIN_REST};
    return *revision == 0 ||
           triggers_stored_read(core_buffer_slice(&store->value), &store->arena, stored, error);
}

static bool key_make(const char *project, const char *name, char key[TRIGGERS_STORED_KEY_MAX],
                     core_error *error) {
    return (triggers_name_ok(core_slice_text(name)) && triggers_stored_key(project, name, key)) ||
           core_error_set(error, CORE_ERROR_INPUT, "\"%s\" cannot be a trigger's name", name);
}

bool triggers_store_get(triggers_store *store, const char *project, const char *name,
                        triggers_stored *stored, uint64_t *revision, core_error *error) {
    char key[TRIGGERS_STORED_KEY_MAX];
    return key_make(project, name, key, error) && store_open(store, error) &&
           stored_get(store, key, stored, revision, error);
}

typedef struct {
    triggers_store *store;
    const char *project;
    triggers_store_handler handler;
    void *context;
} store_walk;

static bool walk_take(void *context, const fanout_bucket_entry *entry, core_error *error) {
    const store_walk *walk = context;
    core_error problem = {.text = ""};
    triggers_stored stored;
    core_arena_reset(&walk->store->arena);
    bool read = triggers_stored_read(entry->value, &walk->store->arena, &stored, &problem);
    if (read && walk->project != NULL && !core_slice_is(stored.project, walk->project))
        return true;
    return walk->handler(walk->context, read ? &stored : NULL, entry->revision, entry->key,
                         read ? NULL : problem.text, error);
}

bool triggers_store_each(triggers_store *store, const char *project, triggers_store_handler handler,
                         void *context, core_error *error) {
    store_walk walk = {.store = store, .project = project, .handler = handler, .context = context};
    return store_open(store, error) &&
           fanout_bucket_each(store->bucket, TRIGGERS_STORED_TOKEN, walk_take, &walk, error);
}

/* ---- Writing ---- */

static bool revision_ok(uint64_t expected, uint64_t revision, core_error *error) {
    return expected == TRIGGERS_REVISION_ANY || expected == revision ||
           core_error_set(error, CORE_ERROR_CONFLICT,
                          expected == 0 ? "there is a trigger of that name already"
                                        : "it has been changed since");
}

/* Who made it may change it. */
static bool origin_ok(const triggers_stored *before, triggers_origin origin, core_error *error) {
    bool was_file = before->origin != TRIGGERS_ORIGIN_REST;
    bool is_file = origin != TRIGGERS_ORIGIN_REST;
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

static bool value_store(triggers_store *store, const char *key, const triggers_stored *stored,
                        uint64_t *revision, core_error *error) {
    core_buffer value;
    core_buffer_init(&value, TRIGGERS_STORED_BYTES_MAX);
    triggers_stored_write(stored, &value);
    bool ok =
        core_buffer_ok(&value) ||
        core_error_set(error, CORE_ERROR_LIMIT, "the definition is too long: at most %zu bytes",
                       TRIGGERS_STORED_BYTES_MAX);
    ok = ok && fanout_bucket_set(store->bucket, key, core_buffer_slice(&value), *revision, revision,
                                 error);
    core_buffer_fini(&value);
    return ok;
}

/* The text names the state, or it stays where the wish says so. */
static bool state_of(const triggers_wish *wish, const char *name, bool given, bool before) {
    const core_node *root = core_document_root(wish->document);
    return wish->keeps_state && core_node_find(root, name) == NULL ? before : given;
}

static triggers_stored wish_stored(const triggers_wish *wish, const triggers_stored *before,
                                   core_slice canonical, int64_t now_us) {
    const triggers_definition *definition = wish->definition;
    bool is_new = before->created_us == 0;
    /* The same text of another file is no change. */
    bool was_file = before->origin != TRIGGERS_ORIGIN_REST && wish->origin != TRIGGERS_ORIGIN_REST;
    bool stays = !is_new && was_file && core_slice_equal(before->definition, canonical);
    return (triggers_stored){
        .project = definition->project,
        .name = definition->name,
        .definition = canonical,
        .origin = stays ? before->origin : wish->origin,
        .file = stays ? before->file : core_slice_text(wish->file),
        .since = before->since,
        .facts = wish->facts,
        .disabled = state_of(wish, "disabled", definition->disabled, before->disabled),
        .paused = !is_new && core_node_find(core_document_root(wish->document), "paused") == NULL
                      ? before->paused
                      : definition->paused,
        .created_us = is_new ? now_us : before->created_us,
        .changed_us = now_us,
    };
}

/* One try. CONFLICT from the bucket: somebody else was first. */
static bool put_once(triggers_store *store, const triggers_wish *wish, const char *key,
                     core_slice canonical, triggers_outcome *outcome, uint64_t *revision,
                     core_error *error) {
    triggers_stored before;
    char since[CORE_OFFSET_TEXT_SIZE];
    if (!stored_get(store, key, &before, revision, error) ||
        !revision_ok(wish->expected, *revision, error) ||
        (*revision != 0 && !origin_ok(&before, wish->origin, error)))
        return false;
    triggers_stored after =
        wish_stored(wish, &before, canonical, core_clock_wall_us(store->spec.clock));
    *outcome = *revision == 0                           ? TRIGGERS_CREATED
               : triggers_stored_equal(&before, &after) ? TRIGGERS_UNCHANGED
                                                        : TRIGGERS_CHANGED;
    if (wish->dry || *outcome == TRIGGERS_UNCHANGED)
        return true;
    if (*outcome == TRIGGERS_CREATED) {
        if (!triggers_start_find(store->connection, store->spec.config, wish->definition, since,
                                 error))
            return false;
        after.since = core_slice_text(since);
    }
    return value_store(store, key, &after, revision, error);
}

/* Whether another try is worth it. */
static bool try_again(const core_error *error, uint64_t expected, uint64_t seen,
                      triggers_store *store, const char *key) {
    uint64_t revision = 0;
    core_error ignored;
    return error->code == CORE_ERROR_CONFLICT && expected == TRIGGERS_REVISION_ANY &&
           fanout_bucket_get(store->bucket, key, &store->value, &revision, &ignored) &&
           revision != seen;
}

bool triggers_store_put(triggers_store *store, const triggers_wish *wish, triggers_outcome *outcome,
                        uint64_t *revision, core_error *error) {
    char key[TRIGGERS_STORED_KEY_MAX], project[AUTH_CLAIM_MAX], name[TRIGGERS_NAME_MAX + 1];
    core_buffer canonical;
    if (!core_slice_to_text(wish->definition->project, project, sizeof project) ||
        !core_slice_to_text(wish->definition->name, name, sizeof name))
        return core_error_set(error, CORE_ERROR_INPUT, "the project's name is too long");
    if (!key_make(project, name, key, error) || !store_open(store, error))
        return false;
    core_buffer_init(&canonical, TRIGGERS_STORED_BYTES_MAX);
    triggers_stored_canonical(wish->document, &canonical);
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
static bool stored_find(triggers_store *store, const char *key, const char *name, uint64_t expected,
                        triggers_stored *stored, uint64_t *revision, core_error *error) {
    if (!stored_get(store, key, stored, revision, error))
        return false;
    if (*revision == 0)
        return core_error_set(error, CORE_ERROR_INPUT, "there is no trigger %s", name);
    return revision_ok(expected, *revision, error);
}

bool triggers_store_state(triggers_store *store, const char *project, const char *name,
                          const triggers_state *state, uint64_t expected, uint64_t *revision,
                          core_error *error) {
    char key[TRIGGERS_STORED_KEY_MAX];
    triggers_stored stored;
    if (!key_make(project, name, key, error) || !store_open(store, error))
        return false;
    for (int tries = 1;; tries++) {
        if (!stored_find(store, key, name, expected, &stored, revision, error) ||
            (state->disabled != NULL && !origin_ok(&stored, TRIGGERS_ORIGIN_REST, error)))
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
        if (error->code != CORE_ERROR_CONFLICT || expected != TRIGGERS_REVISION_ANY ||
            tries == TRIES)
            return false;
    }
}

bool triggers_store_remove(triggers_store *store, const char *project, const char *name,
                           bool over_rest, uint64_t expected, core_error *error) {
    char key[TRIGGERS_STORED_KEY_MAX];
    triggers_stored stored;
    uint64_t revision = 0;
    return key_make(project, name, key, error) && store_open(store, error) &&
           stored_find(store, key, name, expected, &stored, &revision, error) &&
           (!over_rest || origin_ok(&stored, TRIGGERS_ORIGIN_REST, error)) &&
           fanout_bucket_delete(store->bucket, key, error);
}
