/* See key_table.h. Chained hash tables of a fixed number of places: keys by prefix (several of one
 * prefix are told apart by their hash), records by their place in the bucket, revoked tokens by
 * jti. Prefixes are random, and places and ids are an administrator's, so the hash needs no key. */
#include "auth/key_table.h"
#include "auth/claims.h"
#include "auth/mac.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    CHAINS = 65536,
    MAC_KEY_BYTES = 32,
    CLAIMS_JSON_MAX = 8 * AUTH_CLAIM_MAX + AUTH_KEY_INDEXES_MAX
};

typedef struct key_record key_record;

/* One key, in its prefix's chain. */
typedef struct key_node {
    struct key_node *next;
    key_record *record;
    auth_key_secret secret;
} key_node;

struct key_record {
    key_record *next;
    unsigned round;
    unsigned scopes;
    uint64_t claims_hash;
    size_t bytes; /* all that it takes */
    size_t secret_count;
    key_node *nodes;
    core_slice place, role, subject, project, environment, json;
    uint8_t texts[];
};

typedef struct revoked_token {
    struct revoked_token *next;
    unsigned round;
    int64_t until_s;
    size_t length;
    uint8_t jti[];
} revoked_token;

struct auth_key_table {
    pthread_mutex_t mutex;
    uint8_t mac_key[MAC_KEY_BYTES]; /* of claims_hash */
    unsigned round;
    bool loaded;
    bool overflowed; /* a revoked token found no room in the last whole round, or since */
    bool overflows;  /* one found none in this round */
    size_t key_count, key_bytes, token_count;
    key_node *keys[CHAINS];
    key_record *records[CHAINS];
    revoked_token *tokens[CHAINS];
};

auth_key_table *auth_key_table_new(void) {
    auth_key_table *table = calloc(1, sizeof *table);
    if (table == NULL)
        return NULL;
    if (getrandom(table->mac_key, MAC_KEY_BYTES, 0) != MAC_KEY_BYTES) {
        free(table);
        return NULL;
    }
    (void)pthread_mutex_init(&table->mutex, NULL);
    return table;
}

static size_t chain_of(core_slice text) {
    return core_slice_hash(text) % CHAINS;
}

static void table_lock(auth_key_table *table) {
    (void)pthread_mutex_lock(&table->mutex);
}

static void table_unlock(auth_key_table *table) {
    (void)pthread_mutex_unlock(&table->mutex);
}

/* ---- Records ---- */

static void record_free(key_record *record) {
    if (record != NULL)
        free(record->nodes);
    free(record);
}

static uint64_t key_mark(const uint8_t hash[32]) {
    uint64_t mark;
    memcpy(&mark, hash, sizeof mark);
    return mark != 0 ? mark : 1;
}

/* What policies see of it. */
static void claims_write(const auth_key_record *record, core_buffer *out) {
    core_json_writer json = core_json_writer_make(out);
    core_json_object_open(&json);
    core_json_key_text(&json, "role");
    core_json_text(&json, record->role);
    if (record->subject[0] != '\0') {
        core_json_key_text(&json, "sub");
        core_json_text(&json, record->subject);
    }
    core_json_key_text(&json, "project_id");
    core_json_text(&json, record->project);
    core_json_key_text(&json, "environment_id");
    core_json_text(&json, record->environment);
    if (record->indexes[0] != '\0') {
        core_json_key_text(&json, AUTH_KEY_INDEXES_CLAIM);
        core_json_raw(&json, core_slice_text(record->indexes));
    }
    core_json_object_close(&json);
}

static bool claims_hash(const auth_key_table *table, core_slice json, uint64_t *hash) {
    auth_claim_set set;
    bool ok = auth_claim_set_parse(&set, json) == AUTH_OK &&
              auth_claim_set_hash(&set, core_slice_make(table->mac_key, MAC_KEY_BYTES), hash);
    auth_claim_set_fini(&set);
    return ok;
}

static size_t record_text_bytes(core_slice place, const auth_key_record *record, core_slice json) {
    return place.length + strlen(record->role) + strlen(record->subject) + strlen(record->project) +
           strlen(record->environment) + json.length;
}

static void record_fill(key_record *made, core_slice place, const auth_key_record *record,
                        core_slice json) {
    uint8_t *room = made->texts;
    made->place = core_slice_keep(&room, place);
    made->role = core_slice_keep(&room, core_slice_text(record->role));
    made->subject = core_slice_keep(&room, core_slice_text(record->subject));
    made->project = core_slice_keep(&room, core_slice_text(record->project));
    made->environment = core_slice_keep(&room, core_slice_text(record->environment));
    made->json = core_slice_keep(&room, json);
    made->scopes = record->scopes;
    made->secret_count = record->secret_count;
    for (size_t i = 0; i < record->secret_count; i++)
        made->nodes[i] = (key_node){.record = made, .secret = record->secrets[i]};
}

static key_record *record_new(const auth_key_table *table, core_slice place,
                              const auth_key_record *record) {
    core_buffer json;
    core_buffer_init(&json, CLAIMS_JSON_MAX);
    claims_write(record, &json);
    size_t bytes = sizeof(key_record) + record->secret_count * sizeof(key_node) +
                   record_text_bytes(place, record, core_buffer_slice(&json));
    key_record *made = core_buffer_ok(&json) ? calloc(1, bytes) : NULL;
    if (made != NULL)
        made->nodes = calloc(record->secret_count + 1, sizeof *made->nodes);
    bool ok = made != NULL && made->nodes != NULL &&
              claims_hash(table, core_buffer_slice(&json), &made->claims_hash);
    if (ok) {
        made->bytes = bytes;
        record_fill(made, place, record, core_buffer_slice(&json));
    }
    core_buffer_fini(&json);
    if (ok)
        return made;
    record_free(made);
    return NULL;
}

/* The rest with the mutex held. */
static key_node **key_chain(auth_key_table *table, const char *prefix) {
    return &table->keys[chain_of(core_slice_text(prefix))];
}

static void record_link(auth_key_table *table, key_record *record) {
    key_record **chain = &table->records[chain_of(record->place)];
    record->next = *chain;
    *chain = record;
    record->round = table->round;
    table->key_count += record->secret_count;
    table->key_bytes += record->bytes;
    for (size_t i = 0; i < record->secret_count; i++) {
        key_node *node = &record->nodes[i];
        key_node **keys = key_chain(table, node->secret.prefix);
        node->next = *keys;
        *keys = node;
    }
}

static void record_unlink(auth_key_table *table, key_record **at) {
    key_record *record = *at;
    *at = record->next;
    table->key_count -= record->secret_count;
    table->key_bytes -= record->bytes;
    for (size_t i = 0; i < record->secret_count; i++) {
        key_node **keys = key_chain(table, record->nodes[i].secret.prefix);
        while (*keys != &record->nodes[i])
            keys = &(*keys)->next;
        *keys = record->nodes[i].next;
    }
}

static key_record **record_at(auth_key_table *table, core_slice place) {
    key_record **at = &table->records[chain_of(place)];
    while (*at != NULL && !core_slice_equal((*at)->place, place))
        at = &(*at)->next;
    return at;
}

static key_record *record_take(auth_key_table *table, core_slice place) {
    key_record **at = record_at(table, place);
    key_record *record = *at;
    if (record != NULL)
        record_unlink(table, at);
    return record;
}

bool auth_key_table_put(auth_key_table *table, core_slice place, const auth_key_record *record) {
    key_record *made = record_new(table, place, record);
    table_lock(table);
    key_record *before = record_take(table, place);
    bool room = made != NULL && table->key_count + made->secret_count <= AUTH_KEYS_MAX &&
                table->key_bytes + made->bytes <= AUTH_KEY_BYTES_MAX;
    if (room)
        record_link(table, made);
    table_unlock(table);
    record_free(before);
    if (!room)
        record_free(made);
    return room;
}

void auth_key_table_remove(auth_key_table *table, core_slice place) {
    table_lock(table);
    key_record *before = record_take(table, place);
    table_unlock(table);
    record_free(before);
}

/* ---- Revoked tokens ---- */

static revoked_token **token_at(auth_key_table *table, core_slice jti) {
    revoked_token **at = &table->tokens[chain_of(jti)];
    while (*at != NULL && !core_slice_equal(core_slice_make((*at)->jti, (*at)->length), jti))
        at = &(*at)->next;
    return at;
}

static void token_drop(auth_key_table *table, revoked_token **at) {
    revoked_token *token = *at;
    *at = token->next;
    table->token_count--;
    free(token);
}

/* Those whose tokens have expired by themselves. */
static void tokens_drop_ended(auth_key_table *table, int64_t now_s) {
    for (size_t i = 0; i < CHAINS; i++)
        for (revoked_token **at = &table->tokens[i]; *at != NULL;)
            if ((*at)->until_s <= now_s)
                token_drop(table, at);
            else
                at = &(*at)->next;
}

static revoked_token *token_new(auth_key_table *table, core_slice jti, int64_t now_s) {
    if (table->token_count >= AUTH_REVOCATIONS_MAX)
        tokens_drop_ended(table, now_s);
    bool room = table->token_count < AUTH_REVOCATIONS_MAX;
    revoked_token *token = room ? calloc(1, sizeof *token + jti.length) : NULL;
    if (token == NULL)
        return NULL;
    token->length = jti.length;
    memcpy(token->jti, jti.data, jti.length);
    revoked_token **chain = &table->tokens[chain_of(jti)];
    token->next = *chain;
    *chain = token;
    table->token_count++;
    return token;
}

bool auth_key_table_revoke(auth_key_table *table, core_slice jti, int64_t until_s, int64_t now_s) {
    if (until_s <= now_s || jti.length == 0)
        return true;
    table_lock(table);
    revoked_token *token = *token_at(table, jti);
    if (token == NULL)
        token = token_new(table, jti, now_s);
    if (token != NULL) {
        token->until_s = until_s;
        token->round = table->round;
    }
    table->overflows |= token == NULL;
    table->overflowed |= token == NULL;
    table_unlock(table);
    return token != NULL;
}

void auth_key_table_unrevoke(auth_key_table *table, core_slice jti) {
    table_lock(table);
    revoked_token **at = token_at(table, jti);
    if (*at != NULL)
        token_drop(table, at);
    table_unlock(table);
}

/* ---- Rounds ---- */

void auth_key_table_begin(auth_key_table *table) {
    table_lock(table);
    table->round++;
    table->overflows = false;
    table_unlock(table);
}

/* A chain at a time, so that nobody waits for all of it. */
static void chain_sweep(auth_key_table *table, size_t chain) {
    table_lock(table);
    for (key_record **at = &table->records[chain]; *at != NULL;) {
        key_record *record = *at;
        if (record->round == table->round) {
            at = &record->next;
            continue;
        }
        record_unlink(table, at);
        record_free(record);
    }
    for (revoked_token **at = &table->tokens[chain]; *at != NULL;)
        if ((*at)->round != table->round)
            token_drop(table, at);
        else
            at = &(*at)->next;
    table_unlock(table);
}

void auth_key_table_all(auth_key_table *table) {
    for (size_t chain = 0; chain < CHAINS; chain++)
        chain_sweep(table, chain);
    table_lock(table);
    table->loaded = true;
    table->overflowed = table->overflows;
    table_unlock(table);
}

void auth_key_table_free(auth_key_table *table) {
    if (table == NULL)
        return;
    auth_key_table_begin(table);
    for (size_t chain = 0; chain < CHAINS; chain++)
        chain_sweep(table, chain);
    (void)pthread_mutex_destroy(&table->mutex);
    explicit_bzero(table->mac_key, sizeof table->mac_key);
    free(table);
}

/* ---- Looking up ---- */

static auth_verdict node_verdict(const key_node *node, int64_t now_s) {
    switch (auth_key_secret_state(&node->secret, now_s)) {
    case AUTH_KEY_ACTIVE:
        return AUTH_OK;
    case AUTH_KEY_ENDED:
        return AUTH_KEY_EXPIRED;
    case AUTH_KEY_REVOKED:
        break;
    }
    return AUTH_REVOKED;
}

static void text_copy(char text[AUTH_CLAIM_MAX], core_slice from) {
    memcpy(text, from.data, from.length);
    text[from.length] = '\0';
}

static void claims_fill(const key_node *node, auth_claims *claims) {
    const key_record *record = node->record;
    *claims = (auth_claims){.scopes = record->scopes,
                            .expires_s = AUTH_NEVER_S,
                            .key = key_mark(node->secret.hash),
                            .claims_hash = record->claims_hash};
    text_copy(claims->role, record->role);
    text_copy(claims->subject, record->subject);
    text_copy(claims->project, record->project);
    text_copy(claims->environment, record->environment);
    memcpy(claims->id, node->secret.prefix, sizeof node->secret.prefix);
}

static const key_node *node_next(const key_node *node, const char *prefix) {
    while (node != NULL && strcmp(node->secret.prefix, prefix) != 0)
        node = node->next;
    return node;
}

bool auth_key_table_loaded(auth_key_table *table) {
    table_lock(table);
    bool loaded = table->loaded;
    table_unlock(table);
    return loaded;
}

auth_verdict auth_key_table_find(auth_key_table *table, const char *prefix, const uint8_t hash[32],
                                 int64_t now_s, auth_claims *claims, core_buffer *json) {
    table_lock(table);
    auth_verdict verdict = table->loaded ? AUTH_KEY_UNKNOWN : AUTH_UNAVAILABLE;
    const key_node *node = table->loaded ? node_next(*key_chain(table, prefix), prefix) : NULL;
    while (node != NULL && !auth_mac_equal(node->secret.hash, core_slice_make(hash, 32)))
        node = node_next(node->next, prefix);
    if (node != NULL)
        verdict = node_verdict(node, now_s);
    if (verdict == AUTH_OK) {
        claims_fill(node, claims);
        if (json != NULL)
            core_buffer_slice_append(json, node->record->json);
    }
    table_unlock(table);
    return verdict;
}

auth_verdict auth_key_table_stands(auth_key_table *table, const char *prefix, uint64_t key,
                                   int64_t now_s) {
    auth_verdict verdict = AUTH_KEY_UNKNOWN;
    table_lock(table);
    const key_node *node = node_next(*key_chain(table, prefix), prefix);
    while (node != NULL && key_mark(node->secret.hash) != key)
        node = node_next(node->next, prefix);
    if (node != NULL)
        verdict = node_verdict(node, now_s);
    table_unlock(table);
    return verdict;
}

auth_verdict auth_key_table_token(auth_key_table *table, const char *jti, int64_t now_s) {
    auth_verdict verdict = AUTH_OK;
    table_lock(table);
    const revoked_token *token = *token_at(table, core_slice_text(jti));
    if (token != NULL && token->until_s > now_s)
        verdict = AUTH_REVOKED;
    else if (!table->loaded || table->overflowed)
        verdict = AUTH_UNAVAILABLE;
    table_unlock(table);
    return verdict;
}

void auth_key_table_counts(auth_key_table *table, size_t *keys, size_t *tokens) {
    table_lock(table);
    *keys = table->key_count;
    *tokens = table->token_count;
    table_unlock(table);
}

static int64_t chain_next_end(const auth_key_table *table, size_t chain, int64_t now_s) {
    int64_t next_s = AUTH_NEVER_S;
    for (const key_node *node = table->keys[chain]; node != NULL; node = node->next)
        if (node->secret.expires_s > now_s && node->secret.expires_s < next_s)
            next_s = node->secret.expires_s;
    return next_s;
}

int64_t auth_key_table_next_end(auth_key_table *table, int64_t now_s) {
    int64_t next_s = AUTH_NEVER_S;
    for (size_t chain = 0; chain < CHAINS; chain++) {
        table_lock(table);
        int64_t end_s = chain_next_end(table, chain, now_s);
        table_unlock(table);
        next_s = end_s < next_s ? end_s : next_s;
    }
    return next_s;
}
