/* See token_cache.h. Sets of eight entries; a set belongs to one of 64 parts, each with a mutex
 * that is held for eight comparisons. The hash is keyed with random bytes of this process, so
 * nobody can look for tokens that fall into one set. */
#include "auth/token_cache.h"

#include "auth/mac.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

enum { WAYS = 8, PARTS = 64 };

typedef struct {
    uint8_t hash[32];
    uint64_t key_tag;
    uint64_t used; /* of the part's clock; 0: empty */
} cache_entry;

_Static_assert(sizeof(cache_entry) == AUTH_TOKEN_CACHE_ENTRY_BYTES, "as the header says");

typedef struct {
    pthread_mutex_t mutex;
    uint64_t clock;
} cache_part;

struct auth_token_cache {
    uint8_t key[AUTH_MAC_SIZE];
    size_t sets; /* a power of two, or 0 */
    cache_entry *entries;
    cache_part parts[PARTS];
};

auth_token_cache *auth_token_cache_new(size_t entries, core_error *error) {
    auth_token_cache *cache = calloc(1, sizeof *cache);
    if (cache != NULL) {
        cache->sets = entries > 0;
        while (cache->sets * WAYS < entries)
            cache->sets *= 2;
        for (size_t i = 0; i < PARTS; i++)
            (void)pthread_mutex_init(&cache->parts[i].mutex, NULL);
        if (cache->sets > 0)
            cache->entries = calloc(cache->sets * WAYS, sizeof *cache->entries);
    }
    if (cache != NULL && (cache->sets == 0 || cache->entries != NULL) &&
        getrandom(cache->key, sizeof cache->key, 0) == (ssize_t)sizeof cache->key)
        return cache;
    auth_token_cache_free(cache);
    (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a cache of %zu tokens",
                         entries);
    return NULL;
}

void auth_token_cache_free(auth_token_cache *cache) {
    if (cache == NULL)
        return;
    for (size_t i = 0; i < PARTS; i++)
        (void)pthread_mutex_destroy(&cache->parts[i].mutex);
    free(cache->entries);
    free(cache);
}

bool auth_token_cache_print(const auth_token_cache *cache, core_slice token,
                            auth_token_print *print) {
    return cache->sets > 0 &&
           auth_mac(core_slice_make(cache->key, sizeof cache->key), token, print->hash);
}

static size_t set_of(const auth_token_cache *cache, const auth_token_print *print) {
    uint64_t bits;
    memcpy(&bits, print->hash, sizeof bits);
    return (size_t)(bits & (cache->sets - 1));
}

static bool entry_is(const cache_entry *entry, const auth_token_print *print, uint64_t key_tag) {
    return entry->used > 0 && entry->key_tag == key_tag &&
           memcmp(entry->hash, print->hash, sizeof entry->hash) == 0;
}

bool auth_token_cache_holds(auth_token_cache *cache, const auth_token_print *print,
                            uint64_t key_tag) {
    size_t set = set_of(cache, print);
    cache_part *part = &cache->parts[set % PARTS];
    cache_entry *entries = cache->entries + set * WAYS;
    bool found = false;
    (void)pthread_mutex_lock(&part->mutex);
    for (size_t i = 0; i < WAYS && !found; i++) {
        found = entry_is(&entries[i], print, key_tag);
        if (found)
            entries[i].used = ++part->clock;
    }
    (void)pthread_mutex_unlock(&part->mutex);
    return found;
}

void auth_token_cache_put(auth_token_cache *cache, const auth_token_print *print,
                          uint64_t key_tag) {
    size_t set = set_of(cache, print);
    cache_part *part = &cache->parts[set % PARTS];
    cache_entry *entries = cache->entries + set * WAYS;
    size_t oldest = 0;
    (void)pthread_mutex_lock(&part->mutex);
    for (size_t i = 1; i < WAYS; i++)
        if (entries[i].used < entries[oldest].used)
            oldest = i;
    entries[oldest].key_tag = key_tag;
    entries[oldest].used = ++part->clock;
    memcpy(entries[oldest].hash, print->hash, sizeof print->hash);
    (void)pthread_mutex_unlock(&part->mutex);
}
