/* Private channels: what was answered lately, what is being asked, and who waits; see auth.h.
 *
 * An entry is a question with its answer or with those who wait for it. Happy path: not there, so
 * it is made, its job goes to the pool, the answer is given to all who asked meanwhile and kept for
 * auth.policy_cache. Bounds: CHANNEL_ENTRIES_MAX answers (the one used longest ago goes), as many
 * questions under way as the pool's queue takes, CHANNEL_WAITERS_MAX who wait. The mutex is never
 * held over the pool nor over a callback. */
#include "auth/access_private.h"
#include "auth/channel_query.h"

#include <pthread.h>
#include <stdlib.h>

#define CHANNEL_MAGIC UINT32_C(0x6368616e)

enum {
    CHANNEL_ENTRIES_MAX = 4096, /* the docs of auth.policy_cache say so */
    CHANNEL_BUCKETS = 8192,     /* a power of two */
    CHANNEL_WAITERS_MAX = 65536,
    CHANNEL_TOPIC_MAX = 1024, /* bytes */
};

typedef struct channel_waiter {
    struct channel_waiter *next;
    auth_channel_done done;
    void *context;
} channel_waiter;

/* In its bucket while it is being asked, and then as long as it is kept. */
typedef struct channel_entry {
    pg_job job; /* first: the job is the entry */
    uint32_t magic;
    auth_channels *channels;
    struct channel_entry *next;  /* in its bucket */
    struct channel_entry *newer; /* answered ones, by their last use */
    struct channel_entry *older;
    uint64_t hash;
    char role[AUTH_NAME_MAX];
    char *subject;
    core_slice topic;
    core_slice claims_json;
    uint64_t claims_hash;
    uint64_t generation; /* of the channels', when it was asked */
    bool answered;
    int64_t answered_ms;
    channel_waiter *waiters; /* newest first */
    auth_channel_rights rights;
    uint8_t bytes[]; /* topic, subject, claims */
} channel_entry;

struct auth_channels {
    pg_pool *pool;
    core_metrics *metrics;
    int64_t timeout_ms;
    int64_t keep_ms;

    pthread_mutex_t mutex;
    channel_entry *buckets[CHANNEL_BUCKETS];
    channel_entry *newest; /* of the answered */
    channel_entry *oldest;
    uint64_t generation; /* of policies, as far as changes were told */
    size_t answered;
    size_t asking;
    size_t waiting;
};

static int64_t now_ms(void) {
    return core_clock_ms(core_clock_system());
}

/* ---- Entries; with the mutex held ---- */

static uint64_t question_hash(const auth_channel_question *question) {
    uint64_t hash = core_slice_hash(question->topic);
    hash = hash * 31 + core_slice_hash(core_slice_text(question->role));
    return hash * 31 + question->claims_hash;
}

static bool entry_is(const channel_entry *entry, const auth_channel_question *question,
                     uint64_t hash) {
    /* The hash leaves out times and jti, which a policy may read all the same. */
    return entry->hash == hash && entry->claims_hash == question->claims_hash &&
           core_slice_equal(entry->claims_json, question->claims_json) &&
           strcmp(entry->role, question->role) == 0 &&
           core_slice_equal(entry->topic, question->topic);
}

static channel_entry **entry_find(auth_channels *channels, const auth_channel_question *question,
                                  uint64_t hash) {
    channel_entry **at = &channels->buckets[hash & (CHANNEL_BUCKETS - 1)];
    while (*at != NULL &&
           ((*at)->generation != channels->generation || !entry_is(*at, question, hash)))
        at = &(*at)->next;
    return at;
}

static void entry_unlink(auth_channels *channels, channel_entry *entry) {
    channel_entry **at = &channels->buckets[entry->hash & (CHANNEL_BUCKETS - 1)];
    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
}

static void answered_take(auth_channels *channels, channel_entry *entry) {
    *(entry->newer != NULL ? &entry->newer->older : &channels->newest) = entry->older;
    *(entry->older != NULL ? &entry->older->newer : &channels->oldest) = entry->newer;
    channels->answered--;
}

static void answered_put(auth_channels *channels, channel_entry *entry) {
    entry->newer = NULL;
    entry->older = channels->newest;
    *(channels->newest != NULL ? &channels->newest->newer : &channels->oldest) = entry;
    channels->newest = entry;
    channels->answered++;
}

static void answered_drop(auth_channels *channels, channel_entry *entry) {
    answered_take(channels, entry);
    entry_unlink(channels, entry);
    entry->magic = 0;
    free(entry);
}

/* A recent answer, copied; one that is too old is dropped. */
static bool answer_find(auth_channels *channels, channel_entry *entry,
                        auth_channel_rights *rights) {
    if (now_ms() - entry->answered_ms > channels->keep_ms) {
        answered_drop(channels, entry);
        return false;
    }
    *rights = entry->rights;
    answered_take(channels, entry);
    answered_put(channels, entry);
    return true;
}

static bool waiter_add(auth_channels *channels, channel_entry *entry, auth_channel_done done,
                       void *context) {
    channel_waiter *waiter =
        channels->waiting < CHANNEL_WAITERS_MAX ? malloc(sizeof *waiter) : NULL;
    if (waiter == NULL)
        return false;
    *waiter = (channel_waiter){.next = entry->waiters, .done = done, .context = context};
    entry->waiters = waiter;
    channels->waiting++;
    return true;
}

/* ---- On a thread of the pool ---- */

static bool entry_run(pg_job *job, pg_connection *connection, core_error *error) {
    channel_entry *entry = (channel_entry *)job;
    CORE_MAGIC_CHECK(entry, CHANNEL_MAGIC);
    const auth_channel_question question = {
        .role = entry->role,
        .subject = entry->subject,
        .claims_json = entry->claims_json,
        .topic = entry->topic,
    };
    return auth_channel_query(connection, &question, entry->channels->timeout_ms, &entry->rights,
                              error);
}

static void waiters_tell(channel_waiter *newest, const auth_channel_rights *rights) {
    channel_waiter *oldest = NULL;
    while (newest != NULL) { /* in the order in which they came */
        channel_waiter *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest != NULL) {
        channel_waiter *next = oldest->next;
        oldest->done(oldest->context, rights);
        free(oldest);
        oldest = next;
    }
}

static channel_waiter *waiters_take(auth_channels *channels, channel_entry *entry) {
    channel_waiter *waiters = entry->waiters;
    entry->waiters = NULL;
    for (const channel_waiter *waiter = waiters; waiter != NULL; waiter = waiter->next)
        channels->waiting--;
    return waiters;
}

static void entry_done(pg_job *job, bool ok, const core_error *error) {
    channel_entry *entry = (channel_entry *)job;
    CORE_MAGIC_CHECK(entry, CHANNEL_MAGIC);
    (void)error; /* the pool logs a server that is away; the client hears that it may try again */
    auth_channels *channels = entry->channels;
    if (!ok)
        auth_channel_refuse(&entry->rights, true,
                            "the database cannot be asked for its policies now; try again later");
    auth_channel_rights rights = entry->rights;
    (void)pthread_mutex_lock(&channels->mutex);
    channel_waiter *waiters = waiters_take(channels, entry);
    channels->asking--;
    entry->answered = true;
    entry->answered_ms = now_ms();
    answered_put(channels, entry);
    if (rights.unavailable || channels->keep_ms == 0 || entry->generation != channels->generation)
        answered_drop(channels, entry);
    else if (channels->answered > CHANNEL_ENTRIES_MAX)
        answered_drop(channels, channels->oldest);
    (void)pthread_mutex_unlock(&channels->mutex);
    waiters_tell(waiters, &rights);
}

/* ---- Asking ---- */

static void waiter_first_drop(auth_channels *channels, channel_entry *entry) {
    (void)pthread_mutex_lock(&channels->mutex);
    channel_waiter **at = &entry->waiters;
    while ((*at)->next != NULL)
        at = &(*at)->next;
    free(*at);
    *at = NULL;
    channels->waiting--;
    (void)pthread_mutex_unlock(&channels->mutex);
}

static channel_entry *entry_new(auth_channels *channels, const auth_channel_question *question,
                                uint64_t hash) {
    size_t subject = strlen(question->subject) + 1;
    size_t topic = question->topic.length;
    channel_entry *entry =
        calloc(1, sizeof *entry + topic + subject + question->claims_json.length);
    if (entry == NULL)
        return NULL;
    entry->magic = CHANNEL_MAGIC;
    entry->channels = channels;
    entry->job.run = entry_run;
    entry->job.done = entry_done;
    entry->hash = hash;
    entry->claims_hash = question->claims_hash;
    uint8_t *at = entry->bytes;
    memcpy(entry->role, question->role, strlen(question->role)); /* question_refuse saw to it */
    memcpy(at, question->topic.data, topic);
    memcpy(at + topic, question->subject, subject);
    if (question->claims_json.length > 0)
        memcpy(at + topic + subject, question->claims_json.data, question->claims_json.length);
    entry->topic = core_slice_make(at, topic);
    entry->subject = (char *)at + topic;
    entry->claims_json = core_slice_make(at + topic + subject, question->claims_json.length);
    return entry;
}

static bool slice_is_text(core_slice slice) {
    return slice.length == 0 || memchr(slice.data, '\0', slice.length) == NULL;
}

/* True, with a refusal, for what the database need not or cannot be asked. */
static bool question_refuse(const auth_channels *channels, const auth_channel_question *question,
                            auth_channel_rights *rights) {
    size_t role = strlen(question->role);
    if (question->topic.length == 0 || question->topic.length > CHANNEL_TOPIC_MAX ||
        !slice_is_text(question->topic) || !core_utf8_valid(question->topic))
        auth_channel_refuse(rights, false,
                            "a private channel's topic has 1 to 1024 bytes of UTF-8, no NUL");
    else if (role == 0 || role >= AUTH_NAME_MAX)
        auth_channel_refuse(rights, false, "the token's role is not a PostgreSQL role's name");
    else if (question->claims_json.length > AUTH_TOKEN_MAX || !slice_is_text(question->claims_json))
        auth_channel_refuse(rights, false, "the token's claims are too large or hold a NUL");
    else if (channels->pool == NULL)
        auth_channel_refuse(rights, true, "this server asks no database for policies");
    else
        return false;
    return true;
}

/* With the mutex held: joins a question under way, or makes one that is to be submitted. False when
 * there is no room for it. */
static bool question_enter(auth_channels *channels, const auth_channel_question *question,
                           channel_entry **at, uint64_t hash, auth_channel_done done, void *context,
                           channel_entry **fresh) {
    if (*at != NULL)
        return waiter_add(channels, *at, done, context);
    channel_entry *entry = entry_new(channels, question, hash);
    if (entry == NULL)
        return false;
    if (!waiter_add(channels, entry, done, context)) {
        free(entry);
        return false;
    }
    entry->generation = channels->generation;
    *at = entry;
    channels->asking++;
    *fresh = entry;
    return true;
}

bool auth_channel_check(auth_access *access, const auth_channel_question *question,
                        auth_channel_rights *rights, auth_channel_done done, void *context) {
    auth_channels *channels = auth_access_channels(access);
    if (question_refuse(channels, question, rights))
        return true;
    if (auth_access_role_bypasses(access, question->role)) {
        *rights = (auth_channel_rights){.allowed = {true, true, true, true}};
        return true;
    }
    uint64_t hash = question_hash(question);
    channel_entry *fresh = NULL;
    (void)pthread_mutex_lock(&channels->mutex);
    channel_entry **at = entry_find(channels, question, hash);
    if (*at != NULL && (*at)->answered) {
        if (answer_find(channels, *at, rights)) {
            (void)pthread_mutex_unlock(&channels->mutex);
            core_metrics_add(channels->metrics, CORE_METRIC_AUTH_CHANNEL_CACHED, 1);
            return true;
        }
        at = entry_find(channels, question, hash);
    }
    bool entered = question_enter(channels, question, at, hash, done, context, &fresh);
    (void)pthread_mutex_unlock(&channels->mutex);
    if (!entered)
        auth_channel_refuse(rights, true, "too many private channels are being joined; try later");
    if (fresh == NULL)
        return !entered;
    core_metrics_add(channels->metrics, CORE_METRIC_AUTH_CHANNEL_CHECKS, 1);
    core_error error = {.code = CORE_ERROR_NONE};
    if (pg_pool_submit(channels->pool, &fresh->job, &error))
        return false;
    waiter_first_drop(channels, fresh); /* our own; others may wait for it by now */
    entry_done(&fresh->job, false, &error);
    auth_channel_refuse(rights, true, error.text);
    return true;
}

/* Who asks from here on does not share a question that is under way either. */
void auth_channels_forget(auth_channels *channels) {
    (void)pthread_mutex_lock(&channels->mutex);
    channels->generation++;
    while (channels->oldest != NULL)
        answered_drop(channels, channels->oldest);
    (void)pthread_mutex_unlock(&channels->mutex);
}

/* ---- Life ---- */

auth_channels *auth_channels_new(const auth_access_spec *spec, core_error *error) {
    auth_channels *channels = calloc(1, sizeof *channels);
    if (channels == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for private channels");
        return NULL;
    }
    channels->pool = spec->pool;
    channels->metrics = spec->metrics;
    channels->timeout_ms = core_config_integer(spec->config, "auth.policy_timeout");
    channels->keep_ms = core_config_integer(spec->config, "auth.policy_cache");
    (void)pthread_mutex_init(&channels->mutex, NULL);
    return channels;
}

void auth_channels_free(auth_channels *channels) {
    if (channels == NULL)
        return;
    assert(channels->asking == 0);
    while (channels->oldest != NULL)
        answered_drop(channels, channels->oldest);
    (void)pthread_mutex_destroy(&channels->mutex);
    free(channels);
}
