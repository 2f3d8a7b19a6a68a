/* The bucket of keys as tools write it; see auth.h.
 *
 * Every change of a record is a compare-and-set on what was read, tried again when somebody else
 * was first, so two administrators at once lose nothing. Whoever writes also removes what has ended
 * long ago: keys after KEPT_S, so that a list still shows them for a while, and revocations as soon
 * as their tokens have expired. */
#include "auth/key.h"
#include "auth/revocation.h"
#include "fanout/fanout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STORE_MAGIC UINT32_C(0x6b737472)
#define KEPT_S      (INT64_C(30) * 24 * 3600)

enum { TRIES_MAX = 20, PLACE_MAX = 1024 };

struct auth_key_store {
    uint32_t magic;
    const core_clock *clock;
    fanout_connection *connection;
    fanout_bucket *bucket;
    core_buffer value;
};

/* A name's record as it was read. */
typedef struct {
    char place[PLACE_MAX];
    uint64_t revision; /* 0: there is none */
    auth_key_record record;
} stored_key;

static int64_t now_s(const auth_key_store *store) {
    return core_clock_wall_us(store->clock) / CORE_US_PER_S;
}

/* ---- Life ---- */

auth_key_store *auth_key_store_new(const auth_verifier_spec *spec, core_error *error) {
    auth_key_store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the store of keys");
        return NULL;
    }
    store->magic = STORE_MAGIC;
    store->clock = spec->clock;
    core_buffer_init(&store->value, AUTH_KEY_RECORD_MAX);
    store->connection =
        fanout_connection_new(spec->config, "walcast-admin", spec->log, spec->metrics, error);
    if (store->connection != NULL)
        store->bucket = fanout_bucket_new(store->connection, spec->config, "keys", error);
    if (store->bucket != NULL)
        return store;
    auth_key_store_free(store);
    return NULL;
}

void auth_key_store_free(auth_key_store *store) {
    if (store == NULL)
        return;
    CORE_MAGIC_CHECK(store, STORE_MAGIC);
    fanout_bucket_free(store->bucket);
    fanout_connection_free(store->connection);
    core_buffer_fini(&store->value);
    store->magic = 0;
    free(store);
}

/* ---- One record ---- */

static bool key_load(auth_key_store *store, const auth_key_record *place, stored_key *stored,
                     core_error *error) {
    core_buffer text = core_buffer_over(stored->place, sizeof stored->place);
    stored->record = (auth_key_record){.secret_count = 0};
    if (!auth_key_place(place, &text))
        return core_error_set(error, CORE_ERROR_INPUT, "the names of key '%s' are too long",
                              place->name);
    if (!fanout_bucket_get(store->bucket, stored->place, &store->value, &stored->revision, error))
        return false;
    return stored->revision == 0 ||
           auth_key_decode(core_buffer_slice(&store->value), &stored->record, error);
}

static bool key_save(auth_key_store *store, stored_key *stored, core_error *error) {
    core_buffer_reset(&store->value);
    auth_key_encode(&stored->record, &store->value);
    if (!core_buffer_ok(&store->value))
        return core_error_set(error, CORE_ERROR_LIMIT, "the record of key '%s' is too large",
                              stored->record.name);
    return fanout_bucket_set(store->bucket, stored->place, core_buffer_slice(&store->value),
                             stored->revision, &stored->revision, error);
}

static bool record_counts(const auth_key_record *record, int64_t at_s) {
    for (size_t i = 0; i < record->secret_count; i++)
        if (auth_key_secret_state(&record->secrets[i], at_s) == AUTH_KEY_ACTIVE)
            return true;
    return false;
}

/* Reads the record, lets `change` change it, and stores it, again when somebody else was first. */
typedef bool (*key_change)(auth_key_store *store, stored_key *stored, void *context,
                           core_error *error);

static bool key_change_stored(auth_key_store *store, const auth_key_record *place,
                              key_change change, void *context, stored_key *stored,
                              core_error *error) {
    for (int i = 0; i < TRIES_MAX; i++) {
        if (!key_load(store, place, stored, error) || !change(store, stored, context, error))
            return false;
        if (key_save(store, stored, error))
            return true;
        if (error->code != CORE_ERROR_CONFLICT)
            return false;
    }
    return core_error_wrap(error, "key '%s' is being changed by others: try again", place->name);
}

/* ---- Walks ---- */

typedef struct {
    auth_key_each_handler handler;
    void *context;
} record_listing;

static bool record_tell(void *context, const fanout_bucket_entry *entry, core_error *error) {
    const record_listing *listing = context;
    auth_key_record record;
    core_error problem = {.text = ""};
    (void)error;
    bool ok = auth_key_decode(entry->value, &record, &problem) ||
              core_error_wrap(&problem, "%s", entry->key);
    listing->handler(listing->context, ok ? &record : NULL, problem.text);
    return true;
}

bool auth_key_each(auth_key_store *store, auth_key_each_handler handler, void *context,
                   core_error *error) {
    record_listing listing = {.handler = handler, .context = context};
    CORE_MAGIC_CHECK(store, STORE_MAGIC);
    return fanout_bucket_each(store->bucket, AUTH_KEY_TOKEN, record_tell, &listing, error);
}

/* Removes what has ended, and counts what is left. */
typedef struct {
    auth_key_store *store;
    size_t count;
} key_walk;

static bool record_is_old(const auth_key_record *record, int64_t at_s) {
    for (size_t i = 0; i < record->secret_count; i++) {
        const auth_key_secret *secret = &record->secrets[i];
        int64_t end_s = secret->revoked_s != 0 ? secret->revoked_s : secret->expires_s;
        if (end_s > at_s - KEPT_S)
            return false;
    }
    return true;
}

static bool record_walk(void *context, const fanout_bucket_entry *entry, core_error *error) {
    key_walk *walk = context;
    auth_key_record record;
    char place[PLACE_MAX];
    core_buffer text = core_buffer_over(place, sizeof place);
    if (auth_key_decode(entry->value, &record, NULL) &&
        record_is_old(&record, now_s(walk->store)) && auth_key_place(&record, &text))
        return fanout_bucket_erase(walk->store->bucket, place, entry->revision, error);
    walk->count++;
    return true;
}

static bool revocation_walk(void *context, const fanout_bucket_entry *entry, core_error *error) {
    key_walk *walk = context;
    char memory[AUTH_CLAIM_MAX], key[AUTH_REVOCATION_KEY_MAX];
    core_buffer jti = core_buffer_over(memory, sizeof memory);
    bool ended = auth_revocation_until(entry->value) <= now_s(walk->store) &&
                 auth_revocation_jti(core_slice_text(entry->key), &jti);
    core_buffer_u8(&jti, 0);
    walk->count += ended ? 0 : 1;
    return !ended || !core_buffer_ok(&jti) || !auth_revocation_key(memory, key, NULL) ||
           fanout_bucket_erase(walk->store->bucket, key, entry->revision, error);
}

static bool store_tidy(auth_key_store *store, size_t *keys, size_t *revocations,
                       core_error *error) {
    key_walk of_keys = {.store = store}, of_revocations = {.store = store};
    bool ok = fanout_bucket_each(store->bucket, AUTH_KEY_TOKEN, record_walk, &of_keys, error) &&
              fanout_bucket_each(store->bucket, AUTH_REVOCATION_TOKEN, revocation_walk,
                                 &of_revocations, error);
    *keys = of_keys.count;
    *revocations = of_revocations.count;
    return ok;
}

/* ---- Create ---- */

typedef struct {
    const auth_key_record *wished;
    auth_key_secret secret;
} key_creation;

static bool key_fill(auth_key_store *store, stored_key *stored, void *context, core_error *error) {
    const key_creation *creation = context;
    if (stored->revision != 0 && record_counts(&stored->record, now_s(store)))
        return core_error_set(
            error, CORE_ERROR_CONFLICT,
            "a key named '%s' exists already in project %s, environment %s: choose another name, "
            "`walcast keys rotate` it for a new secret, or `walcast keys revoke` it first",
            creation->wished->name, creation->wished->project, creation->wished->environment);
    stored->record = *creation->wished;
    stored->record.created_s = creation->secret.created_s;
    stored->record.secret_count = 1;
    stored->record.secrets[0] = creation->secret;
    return true;
}

bool auth_key_create(auth_key_store *store, const auth_key_record *wished, int64_t expires_s,
                     char text[AUTH_KEY_TEXT_MAX], auth_key_record *made, core_error *error) {
    key_creation creation = {.wished = wished};
    stored_key stored;
    size_t keys, revocations;
    CORE_MAGIC_CHECK(store, STORE_MAGIC);
    if (!auth_key_valid(wished, error))
        return false;
    if (wished->scopes == 0 || wished->scopes > CORE_SCOPES_ALL)
        return core_error_set(error, CORE_ERROR_INPUT, "a key needs at least one scope");
    if (!store_tidy(store, &keys, &revocations, error) ||
        !auth_key_make(text, &creation.secret, error))
        return false;
    if (keys >= AUTH_KEYS_MAX)
        return core_error_set(error, CORE_ERROR_LIMIT,
                              "%zu names have keys, at most %d may: revoke what is not used", keys,
                              AUTH_KEYS_MAX);
    creation.secret.created_s = now_s(store);
    creation.secret.expires_s = expires_s;
    bool ok = key_change_stored(store, wished, key_fill, &creation, &stored, error);
    if (ok)
        *made = stored.record;
    else
        explicit_bzero(text, AUTH_KEY_TEXT_MAX);
    return ok;
}

/* ---- Rotate ---- */

typedef struct {
    auth_key_secret secret;
    int64_t overlap_s;
} key_rotation;

/* Those that ended make room, the oldest first. */
static void secrets_make_room(auth_key_record *record, int64_t at_s) {
    for (size_t i = 0; record->secret_count == AUTH_KEY_SECRETS_MAX && i < record->secret_count;) {
        if (auth_key_secret_state(&record->secrets[i], at_s) == AUTH_KEY_ACTIVE) {
            i++;
            continue;
        }
        record->secret_count--;
        memmove(&record->secrets[i], &record->secrets[i + 1],
                (record->secret_count - i) * sizeof record->secrets[0]);
    }
}

static bool key_turn(auth_key_store *store, stored_key *stored, void *context, core_error *error) {
    key_rotation *rotation = context;
    auth_key_record *record = &stored->record;
    int64_t at_s = now_s(store);
    if (!record_counts(record, at_s))
        return core_error_set(error, CORE_ERROR_INPUT,
                              "there is no key of that name that counts; `walcast keys list` shows "
                              "those there are, `walcast keys create` makes one");
    secrets_make_room(record, at_s);
    if (record->secret_count == AUTH_KEY_SECRETS_MAX)
        return core_error_set(error, CORE_ERROR_LIMIT,
                              "key '%s' has %d secrets that count: wait until an overlap ends, or "
                              "revoke it",
                              record->name, AUTH_KEY_SECRETS_MAX);
    const auth_key_secret *newest = &record->secrets[record->secret_count - 1];
    rotation->secret.created_s = at_s;
    rotation->secret.expires_s = newest->expires_s == AUTH_NEVER_S
                                     ? AUTH_NEVER_S
                                     : at_s + (newest->expires_s - newest->created_s);
    for (size_t i = 0; i < record->secret_count; i++)
        if (record->secrets[i].expires_s > at_s + rotation->overlap_s)
            record->secrets[i].expires_s = at_s + rotation->overlap_s;
    record->secrets[record->secret_count++] = rotation->secret;
    return true;
}

bool auth_key_rotate(auth_key_store *store, auth_key_record *record, int64_t overlap_s,
                     char text[AUTH_KEY_TEXT_MAX], core_error *error) {
    key_rotation rotation = {.overlap_s = overlap_s};
    stored_key stored;
    CORE_MAGIC_CHECK(store, STORE_MAGIC);
    if (!auth_key_make(text, &rotation.secret, error))
        return false;
    bool ok = key_change_stored(store, record, key_turn, &rotation, &stored, error);
    if (ok)
        *record = stored.record;
    else
        explicit_bzero(text, AUTH_KEY_TEXT_MAX);
    return ok;
}

/* ---- Describe ---- */

typedef struct {
    const char *title, *description;
} key_words;

static bool words_write(auth_key_store *store, stored_key *stored, void *context,
                        core_error *error) {
    const key_words *words = context;
    auth_key_record *record = &stored->record;
    if (stored->revision == 0 || !record_counts(record, now_s(store)))
        return core_error_set(error, CORE_ERROR_INPUT, "there is no key of that name that counts");
    if (words->title != NULL)
        (void)snprintf(record->title, sizeof record->title, "%s", words->title);
    if (words->description != NULL)
        (void)snprintf(record->description, sizeof record->description, "%s", words->description);
    record->changed_s = now_s(store);
    return true;
}

bool auth_key_describe(auth_key_store *store, auth_key_record *record, const char *title,
                       const char *description, core_error *error) {
    key_words words = {.title = title, .description = description};
    stored_key stored;
    CORE_MAGIC_CHECK(store, STORE_MAGIC);
    if (!key_change_stored(store, record, words_write, &words, &stored, error))
        return false;
    *record = stored.record;
    return true;
}

/* ---- Revoke ---- */

static bool key_end(auth_key_store *store, stored_key *stored, void *context, core_error *error) {
    (void)context;
    auth_key_record *record = &stored->record;
    int64_t at_s = now_s(store);
    if (stored->revision == 0)
        return core_error_set(error, CORE_ERROR_INPUT,
                              "there is no key of that name; `walcast keys list` shows those there "
                              "are");
    for (size_t i = 0; i < record->secret_count; i++)
        if (auth_key_secret_state(&record->secrets[i], at_s) == AUTH_KEY_ACTIVE)
            record->secrets[i].revoked_s = at_s;
    return true;
}

bool auth_key_revoke(auth_key_store *store, auth_key_record *record, core_error *error) {
    stored_key stored;
    CORE_MAGIC_CHECK(store, STORE_MAGIC);
    if (!key_change_stored(store, record, key_end, NULL, &stored, error))
        return false;
    *record = stored.record;
    return true;
}

/* False: it is there already, and ends no earlier. */
static bool revocation_is_later(auth_key_store *store, const char *key, int64_t until_s,
                                uint64_t *revision, bool *later, core_error *error) {
    if (!fanout_bucket_get(store->bucket, key, &store->value, revision, error))
        return false;
    *later = *revision == 0 || auth_revocation_until(core_buffer_slice(&store->value)) < until_s;
    return true;
}

bool auth_token_revoke(auth_key_store *store, const char *jti, int64_t until_s, core_error *error) {
    char key[AUTH_REVOCATION_KEY_MAX];
    size_t keys, revocations;
    bool later = true;
    CORE_MAGIC_CHECK(store, STORE_MAGIC);
    if (!auth_revocation_key(jti, key, error) || !store_tidy(store, &keys, &revocations, error))
        return false;
    if (revocations >= AUTH_REVOCATIONS_MAX)
        return core_error_set(error, CORE_ERROR_LIMIT,
                              "%zu tokens are revoked, at most %d may be: use another "
                              "auth.jwt_secret, which ends all tokens",
                              revocations, AUTH_REVOCATIONS_MAX);
    for (int i = 0; i < TRIES_MAX; i++) {
        uint64_t revision;
        if (!revocation_is_later(store, key, until_s, &revision, &later, error))
            return false;
        core_buffer_reset(&store->value);
        auth_revocation_encode(until_s, now_s(store), &store->value);
        if (!later || fanout_bucket_set(store->bucket, key, core_buffer_slice(&store->value),
                                        revision, &revision, error))
            return true;
        if (error->code != CORE_ERROR_CONFLICT)
            return false;
    }
    return core_error_wrap(error, "this jti is being revoked by others: try again");
}
