/* Secrets in the key-value bucket; see auth.h.
 *
 * Happy path: a value is sealed under the first key and stored by compare-and-set; read, it is
 * opened under whichever key its box names. A stored value that is no box, another secret's or
 * changed is an error of that one secret, and stops no walk. Rotation seals again what is not under
 * the first key; what it has done it passes over the next time. */
#include "auth/secret_box.h"
#include "auth/secret_text.h"
#include "fanout/fanout.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SECRETS_MAGIC   0x5ec2e751u
#define SECRETS_BUCKET  "defs"
#define SECRETS_TOKEN   "secret"
#define SECRETS_TRIES   8
#define SECRETS_KEY_MAX 1024

struct auth_secrets {
    uint32_t magic;
    fanout_bucket *bucket;
    auth_secret_keys keys;
    core_buffer box; /* of the secret at hand */
};

static auth_secrets *secrets_of(void *context) {
    auth_secrets *secrets = context;
    CORE_MAGIC_CHECK(secrets, SECRETS_MAGIC);
    return secrets;
}

void auth_secrets_wipe(core_buffer *buffer) {
    auth_wipe_buffer(buffer);
}

/* ---- Keys ---- */

bool auth_secrets_keys_check(const core_config *config, unsigned *exposed, core_error *error) {
    auth_secret_keys keys;
    bool ok = auth_secret_keys_load(&keys, config, error);
    *exposed = keys.exposed;
    auth_secret_keys_wipe(&keys);
    return ok;
}

const char *auth_secrets_warning(const core_config *config) {
    unsigned exposed = 0;
    core_error error;
    if (!auth_secrets_keys_check(config, &exposed, &error))
        return "secrets.key or secrets.key_file cannot be used: `walcast secret list` says why";
    return exposed != 0 ? "secrets.key_file can be read by others than its owner: chmod 600" : NULL;
}

bool auth_secrets_key_make(char text[AUTH_SECRET_KEY_TEXT_SIZE], core_error *error) {
    uint8_t key[AUTH_GCM_KEY_SIZE];
    if (!auth_random(key, sizeof key))
        return core_error_set(error, CORE_ERROR_INTERNAL, "the system gives no random bytes");
    for (size_t i = 0; i < sizeof key; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", key[i]);
    auth_wipe(key, sizeof key);
    return true;
}

static bool secrets_have_key(const auth_secrets *secrets, core_error *error) {
    return secrets->keys.count > 0 ||
           core_error_set(error, CORE_ERROR_CONFIG,
                          "there is no master key: set secrets.key (WALCAST_SECRETS_KEY) or "
                          "secrets.key_file; `walcast secret key` makes one");
}

/* ---- Names ---- */

static bool secrets_name(auth_secrets *secrets, const char *project, const char *name,
                         auth_secret_id *id, char key[SECRETS_KEY_MAX], core_error *error) {
    CORE_MAGIC_CHECK(secrets, SECRETS_MAGIC);
    *id = (auth_secret_id){.project = core_slice_text(project), .name = core_slice_text(name)};
    if (!auth_secret_name_ok(id->name))
        return core_error_set(error, CORE_ERROR_INPUT,
                              "secret \"%s\": a name is a letter or _, then letters, digits, _ and "
                              "-, at most %d",
                              name, AUTH_SECRET_NAME_MAX);
    if (id->project.length == 0 || id->project.length >= AUTH_CLAIM_MAX ||
        !core_utf8_valid(id->project))
        return core_error_set(error, CORE_ERROR_INPUT,
                              "project \"%s\": expected 1 to %d bytes of UTF-8", project,
                              AUTH_CLAIM_MAX - 1);
    (void)snprintf(key, SECRETS_KEY_MAX, SECRETS_TOKEN ".%s.%s", project, name);
    return true;
}

/* Into `secrets->box`. INPUT when there is none. */
static bool secrets_fetch(auth_secrets *secrets, const auth_secret_id *id, const char *key,
                          uint64_t *revision, core_error *error) {
    if (!fanout_bucket_get(secrets->bucket, key, &secrets->box, revision, error))
        return false;
    return *revision != 0 ||
           core_error_set(error, CORE_ERROR_INPUT,
                          "there is no secret %.*s in project %.*s (walcast secret set)",
                          CORE_SLICE_ARGS(id->name), CORE_SLICE_ARGS(id->project));
}

static bool secrets_wrap(const auth_secret_id *id, core_error *error) {
    return core_error_wrap(error, "secret %.*s of project %.*s", CORE_SLICE_ARGS(id->name),
                           CORE_SLICE_ARGS(id->project));
}

/* ---- One secret ---- */

/* Seals and stores in place of the revision. CONFLICT: somebody was first. */
static bool secrets_store(auth_secrets *secrets, const auth_secret_id *id, const char *key,
                          int64_t created_us, core_slice value, uint64_t revision,
                          core_error *error) {
    core_buffer_reset(&secrets->box);
    return auth_secret_box_seal(&secrets->keys, id, created_us, value, &secrets->box, error) &&
           fanout_bucket_set(secrets->bucket, key, core_buffer_slice(&secrets->box), revision,
                             &revision, error);
}

bool auth_secrets_set(auth_secrets *secrets, const char *project, const char *name,
                      core_slice value, int64_t now_us, core_error *error) {
    auth_secret_id id;
    char key[SECRETS_KEY_MAX];
    if (!secrets_name(secrets, project, name, &id, key, error) || !secrets_have_key(secrets, error))
        return false;
    if (value.length == 0 || value.length > AUTH_SECRET_MAX)
        return core_error_set(error, CORE_ERROR_INPUT, "the value has %zu bytes, expected 1 to %d",
                              value.length, AUTH_SECRET_MAX);
    for (int i = 0; i < SECRETS_TRIES; i++) {
        uint64_t revision = 0;
        if (!fanout_bucket_get(secrets->bucket, key, &secrets->box, &revision, error))
            return false;
        if (secrets_store(secrets, &id, key, now_us, value, revision, error))
            return true;
        if (error->code != CORE_ERROR_CONFLICT)
            break;
    }
    return secrets_wrap(&id, error);
}

bool auth_secrets_get(auth_secrets *secrets, const char *project, const char *name,
                      core_buffer *value, core_error *error) {
    auth_secret_id id;
    char key[SECRETS_KEY_MAX];
    uint64_t revision = 0;
    if (!secrets_name(secrets, project, name, &id, key, error) ||
        !secrets_have_key(secrets, error) || !secrets_fetch(secrets, &id, key, &revision, error))
        return false;
    return auth_secret_box_open(&secrets->keys, &id, core_buffer_slice(&secrets->box), value,
                                error) ||
           secrets_wrap(&id, error);
}

bool auth_secrets_remove(auth_secrets *secrets, const char *project, const char *name,
                         core_error *error) {
    auth_secret_id id;
    char key[SECRETS_KEY_MAX];
    uint64_t revision = 0;
    return secrets_name(secrets, project, name, &id, key, error) &&
           secrets_fetch(secrets, &id, key, &revision, error) &&
           fanout_bucket_delete(secrets->bucket, key, error);
}

/* ---- In a text ---- */

typedef struct {
    auth_secrets *secrets;
    const char *project;
} expand_context;

static bool expand_resolve(void *context, core_slice name, core_buffer *value, core_error *error) {
    const expand_context *it = context;
    char text[AUTH_SECRET_NAME_MAX + 1];
    (void)snprintf(text, sizeof text, "%.*s", CORE_SLICE_ARGS(name));
    return auth_secrets_get(it->secrets, it->project, text, value, error);
}

bool auth_secrets_expand(auth_secrets *secrets, const char *project, core_slice text,
                         core_buffer *out, core_error *error) {
    expand_context context = {.secrets = secrets, .project = project};
    return auth_secret_text_expand(text, expand_resolve, &context, out, error);
}

/* ---- All of them ---- */

/* A walk tells keys as the bucket's subjects have them; here as they were given. */
typedef struct {
    char key[SECRETS_KEY_MAX];
    auth_secret_id id; /* into `key` */
} secret_place;

/* What is done with each; `fact` has its names, and no time still where it was removed meanwhile.
 * False with what is wrong with it. */
typedef bool (*secret_step)(auth_secrets *secrets, const secret_place *place,
                            const fanout_bucket_entry *entry, auth_secret_fact *fact,
                            core_error *error);

typedef struct {
    auth_secrets *secrets;
    const char *project; /* NULL: of all */
    secret_step step;
    auth_secrets_handler handler;
    void *context;
} secret_walk;

/* "secret.PROJECT.NAME": a name has no dot. */
static bool place_read(secret_place *place, const char *key) {
    core_buffer given = core_buffer_over(place->key, sizeof place->key - 1);
    if (!fanout_bucket_key_read(core_slice_text(key), &given))
        return false;
    place->key[given.length] = '\0';
    const char *project = place->key + sizeof SECRETS_TOKEN;
    const char *dot = strrchr(place->key, '.');
    if (given.length <= sizeof SECRETS_TOKEN || dot == NULL || dot <= project)
        return false;
    place->id.project = core_slice_make((const uint8_t *)project, (size_t)(dot - project));
    place->id.name = core_slice_text(dot + 1);
    return true;
}

/* One that is wrong by itself, whatever becomes of the others. */
static bool is_its_own(const core_error *error) {
    return error->code == CORE_ERROR_INPUT || error->code == CORE_ERROR_CONFIG ||
           error->code == CORE_ERROR_LIMIT;
}

static bool walk_take(void *context, const fanout_bucket_entry *entry, core_error *error) {
    const secret_walk *walk = context;
    secret_place place;
    if (!place_read(&place, entry->key))
        return true;
    if (walk->project != NULL && !core_slice_is(place.id.project, walk->project))
        return true;
    auth_secret_fact fact = {.project = place.id.project, .name = place.id.name};
    if (walk->step(walk->secrets, &place, entry, &fact, error)) {
        if (fact.created_us != 0)
            walk->handler(walk->context, &fact, NULL);
        return true;
    }
    if (!is_its_own(error))
        return false;
    walk->handler(walk->context, &fact, error->text);
    return true;
}

static bool secrets_walk(secret_walk *walk, core_error *error) {
    return fanout_bucket_each(walk->secrets->bucket, SECRETS_TOKEN, walk_take, walk, error);
}

static bool fact_read(const auth_secrets *secrets, const secret_place *place, core_slice value,
                      auth_secret_fact *fact, core_error *error) {
    auth_secret_box box;
    if (!auth_secret_box_read_of(value, &place->id, &box, error))
        return false;
    fact->created_us = box.created_us;
    fact->key_id = box.key_id;
    fact->known = auth_secret_keys_find(&secrets->keys, box.key_id) != NULL;
    fact->current = secrets->keys.count > 0 && secrets->keys.keys[0].id == box.key_id;
    return true;
}

static bool list_step(auth_secrets *secrets, const secret_place *place,
                      const fanout_bucket_entry *entry, auth_secret_fact *fact, core_error *error) {
    return fact_read(secrets, place, entry->value, fact, error);
}

bool auth_secrets_list(auth_secrets *secrets, const char *project, auth_secrets_handler handler,
                       void *context, core_error *error) {
    secret_walk walk = {.secrets = secrets_of(secrets),
                        .project = project,
                        .step = list_step,
                        .handler = handler,
                        .context = context};
    return secrets_walk(&walk, error);
}

/* ---- Rotation ---- */

/* Seals the value anew in place of the revision. */
static bool rotate_seal(auth_secrets *secrets, const secret_place *place, core_slice value,
                        int64_t created_us, uint64_t revision, core_error *error) {
    core_buffer plain;
    core_buffer_init(&plain, AUTH_SECRET_MAX);
    bool ok = auth_secret_box_open(&secrets->keys, &place->id, value, &plain, error) &&
              secrets_store(secrets, &place->id, place->key, created_us, core_buffer_slice(&plain),
                            revision, error);
    auth_wipe_buffer(&plain);
    return ok;
}

static bool rotate_step(auth_secrets *secrets, const secret_place *place,
                        const fanout_bucket_entry *entry, auth_secret_fact *fact,
                        core_error *error) {
    core_slice value = entry->value;
    uint64_t revision = entry->revision;
    for (int i = 0; i < SECRETS_TRIES; i++) {
        if (!fact_read(secrets, place, value, fact, error))
            return false;
        if (fact->current)
            return true;
        if (rotate_seal(secrets, place, value, fact->created_us, revision, error)) {
            fact->key_id = secrets->keys.keys[0].id;
            fact->current = fact->known = fact->sealed_now = true;
            return true;
        }
        if (error->code != CORE_ERROR_CONFLICT ||
            !fanout_bucket_get(secrets->bucket, place->key, &secrets->box, &revision, error))
            return false;
        value = core_buffer_slice(&secrets->box);
        fact->created_us = 0;
        if (revision == 0)
            return true;
    }
    return false;
}

bool auth_secrets_rotate(auth_secrets *secrets, auth_secrets_handler handler, void *context,
                         core_error *error) {
    secret_walk walk = {.secrets = secrets_of(secrets),
                        .step = rotate_step,
                        .handler = handler,
                        .context = context};
    return secrets_have_key(secrets, error) && secrets_walk(&walk, error);
}

/* ---- Life ---- */

auth_secrets *auth_secrets_new(fanout_connection *connection, const core_config *config,
                               core_error *error) {
    auth_secrets *secrets = calloc(1, sizeof *secrets);
    if (secrets == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for secrets");
        return NULL;
    }
    secrets->magic = SECRETS_MAGIC;
    core_buffer_init(&secrets->box, AUTH_SECRET_BOX_MAX);
    if (auth_secret_keys_load(&secrets->keys, config, error))
        secrets->bucket = fanout_bucket_new(connection, config, SECRETS_BUCKET, error);
    if (secrets->bucket != NULL)
        return secrets;
    auth_secrets_free(secrets);
    return NULL;
}

void auth_secrets_free(auth_secrets *secrets) {
    if (secrets == NULL)
        return;
    CORE_MAGIC_CHECK(secrets, SECRETS_MAGIC);
    fanout_bucket_free(secrets->bucket);
    auth_secret_keys_wipe(&secrets->keys);
    core_buffer_fini(&secrets->box);
    secrets->magic = 0;
    free(secrets);
}
